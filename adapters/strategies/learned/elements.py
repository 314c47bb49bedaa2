"""Elements that stretch and yield: internal variables of a convex energy, with a convex potential of dissipation.

    W(x, z, a) = sum over k of |q - z|^2 / 2 + h |z|^2 / 2 + H a^2 / 2,    q = B x
    f = -dW/dz = q - (1 + h) z
    dz/dt = M f,    da/dt = |dz/dt|,    M = max(0, 1 - (Y + H a) / |f|) / eta >= 0

x is what drives them, z_k (c,) what has flowed in element k and a_k how much in all. M comes of the dual potential
max(0, |f| - Y - H a)^2 / (2 eta), so dissipation is never negative, whatever the numbers B are and the positive ones Y,
h, H, eta. With eta = 0 the flow is such that |f| <= Y + H a at any rate (plasticity); with Y = H = 0 it is the standard
linear solid. Composites of elastic and plastic phases have just such an energy, quadratic, with as many elements as
there are points; here there are a few, whose B are learned. Those of one yield surface after von Mises side by side are
after J. F. Besseling, J. Appl. Mech. 25, 529 (1958).

Backward Euler: z moves along f, and by how much is known in closed form. It minimises W + dissipation over the step, so
the derivative of the stress dW/dx by x is symmetric.

Arrays of parameters have a leading axis m: so many sets, side by side, of e elements each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.learned.potential import Parameters, _soft, _step, _unsoft

Array = NDArray[np.float64]
POSITIVE = ("Y", "h", "H", "eta")
TINY = 1e-150


@dataclass(frozen=True)
class Flow:
    """A step of all elements: z (n, m, e, c) and a (n, m, e) at its end, and what the derivative needs."""

    z: Array
    a: Array
    q: Array
    direction: Array
    length: Array
    excess: Array
    flow: Array
    yields: Array


@dataclass(frozen=True)
class Elements:
    """The form of the elements.

    Attributes
    ----------
    unit : (s,) unit vector along the trace, zero for vectors.
    count : how many there are.
    viscous : whether flow takes time, so that eta > 0.
    isotropic : whether each treats all directions alike.
    """

    unit: Array
    count: int = 12
    viscous: bool = False
    isotropic: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one set."""
        s, e = len(self.unit), self.count
        shapes: dict[str, tuple[int, ...]] = {"B": (e, 2) if self.isotropic else (e, s, s)}
        return shapes | {name: (e,) for name in POSITIVE if name != "eta" or self.viscous}

    def initial(self, random: np.random.Generator, stiffness: Array, time: float) -> dict[str, Array]:
        """Return raw parameters (1, ...) to start from, whose stiffness before they yield is about (s, s).

        `time` : typical length of a step, in which some flow much and others hardly.
        """
        s, e = len(self.unit), self.count
        low, high = np.linalg.eigh(stiffness)
        root = (high * np.sqrt(np.maximum(low, 0))).T
        volume = self.unit @ stiffness @ self.unit
        apart = np.array([volume, (np.trace(stiffness) - volume) / max(s - 1, 1)])
        if self.isotropic:
            B = np.sqrt(np.maximum(apart, 0) / e) * (1 + 0.3 * random.standard_normal((e, 2)))
        else:
            turn = np.linalg.qr(random.standard_normal((e, s, s)))[0]
            B = turn @ (root * (1 + 0.3 * random.standard_normal((e, s, 1)))) / np.sqrt(e)
        scale = np.sqrt(np.trace(stiffness) / s / e)
        spread = np.exp(random.uniform(np.log(0.1), np.log(3.0), e))
        found = {"B": B, "Y": _unsoft(scale * spread), "h": _unsoft(np.full(e, 0.05)), "H": _unsoft(np.full(e, 0.01))}
        if self.viscous:
            found["eta"] = _unsoft(time * np.exp(random.uniform(np.log(0.3), np.log(30.0), e)))
            found["Y"] = _unsoft(0.1 * scale * spread)
        return {name: np.asarray(value, dtype=np.float64)[None] for name, value in found.items()}

    def physical(self, raw: Parameters) -> dict[str, Array]:
        """Return the parameters with their signs as they have to be, and B (m, e, c, s)."""
        found = {name: _soft(value) if name in POSITIVE else value for name, value in raw.items()}
        if self.isotropic:
            volume = np.outer(self.unit, self.unit)
            b = raw["B"][..., None, None]
            found["B"] = b[:, :, 0] * volume + b[:, :, 1] * (np.eye(len(self.unit)) - volume)
        found.setdefault("eta", np.zeros_like(found["Y"]))
        return found

    def physical_pullback(self, raw: Parameters, gradient: Parameters) -> dict[str, Array]:
        """Return the gradient by raw parameters from that by the physical ones."""
        found = {name: gradient[name] * _step(value) for name, value in raw.items() if name in POSITIVE}
        B = gradient["B"]
        if self.isotropic:
            volume = np.einsum("mkst,s,t->mk", B, self.unit, self.unit)
            B = np.stack([volume, np.trace(B, axis1=2, axis2=3) - volume], axis=-1)
        return found | {"B": B}

    def at_rest(self, n: int, sets: int) -> tuple[Array, Array]:
        """Return z and a of n rows in which nothing has flowed."""
        return np.zeros((n, sets, self.count, len(self.unit))), np.zeros((n, sets, self.count))

    def step(self, p: Parameters, x: Array, z: Array, a: Array, dt: float) -> Flow:
        """Advance by dt > 0 to x (n, s)."""
        q = _stretched(p["B"], x)
        f = q - (1 + p["h"])[..., None] * z
        length = np.sqrt(np.einsum("nmec,nmec->nme", f, f) + TINY)
        excess = np.maximum(length - p["Y"] - p["H"] * a, 0.0)
        yields = 1 / (1 + p["h"] + p["H"] + p["eta"] / dt)
        flow = excess * yields
        direction = f / length[..., None]
        return Flow(z + flow[..., None] * direction, a + flow, q, direction, length, excess, flow, yields)

    def stress(self, p: Parameters, q: Array, z: Array) -> Array:
        """Return dW/dx (n, m, s)."""
        n, m = q.shape[:2]
        B = p["B"].reshape(m, -1, p["B"].shape[-1])
        return np.asarray(np.einsum("nmk,mks->nms", (q - z).reshape(n, m, -1), B, optimize=True))

    def energy(self, p: Parameters, q: Array, z: Array, a: Array) -> Array:
        """Return W (n, m)."""
        u = q - z
        inside = np.einsum("nmec,nmec->nme", u, u) + p["h"] * np.einsum("nmec,nmec->nme", z, z) + p["H"] * a**2
        return np.asarray(0.5 * inside.sum(axis=2))

    def dissipated(self, p: Parameters, flow: Array, dt: float) -> Array:
        """Return what a step dissipates (n, m), the sum of products of factors that are not negative."""
        return np.asarray(((p["Y"] + p["eta"] / dt * flow) * flow).sum(axis=2))

    def tangent(self, p: Parameters, done: Flow) -> Array:
        """Return the derivative (n, m, s, s) of the stress at the end of a step by x."""
        n, m, e = done.z.shape[:3]
        B = p["B"]
        s = B.shape[-1]
        active = done.excess > 0
        turned = np.where(active, done.flow / done.length, 0)  # dz = turned df + (yields - turned) n (n . df)
        squares = (np.swapaxes(B, 2, 3) @ B).reshape(m, e, s * s)
        kept = np.einsum("nme,mep->nmp", 1 - turned, squares, optimize=True).reshape(n, m, s, s)
        along = np.einsum("nmec,mecs->nmes", done.direction, B, optimize=True)
        weights = np.where(active, done.yields - turned, 0)
        return np.asarray(kept - np.swapaxes(along, 2, 3) @ (weights[..., None] * along))

    def pullback(
        self,
        p: Parameters,
        path: Sequence[tuple[Array, Array, Array, float, Flow]],
        stress: Array,
        energy: Array,
        lost: Array,
    ) -> dict[str, Array]:
        """Return the gradient by the parameters of what the path gives, from last step to first.

        Parameters
        ----------
        path : of each step x (n, s), z and a at its begin, dt, and what `step` gave.
        stress, energy, lost : (steps, n, s), (steps, n), (steps, n): gradient by stress, energy, and what the step
            dissipates.
        """
        one = {name: value[0] for name, value in p.items()}
        found = {name: np.zeros_like(value) for name, value in one.items()}
        z_back = np.zeros_like(path[0][1][:, 0])
        a_back = np.zeros_like(path[0][2][:, 0])
        for i in reversed(range(len(path))):
            z_back, a_back = _step_back(one, path[i], stress[i], energy[i], lost[i], z_back, a_back, found)
        return {name: value[None] for name, value in found.items()}


def _step_back(
    p: Mapping[str, Array],
    step: tuple[Array, Array, Array, float, Flow],
    stress: Array,
    energy: Array,
    lost: Array,
    z_back: Array,
    a_back: Array,
    found: dict[str, Array],
) -> tuple[Array, Array]:
    """Add to the gradient what one step contributes; return those by z and a at its begin."""
    x, z0, a0, dt, done = step
    z0, a0, z, a, q, direction, length, excess, flow = (
        v[:, 0] for v in (z0, a0, done.z, done.a, done.q, done.direction, done.length, done.excess, done.flow)
    )
    yields, w, lost = done.yields[0], energy[:, None], lost[:, None]
    u = q - z
    u_back = _stretched(p["B"][None], stress)[:, 0] + w[..., None] * u
    z_back = z_back - u_back + w[..., None] * p["h"][:, None] * z
    a_back = a_back + w * p["H"] * a
    flow_back = a_back + (z_back * direction).sum(axis=2) + lost * (p["Y"] + 2 * p["eta"] / dt * flow)
    excess_back = np.where(excess > 0, flow_back * yields, 0)
    yields_back = (-(yields**2) * flow_back * excess).sum(axis=0)
    turn = flow[..., None] * z_back
    along = (turn * direction).sum(axis=2)
    f_back = (turn - along[..., None] * direction) / length[..., None] + excess_back[..., None] * direction
    found["B"] += _outer(u, stress) + _outer(u_back + f_back, x)
    found["Y"] += (lost * flow - excess_back).sum(axis=0)
    found["h"] += (0.5 * w * (z**2).sum(axis=2) - (f_back * z0).sum(axis=2)).sum(axis=0) + yields_back
    found["H"] += (0.5 * w * a**2 - excess_back * a0).sum(axis=0) + yields_back
    found["eta"] += ((lost * flow**2).sum(axis=0) + yields_back) / dt
    return z_back - (1 + p["h"])[:, None] * f_back, a_back - excess_back * p["H"]


def _stretched(B: Array, x: Array) -> Array:
    """Return q = B x (n, m, e, c)."""
    return (x @ B.reshape(-1, B.shape[-1]).T).reshape(len(x), *B.shape[:3])


def _outer(q: Array, x: Array) -> Array:
    """Return the sum over n of q (n, e, c) times x (n, s)."""
    return (q.reshape(len(q), -1).T @ x).reshape(*q.shape[1:], x.shape[1])
