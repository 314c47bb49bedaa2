"""Newton's method and conjugate gradients for the balance of forces in a batch of cells, and their tangent stiffness.

    B^T stress(E + B u) = 0,    B^T C (e_j + B chi_j) = 0,    C_ij = <(e_i + B chi_i) : C : (e_j + B chi_j)>

E [-] mean strain, u fluctuation of the displacement, B the strain of `grid`, C [Pa] tangent stiffness, chi_j corrector
of load case j. The linear problems are solved by conjugate gradients, preconditioned by the inverse of a homogeneous
solid through the FFT, so that the number of iterations depends on the contrast of the stiffness and not on the grid
(J. Zeman et al., Int. J. Numer. Methods Eng. 111, 903 (2017); M. Ladecký et al., Appl. Math. Comput. 446, 127835
(2023)). Where the stress has a convex potential, Newton's method with a line search finds its minimum from anywhere.

What is not balanced is measured as a share of the stress: the norm of the stress with which the homogeneous solid would
balance the forces, over that of the stress itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.cells.grid import Array, Grid
from adapters.micro import MicroError

NEWTON = 100  # most steps of Newton's method
GRADIENTS = 2000  # most steps of conjugate gradients for one linear problem
FORCING = 0.1  # share of the unbalanced forces that a step of Newton's method may leave
SINGLE = 1e-4  # share of the unbalanced forces that conjugate gradients in single precision reach with ease
STEEP = 0.8  # share of the slope at the start of a step that may be left, with the other sign, at its end
SHORTER = 10  # most times that a step is shortened
# A stress that is less than this share of stiffness times strain is what is left of a difference: it has fewer digits.
CANCELLED = 1e-4
FLOOR = 1e-4  # the error of a tangent is not measured against less than this share of the elastic stiffness
SAFETY = 0.1  # of the estimate of that error, which the softest direction may exceed


class NotBalanced(MicroError):
    """The forces in some cells are not balanced; told is the worst of them."""

    def __init__(self, rows: ArrayLike, share: float) -> None:
        self.share = share
        message = (
            f"the stresses in the cell are not in equilibrium after {NEWTON} steps of Newton's method: unbalanced are "
            f"{share:.2g} of the stress; take smaller steps of strain, or a larger tolerance"
        )
        super().__init__(rows, message)


class NoTangent(MicroError):
    """The tangents of some cells are not found as accurately as they should be."""

    def __init__(self, rows: ArrayLike) -> None:
        message = (
            f"the tangent of the cell has not converged after {GRADIENTS} steps of conjugate gradients: too much of it "
            "flows without hardening; allow a larger error of the tangent, or give the phases a little hardening"
        )
        super().__init__(rows, message)


@dataclass(frozen=True)
class Stiffness:
    """stress = a trace(strain) 1 + b strain - c (c : strain) in every grid cell.

    Attributes
    ----------
    a, b : (n, 1, N) [Pa].
    c : (s, n, 1, N) [Pa^(1/2)], components of a stress; None where it is zero in all of them.
    """

    a: Array
    b: Array
    c: Array | None

    def apply(self, strain: Array) -> Array:
        """Turn strains (s, n, m, N) into stresses, in place."""
        d = 2 if len(strain) == 3 else 3
        along = None if self.c is None else _contract(self.c, strain)
        trace = strain[0] + strain[1]
        if d == 3:
            trace += strain[2]
        trace *= self.a
        strain *= self.b
        strain[:d] += trace
        strain[d:] *= 0.5
        if self.c is not None and along is not None:
            for component, c in zip(strain, self.c, strict=True):
                component -= c * along
        return strain

    def take(self, rows: NDArray[np.bool_]) -> Stiffness:
        """Return those of some cells."""
        return Stiffness(self.a[rows], self.b[rows], None if self.c is None else self.c[:, rows])

    def single(self, factor: Array) -> Stiffness:
        """Return it times a factor (n, 1, 1), in single precision."""
        c = None if self.c is None else (self.c * np.sqrt(factor)).astype(np.float32)
        return Stiffness((self.a * factor).astype(np.float32), (self.b * factor).astype(np.float32), c)

    def reference(self) -> tuple[Array, Array]:
        """Return mu [Pa] and lambda/mu (n, 1, 1), Lamé constants of a homogeneous solid that is about as stiff."""
        mu = self.b.mean(axis=-1, keepdims=True) / 2
        return mu, self.a.mean(axis=-1, keepdims=True) / mu


class Law(Protocol):
    """The stress in all grid cells of n cells as a function of the strain. Its potential must be convex."""

    def respond(self, strain: Array) -> tuple[Array, Stiffness]:
        """Return stress (s, n, 1, N) [Pa] and tangent stiffness at a strain (s, n, 1, N)."""
        ...

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return the law of some cells."""
        ...


def balance(grid: Grid, law: Law, mean: Array, guess: Array, tolerance: float, before: Array | None = None) -> Array:
    """Return the fluctuations u (d, n, 1, N) with which the forces are balanced.

    Parameters
    ----------
    mean : (s, n, 1, 1) mean strains.
    guess : (d, n, 1, N) fluctuations to start from.
    tolerance : largest share of the stress that is not balanced.
    before : (s, n, 1, 1) mean strains before the step. Stresses that it takes away leave what cannot be balanced.

    Raises
    ------
    NotBalanced
        Names the cells that did not get there.
    """
    result, u = guess.copy(), guess.copy()
    rows = np.arange(guess.shape[1])
    reach = dot(mean, mean) if before is None else np.maximum(dot(mean, mean), dot(before, before))
    stress, stiffness = law.respond(mean + grid.strain(u))
    for _ in range(NEWTON):
        force = -grid.force(stress.copy())
        mu, ratio = stiffness.reference()
        z = grid.precondition(force, ratio)
        rho = dot(force, z)
        scale = _squared(stress, ratio) + (CANCELLED * mu[..., 0]) ** 2 * reach * grid.size
        share = np.sqrt(np.divide(rho, scale, out=np.zeros_like(rho), where=rho > 0))
        going = ~(share[:, 0] <= tolerance)
        if not going.all():
            result[:, rows[~going]] = u[:, ~going]
            if not going.any():
                return result
            rows, u, mean, law = rows[going], u[:, going], mean[:, going], law.take(going)
            reach = reach[going]
            stiffness, force, z, share, rho = (
                stiffness.take(going),
                force[:, going],
                z[:, going],
                share[going],
                rho[going],
            )
        goal = rho * np.maximum(FORCING, 0.5 * tolerance / share) ** 2
        step = gradients(grid, stiffness, force, goal, z)[0]  # far off or not, the search makes the best of it
        u, stress, stiffness = _search(grid, law, mean, u, step, dot(force, step))
    raise NotBalanced(rows, float(share.max()))


def _search(grid: Grid, law: Law, mean: Array, u: Array, step: Array, slope: Array) -> tuple[Array, Array, Stiffness]:
    """Return u + t step with its stress and stiffness; t <= 1 does not go far beyond the minimum of the potential.

    slope : (n, 1) minus the derivative of the potential by t at t = 0, positive.
    """
    t = np.ones_like(slope)
    for _ in range(SHORTER):
        reached = u + t[..., None] * step
        stress, stiffness = law.respond(mean + grid.strain(reached))
        left = -dot(grid.force(stress.copy()), step)
        beyond = left < -STEEP * slope
        if not beyond.any():
            break
        secant = np.divide(slope, slope - left, out=np.ones_like(slope), where=beyond)
        t *= np.maximum(secant, 0.1)
    return reached, stress, stiffness


def gradients(grid: Grid, stiffness: Stiffness, force: Array, goal: Array, z: Array) -> tuple[Array, NDArray[np.intp]]:
    """Return x (d, n, m, N) with B^T C B x = force by conjugate gradients, in single precision where that will do.

    The second is which cells have not reached their goal.

    Parameters
    ----------
    force : (d, n, m, N).
    goal : (n, m) what may be left of force . displacement, the latter being that of `Grid.precondition`.
    z : (d, n, m, N) that displacement under `force`.
    """
    if (goal < SINGLE**2 * dot(force, z)).any():
        return _gradients(grid, stiffness, force, goal, z)
    size = np.abs(force).max(axis=(0, 3), keepdims=True)[0]
    size[size == 0] = 1
    mu = stiffness.reference()[0]
    single = [(field / size).astype(np.float32) for field in (force, z)]
    x, late = _gradients(grid, stiffness.single(1 / mu), single[0], goal / size[..., 0] ** 2, single[1])
    return x * (size / mu), late


def _gradients(grid: Grid, stiffness: Stiffness, force: Array, goal: Array, z: Array) -> tuple[Array, NDArray[np.intp]]:
    """Do that in the precision of what is given."""
    result, rows = np.zeros_like(force), np.arange(force.shape[1])
    x, r, p, rho = np.zeros_like(force), force.copy(), z.copy(), dot(force, z)
    ratio = stiffness.reference()[1]
    for _ in range(GRADIENTS):
        going = rho > goal
        busy = going.any(axis=1)
        if 4 * np.count_nonzero(~busy) >= len(busy):
            result[:, rows[~busy]] = x[:, ~busy]
            if not busy.any():
                return result, rows[busy]
            x, r, p = x[:, busy], r[:, busy], p[:, busy]
            rows, rho, goal, going = rows[busy], rho[busy], goal[busy], going[busy]
            stiffness, ratio = stiffness.take(busy), ratio[busy]
        q = grid.force(stiffness.apply(grid.strain(p)))
        curvature = dot(p, q)
        length = np.divide(rho, curvature, out=np.zeros_like(rho), where=going & (curvature > 0))[..., None]
        x += length * p
        q *= length
        r -= q
        z = grid.precondition(r, ratio)
        old, rho = rho, dot(r, z)
        p *= np.divide(rho, old, out=np.zeros_like(rho), where=old > 0)[..., None]
        p += z
    result[:, rows] = x
    return result, rows[(rho > goal).any(axis=1)]


def tangent(
    grid: Grid, stiffness: Stiffness, correctors: Array, elastic: float, tolerance: float, group: int
) -> tuple[Array, Array]:
    """Return the stiffness of the cells (n, s, s) [Pa], symmetric, and the correctors (d, n, s, N).

    Parameters
    ----------
    correctors : (d, n, s, N) to start from; one load case for each component of a strain.
    elastic : [Pa] a stiffness of the solid where it is elastic.
    tolerance : of the stiffness, as a share of its largest entry. It is an energy, so its error is the square of that
        of the strains.
    group : load cases that are worked on at once.

    Raises
    ------
    NoTangent
        Names the cells whose correctors do not converge.
    """
    s = len(grid.pairs)
    result, n = correctors.copy(), correctors.shape[1]
    strains = np.empty((s, n, s, grid.size))
    stresses = np.empty_like(strains)
    for first in range(0, s, group):
        cases = slice(first, min(first + group, s))
        unit = np.eye(s)[:, None, cases, None]
        start = result[:, :, cases]
        stress = stiffness.apply(unit + grid.strain(start))
        own = np.stack([grid.mean(stress[j, :, j - first]) for j in range(*cases.indices(s))], axis=1)
        scale = np.maximum(own.max(axis=1), FLOOR * elastic)
        force = -grid.force(stress)
        mu, ratio = stiffness.reference()
        goal = np.broadcast_to((SAFETY * tolerance * scale * grid.size * mu[:, 0, 0])[:, None], own.shape)
        z = grid.precondition(force, ratio)
        change, late = gradients(grid, stiffness, force, goal, z)
        if late.size:
            raise NoTangent(late)
        result[:, :, cases] += change
        strains[:, :, cases] = unit + grid.strain(result[:, :, cases])
        stresses[:, :, cases] = stiffness.apply(strains[:, :, cases].copy())
    energies = np.einsum("inaN,inbN->nab", strains, stresses, optimize=True)
    energies /= np.prod(grid.cells)
    return (energies + energies.transpose(0, 2, 1)) / 2, result


def dot(p: Array, q: Array) -> Array:
    """Return the sums of products (n, m) over all components and nodes."""
    return np.asarray(np.vecdot(p, q).sum(axis=0))


def _contract(stress: Array, strain: Array) -> Array:
    """Return stress : strain in every grid cell, (n, m, N)."""
    result = stress[0] * strain[0]
    for one, other in zip(stress[1:], strain[1:], strict=True):
        result += one * other
    return np.asarray(result)


def _squared(stress: Array, ratio: Array) -> Array:
    """Return the sums (n, m) of 2 mu stress : strain over the grid for the strain of the homogeneous solid there."""
    d = 2 if len(stress) == 3 else 3
    trace = stress[:d].sum(axis=0)
    squares = dot(stress[:d], stress[:d]) + 2 * dot(stress[d:], stress[d:])
    return np.asarray(squares - np.vecdot(trace, trace) * (ratio / (d * ratio + 2))[..., 0])
