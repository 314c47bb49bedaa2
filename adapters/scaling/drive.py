"""Maps from a firing rate of afferent neurons to what a population gets from them: a current, or spikes.

All of them take the rate r [Hz] of one afferent fibre, constant in each part of a window, and K `synapses`. With a
charge q per spike (the time integral of what one spike does: unit of the control times s) the mean input is K q r
whichever map is taken; the maps differ in what they know of its fluctuations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from adapters import seeds
from adapters.scaling.kernels import Kernel
from adapters.scaling.protocol import Array, Memory, ScalingError
from adapters.spikes import Spikes
from scalebridge import checks, units
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

# Round-off of sums over a run, relative to what was summed.
ROUND_OFF = 1e-9
# Most spikes of a population in one window: more are asked for by runs that diverge, and do not fit into memory.
MOST = 10**8
# How far a random sum may be from its mean, in standard deviations. What is kept of a run is the worst of all windows
# and populations. A sum has about as many independent looks at it as there are factors of e in the number of windows:
# a million windows for 100 populations are some thousand looks, each of which is beyond 5 once in two million.
SIGMAS = 5.0
# Expected numbers of spikes beyond which their distribution is normal, and SciPy's tails are no longer exact.
MANY = 1e6
LEVEL = -math.log(math.erfc(SIGMAS / math.sqrt(2)) / 2)  # of the probability: exp(-LEVEL)
Z_SOURCE = "tails of the Poisson distribution, as a z score; beyond 5 once in two million looks"
BERNSTEIN = "mean of a Poisson process; Bernstein's inequality at the level of 5 standard deviations"


def _synapses(default: int) -> int:
    number: int = setting(default, "afferent fibres K, each with the rate that is sent", minimum=1)
    return number


def _charge() -> str:
    charge: str = setting(help="time integral of what one spike does, in the unit of the control times a time")
    return charge


def _kernel() -> str:
    kernel: str = setting("none", "what one spike does in the course of time", choices=("none", "exponential", "alpha"))
    return kernel


def _time() -> float:
    time: float = setting("5 ms", "decay time (exponential), time of the peak (alpha)", above=0)
    return time


@dataclass(frozen=True)
class PoissonSpikes:
    """Spikes for every neuron of a population from K afferents of its own: independent Poisson processes.

    Spikes are drawn at exact times; the number for the whole population first, then when and to which neuron each goes.
    """

    name: ClassVar[str] = "poisson-spikes"
    preserves: ClassVar[str] = "the expected number of spikes of every neuron, K times the integral of the rate"
    delay: ClassVar[float] = 0.0

    synapses: int = _synapses(100)

    def mean(self, rate: float) -> float:
        """Return the mean number of spikes that a neuron gets in a second [Hz]: K r."""
        return self.synapses * rate

    def variance(self, rate: float, part: float) -> float:
        """Return the variance [Hz^2] of what a neuron gets, averaged over `part` [s]: K r / part."""
        return self.synapses * rate / part

    def misfit(self, field: Field) -> str:
        return "" if field.per == "spikes" else "a control that is spikes"

    def gives(self, field: Field) -> Field:
        return Field("Hz", per="window", help=field.help, optional=field.optional)

    def start(self, field: Field, points: Array, seed: int) -> Memory:
        return _fresh(points, seed)

    def downscale(self, values: Array, memory: Memory, dt: float, cells: tuple[int, ...]) -> tuple[Spikes, Memory]:
        (neurons,) = cells
        _check_rates(self.name, values)
        if dt == 0:
            return Spikes.none(len(values), neurons, 0.0), memory
        return _draw(self.name, values * (self.synapses * neurons), memory, dt, neurons)

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not _begun(memory):
            return []
        name = "spikes per second that a population got, against what the rate asks for"
        drawn, asked, time = (memory[key] for key in ("drawn", "asked", "time"))
        return [_z_score(memory), _nearest(name, drawn / time, asked / time, _deviation(asked) / time, BERNSTEIN, "Hz")]


class _Current:
    """What the maps to a current share: a charge per spike, spread over time by a kernel."""

    name: ClassVar[str]
    synapses: int
    charge: str
    kernel: str
    time: float

    @property
    def filter(self) -> Kernel:
        return Kernel.named(self.kernel, self.time / 1e3)

    @property
    def delay(self) -> float:
        """Mean time from a spike to the charge that it brings [s]."""
        return self.filter.delay

    def mean(self, rate: float, unit: str) -> float:
        """Return the mean input K q r in the `unit` of the control, for a rate in Hz."""
        return self.synapses * self._charge(unit) * rate

    def misfit(self, field: Field) -> str:
        if field.per != "window":
            return "a control that is a signal in the window"
        try:
            self._charge(field.unit)
        except units.UnitError as error:
            return f"charge in '{_times_second(field.unit)}', the unit of the control times s: {error}"
        return ""

    def gives(self, field: Field) -> Field:
        return Field("Hz", per="window", help=field.help, optional=field.optional)

    def _charge(self, unit: str) -> float:
        """Return the charge in the unit of the control times s. Raises UnitError."""
        return units.convert(self.charge, _times_second(unit))

    def _empty(self, field: Field, n: int) -> Memory:
        """Return the memory that all of these maps have."""
        none = {name: np.zeros(n) for name in ("delivered", "asked", "time")}
        return {"filter": self.filter.empty(n), "charge": np.full(n, self._charge(field.unit)), **none}


@dataclass(frozen=True)
class SynapticCurrent(_Current):
    """The mean input K q r of a rate, smoothed by the time course of a synapse; it has no fluctuations of its own.

    Rates may be negative here, as sums are with weights of either sign.
    """

    name: ClassVar[str] = "synaptic-current"
    preserves: ClassVar[str] = "the charge: the integral of the input, up to what the kernel still holds"

    synapses: int = _synapses(1)
    charge: str = _charge()
    kernel: str = _kernel()
    time: float = _time()

    def variance(self, rate: float, unit: str, part: float) -> float:
        """Return the variance of the input at a constant rate: none."""
        return 0.0

    def start(self, field: Field, points: Array, seed: int) -> Memory:
        return {**self._empty(field, len(points)), "turnover": np.zeros(len(points))}

    def downscale(self, values: Array, memory: Memory, dt: float, cells: tuple[int, ...]) -> tuple[Array, Memory]:
        charge = memory["charge"][:, None]
        rates = values * self.synapses
        if dt == 0:
            now = self.filter.value(memory["filter"])[:, None] if self.filter.order else rates
            return np.broadcast_to(charge * now, values.shape).copy(), memory
        part = dt / values.shape[1]
        means, held = self.filter.rates(memory["filter"], rates, part)
        current = charge * means
        sums = {"asked": rates, "turnover": np.abs(rates), "delivered": current}
        new = {name: memory[name] + part * terms.sum(axis=1) for name, terms in sums.items()}
        return current, {**memory, "filter": held, "time": memory["time"] + dt, **new}

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not _begun(memory):
            return []
        charge = memory["charge"]
        told = memory["delivered"] + charge * self.filter.held(memory["filter"])
        slack = ROUND_OFF * np.abs(charge) * memory["turnover"]
        name = "charge that was delivered and that the kernel still holds, against the rate that asks for it"
        wanted = charge * memory["asked"]
        return [_nearest(name, told, wanted, slack, "integral of the kernel is 1", _times_second(unit))]


@dataclass(frozen=True)
class FilteredSpikes(_Current):
    """The input from Poisson spikes of K afferents that the whole population has in common (shot noise)."""

    name: ClassVar[str] = "filtered-spikes"
    preserves: ClassVar[str] = "the expected charge, and exactly that of the spikes drawn"

    synapses: int = _synapses(100)
    charge: str = _charge()
    kernel: str = _kernel()
    time: float = _time()

    def variance(self, rate: float, unit: str, part: float) -> float:
        """Return the variance of the input over parts of length `part` [s], in the square of the control's `unit`.

        Campbell's theorem, K r q^2 times the integral of the square of the kernel: K r q^2 / (2 time) for exponential
        and K r q^2 / (4 time) for alpha where parts are much shorter than `time`, K r q^2 / part without a kernel.
        """
        return self.synapses * rate * self._charge(unit) ** 2 * self.filter.power(part)

    def start(self, field: Field, points: Array, seed: int) -> Memory:
        return {**self._empty(field, len(points)), **_fresh(points, seed)}

    def downscale(self, values: Array, memory: Memory, dt: float, cells: tuple[int, ...]) -> tuple[Array, Memory]:
        charge = memory["charge"][:, None]
        _check_rates(self.name, values)
        parts = values.shape[1]
        if dt == 0:
            return np.repeat(charge * self.filter.value(memory["filter"])[:, None], parts, axis=1), memory
        spikes, new = _draw(self.name, values * self.synapses, memory, dt, 1)
        means, held = self.filter.spikes(memory["filter"], spikes.divided(parts))
        current = charge * means
        delivered = memory["delivered"] + dt / parts * current.sum(axis=1)
        return current, {**new, "filter": held, "delivered": delivered}

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not _begun(memory):
            return []
        charge, asked, drawn, time = (memory[key] for key in ("charge", "asked", "drawn", "time"))
        held = charge * self.filter.held(memory["filter"])
        told, slack = memory["delivered"] + held, ROUND_OFF * np.abs(charge) * np.maximum(drawn, 1)
        name = "charge that was delivered and that the kernel still holds, against the spikes drawn"
        sharp = _nearest(name, told, charge * drawn, slack, "integral of the kernel is 1", _times_second(unit))
        slack = (np.abs(charge) * _deviation(asked) + np.abs(held)) / time
        name, mean = "mean input, against the rate that asks for it", memory["delivered"] / time
        return [_z_score(memory), sharp, _nearest(name, mean, charge * asked / time, slack, BERNSTEIN, unit)]


def _fresh(points: Array, seed: int) -> Memory:
    """Return the memory of maps that draw spikes: keys, the number of windows so far, and their sums."""
    n = len(points)
    none = {name: np.zeros(n) for name in ("asked", "drawn", "time")}
    return {"key": seeds.keys(points, seed), "windows": np.zeros(n, dtype=np.uint64), **none}


def _draw(name: str, rates: Array, memory: Memory, dt: float, neurons: int) -> tuple[Spikes, Memory]:
    """Return Poisson spikes of whole populations at `rates` (n, k) [Hz], and the new memory.

    One population at a time, because each has random numbers of its own; all of its spikes at once.
    """
    n, parts = rates.shape
    ends = np.zeros((n, parts + 1))  # expected number of spikes up to the ends of the parts
    np.cumsum(rates * (dt / parts), axis=1, out=ends[:, 1:])
    if (wrong := ends[:, -1] > MOST).any():
        told = f"asks for {ends[:, -1].max():.3g} spikes in one window; expected at most {MOST:.0e}"
        raise ScalingError(f"{name}: {told}", np.flatnonzero(wrong))
    edges = np.linspace(0.0, dt, parts + 1)
    rows, targets, times = [], [], []
    for i in range(n):
        random = seeds.counted(memory["key"][i], int(memory["windows"][i]))
        number = int(random.poisson(ends[i, -1]))
        rows.append(np.full(number, i))
        times.append(np.interp(_ordered(random, number) * ends[i, -1], ends[i], edges))
        targets.append(random.integers(0, neurons, number))
    time = np.clip(np.concatenate([np.zeros(0), *times]), np.nextafter(0, 1), dt)
    row, target = (np.concatenate([np.zeros(0, dtype=np.int64), *found]) for found in (rows, targets))
    new = {
        **memory,
        "windows": memory["windows"] + np.uint64(1),
        "asked": memory["asked"] + ends[:, -1],
        "drawn": memory["drawn"] + np.bincount(row, minlength=n),
        "time": memory["time"] + dt,
    }
    return Spikes(row, target, time, n, neurons, dt, parts), new


def _ordered(random: np.random.Generator, number: int) -> Array:
    """Return uniform random numbers in ascending order: sums of exponential ones, which need no sorting."""
    sums = np.cumsum(random.standard_exponential(number + 1))
    return np.asarray(sums[:-1] / sums[-1])


def _check_rates(name: str, rates: Array) -> None:
    """Raise ScalingError where a rate (n, k) is negative or not a number."""
    wrong = ~(np.isfinite(rates) & (rates >= 0))
    if wrong.any():
        row, part = np.argwhere(wrong)[0]
        told = (
            f"the rate in part {part} of the window is {rates[row, part]:g} Hz; expected a finite number, not negative"
        )
        raise ScalingError(f"{name}: {told}", np.flatnonzero(wrong.any(axis=1)))


def _z_score(memory: Memory) -> Check:
    """Compare the spikes that were drawn so far with their expected number, by the probability of such a difference."""
    drawn, asked = memory["drawn"], memory["asked"]
    fewer = scipy.special.pdtr(drawn, asked)
    more = np.where(drawn > 0, scipy.special.pdtrc(np.maximum(drawn - 1, 0), asked), 1.0)
    least = np.clip(np.minimum(fewer, more), np.finfo(float).tiny, 0.5)
    score = np.where(
        asked < MANY, -scipy.special.ndtri(least), np.abs(drawn - asked) / np.sqrt(np.maximum(asked, MANY))
    )
    name = "spikes drawn against their expected number, z score"
    return checks.at_most(name, score.max(), SIGMAS, source=Z_SOURCE)


def _begun(memory: Memory) -> bool:
    """Whether there is anything to check: populations, for which time has passed."""
    return bool(memory["time"].size) and bool(memory["time"].all())


def _deviation(asked: Array) -> Array:
    """Return by how much a Poisson number may differ from its mean `asked`.

    P(n - a > x) and P(a - n > x) are at most exp(-x^2 / (2 a + 2 x / 3)), which is exp(-LEVEL) here.
    """
    return np.asarray(LEVEL / 3 + np.sqrt(LEVEL**2 / 9 + 2 * LEVEL * asked))


def _nearest(name: str, values: Array, wanted: Array, slack: Array, source: str, unit: str) -> Check:
    """Return the check of the population that is nearest to failing."""
    worst = int((np.abs(values - wanted) - slack).argmax())
    return checks.absolute(name, values[worst], wanted[worst], slack[worst], source=source, unit=unit)


def _times_second(unit: str) -> str:
    """Return a unit times s."""
    return "s" if unit == "1" else f"({unit})*s"
