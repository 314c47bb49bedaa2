"""The discrete balance of a conserved quantity in every window, from the residual that the macro solver solves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dolfinx import fem, la
from numpy.typing import NDArray

from adapters.coupling import Coupling
from scalebridge import checks


class Balance:
    """Closes the books on a conserved quantity at the end of each window and checks that nothing came from nowhere.

    The residual of a conservation law, tested with all functions of a Lagrange space together, is what was stored in
    the window; its part at the constrained nodes is what came in through them (the consistent flux). The rest is zero
    at a solution, whatever the mesh. It is taken with the values that the window ended with, not with those that the
    last iteration was solved for, so it also tells whether the coupling has kept what it exchanged.

    Parameters
    ----------
    name : the quantity, such as "energy".
    residual : linear form, with no other source than the constrained nodes.
    content : scalar form, how much of the quantity there is; its round-off is the least that a balance can be off.
    constrained : degrees of freedom of this rank that have Dirichlet values.

    Attributes
    ----------
    inflow : what has come in through the constrained nodes since the start.
    worst : largest imbalance of a window, relative to what moved in it, or to a thousandth of the content if that is
        more.
    """

    def __init__(
        self, coupling: Coupling, name: str, residual: Any, content: Any, constrained: NDArray[np.int32]
    ) -> None:
        self.coupling = coupling
        self.name = name
        self.form, self.content = fem.form(residual), fem.form(content)
        self.constrained = constrained
        self.inflow = 0.0
        self.worst = 0.0
        coupling.on_window(self._close)
        coupling.remember(f"balance of {name}", self)

    def save(self) -> dict[str, float]:
        """Return what has been added up so far."""
        return {"inflow": self.inflow, "worst": self.worst}

    def restore(self, value: dict[str, float]) -> None:
        """Go on from what was added up before."""
        self.inflow, self.worst = value["inflow"], value["worst"]

    def _close(self, time: float) -> None:
        residual = fem.assemble_vector(self.form)
        residual.scatter_reverse(la.InsertMode.add)
        owned = residual.array[: residual.index_map.size_local]
        mine = self.constrained[self.constrained < len(owned)]
        parts = np.array([owned.sum(), owned[mine].sum(), np.abs(owned).sum(), fem.assemble_scalar(self.content)])
        stored, inflow, moved, content = self.form.mesh.comm.allreduce(parts)
        self.inflow += inflow
        self.worst = max(self.worst, abs(stored - inflow) / max(moved, 1e-3 * abs(content)))
        self.coupling.record(**{f"{self.name}_inflow": self.inflow})

    def check(self, tolerance: float = 1e-10) -> None:
        """Add the check that the balance has closed in every window.

        Parameters
        ----------
        tolerance : the default is for the round-off of a linear solver. Where the residual has values that iterate with
            it, such as the conductivity at the end of the window, they differ by what the iterations may leave.
        """
        source = f"conservation of {self.name}: stored = come in through the boundary"
        self.coupling.check(checks.at_most(f"{self.name} balance, worst window", self.worst, tolerance, source=source))


class Inventory:
    """Closes the books on what a domain holds in every window, from what has passed its boundary.

    For schemes that conserve in every cell. What there is at the end of a window is compared with what there was at the
    end of the window before, so it also tells whether anything was lost between windows, or by the coupling.

    Parameters
    ----------
    name : the quantity, such as "solute".
    content : scalar form, how much of it there is at the end of the window.
    before : the same at the start of the first window.
    inflows : scalar forms by name, what came in through parts of the boundary in the window, which is one step.

    Attributes
    ----------
    inflow : what has come in since the start.
    worst : largest imbalance of a window, relative to what passed the boundary in it, or to a thousandth of the content
        if that is more.
    """

    def __init__(self, coupling: Coupling, name: str, content: Any, before: Any, inflows: Mapping[str, Any]) -> None:
        self.coupling = coupling
        self.name = name
        self.forms = [fem.form(form) for form in (content, before, *inflows.values())]
        self.parts = list(inflows)
        self.content: float | None = None
        self.inflow = 0.0
        self.worst = 0.0
        coupling.on_window(self._close)
        coupling.remember(f"inventory of {name}", self)

    def save(self) -> dict[str, float | None]:
        """Return what has been added up so far."""
        return {"content": self.content, "inflow": self.inflow, "worst": self.worst}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on from what was added up before."""
        self.content, self.inflow, self.worst = value["content"], value["inflow"], value["worst"]

    def _close(self, time: float) -> None:
        parts = np.array([fem.assemble_scalar(form) for form in self.forms])
        content, start, *inflows = self.forms[0].mesh.comm.allreduce(parts)
        before = start if self.content is None else self.content
        passed = max(np.abs(inflows).sum(), 1e-3 * abs(content))
        self.worst = max(self.worst, float(abs(content - before - sum(inflows)) / passed))
        self.content = float(content)
        self.inflow += float(sum(inflows))
        came = {f"{self.name}_{part}": float(value) for part, value in zip(self.parts, inflows, strict=True)}
        self.coupling.record(**{f"{self.name}_content": self.content, f"{self.name}_inflow": self.inflow}, **came)

    def check(self, tolerance: float = 1e-10) -> None:
        """Add the check that the books have closed in every window, to the round-off of a linear solver."""
        source = f"conservation of {self.name}: gained = come in through the boundary"
        self.coupling.check(checks.at_most(f"{self.name} balance, worst window", self.worst, tolerance, source=source))
