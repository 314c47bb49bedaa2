"""A monotone, bounded law: a scalar or symmetric tensor that only rises, or only falls, with each driving scalar.

    Y(x) = A_0 + T sum over j of r_j(u_j) L_j L_j^T / sum over i of tr(L_i L_i^T),    u_j = w_j . (g x)
    r(u) = (s(b (u - c + d)) - s(b (u - c - d))) / (2 b d),    s(a) = log(1 + exp(a))

g is +1 or -1 for each driving scalar, w_j are shares, so u rises with g x; r is a ramp of width 2 d about c with
rounded corners, from 0 to 1. So Y - A_0 grows in the order of Loewner, which for a scalar is plain order, and a scalar
stays between A_0 and A_0 + T, a tensor beyond A_0 with a trace that is larger by at most T. The derivative by x is at
hand.

Arrays of parameters have a leading axis m: so many laws, side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.learned.potential import Parameters, _soft, _step, _unsoft

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Monotone:
    """The form of the law.

    Attributes
    ----------
    lowest : (d, d) A_0; a scalar has d = 1.
    span : T.
    signs : (c,) g.
    units : number of ramps.
    """

    lowest: Array
    span: float
    signs: Array
    units: int = 24

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one law."""
        d, k = len(self.lowest), self.units
        return {"L": (k, d, d), "w": (k, len(self.signs)), "c": (k,), "d": (k,), "b": (k,)}

    def initial(self, random: np.random.Generator, x: Array, size: Array) -> dict[str, Array]:
        """Return raw parameters (1, ...) to start from, with ramps where the x (n, c) are and where `size` (n,) rises.

        `size` : trace of what is to be learned.
        """
        k, d = self.units, len(self.lowest)
        w = np.exp(0.5 * random.standard_normal((k, len(self.signs))))
        u = (x * self.signs) @ (w / w.sum(axis=1, keepdims=True)).T
        ends = np.stack([_quantiles(u[:, j], size, (np.array([0, 1]) + j) / k, random.random()) for j in range(k)])
        width = np.maximum(np.ptp(ends, axis=1), 1e-4 * np.ptp(u, axis=0)) / 2 * np.exp(0.3 * random.standard_normal(k))
        found = {"L": np.eye(d) + 0.1 * random.standard_normal((k, d, d)), "w": np.log(w), "c": ends.mean(axis=1)}
        return {name: value[None] for name, value in (found | {"d": _unsoft(width), "b": _unsoft(4 / width)}).items()}

    def physical(self, raw: Parameters) -> dict[str, Array]:
        """Return the parameters with their signs and sums as they have to be: A (m, k, d, d) in place of L."""
        L = raw["L"]
        squares = L @ np.swapaxes(L, 2, 3)
        w = np.exp(raw["w"] - raw["w"].max(axis=2, keepdims=True))
        return {
            "A": squares * (self.span / _traces(squares).sum(axis=1))[:, None, None, None],
            "w": w / w.sum(axis=2, keepdims=True),
            "c": raw["c"],
            "d": _soft(raw["d"]),
            "b": _soft(raw["b"]),
        }

    def respond(self, p: Parameters, x: Array) -> tuple[Array, Array]:
        """Return Y (m, n, d, d) and its derivative (m, n, c, d, d) at x (n, c)."""
        ramp, slope, _, _ = _ramps(p, self._levels(p, x))
        value = self.lowest + np.einsum("mnk,mkij->mnij", ramp, p["A"], optimize=True)
        by = np.einsum("mnk,mkc,mkij->mncij", slope, p["w"], p["A"], optimize=True)
        return value, by * self.signs[:, None, None]

    def pullback(self, raw: Parameters, x: Array, back: Array) -> dict[str, Array]:
        """Return the gradient by raw parameters of sum over n of back : Y, for one law and back (n, d, d)."""
        p = self.physical(raw)
        ramp, slope, by_width, by_sharpness = (v[0] for v in _ramps(p, self._levels(p, x)))
        A, w, L = p["A"][0], p["w"][0], raw["L"][0]
        by_ramp = np.einsum("nij,kij->nk", back, A, optimize=True)
        by_A = np.einsum("nk,nij->kij", ramp, back, optimize=True)
        by_A = (by_A + np.swapaxes(by_A, 1, 2)) / 2
        squares = L @ np.swapaxes(L, 1, 2)
        total = _traces(squares).sum()
        scale = (by_A * squares).sum() * self.span / total**2
        by_L = 2 * (by_A * self.span / total - scale * np.eye(len(self.lowest))) @ L
        by_level = by_ramp * slope
        by_w = by_level.T @ (x * self.signs)
        found = {
            "L": by_L,
            "w": w * (by_w - (w * by_w).sum(axis=1, keepdims=True)),
            "c": -by_level.sum(axis=0),
            "d": (by_ramp * by_width).sum(axis=0) * _step(raw["d"][0]),
            "b": (by_ramp * by_sharpness).sum(axis=0) * _step(raw["b"][0]),
        }
        return {name: value[None] for name, value in found.items()}

    def _levels(self, p: Mapping[str, Array], x: Array) -> Array:
        """Return u (m, n, k)."""
        return np.asarray((x * self.signs) @ np.swapaxes(p["w"], 1, 2))


def _ramps(p: Parameters, u: Array) -> tuple[Array, Array, Array, Array]:
    """Return r (m, n, k) and its derivatives by u, d and b."""
    c, d, b = (p[name][:, None] for name in ("c", "d", "b"))
    begin, end = u - c + d, u - c - d
    rise, fall = _step(b * begin), _step(b * end)
    ramp = np.clip((_soft(b * begin) - _soft(b * end)) / (2 * b * d), 0, 1)
    slope = (rise - fall) / (2 * d)
    by_width = ((rise + fall) / 2 - ramp) / d
    by_sharpness = ((rise * begin - fall * end) / (2 * d) - ramp) / b
    return ramp, slope, by_width, by_sharpness


def _traces(matrices: Array) -> Array:
    return np.asarray(np.trace(matrices, axis1=-2, axis2=-1))


def _quantiles(u: Array, size: Array, shares: Array, mixed: float) -> Array:
    """Return levels below which are these shares of the samples, and of all that `size` rises, mixed so."""
    order = np.argsort(u, kind="stable")
    level = u[order]
    rise = np.append(0.0, np.cumsum(np.maximum(np.diff(size[order]), 0)))
    even = np.linspace(0, 1, len(level))
    return np.asarray(np.interp(shares, mixed * even + (1 - mixed) * rise / max(rise[-1], 1e-300), level))
