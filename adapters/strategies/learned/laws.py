"""Monotone laws of scalars, one for each observable, and their slopes. See monotone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.learned import roles
from adapters.strategies.learned.bundle import Bundle
from adapters.strategies.learned.monotone import Monotone
from adapters.strategies.learned.potential import Parameters
from scalebridge.units import converter

Array = NDArray[np.float64]
Memory = Mapping[str, Array]


@dataclass(frozen=True)
class Laws:
    """The laws in scaled variables, and their way to the fields.

    Attributes
    ----------
    controls : what drives, in order.
    low, high : (c,) what is 0 and 1 in scaled variables, in the units of the fields.
    laws : by observable, in their units.
    slopes : slope -> (observable, number of the control, factor to its unit).
    """

    form: ClassVar[str] = "monotone"
    controls: tuple[str, ...]
    low: Array
    high: Array
    laws: Mapping[str, Monotone]
    slopes: Mapping[str, tuple[str, int, float]]

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "form": self.form,
            "controls": list(self.controls),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "laws": {
                name: {"lowest": m.lowest.tolist(), "span": m.span, "signs": m.signs.tolist(), "units": m.units}
                for name, m in self.laws.items()
            },
            "slopes": {name: list(slope) for name, slope in self.slopes.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Laws:
        """Return what `to_json` gave."""
        laws = {
            name: Monotone(np.array(m["lowest"]), m["span"], np.array(m["signs"]), m["units"])
            for name, m in data["laws"].items()
        }
        slopes = {
            name: (str(base), int(number), float(factor)) for name, (base, number, factor) in data["slopes"].items()
        }
        return cls(tuple(data["controls"]), np.array(data["low"]), np.array(data["high"]), laws, slopes)

    def inputs(self, controls: Mapping[str, Any]) -> Array:
        """Return x (..., c) in the units of the fields."""
        return np.stack([np.asarray(controls[name], dtype=np.float64) for name in self.controls], axis=-1)

    def told(self, x: Array) -> dict[str, Array]:
        """Return the controls that a vector (c,) stands for."""
        return dict(zip(self.controls, x, strict=True))

    def targets(self, observables: Mapping[str, Array]) -> dict[str, Array]:
        """Return what is learned, (..., d, d) by observable."""
        return {name: matrix(observables[name], law.lowest.shape[0] > 1) for name, law in self.laws.items()}

    def outputs(self, controls: Mapping[str, Any], seen: Mapping[str, Array]) -> dict[str, Array]:
        """Return the observables (n, m, ...) of all members from what `respond` saw."""
        return {name: values if values.shape[-1] > 1 else values[..., 0, 0] for name, values in seen.items()}

    def at_rest(self, n: int, members: int) -> dict[str, Array]:
        """Return the memory, which is empty."""
        return {}

    def physical(self, raw: Parameters) -> dict[str, Array]:
        """Return the parameters as `respond` wants them."""
        found: dict[str, Array] = {}
        for i, law in enumerate(self.laws.values()):
            found |= {f"{i}/{k}": v for k, v in law.physical(_of(raw, i)).items()}
        return found

    def respond(self, p: Parameters, memory: Memory, x: Array, dt: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return no memory, and what is seen (n, m, ...) at x (n, c); `dt` does not matter."""
        width = self.high - self.low
        seen, by = {}, {}
        for i, (name, law) in enumerate(self.laws.items()):
            seen[name], by[name] = (np.swapaxes(v, 0, 1) for v in law.respond(_of(p, i), (x - self.low) / width))
        for name, (base, number, factor) in self.slopes.items():
            seen[name] = by[base][:, :, number] * (factor / width[number])
        return {}, seen

    def activity(self, controls: Mapping[str, Any], observables: Mapping[str, Array]) -> Array:
        """Return 1 for each row: the errors of a law without a memory are of one size."""
        return np.ones(self.inputs(controls).shape[:-1])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one member."""
        return {f"{i}/{k}": v for i, law in enumerate(self.laws.values()) for k, v in law.shapes().items()}

    def initial(self, random: np.random.Generator, bundles: Sequence[Bundle]) -> dict[str, Array]:
        """Return raw parameters (1, ...) to start from."""
        x = self._all(bundles)
        found: dict[str, Array] = {}
        for i, (name, law) in enumerate(self.laws.items()):
            size = np.trace(_joined(bundles, name), axis1=1, axis2=2)
            found |= {f"{i}/{k}": v for k, v in law.initial(random, x, size).items()}
        return found

    def loss(self, raw: Parameters, bundles: Sequence[Bundle]) -> tuple[float, dict[str, Array]]:
        """Return the mean square error, relative to the square of the span, summed over the laws; and its gradient."""
        x, loss = self._all(bundles), 0.0
        found: dict[str, Array] = {}
        for i, (name, law) in enumerate(self.laws.items()):
            own = _of(raw, i)
            error = law.respond(law.physical(own), x)[0][0] - _joined(bundles, name)
            weight = 1 / (len(x) * max(law.span, 1e-300) ** 2)
            loss += weight * float((error**2).sum())
            found |= {f"{i}/{k}": v for k, v in law.pullback(own, x, 2 * weight * error).items()}
        return loss, found

    def _all(self, bundles: Sequence[Bundle]) -> Array:
        x = np.concatenate([b.x.reshape(-1, len(self.controls)) for b in bundles])
        return np.asarray((x - self.low) / (self.high - self.low))


def build(
    found: roles.Roles,
    units: Mapping[str, str],
    controls: Sequence[str],
    box: Array,
    values: Mapping[str, Array],
    x: Array,
    count: int,
    bounds: Mapping[str, tuple[float, float]],
) -> Laws:
    """Return the laws for fields that have these roles.

    Parameters
    ----------
    units : of controls and observables by name.
    box : (2, c) lowest and highest.
    values : observables (n, ...) at x (n, c): what is lowest and highest, and what rises with what.
    count : ramps of each law.
    bounds : lowest and highest of scalars, where they are known.
    """
    laws, order = {}, list(controls)
    for name in (one for one, role in found.of.items() if role == roles.LAW):
        tensors = matrix(values[name], values[name].ndim > 1)
        size = np.trace(tensors, axis1=1, axis2=2)
        least = int(np.argmin(size))
        lowest, span = tensors[least], float(np.ptp(size))
        if name in bounds:
            lowest, span = np.array([[bounds[name][0]]]), bounds[name][1] - bounds[name][0]
        centred = x - x.mean(axis=0)
        signs = np.where(centred.T @ (size - size.mean()) < 0, -1.0, 1.0)
        laws[name] = Monotone(lowest, span, signs, count)
    slopes = {
        name: (base, order.index(by), converter(f"({units[base]})/({units[by]})", units[name]).factor)
        for name, (base, by) in found.base.items()
    }
    return Laws(tuple(order), box[0], box[1], laws, slopes)


def matrix(values: Array, tensor: bool) -> Array:
    """Return values (..., d, d), scalars as matrices of one entry."""
    array = np.asarray(values, dtype=np.float64)
    return (array + np.swapaxes(array, -1, -2)) / 2 if tensor else array[..., None, None]


def _of(values: Parameters, number: int) -> dict[str, Array]:
    begin = f"{number}/"
    return {name.removeprefix(begin): value for name, value in values.items() if name.startswith(begin)}


def _joined(bundles: Sequence[Bundle], name: str) -> Array:
    return np.concatenate([b.targets[name].reshape(-1, *b.targets[name].shape[2:]) for b in bundles])
