"""The periodic cell problem of slow flow, for a batch of volumes and all load cases at once.

    -lap w_j + grad p_j = e_j,   div w_j = 0 in the fluid,   w_j = 0 on the solid,   w_j, p_j periodic,   K_ij = <w_j>_i

w_j [m^2] velocity times viscosity per unit pressure gradient along -e_j, K [m^2] permeability: <> is the mean over the
whole volume, so that K grad p / mu is the superficial (Darcy) velocity, and the viscosity drops out.

Staggered grid (F. H. Harlow and J. E. Welch, Phys. Fluids 8, 2182 (1965)) of velocities through the faces of the
cells; the wall is where the level (`walls`) is zero, anywhere between the grid lines. It differs from free fluid by a
resistance E at single faces alone (`drag`), in the spirit of the symmetric method of F. Gibou et al., J. Comput.
Phys. 176, 205 (2002). What that leaves over is known to the second order and taken off K at the end. The error is of
the second order in the size of the cells; of the first where the wall is known only as a staircase.

Unknown are the forces f_j with which the wall holds the fluid, nonzero only where E > 0. With S the solution operator
of the periodic volume full of fluid, (S + 1/E) f_j = -S e_j: symmetric, and one FFT there and back in the plane, three
in space, through the vector potential of w_j. Conjugate gradients, preconditioned by the Laplacian of the solid without
conditions at its surface, need a number of iterations that hardly depends on the grid, only on how narrow the gaps are.
The mean velocity, on which a force in free fluid has no hold, is braked by ALPHA w_j while iterating; K without that
brake follows exactly. The energy (f_j + e_j) . S (f_j + e_j) + f_j . f_j / E falls from iteration to iteration to K_jj.
Where fluid does not connect, no number is lost: forces and velocities exist in all of the volume, and K is 0.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError
from adapters.scaling import drag
from adapters.scaling.staggered import ALPHA, Grid, Held

Array = NDArray[np.float64]

# Values per work array of one chunk of the batch.
CHUNK = 131072
# An error that is extrapolated from the pace of the last iterations is taken this much larger than it looks.
SAFETY = 4
# So many iterations tell the pace.
PACE = 10


class NotConverged(MicroError):
    """The cell problems of some volumes did not reach the tolerance; told is the error of the worst of them."""

    def __init__(self, rows: ArrayLike, iterations: int, error: float) -> None:
        message = (
            f"the cell problem has not converged after {iterations} iterations: estimated relative error {error:.2g}"
        )
        super().__init__(rows, message)


class Unbounded(MicroError):
    """Nothing resists the flow along one axis of some volumes."""

    def __init__(self, rows: ArrayLike, axis: int) -> None:
        message = f"there is no solid that holds the flow along axis {axis}, so its permeability is not finite"
        super().__init__(rows, message)


@dataclass
class Solution:
    """What `solve` found.

    Attributes
    ----------
    tensor : (n, d, d) permeability K [m^2], symmetric, without negative eigenvalues.
    flux, energy : (n, d, d) mean of w_j and of grad w_i : grad w_j [m^2] on the grid; equal but for what the iterations
        have left, and equal to K but for the correction of `drag.measure`.
    forces : (n, d, d, *cells) of load case, component and face, to start another `solve` from; in single precision.
    imbalance : (n,) largest difference between `flux` and `energy`, relative as the tolerance is.
    iterations : (n,)
    """

    tensor: Array
    flux: Array
    energy: Array
    imbalance: Array
    forces: NDArray[np.float32]
    iterations: NDArray[np.int64]


def solve(
    level: Array,
    size: tuple[float, ...],
    guess: NDArray[np.float32] | None = None,
    tolerance: float = 1e-6,
    iterations: int = 1000,
    threads: int = 1,
) -> Solution:
    """Solve the cell problems of a batch of volumes.

    Parameters
    ----------
    level : (n, d, *cells) distance from the wall at the lower faces of the cells, in any unit, negative in the solid;
        d = 2 or 3.
    size : d edge lengths of the volume [m].
    guess : (n, d, d, *cells) forces to start from; zero if None.
    tolerance : estimated error of the tensor that the iterations leave, relative to its largest diagonal entry, or to
        the permeability of a channel one cell wide where that is larger.
    iterations : most iterations per volume.
    threads : chunks of the batch that are worked on at the same time; the result does not depend on it.

    Raises
    ------
    NotConverged
        Names the volumes that did not reach the tolerance.
    Unbounded
        Names the volumes without solid.
    """
    n, d, cells = level.shape[0], level.shape[1], level.shape[2:]
    longest = max(size)
    grid = Grid(cells, tuple(length / longest for length in size))
    volumes = max(1, CHUNK // (d * d * grid.cells))
    forces = np.zeros((n, d, *level.shape[1:]), dtype=np.float32) if guess is None else guess.copy()
    tensors = np.empty((3, n, d, d))
    spent = np.zeros(n, dtype=np.int64)

    def work(first: int) -> None:
        rows = slice(first, first + volumes)
        chunk = _Chunk(grid, level[rows], forces[rows], first)
        spent[rows] = chunk.run(tolerance, iterations)
        tensors[:, rows], forces[rows] = chunk.result()

    if threads == 1:
        for first in range(0, n, volumes):
            work(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(0, n, volumes)))
    largest = np.maximum(np.abs(tensors).max(axis=(0, 2, 3)), grid.least)
    imbalance = np.abs(tensors[1] - tensors[2]).max(axis=(1, 2)) / largest
    tensors *= longest**2
    return Solution(tensors[0], tensors[1], tensors[2], imbalance, forces, spent)


class _Chunk:
    """Preconditioned conjugate gradients for some volumes; those that have converged drop out of the work."""

    def __init__(self, grid: Grid, level: Array, guess: NDArray[np.float32], first: int) -> None:
        self.grid, self.first, self.level = grid, first, level
        self.resistance = drag.resistance(level, grid.spacing)
        loose = ~(self.resistance > 0).any(axis=tuple(range(2, level.ndim)))
        if loose.any():
            rows = np.flatnonzero(loose.any(axis=1))
            raise Unbounded(first + rows, int(np.argmax(loose[rows[0]])))
        self.forces = np.zeros(guess.shape)
        self.all = self.held = Held(grid, self.resistance)
        self.left = np.arange(len(level))  # the volumes that are worked on
        self.x = self._at_points(guess)
        free = self.held.free()
        self.r = -(free + self.held.apply(self.x))
        self.energy = 1 / ALPHA + self.held.dot(self.x, free - self.r)
        self.z = self.held.precondition(self.r)
        self.rho = self.held.dot(self.r, self.z)
        self.p = np.zeros_like(self.r)
        self.beta = np.zeros_like(self.rho)
        self.gains = np.full((PACE, *self.rho.shape), np.inf)  # what the last iterations took off the energy

    def run(self, tolerance: float, most: int) -> NDArray[np.int64]:
        """Iterate until every volume has converged; return the iterations of each volume."""
        spent = np.zeros(len(self.left), dtype=np.int64)
        done = (error := self._error()) <= tolerance
        while not done.all():
            if (late := ~done & (spent[self.left] >= most)).any():
                raise NotConverged(self.first + self.left[late], most, float(error[late].max()))
            if 2 * np.count_nonzero(done) >= len(done):
                self._drop(done)
                done = np.zeros(len(self.left), dtype=bool)
            spent[self.left[~done]] += 1
            self._iterate(~done)
            done |= (error := self._error()) <= tolerance
        self._keep()
        return spent

    def result(self) -> tuple[Array, NDArray[np.float32]]:
        """Return tensor, flux and energy (3, n, d, d) in units of the longest edge squared, and the forces."""
        grid, d, n = self.grid, self.grid.dimension, len(self.level)
        self.held, self.left = self.all, np.arange(n)
        self.x, k = self._combined()
        self._keep()
        forces = self.x
        mean = (self.all.mean(forces).reshape(d, n, d) + np.eye(d)[:, None] / ALPHA).reshape(d * n, d)
        potential = self.all.potential(forces).reshape(d * n, -1)
        velocity = grid.velocity(potential, mean).reshape(d, n, d, *grid.shape).swapaxes(0, 1)
        # Without the brake, the load cases are combined so that the total force on the fluid is e_j again.
        unbraked = np.linalg.inv(np.eye(d) - ALPHA * k)
        flux, energy, correction = drag.measure(grid, self.level, self.resistance, velocity, self.forces)
        flux = flux @ unbraked
        energy, correction = (unbraked.swapaxes(1, 2) @ part @ unbraked for part in (energy, correction))
        return np.stack([_positive(k @ unbraked + correction), flux, energy]), self.forces.astype(np.float32)

    def _combined(self) -> tuple[Array, Array]:
        """Return the combinations of the forces found with the least energies, and the tensor of these energies.

        What iterations from an earlier solution leave in one load case is of the first order in the others; the best
        combinations have an error of the second order, and give mean velocities that are the energies.
        """
        held, d = self.held, self.grid.dimension
        x = self._at_points(self.forces)
        response, free = held.apply(x), held.free()
        stiffness, load = held.products(x, response), held.products(x, free)
        weights = -np.linalg.solve((stiffness + stiffness.swapaxes(1, 2)) / 2, load)
        k = np.eye(d) / ALPHA + load.swapaxes(1, 2) @ weights
        best = sum(held.spread(weights[:, i].T) * x[i] for i in range(d))
        return np.asarray(best), (k + k.swapaxes(1, 2)) / 2

    def _iterate(self, going: NDArray[np.bool_]) -> None:
        """One step of conjugate gradients; volumes that are not `going` (volumes,) keep what they have."""
        held = self.held
        self.p *= held.spread(self.beta)
        self.p += self.z
        q = held.apply(self.p)
        curvature = held.dot(self.p, q)
        step = np.divide(self.rho, curvature, out=np.zeros_like(curvature), where=going & (curvature > 0))
        at_points = held.spread(step)
        self.x += at_points * self.p
        q *= at_points
        self.r -= q
        gain = step * self.rho
        self.energy = self.energy - gain
        self.gains = np.concatenate([self.gains[1:], gain[None]])
        self.z = held.precondition(self.r)
        rho = held.dot(self.r, self.z)
        self.beta = np.divide(rho, self.rho, out=np.zeros_like(rho), where=self.rho > 0)
        self.rho = rho

    def _error(self) -> Array:
        """Return an estimate of the relative error of each volume's tensor, (volumes,).

        It is what the coming iterations will take off the energy, extrapolated from the slowest of the last ones. The
        preconditioned residual would be that error if the preconditioner were exact; the estimate is kept within 1 to
        10,000 times that. A braked energy k has 1 / (1 - ALPHA k)^2 times its error in K.
        """
        older, newer = self.gains[:-1], self.gains[1:]
        pace = np.divide(newer, older, out=np.ones_like(newer), where=np.isfinite(older) & (older > newer)).max(axis=0)
        coming = np.full_like(pace, np.inf)
        np.divide(SAFETY * newer[-1] * pace, 1 - pace, out=coming, where=pace < 1)
        unbraked = np.maximum(1 - ALPHA * self.energy, 1e-6)
        error = np.clip(coming, self.rho, 1e4 * self.rho) / unbraked**2
        return np.asarray(error.max(axis=0) / np.maximum((self.energy / unbraked).max(axis=0), self.grid.least))

    def _at_points(self, forces: NDArray[np.float64] | NDArray[np.float32]) -> Array:
        """Return forces (volumes, d, d, *cells) at the points that a wall holds (d, points)."""
        d = self.grid.dimension
        return np.stack([forces[:, case].reshape(-1)[self.held.where] for case in range(d)]).astype(np.float64)

    def _keep(self) -> None:
        """Write the forces of the volumes that are worked on."""
        shape = (len(self.left), self.grid.dimension, *self.grid.shape)
        for case, row in enumerate(self.x):
            field = np.zeros(shape)
            field.reshape(-1)[self.held.where] = row
            self.forces[self.left, case] = field

    def _drop(self, done: NDArray[np.bool_]) -> None:
        """Hand over the forces of the volumes that are `done` and forget them."""
        self._keep()
        left = ~done
        points = np.repeat(left, self.held.per_volume)
        for name in ("x", "r", "z", "p"):
            setattr(self, name, getattr(self, name)[:, points])
        for name in ("rho", "beta", "energy", "gains"):
            setattr(self, name, getattr(self, name)[..., left])
        self.left = self.left[left]
        self.held = Held(self.grid, self.resistance[self.left])


def _positive(tensor: Array) -> Array:
    """Return symmetric tensors (n, d, d) without the negative eigenvalues that round-off leaves where nothing flows."""
    tensor = (tensor + tensor.swapaxes(1, 2)) / 2
    values, vectors = np.linalg.eigh(tensor)
    negative = values[:, 0] < 0
    if negative.any():
        bases = vectors[negative]
        tensor[negative] = (bases * np.maximum(values[negative], 0)[:, None]) @ bases.swapaxes(1, 2)
    return np.asarray(tensor)
