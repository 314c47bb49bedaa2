"""The obstacle problem of melting on a periodic grid, for a batch of volumes at once.

    u >= 0,    A u - b >= 0,    u (A u - b) = 0    in every cell,    A = 1 - kappa * (5-point sum of differences)

A is symmetric, positive definite and an M-matrix, so there is exactly one u, and it grows with b. The primal-dual
active-set method (M. Hintermüller, K. Ito and K. Kunisch, SIAM J. Optim. 13, 865 (2002)) is Newton's method for it:
guess the set where u > 0, solve A u = b there with u = 0 elsewhere, take out cells with u < 0 and add those with
A u < b. The guess comes from the same problem on a grid of half the cells each way. The linear solves are conjugate
gradients in single precision, corrected by residuals in double precision: half the memory traffic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Volumes lie along the last axis in here: then all neighbours of a cell are one contiguous block away.
# A correction reduces the residual this far: roughly while the set still changes, else as far as single precision goes.
ROUGH, FINE = 0.1, 1e-4
# Single precision resolves condition numbers up to about 1e5; that of A is 1 + 8 kappa.
SINGLE = 1e4
ROUND_OFF = 16 * np.finfo(np.float64).eps


class NotSolved(MicroError):
    """The active set of some volumes kept changing."""


def solve(kappa: float, b: Array, accuracy: float = 1e-12, iterations: int = 200) -> tuple[Array, Mask]:
    """Solve the obstacle problem.

    Parameters
    ----------
    kappa : dt D / h^2 >= 0 [-].
    b : (n, N, N) right-hand side.
    accuracy : largest violation of A u - b >= 0 anywhere and of A u = b where u > 0, in units of the largest |b| of the
        volume, but not below the round-off of A u.
    iterations : most changes of the active set.

    Returns
    -------
    u (n, N, N), and where it is active (n, N, N): A u = b there and u = 0 elsewhere.

    Raises
    ------
    NotSolved
        Names every volume whose active set still changes.
    """
    b = np.ascontiguousarray(np.moveaxis(b, 0, -1))
    u, active = _nested(kappa, b, accuracy * np.abs(b).max(axis=(0, 1)), iterations)
    u, active = np.moveaxis(np.maximum(u, 0), -1, 0), np.moveaxis(active, -1, 0)
    return np.ascontiguousarray(u), np.ascontiguousarray(active)


def response(kappa: float, active: Mask, accuracy: float = 1e-6) -> Array:
    """Return v = du/db for a uniform b, (n, N, N): |A v - 1| <= accuracy where active, v = 0 elsewhere."""
    accuracy = max(accuracy, ROUND_OFF * (1 + 4 * kappa))
    where = np.ascontiguousarray(np.moveaxis(active, 0, -1))
    v = np.zeros(where.shape)
    while True:
        residual = np.where(where, 1 - operator(kappa, v), 0)
        worst = np.abs(residual).max(axis=(0, 1))
        if (worst <= accuracy).all():
            break
        v += _correction(kappa, where, residual, FINE, np.where(worst > accuracy, accuracy, np.inf))
    return np.ascontiguousarray(np.moveaxis(v, -1, 0))


def operator(kappa: float, u: Array) -> Array:
    """Return A u for volumes along the last axis, (N, N, n)."""
    result = neighbours(u)
    result *= -kappa
    result += (1 + 4 * kappa) * u
    return result


def neighbours[T: np.floating](u: NDArray[T], out: NDArray[T] | None = None) -> NDArray[T]:
    """Return the sum over the four neighbours of every cell of periodic volumes along the last axis, (N, N, n)."""
    out = np.empty_like(u) if out is None else out
    out[1:], out[0] = u[:-1], u[-1]
    out[:-1] += u[1:]
    out[-1] += u[0]
    out[:, 1:] += u[:, :-1]
    out[:, 0] += u[:, -1]
    out[:, :-1] += u[:, 1:]
    out[:, -1] += u[:, 0]
    return out


def _nested(kappa: float, b: Array, tolerance: Array, iterations: int) -> tuple[Array, Mask]:
    """Solve with a guess from the coarser grid; where diffusion stays within a cell, b itself is a good guess."""
    half = b.shape[0] // 2
    if kappa < 1 or half < 2 or b.shape[0] % 2:
        return _newton(kappa, b, np.maximum(b, 0), tolerance, iterations)
    coarse = (b[::2, ::2] + b[1::2, ::2] + b[::2, 1::2] + b[1::2, 1::2]) / 4
    rough = np.maximum(tolerance, 0.01 * np.abs(b).max(axis=(0, 1)))
    u, _ = _nested(kappa / 4, coarse, rough, iterations)
    return _newton(kappa, b, u.repeat(2, axis=0).repeat(2, axis=1), tolerance, iterations)


def _newton(kappa: float, b: Array, u: Array, tolerance: Array, iterations: int) -> tuple[Array, Mask]:
    """Find the active set from the guess u (N, N, n); volumes that are done leave the batch."""
    solution, where, left = np.empty_like(b), np.empty(b.shape, dtype=bool), np.arange(b.shape[-1])
    active = (u > 0) | (b > 0)  # wherever b > 0, u > 0
    u = np.where(active, u, 0)
    for _ in range(iterations + 1):
        multiplier = operator(kappa, u) - b
        goal = np.maximum(tolerance, ROUND_OFF * (1 + 4 * kappa) * np.abs(u).max(axis=(0, 1)))
        now = np.where(active, u >= -goal / (1 + 4 * kappa), multiplier < -goal)
        changed = (now != active).any(axis=(0, 1))
        if (active & ~now).any():
            u = np.where(now, u, 0)
            multiplier = operator(kappa, u) - b
        active = now
        residual = np.where(active, -multiplier, 0)
        worst = np.abs(residual).max(axis=(0, 1))
        done = ~changed & (worst <= goal)
        solution[..., left[done]], where[..., left[done]] = u[..., done], active[..., done]
        if done.all():
            return solution, where
        if done.any():
            u, b, active, residual = (np.compress(~done, x, axis=-1) for x in (u, b, active, residual))
            tolerance, changed, goal, left = (x[~done] for x in (tolerance, changed, goal, left))
        u += _correction(kappa, active, residual, np.where(changed, ROUGH, FINE), goal)
    raise NotSolved(left, f"the front of melting has not been found in {iterations} changes of the cells of a volume")


def _correction(kappa: float, active: Mask, residual: Array, reduction: ArrayLike, enough: Array) -> Array:
    """Return x (N, N, n) with |residual - A x| over the active cells reduced to a fraction, or to what is enough."""
    real = np.float32 if kappa <= SINGLE else np.float64
    length = np.sqrt(_dot(residual, residual))
    unit = np.where(length > 0, length, 1)
    r: NDArray[Any] = (residual / unit).astype(real)
    coupling, goal = active * real(-kappa / (1 + 4 * kappa)), np.maximum(reduction, 0.7 * enough / unit) ** 2
    x, p, q, step = np.zeros_like(r), r.copy(), np.empty_like(r), np.empty_like(r)
    rr = _dot(r, r)
    for _ in range(2 * r.shape[0] * r.shape[1]):
        go = rr > goal
        if not go.any():
            break
        neighbours(p, out=q)  # A p / (1 + 4 kappa)
        q *= coupling
        q += p
        pq = _dot(p, q)
        alpha = np.where(go, rr, 0) / np.where(go, pq, 1)
        x += np.multiply(p, alpha, out=step)
        r -= np.multiply(q, alpha, out=step)
        new = _dot(r, r)
        p *= np.where(go, new, 0) / np.where(go, rr, 1)
        p += r
        rr = new
    return x * (length / (1 + 4 * kappa))


def _dot[T: np.floating](a: NDArray[T], b: NDArray[T]) -> NDArray[T]:
    """Return the scalar products (n,), added up in an order that does not depend on n."""
    return np.asarray(np.add.accumulate(np.einsum("ijn,ijn->jn", a, b), axis=0)[-1])
