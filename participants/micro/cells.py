"""A batch of elastoplastic cells as a state, advanced from one mean strain to the next in chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.cells import solid
from adapters.cells.grid import Grid
from participants.micro import plasticity
from participants.micro.plasticity import Moduli, Plasticity

Array = NDArray[np.float64]
State = Mapping[str, NDArray[Any]]

CHUNK = 32768  # grid cells that are worked on at once: the work arrays stay near a core
CASES = 65536  # grid cells times load cases of a tangent that are worked on at once


class Cells:
    """What does not change: the grid, and what the phases are made of.

    Parameters
    ----------
    shape : grid cells along each axis.
    boundary : what holds on the boundary (`adapters.cells.grid`).
    table : K, G, Y, Hi, Hk [Pa] of each phase.
    tolerance : share of the stress that may be out of balance.
    accuracy : error of the tangent, as a share of its entries; None where there is none.
    threads : chunks that are worked on at the same time; the result does not depend on it.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        boundary: str,
        table: Mapping[str, Array],
        tolerance: float,
        accuracy: float | None,
        threads: int,
    ) -> None:
        self.grid = Grid(shape, boundary)
        self.table, self.tolerance, self.accuracy, self.threads = table, tolerance, accuracy, threads
        self.stiff = float(table["K"].max() + 4 / 3 * table["G"].max())  # [Pa], a modulus of the stiffest phase

    def start(self, image: NDArray[np.uint8], same: bool) -> State:
        """Return the state of cells without strain whose phases are `image` (n, *cells), all of them the `same`."""
        g, n, s, d = self.grid, len(image), len(self.grid.pairs), self.grid.dimension
        begun: dict[str, NDArray[Any]] = {
            "phase": image,
            "fluctuation": np.zeros((n, d, *g.nodes)),
            "plastic-strain": np.zeros((n, s, *g.cells)),
            "equivalent-plastic-strain": np.zeros((n, *g.cells)),
            "strain": np.zeros((n, d, d)),
            "stress": np.zeros((n, d, d)),
            "stored-energy": np.zeros(n),
            "dissipation": np.zeros(n),
        }
        if self.accuracy is None:
            return begun
        begun["tangent"] = np.zeros((n, d, d, d, d))
        begun["corrector"] = np.zeros((n, s, d, *g.nodes), dtype=np.float32)
        one = {name: array[:1] for name, array in begun.items()} if same else begun
        tangents = self.advance(one, one["strain"])
        for name in ("tangent", "corrector"):
            begun[name] = np.broadcast_to(tangents[name], begun[name].shape).copy()
        return begun

    def advance(self, state: State, strain: Array) -> State:
        """Return the state under mean strains (n, d, d), where a step from `state` ends.

        Raises
        ------
        NotBalanced
            Names the cells of the first chunk that has any whose equilibrium is not found.
        NoTangent
            The same for their tangents.
        """
        changed = {name: np.empty_like(array) for name, array in state.items() if name != "phase"}

        def work(rows: slice) -> None:
            try:
                found = self._step({name: array[rows] for name, array in state.items()}, strain[rows])
            except solid.NotBalanced as error:
                raise solid.NotBalanced(rows.start + error.rows, error.share) from None
            except solid.NoTangent as error:
                raise solid.NoTangent(rows.start + error.rows) from None
            for name, values in found.items():
                changed[name][rows] = values

        self._chunks(len(strain), work)
        return {"phase": state["phase"], **changed}

    def balances(self, before: State, after: State) -> tuple[float, float, float]:
        """Return by how much the balances of a step fail at worst, relative to the work that was done in the cell.

        They are Hill-Mandel for the stress at the start and at the end of the step; the first law; and by how much
        stored and dissipated energy are beyond the work of either of these stresses, which are its bounds.
        """
        worst = np.zeros((len(before["strain"]), 3))

        def work(rows: slice) -> None:
            pair = ({name: array[rows] for name, array in state.items()} for state in (before, after))
            worst[rows] = self._balances(*pair)

        self._chunks(len(worst), work)
        hill_mandel, first_law, between = (float(x) for x in worst.max(axis=0, initial=0))
        return hill_mandel, first_law, between

    def pictures(self, state: State) -> dict[str, Array]:
        """Return fields (n, *cells) worth a picture."""
        law, strain = self._material(state), self._strain(state)
        fields = {"von-mises-stress": plasticity.equivalent(law.deviator(strain)), "stored-energy": law.stored(strain)}
        shown = {name: self.grid.crop(field[:, 0]) for name, field in fields.items()}
        kept = {"phase": state["phase"], "plastic-strain": state["equivalent-plastic-strain"]}
        return {**{name: np.asarray(array, dtype=np.float64) for name, array in kept.items()}, **shown}

    def _chunks(self, n: int, work: Callable[[slice], None]) -> None:
        rows = max(1, CHUNK // self.grid.size)
        chunks = [slice(first, min(first + rows, n)) for first in range(0, n, rows)]
        if self.threads == 1:
            for chunk in chunks:
                work(chunk)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(work, chunks))

    def _step(self, state: State, strain: Array) -> dict[str, Array]:
        """Return what has changed of the cells of one chunk."""
        g, law, E = self.grid, self._material(state), self._vector(strain)
        u = _inward(state["fluctuation"].reshape(len(strain), g.dimension, g.size))
        correctors = None
        if self.accuracy is not None:
            flat = state["corrector"].reshape(len(strain), len(g.pairs), g.dimension, g.size)
            correctors = np.ascontiguousarray(np.moveaxis(flat, 2, 0), dtype=np.float64)
            change = (E - self._vector(state["strain"]))[..., 0, 0]
            u = u + np.einsum("dnsN,sn->dnN", correctors, change, optimize=True)[:, :, None]
        u = solid.balance(g, law, E, u, self.tolerance, self._vector(state["strain"]))
        eps = E + g.strain(u)
        sigma, stiffness = law.respond(eps)
        end = law.at_end(eps)
        found = {
            "fluctuation": _outward(u).reshape(state["fluctuation"].shape),
            "plastic-strain": g.crop(_outward(end.p)),
            "equivalent-plastic-strain": g.crop(end.alpha[:, 0]),
            "strain": strain,
            "stress": self._tensor(g.mean(sigma)[..., 0]),
            "stored-energy": g.mean(end.stored(eps))[:, 0],
            "dissipation": state["dissipation"] + g.mean(law.dissipated(end))[:, 0],
        }
        if correctors is not None and self.accuracy is not None:
            at_once = max(1, CASES // (len(strain) * g.size))
            C, correctors = solid.tangent(g, stiffness, correctors, self.stiff, self.accuracy, at_once)
            index = [[g.slot(i, j) for j in range(g.dimension)] for i in range(g.dimension)]
            found["tangent"] = C[:, index][..., index]
            found["corrector"] = np.moveaxis(correctors, 0, 2).reshape(state["corrector"].shape)
        return found

    def _balances(self, before: State, after: State) -> Array:
        """Return what `balances` is about for each cell of a chunk, (n, 3)."""
        g, start, end = self.grid, self._material(before), self._material(after)
        eps = [self._strain(state) for state in (before, after)]
        sigma = [law.stress(strain) for law, strain in ((start, eps[0]), (end, eps[1]))]
        moved = eps[1] - eps[0]
        local = [np.einsum("sncN,sncN->ncN", stress, moved)[:, 0] for stress in sigma]
        dE = after["strain"] - before["strain"]
        work = [np.einsum("nij,nij->n", state["stress"], dE) for state in (before, after)]
        sizes = [np.sqrt(g.mean((strain**2).sum(axis=(0, 2)))) for strain in (eps[1], moved)]
        scale = np.maximum(*(g.mean(np.abs(one)) for one in local)) + solid.CANCELLED * self.stiff * sizes[0] * sizes[1]
        kept = sum(after[name] - before[name] for name in ("stored-energy", "dissipation"))
        mandel = np.maximum(*(np.abs(g.mean(one) - other) for one, other in zip(local, work, strict=True)))
        first = np.abs((work[0] + work[1]) / 2 + g.mean(start.unseen(eps[0], end, eps[1]))[:, 0] - kept)
        beyond = np.maximum(np.maximum(work[0] - kept, kept - work[1]), 0)
        errors = np.stack([mandel, first, beyond], axis=1)
        return np.asarray(np.divide(errors, scale[:, None], out=np.zeros_like(errors), where=errors > 0))

    def _material(self, state: State) -> Plasticity:
        """Return the material of the cells of a chunk; outside of the cell there is nothing."""
        g, image = self.grid, state["phase"]
        moduli = {
            name: g.pad(values[image], np.inf if name == "Y" else 0.0)[:, None] for name, values in self.table.items()
        }
        plastic = _inward(g.pad(state["plastic-strain"]))
        return Plasticity(Moduli(**moduli), plastic, g.pad(state["equivalent-plastic-strain"])[:, None])

    def _strain(self, state: State) -> Array:
        """Return the strain (s, n, 1, N) in the cells of a chunk."""
        u = _inward(state["fluctuation"].reshape(len(state["strain"]), self.grid.dimension, self.grid.size))
        return self._vector(state["strain"]) + self.grid.strain(u)

    def _vector(self, strain: Array) -> Array:
        """Return strains (n, d, d) as (s, n, 1, 1), shear doubled."""
        parts = [strain[:, i, j] if i == j else strain[:, i, j] + strain[:, j, i] for i, j in self.grid.pairs]
        return np.stack(parts)[:, :, None, None]

    def _tensor(self, stress: Array) -> Array:
        """Return stresses (s, n) as (n, d, d)."""
        d = self.grid.dimension
        return np.stack([stress[self.grid.slot(i, j)] for i in range(d) for j in range(d)], axis=1).reshape(-1, d, d)


def _inward(field: Array) -> Array:
    """Return (n, k, N) as (k, n, 1, N)."""
    return np.ascontiguousarray(np.moveaxis(field, 1, 0))[:, :, None]


def _outward(field: Array) -> Array:
    """Return (k, n, 1, N) as (n, k, N)."""
    return np.moveaxis(field[:, :, 0], 0, 1)
