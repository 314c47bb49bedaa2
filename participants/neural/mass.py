"""A brain of neural masses on a connectome with delays, some of whose regions are simulated elsewhere.

    dx_i/dt = f(x_i, u_i)                             in every region i of its own,      r_i = rate of x_i
        u_i = input of c_i + I_i(t),                  c_i(t) = G sum_j w_ij r_j(t - d_ij)

x state of a neural mass and f its equations (participants/neural/models.py), r [Hz] rates, c [Hz] weighted rate at
which spikes arrive, I stimulus, w_ij weights and d_ij = length_ij / speed [ms] delays of the connections from region j
to region i, rounded to multiples of dt. What a region does to itself is part of f, so w_ii = 0 unless asked for. Before
the start all regions have had their initial rates forever.

Heun's method, in which c is that of the start of each step, as in The Virtual Brain: of order 2 in the masses and 1 in
what connects them, and the same whoever simulates which region.

"Columns" are the regions that are simulated elsewhere. A window has k = window / dt samples. Received are the rates of
the columns at the ends of the k parts of a window; sent are c at these times and the mean of I over these parts. In an
explicit scheme they are those of the next window: no delay across the coupling is shorter than a window, so c is known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.case import Case
from adapters.coupling import Coupling
from adapters.participant import participant
from adapters.ranks import world
from adapters.wiring import CouplingError
from participants.neural import models, windows
from participants.neural.connectome import Connectome, load, pair
from participants.neural.delays import Delays
from participants.neural.recording import Recording
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]

READS = {"Column-Rate": Field("Hz", per="window", help="rates of the columns")}
WRITES = {
    "Afferent-Rate": Field("Hz", per="window", help="weighted rate at which spikes arrive in the columns"),
    "Stimulus": Field("1", per="window", help="stimulus of the columns"),
}


@dataclass(frozen=True)
class Settings(models.Parameters):
    """The brain, what it is made of, and what stimulates it."""

    connectome: str = setting(
        "pair", "folder or zip, or such as tvb:connectivity_76, or pair: two regions A and B", file=True
    )
    pair_weight: float = setting(5.0, "weight of both connections of a pair")
    pair_length: float = setting("6 mm", "their length", minimum=0)
    columns: tuple[str, ...] = setting((), "labels or numbers of the regions that are simulated elsewhere")
    dt: float = setting("0.1 ms", "step, and time between two samples of a signal", above=0)
    speed: float = setting("3 mm/ms", "speed of what travels along the connections", above=0)
    coupling: float = setting(1.0, "strength G of all connections")
    self_connections: bool = setting(False, "whether regions have those of a connectome from themselves to themselves")
    initial_rate: tuple[float, ...] = setting(("8.1134 Hz",), "rates before the start: of all, or of each", minimum=0)
    stimulus: float = setting(0.0, "stimulus I, a pulse")
    stimulus_start: float = setting("0 ms", "when it begins")
    stimulus_stop: float = setting("0 ms", "when it ends")
    stimulus_regions: tuple[str, ...] = setting((), "labels or numbers of the regions that have it; without any, all")
    record: float = setting("1 ms", "time between two rows of rates in regions.npz", above=0)


class Brain:
    """All regions: those of its own, which are advanced, and the columns, of which it knows the rates."""

    def __init__(self, s: Settings, samples: int) -> None:
        self.s, self.model = s, models.build(s)
        self.connectome = connectome(s)
        n = len(self.connectome.labels)
        self.columns = self.connectome.regions(s.columns, "columns")
        self.own = np.setdiff1d(np.arange(n), self.columns)
        stimulated = self.connectome.regions(s.stimulus_regions, "stimulus-regions")
        self.stimulated = np.isin(np.arange(n), stimulated) if len(stimulated) else np.ones(n, dtype=bool)
        if len(s.initial_rate) not in (1, n):
            raise CouplingError(f"initial-rate: {len(s.initial_rate)} rates for {n} regions; expected 1 or {n}")
        rates = np.broadcast_to(np.array(s.initial_rate), (n,))
        self.state = self.model.start(rates[self.own])
        steps = self.connectome.delays(s.speed, s.dt)
        self.delays = Delays(s.coupling * self.connectome.weights, steps, rates, samples)

    def advance(self, first: int, count: int) -> None:
        """Advance the regions of its own from sample `first` by `count` steps."""
        at_once = max(1, min(count, self.delays.shortest))  # for so long all that arrives has left before
        for begin in range(first, first + count, at_once):
            steps = min(at_once, first + count - begin)
            arriving = self.model.input(self.delays.drive(begin, steps))
            u = (arriving + self.stimulus(begin, steps))[:, self.own]
            for j in range(steps):
                self.state = models.heun(self.model, self.state, u[j], self.s.dt)
                self.delays.put(begin + j + 1, self.model.rate(self.state)[None], self.own)

    def stimulus(self, first: int, count: int) -> Array:
        """Return I (count, n) in the steps from sample `first` on: its mean over each."""
        s, begin = self.s, self.s.dt * (first + np.arange(count))
        overlap = np.minimum(s.stimulus_stop, begin + s.dt) - np.maximum(s.stimulus_start, begin)
        return s.stimulus * np.outer(np.clip(overlap / s.dt, 0, 1), self.stimulated)

    def save(self) -> tuple[Array, Array]:
        return self.state, self.delays.save()

    def restore(self, value: tuple[Array, Array]) -> None:
        self.state = value[0]
        self.delays.restore(value[1])


def main[S: Settings](case: Case[S], kind: Callable[[S, int], Brain] = Brain) -> None:
    """Run a brain of this kind, made of settings and the number of samples in a window."""
    if world() is not None:
        raise CouplingError(f"{case.name} is one process: start it on one rank")
    s = case.settings
    with Coupling(case) as coupling:
        samples = windows.samples(coupling, s.dt)
        brain = kind(s, samples)
        if not len(brain.columns):
            raise CouplingError(
                "columns: no region is simulated elsewhere; expected the label or number of at least one"
            )
        ahead = samples * windows.sent_ahead(coupling, shortest_delay(s))
        first = -samples  # sample at which the window in progress begins
        mesh = coupling.provide_signals("Column-Mesh", brain.columns[:, None], samples)
        rate = mesh.read("Column-Rate")
        mesh.write("Afferent-Rate", lambda: brain.delays.drive(first + ahead + 1, samples)[:, brain.columns].T)
        mesh.write("Stimulus", lambda: brain.stimulus(first + ahead, samples)[:, brain.columns].T)
        recording = Recording(coupling, brain.connectome, s.dt, s.record)

        def complete(_: float) -> None:
            brain.delays.put(first + 1, rate.values.T, brain.columns)
            recording.add(first + 1, brain.delays.rates(first + 1, samples))

        coupling.on_window(complete)
        for step in coupling.steps(keep=[brain]):
            first = (step.window - 1) * samples
            brain.delays.put(first + 1, rate.values.T, brain.columns)  # a guess, until the window is complete
            brain.advance(first, samples)


def connectome(s: Settings) -> Connectome:
    """Return the connectome that the settings name."""
    found = pair(s.pair_weight, s.pair_length) if s.connectome == "pair" else load(s.connectome)
    return found if s.self_connections else found.without_self()


def shortest_delay(s: Settings) -> float | None:
    """Return the longest window of an explicit scheme [s]: the shortest delay from or to a column; None without any.

    Of a delay between two columns it is half: rates reach Brain at the end of a window, and another column in the
    window after the next.
    """
    whole = connectome(s)
    column = np.isin(np.arange(len(whole.labels)), whole.regions(s.columns, "columns"))
    passed = column[:, None].astype(int) + column  # windows in which it has to be there
    across = (s.coupling * whole.weights != 0) & (passed > 0)
    delays = whole.delays(s.speed, s.dt)[across] * s.dt / passed[across]
    return float(delays.min()) / 1000 if delays.size else None


if __name__ == "__main__":
    participant(main, Settings, reads=READS, writes=WRITES, delay=shortest_delay, time_scales=("tau",), sampling="dt")
