"""What a run of this tutorial has left behind."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from participants.neural import mass
from participants.neural.delays import Delays
from scalebridge.handout import Handout
from scalebridge.settings import build


@dataclass(frozen=True)
class Results:
    """A run: `brain` and `column` are the settings of the participants, times are in ms, rates in Hz."""

    run: Path

    @cached_property
    def brain(self):
        given = Handout.load(self.run / "Brain" / "handout.json").settings  # of The Virtual Brain's there are more
        known = {field.name for field in fields(mass.Settings)}
        return build(mass.Settings, {name: value for name, value in given.items() if name in known}, plain=True)

    @cached_property
    def column(self):
        return Handout.load(self.run / "Column" / "handout.json").settings

    @cached_property
    def module(self):
        """Name of the module that simulated the column."""
        return Handout.load(self.run / "Column" / "handout.json").module

    @cached_property
    def _recorded(self):
        with np.load(self.run / "Brain" / "regions.npz", allow_pickle=False) as file:
            return dict(file)

    @property
    def time(self):
        """(m,) ends of the samples."""
        return 1e3 * self._recorded["time"]

    @property
    def rate(self):
        """(m, regions)."""
        return self._recorded["rate"]

    @property
    def labels(self):
        return self._recorded["label"].tolist()

    @property
    def centres(self):
        """(regions, 3) [mm]."""
        return self._recorded["centre"]

    @cached_property
    def columns(self):
        """Numbers of the regions that were simulated elsewhere."""
        return mass.connectome(self.brain).regions(self.brain.columns, "columns")

    @cached_property
    def raster(self):
        """(spikes, 2): time and number of the neuron, of those that were recorded; None of a column without neurons."""
        file = self.run / "Column" / "raster.csv"
        if not file.is_file():
            return None
        rows = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
        return rows[:, [0, 2]] * [1e3, 1]

    def mean(self, begin, end, rate=None):
        """Return the mean rates (regions,) between two times."""
        inside = (self.time > begin + 1e-9) & (self.time <= end + 1e-9)
        return (self.rate if rate is None else rate)[inside].mean(axis=0)

    def binned(self, width, rate=None):
        """Return the middles of bins (m,) and the mean rates (m, regions) in them."""
        each = max(1, round(width / (self.time[1] - self.time[0])))
        rate = self.rate if rate is None else rate
        whole = len(rate) // each * each
        return self.time[:whole].reshape(-1, each).mean(axis=1), rate[:whole].reshape(-1, each, rate.shape[1]).mean(1)

    @cached_property
    def in_one_piece(self):
        """The rates (m, regions) of the same brain, all of whose regions are neural masses, at the same times."""
        return self.masses()

    def masses(self, change=0.0):
        """Return the same where what the columns send is changed by a fraction."""
        s = replace(self.brain, columns=())
        brain = mass.Brain(s, 1)
        weights = (
            s.coupling * brain.connectome.weights * (1 + change * np.isin(np.arange(len(self.labels)), self.columns))
        )
        brain.delays = Delays(weights, brain.connectome.delays(s.speed, s.dt), brain.delays.rates(0, 1)[0], 1)
        rates = []
        for sample in range(round(self.time[-1] / s.dt)):
            brain.advance(sample, 1)
            rates.append(brain.delays.rates(sample + 1, 1)[0].copy())
        return np.array(rates)[np.rint(self.time / s.dt).astype(int) - 1]


def onset(time, rate, threshold, lasting=5.0):
    """Return when each region (n,) first stays above a rate [Hz] for a while [ms]; NaN where it never does."""
    for_so_long = max(1, round(lasting / (time[1] - time[0])))
    above = rate > threshold
    stays = np.lib.stride_tricks.sliding_window_view(above, for_so_long, axis=0).all(axis=-1)
    return np.where(stays.any(axis=0), time[stays.argmax(axis=0)], np.nan)
