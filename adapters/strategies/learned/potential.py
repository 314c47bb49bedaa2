"""A convex energy of a vector, by an input-convex neural network, with its first and second derivatives in closed form.

    W(x) = N(y) - N(0) - dN/dy(0) . y_linear + |L x|^2 / 2,    y = y(x)
    N = p2 . s(P2 h + A2 y + b2) + p1 . h,    h = s(A1 y + b1),    s(a) = log(1 + exp(a))

With P2, p1, p2 >= 0 N is convex, as s is convex and does not fall (B. Amos, L. Xu & J. Z. Kolter, ICML 2017). W and its
gradient vanish at x = 0. y is x itself, or for an isotropic medium its trace and the length r of the rest, smoothed as
sqrt(r^2 + d^2) - d; N then must not fall with that, so that W is convex in x, too. The gradient belongs to a potential
and its derivative is symmetric, whatever the numbers in the network are.

Arrays of parameters have a leading axis m: so many networks, side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameters = Mapping[str, Array]

ROUND = 0.05  # d, of the length of the deviator that is smoothed; x is about 1


@dataclass(frozen=True)
class Potential:
    """The form of the energy.

    Attributes
    ----------
    unit : (s,) unit vector along the trace, zero for vectors.
    width : units in each of the two hidden layers; 0 for a quadratic energy.
    convex : whether N has to be convex.
    isotropic : whether W depends on the trace and the length of the rest alone.
    """

    unit: Array
    width: int = 16
    convex: bool = True
    isotropic: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one network."""
        s, w = len(self.unit), self.width
        quadratic: dict[str, tuple[int, ...]] = {"modulus": (2,)} if self.isotropic else {"L": (s, s)}
        if not w:
            return quadratic
        f = 2 if self.isotropic else s
        return quadratic | {"A1": (w, f), "b1": (w,), "P2": (w, w), "A2": (w, f), "b2": (w,), "p1": (w,), "p2": (w,)}

    def initial(self, random: np.random.Generator, stiffness: Array) -> dict[str, Array]:
        """Return raw parameters (1, ...) to start from, whose energy is about that of a `stiffness` (s, s)."""
        low, high = np.linalg.eigh(stiffness)
        root = (high * np.sqrt(np.maximum(low, 1e-3 * low[-1]))).T
        found = {}
        for name, shape in self.shapes().items():
            if name == "L":
                value = root
            elif name == "modulus":
                volume, all_of_it = self.unit @ stiffness @ self.unit, np.trace(stiffness)
                value = _unsoft(np.array([volume, (all_of_it - volume) / max(len(self.unit) - 1, 1)]))
            elif name in ("P2", "p1", "p2"):
                value = _unsoft(random.random(shape) * (0.1 if name != "P2" else 1 / self.width) + 1e-3)
            else:
                value = random.standard_normal(shape)
            found[name] = np.asarray(value, dtype=np.float64)[None]
        return found

    def physical(self, raw: Parameters) -> dict[str, Array]:
        """Return the parameters with their signs as they have to be."""
        return {
            name: _soft(value) if self._positive(name) else self._rising(name, value) for name, value in raw.items()
        }

    def physical_pullback(self, raw: Parameters, gradient: Parameters) -> dict[str, Array]:
        """Return the gradient by raw parameters from that by the physical ones."""
        found = {}
        for name, value in raw.items():
            slope = np.ones_like(value)
            if self._positive(name):
                slope = _step(value)
            elif self.isotropic and name in ("A1", "A2"):
                slope[..., 1] = _step(value[..., 1])
            found[name] = gradient[name] * slope
        return found

    def respond(self, p: Parameters, x: Array, second: bool = True) -> tuple[Array, Array, Array | None]:
        """Return W (m, n), its gradient (m, n, s) and, if asked for, its second derivative (m, n, s, s) at x (n, s)."""
        energy, gradient, curvature = self._quadratic(p, x)
        hessian = np.broadcast_to(curvature[:, None], (*gradient.shape, len(self.unit))) if second else None
        if not self.width:
            return energy, gradient, hessian
        y, J, bend = self._features(x)
        value, slope, curved = _network(p, y, second)
        value0, slope0, _ = _network(p, np.zeros((1, y.shape[1])), False)
        slope0 = slope0 * self._linear(y.shape[1])
        energy = energy + value - value0 - (slope0 * y).sum(axis=-1)
        slope = slope - slope0
        gradient = gradient + (slope if J is None else np.einsum("mnf,nfs->mns", slope, J))
        if hessian is not None and curved is not None:
            if J is not None:
                curved = np.einsum("nfs,mnfg,ngt->mnst", J, curved, J, optimize=True)
                curved += slope[..., 1, None, None] * bend
            hessian = hessian + curved
        return energy, gradient, hessian

    def pullback(self, p: Parameters, x: Array, along: Array, weight: Array) -> dict[str, Array]:
        """Return the gradient by the parameters of sum over n of along . dW/dx + weight W, (1, ...) each.

        Parameters
        ----------
        x, along : (n, s); weight : (n,).
        """
        quadratic = along + 0.5 * weight[:, None] * x
        outer = quadratic.T @ x
        outer = outer + outer.T
        if self.isotropic:
            volume = self.unit @ outer @ self.unit / 2
            found = {"modulus": np.array([[volume, np.trace(outer) / 2 - volume]])}
        else:
            found = {"L": p["L"] @ outer}
        if not self.width:
            return found
        y, J, _ = self._features(x)
        lead = along if J is None else np.einsum("nfs,ns->nf", J, along)
        zero = -(lead + weight[:, None] * y).sum(axis=0) * self._linear(y.shape[1])
        y, lead = np.vstack([y, np.zeros((1, y.shape[1]))]), np.vstack([lead, zero])
        return found | _network_pullback(p, y, lead, np.append(weight, -weight.sum()))

    def _quadratic(self, p: Parameters, x: Array) -> tuple[Array, Array, Array]:
        if self.isotropic:
            volume = np.outer(self.unit, self.unit)
            k, g = p["modulus"][:, 0, None, None], p["modulus"][:, 1, None, None]
            C = k * volume + g * (np.eye(len(self.unit)) - volume)
        else:
            C = np.swapaxes(p["L"], 1, 2) @ p["L"]
        gradient = x @ C
        return (gradient * x).sum(axis=-1) / 2, gradient, C

    def _features(self, x: Array) -> tuple[Array, Array | None, Array]:
        """Return y (n, f), its derivative (n, f, s), None if y is x, and the second one of the last of them."""
        if not self.isotropic:
            return x, None, np.zeros(0)
        trace = x @ self.unit
        rest = x - trace[:, None] * self.unit
        length = np.sqrt((rest**2).sum(axis=1) + ROUND**2)
        direction = rest / length[:, None]
        across = np.eye(len(self.unit)) - np.outer(self.unit, self.unit)
        bend = (across - direction[:, :, None] * direction[:, None]) / length[:, None, None]
        J = np.stack([np.broadcast_to(self.unit, x.shape), direction], axis=1)
        return np.stack([trace, length - ROUND], axis=1), J, bend

    def _linear(self, features: int) -> Array:
        """Return 1 for each y that is linear in x, whose slope at 0 has to be taken off; the other is smooth there."""
        return np.array([1.0, 0.0]) if self.isotropic else np.ones(features)

    def _positive(self, name: str) -> bool:
        return name == "modulus" or (self.convex and name in ("P2", "p1", "p2"))

    def _rising(self, name: str, value: Array) -> Array:
        if not self.isotropic or name not in ("A1", "A2"):
            return value
        return np.concatenate([value[..., :1], _soft(value[..., 1:])], axis=-1)


def _network(p: Parameters, y: Array, second: bool) -> tuple[Array, Array, Array | None]:
    """Return N (m, n), dN/dy (m, n, f) and d2N/dy2 (m, n, f, f)."""
    a1 = y @ np.swapaxes(p["A1"], 1, 2) + p["b1"][:, None]
    h1, s1 = _soft(a1), _step(a1)
    a2 = h1 @ np.swapaxes(p["P2"], 1, 2) + y @ np.swapaxes(p["A2"], 1, 2) + p["b2"][:, None]
    s2 = _step(a2)
    value = _soft(a2) @ p["p2"][:, :, None] + h1 @ p["p1"][:, :, None]
    v2 = p["p2"][:, None] * s2
    u1 = v2 @ p["P2"] + p["p1"][:, None]
    slope = v2 @ p["A2"] + (u1 * s1) @ p["A1"]
    if not second:
        return value[..., 0], slope, None
    lead = (p["P2"][:, None] * s1[:, :, None]) @ p["A1"][:, None] + p["A2"][:, None]  # d a2 / dy, (m, n, w, f)
    curved = np.swapaxes(lead, 2, 3) @ ((v2 * (1 - s2))[..., None] * lead)
    A1 = p["A1"]
    m, w, f = A1.shape
    squares = (A1[..., :, None] * A1[..., None, :]).reshape(m, w, f * f)
    curved += ((u1 * s1 * (1 - s1)) @ squares).reshape(curved.shape)
    return value[..., 0], slope, curved


def _network_pullback(p: Parameters, y: Array, along: Array, weight: Array) -> dict[str, Array]:
    """Return the gradient by the parameters of sum of along . dN/dy + weight N: tangents forward, then back."""
    P2, A1, A2, p1, p2 = (p[name][0] for name in ("P2", "A1", "A2", "p1", "p2"))
    a1 = y @ A1.T + p["b1"][0]
    h1, s1 = _soft(a1), _step(a1)
    a2 = h1 @ P2.T + y @ A2.T + p["b2"][0]
    s2 = _step(a2)
    t1 = along @ A1.T
    d1 = s1 * t1
    t2 = d1 @ P2.T + along @ A2.T
    w = weight[:, None]
    back_t2 = p2 * s2
    back_a2 = back_t2 * ((1 - s2) * t2 + w)
    back_d1 = back_t2 @ P2 + p1
    back_t1 = back_d1 * s1
    back_a1 = back_t1 * (1 - s1) * t1 + (back_a2 @ P2 + w * p1) * s1
    found = {
        "A1": back_t1.T @ along + back_a1.T @ y,
        "b1": back_a1.sum(axis=0),
        "P2": back_t2.T @ d1 + back_a2.T @ h1,
        "A2": back_t2.T @ along + back_a2.T @ y,
        "b2": back_a2.sum(axis=0),
        "p1": (d1 + w * h1).sum(axis=0),
        "p2": (s2 * t2 + w * _soft(a2)).sum(axis=0),
    }
    return {name: value[None] for name, value in found.items()}


def _soft(a: Array) -> Array:
    return np.logaddexp(0.0, a)


def _step(a: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * a)))


def _unsoft(value: Array) -> Array:
    """Return what `_soft` makes `value` of."""
    return np.asarray(value + np.log(-np.expm1(-np.maximum(value, 1e-6))))
