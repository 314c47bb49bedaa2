"""A material as a law: an energy of a strain and internal variables, and what dissipates. See potential and elements.

Before anything flows a quadratic energy has just the stiffness that the micro model has at rest, if that is known. What
is learned begins with flow, and so do the errors: they are taken to grow with the stress that it has taken off.

The mean of several materials is a material: its energy is the mean of their energies, its internal variables are all of
theirs. So what an ensemble gives has the properties of each of its members, and how far they disagree is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.learned import notation, roles, stiffness
from adapters.strategies.learned.bundle import Bundle
from adapters.strategies.learned.elements import Elements, Flow
from adapters.strategies.learned.potential import Parameters, Potential
from scalebridge.units import converter

Array = NDArray[np.float64]
Memory = Mapping[str, Array]
AT_ONCE = 1e-9  # of a typical step: so short that nothing flows slowly


@dataclass(frozen=True)
class Architecture:
    """What a material is made of.

    Attributes
    ----------
    rank, dimensions : of the strain, by whatever name.
    width : units in each hidden layer of the energy of the strain alone; 0 if it is quadratic.
    elements : elements that flow; 0 if nothing does.
    viscous : whether flow takes time.
    """

    rank: int
    dimensions: int
    width: int = 0
    elements: int = 0
    viscous: bool = False
    convex: bool = True
    isotropic: bool = False


@dataclass(frozen=True)
class Material:
    """The law in scaled variables, and its way to the fields.

    Attributes
    ----------
    control : the strain.
    of : role -> observable.
    strain, stress, time : what is 1 in scaled variables, in the units of the fields and in seconds.
    factors : role -> from strain times stress, stress over strain, or strain to the unit of the observable.
    elastic : (s, s) scaled stiffness before anything flows; None where it is learned like all else.
    inelastic : root mean square of the scaled stress that flow has taken off, in what was learned from.
    """

    form: ClassVar[str] = "material"
    architecture: Architecture
    control: str
    of: Mapping[str, str]
    strain: float
    stress: float
    time: float
    factors: Mapping[str, float]
    elastic: Array | None = None
    inelastic: float = 1.0

    @property
    def unit(self) -> Array:
        """The unit vector along the trace."""
        return notation.identity(self.architecture.rank, self.architecture.dimensions)

    @property
    def potential(self) -> Potential:
        """The energy of the strain alone."""
        a = self.architecture
        return Potential(self.unit, a.width, a.convex, a.isotropic)

    @property
    def elements(self) -> Elements | None:
        """What flows; None where nothing does."""
        a = self.architecture
        return Elements(self.unit, a.elements, a.viscous, a.isotropic) if a.elements else None

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        elastic = None if self.elastic is None else self.elastic.tolist()
        data = {"form": self.form, **asdict(replace(self, elastic=None)), "elastic": elastic}
        return data | {"of": dict(self.of), "factors": dict(self.factors)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Material:
        """Return what `to_json` gave."""
        plain = {n: data[n] for n in ("control", "of", "strain", "stress", "time", "factors", "inelastic")}
        elastic = None if data["elastic"] is None else np.array(data["elastic"], dtype=np.float64)
        return cls(Architecture(**data["architecture"]), **plain, elastic=elastic)

    # Fields and scaled variables

    def inputs(self, controls: Mapping[str, Any]) -> Array:
        """Return x (..., s) in the unit of the field: what boxes are made of."""
        return notation.vector(np.asarray(controls[self.control]), self.architecture.rank)

    def told(self, x: Array) -> dict[str, Array]:
        """Return the controls (...) that a vector (s,) stands for."""
        return {self.control: notation.value(x, self.architecture.rank, self.architecture.dimensions)}

    def targets(self, observables: Mapping[str, Array]) -> dict[str, Array]:
        """Return what is learned, scaled, by role."""
        energy = self.stress * self.strain
        found = {roles.CONJUGATE: notation.vector(observables[self.of[roles.CONJUGATE]], self.architecture.rank)}
        found[roles.CONJUGATE] = found[roles.CONJUGATE] / self.stress
        for role in (roles.STORED, roles.DISSIPATED):
            if role in self.of and (role == roles.STORED or self.architecture.elements):
                found[role] = observables[self.of[role]] / (self.factors[role] * energy)
        return found

    def outputs(self, controls: Mapping[str, Any], seen: Mapping[str, Array]) -> dict[str, Array]:
        """Return the observables (n, m, ...) of all members from what `respond` saw."""
        a, found = self.architecture, {}
        for role, name in self.of.items():
            if role == roles.CONJUGATE:
                found[name] = notation.value(self.stress * seen[role], a.rank, a.dimensions)
            elif role == roles.TANGENT:
                scale = self.factors[role] * self.stress / self.strain
                found[name] = notation.tensor(scale * seen[role], a.rank, a.dimensions)
            elif role == roles.ECHO:
                found[name] = self.factors[role] * np.asarray(controls[self.control], dtype=np.float64)[:, None]
            else:
                found[name] = self.factors[role] * self.stress * self.strain * seen[role]
        return found

    # The law

    def at_rest(self, n: int, members: int) -> dict[str, Array]:
        """Return the memory of n rows that nothing has happened to."""
        if self.elements is None:
            return {}
        z, a = self.elements.at_rest(n, members)
        return {"flowed": z, "flowed-in-all": a, "dissipated": np.zeros((n, members))}

    def physical(self, raw: Parameters) -> dict[str, Array]:
        """Return the parameters as `respond` wants them."""
        found = {f"p/{k}": v for k, v in self.potential.physical(_of(raw, "p")).items()}
        if self.elements is not None:
            found |= {f"e/{k}": v for k, v in self.elements.physical(_of(raw, "e")).items()}
        if self.elastic is not None:
            found["p/L"], found["e/B"] = stiffness.shared(stiffness.root(self.elastic), found["p/L"], found["e/B"])
        return found

    def activity(self, controls: Mapping[str, Any], observables: Mapping[str, Array]) -> Array:
        """Return by how much flow has changed the stress, (n, ...), relative to what was usual when it was learned.

        Without a known stiffness that cannot be told, and it is 1.
        """
        x = self.inputs(controls) / self.strain
        if self.elastic is None:
            return np.ones(x.shape[:-1])
        stress = notation.vector(observables[self.of[roles.CONJUGATE]], self.architecture.rank) / self.stress
        return np.asarray(np.linalg.norm(stress - x @ self.elastic, axis=-1) / self.inelastic)

    def respond(self, p: Parameters, memory: Memory, x: Array, dt: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Advance to x (n, s), in the unit of the field, over dt [s]; return memory, and what is seen (n, m, ...)."""
        x = x / self.strain
        second = roles.TANGENT in self.of
        energy, gradient, hessian = (
            v if v is None else np.swapaxes(v, 0, 1) for v in self.potential.respond(_of(p, "p"), x, second)
        )
        assert energy is not None
        assert gradient is not None
        seen = {roles.CONJUGATE: gradient, roles.STORED: energy, roles.DISSIPATED: np.zeros_like(energy)}
        if hessian is not None:
            seen[roles.TANGENT] = hessian
        if self.elements is None:
            return {}, seen
        own, e = _of(p, "e"), self.elements
        step = max(dt / self.time, AT_ONCE)
        done = e.step(own, x, memory["flowed"], memory["flowed-in-all"], step)
        lost = memory["dissipated"] + e.dissipated(own, done.flow, step)
        seen[roles.CONJUGATE] = gradient + e.stress(own, done.q, done.z)
        seen[roles.STORED] = energy + e.energy(own, done.q, done.z, done.a)
        seen[roles.DISSIPATED] = lost
        if hessian is not None:
            seen[roles.TANGENT] = hessian + e.tangent(own, done)
        return {"flowed": done.z, "flowed-in-all": done.a, "dissipated": lost}, seen

    # Training

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters of one member."""
        found = {f"p/{k}": v for k, v in self.potential.shapes().items()}
        return found if self.elements is None else found | {f"e/{k}": v for k, v in self.elements.shapes().items()}

    def initial(self, random: np.random.Generator, bundles: Sequence[Bundle]) -> dict[str, Array]:
        """Return raw parameters (1, ...) to start from."""
        C = _stiffness(bundles, self.strain, self.architecture.elements > 0)
        share = 0.2 if self.elements else 0.5
        found = {f"p/{k}": v for k, v in self.potential.initial(random, share * C).items()}
        if self.elements is not None:
            found |= {f"e/{k}": v for k, v in self.elements.initial(random, (1 - share) * C, 1.0).items()}
        return found

    def loss(self, raw: Parameters, bundles: Sequence[Bundle]) -> tuple[float, dict[str, Array]]:
        """Return the mean square error, relative to the mean square, summed over the roles; and its gradient."""
        p = self.physical(raw)
        total, gradient = 0.0, {name: np.zeros_like(value) for name, value in p.items()}
        weights = _weights(bundles)
        for bundle in bundles:
            total += self._bundle_loss(p, bundle, weights, gradient)
        if self.elastic is not None:
            K = stiffness.root(self.elastic)
            gradient["p/L"], gradient["e/B"] = stiffness.pullback(
                K, raw["p/L"], raw["e/B"], gradient["p/L"], gradient["e/B"]
            )
        found = {f"p/{k}": v for k, v in self.potential.physical_pullback(_of(raw, "p"), _of(gradient, "p")).items()}
        if self.elements is not None:
            back = self.elements.physical_pullback(_of(raw, "e"), _of(gradient, "e"))
            found |= {f"e/{k}": v for k, v in back.items()}
        return total, found

    def _bundle_loss(
        self, p: Parameters, bundle: Bundle, weights: Mapping[str, float], total: dict[str, Array]
    ) -> float:
        x = np.swapaxes(bundle.x / self.strain, 0, 1)  # (steps, n, s)
        steps, n, s = x.shape
        energy, slope, _ = self.potential.respond(_of(p, "p"), x.reshape(-1, s), False)
        seen = {roles.CONJUGATE: slope[0].reshape(steps, n, s), roles.STORED: energy[0].reshape(steps, n)}
        path: list[tuple[Array, Array, Array, float, Flow]] = []
        if self.elements is not None:
            path = self._along(self.elements, _of(p, "e"), x, bundle.dt / self.time, seen)
        loss, back = 0.0, {name: np.zeros((steps, n)) for name in (roles.STORED, roles.DISSIPATED)}
        for role, wanted in bundle.targets.items():
            error = seen[role] - np.swapaxes(wanted, 0, 1)
            loss += weights[role] * float((error**2).sum())
            back[role] = 2 * weights[role] * error
        stress = back[roles.CONJUGATE].reshape(-1, s)
        found = self.potential.pullback(_of(p, "p"), x.reshape(-1, s), stress, back[roles.STORED].ravel())
        for name, value in found.items():
            total[f"p/{name}"] += value
        if self.elements is not None:
            lost = np.cumsum(back[roles.DISSIPATED][::-1], axis=0)[::-1]
            own = _of(p, "e")
            for name, value in self.elements.pullback(
                own, path, back[roles.CONJUGATE], back[roles.STORED], lost
            ).items():
                total[f"e/{name}"] += value
        return loss

    def _along(
        self, e: Elements, p: Parameters, x: Array, dt: Array, seen: dict[str, Array]
    ) -> list[tuple[Array, Array, Array, float, Flow]]:
        """Return the steps of the elements along paths (steps, n, s); add to what is seen (steps, n, ...)."""
        z, a = e.at_rest(x.shape[1], 1)
        path, lost = [], np.zeros(x.shape[:2])
        for i, step in enumerate(np.maximum(dt, AT_ONCE).tolist()):
            done = e.step(p, x[i], z, a, step)
            path.append((x[i], z, a, step, done))
            z, a = done.z, done.a
            seen[roles.CONJUGATE][i] += e.stress(p, done.q, z)[:, 0]
            seen[roles.STORED][i] += e.energy(p, done.q, z, a)[:, 0]
            lost[i] = e.dissipated(p, done.flow, step)[:, 0]
        seen[roles.DISSIPATED] = np.cumsum(lost, axis=0)
        return path


def build(
    architecture: Architecture,
    found: roles.Roles,
    units: Mapping[str, str],
    control: str,
    scales: tuple[float, float, float],
    elastic: Array | None = None,
) -> Material:
    """Return a material for fields that have these roles.

    Parameters
    ----------
    units : of the control and the observables by name.
    scales : typical strain, stress and step [s].
    elastic : (s, s) stiffness at rest, in the units of the fields, if it is known.
    """
    of = {role: name for name, role in found.of.items()}
    strain, stress = units[control], units[of[roles.CONJUGATE]]
    given = {
        roles.STORED: f"({stress})*({strain})",
        roles.DISSIPATED: f"({stress})*({strain})",
        roles.TANGENT: f"({stress})/({strain})",
        roles.ECHO: strain,
    }
    factors = {role: converter(unit, units[of[role]]).factor for role, unit in given.items() if role in of}
    known = None if elastic is None else elastic * (scales[0] / scales[1])
    return Material(architecture, control, of, *scales, factors, known)


def _of(values: Parameters, part: str) -> dict[str, Array]:
    return {name[2:]: value for name, value in values.items() if name[0] == part}


def _weights(bundles: Sequence[Bundle]) -> dict[str, float]:
    """Return what makes the mean square of each role 1; 0 where there is nothing to learn."""
    found = {}
    for role in bundles[0].targets:
        total = sum(float((bundle.targets[role] ** 2).sum()) for bundle in bundles)
        found[role] = 1 / total if total > 0 else 0.0
    return found


def _stiffness(bundles: Sequence[Bundle], strain: float, flows: bool) -> Array:
    """Return the stiffness (s, s) at the begin of the paths, by least squares; where nothing flows, all along them."""
    until = 2 if flows else None
    x, y = (
        np.concatenate([part[:, :until].reshape(-1, part.shape[-1]) for part in parts])
        for parts in ([b.x / strain for b in bundles], [b.targets[roles.CONJUGATE] for b in bundles])
    )
    C = np.linalg.lstsq(x, y, rcond=None)[0]
    C = (C + C.T) / 2
    values, vectors = np.linalg.eigh(C)
    floor = max(1e-3 * float(np.abs(values).max()), 1e-6)
    return np.asarray((vectors * np.maximum(values, floor)) @ vectors.T)
