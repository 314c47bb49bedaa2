"""Trains a law: sample or take what was recorded, choose a form, fit an ensemble, and measure it on paths not seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scalebridge
from adapters import seeds
from adapters.micro import MicroModel
from adapters.strategies import provenance
from adapters.strategies.box import required
from adapters.strategies.learned import calibration, fit, laws, material, paths, recorded, roles, samples
from adapters.strategies.learned.bundle import Bundle
from adapters.strategies.learned.calibration import Calibration
from adapters.strategies.learned.laws import Laws
from adapters.strategies.learned.material import Architecture, Material
from adapters.strategies.learned.probe import Probed, probe, stiffness
from adapters.strategies.learned.samples import Sampled, SampleError, Store
from adapters.strategies.learned.space import Space
from adapters.strategies.learned.trained import Trained

Array = NDArray[np.float64]
type Told = Callable[[str, int, int], None]  # what is being done, how much is done, of how much

AUTO = "auto"
PARTS = (0.7, 0.85)  # until where paths are learned from, until where errors are calibrated; the rest is for the test
WIDTHS = {"potential": 16}


class TrainingError(Exception):
    """No law can be trained; says why."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted.

    Attributes
    ----------
    form : potential, internal, monotone or auto.
    paths, steps : how many paths of how many steps; of recorded runs, how many points at most.
    dt : length of a step [s].
    members : size of the ensemble.
    iterations : of L-BFGS for each member.
    elements : that flow, of an internal form.
    width : units in each hidden layer of an energy; -1: 16 of a potential and 0 of an internal form.
    ramps : of a monotone law.
    isotropic, convex : what else is known of a material.
    bounds : lowest and highest of scalars, in their units.
    batch : paths that are solved together.
    """

    form: str = AUTO
    paths: int = 160
    steps: int = 24
    dt: float = 1.0
    members: int = 4
    iterations: int = 500
    elements: int = 12
    width: int = -1
    ramps: int = 24
    isotropic: bool = False
    convex: bool = True
    bounds: Mapping[str, tuple[float, float]] | None = None
    batch: int = 16
    seed: int = 0


def train(
    model: MicroModel,
    space: Space,
    box: Array,
    wanted: Wanted,
    told: Told,
    work: Path | None = None,
    runs: Sequence[tuple[Path, str]] = (),
) -> Trained:
    """Return a law that stands in for `model`.

    Parameters
    ----------
    box : (2, s); of recorded runs it is their own.
    work : file of what is done already, so that nothing is done twice; None keeps nothing.
    runs : folders of runs and the participant whose snapshots are learned from; none to sample paths through the box.

    Raises
    ------
    TrainingError, RoleError, SampleError
        If no form fits, or the model cannot be solved.
    """
    about = provenance.of(model)
    sampling = {"model": about["hash"], "box": box.tolist(), "paths": wanted.paths, "steps": wanted.steps}
    found = [recorded.load(run, name, model, wanted.paths) for run, name in runs]
    names = [{"name": run.resolve().name, "sha256": one.hash} for (run, _), one in zip(runs, found, strict=True)]
    sampling |= {"dt": wanted.dt, "seed": wanted.seed, "runs": names}
    store = Store(work, sampling)
    if found:
        x = np.concatenate([space.vector(one.values).reshape(-1, box.shape[1]) for one in found])
        box = np.stack([x.min(axis=0), x.max(axis=0)])
    told("looking at the model", 0, 1)
    probed = probe(model, space, box, wanted.dt, wanted.seed)
    name = chosen(wanted.form, probed)
    if not found:
        found = [_sampled(model, space, box, wanted, probed.slow, store, told)]
    if (lost := sum(len(one.lost) for one in found)) > 0:
        told(f"{lost} paths on which the micro model failed are left out", 1, 1)
    wanted = replace(wanted, width=wanted.width if wanted.width >= 0 else WIDTHS.get(name, 0))
    law = _law(name, model, space, box, wanted, probed, found)
    about = {"model": about, "wanted": _plain(wanted), "sampled": sampling, "scalebridge": scalebridge.__version__}
    about |= {"numpy": np.__version__, "history": probed.history, "rate": probed.rate}
    return _fitted(name, law, model, box, _split(law, space, found, wanted.seed), about, wanted, store, told)


def chosen(form: str, probed: Probed) -> str:
    """Return the form to train. Raises TrainingError where the one that is asked for cannot be."""
    possible = ("potential", "internal") if probed.roles.energetic else ("monotone",)
    if form == AUTO:
        return ("internal" if probed.remembers else "potential") if probed.roles.energetic else "monotone"
    if form not in possible:
        raise TrainingError(f"form '{form}' does not fit these fields; expected {' or '.join(possible)}")
    return form


def _sampled(
    model: MicroModel, space: Space, box: Array, wanted: Wanted, slow: bool, store: Store, told: Told
) -> Sampled:
    x = paths.draw(box, wanted.paths, wanted.steps, wanted.seed)
    dt = np.full(wanted.steps + 1, wanted.dt)
    if slow:  # so that the law learns how much time matters
        random = np.random.default_rng([seeds.named(wanted.seed, "steps")])
        dt *= np.exp(random.uniform(-np.log(10), 0, len(dt)))
    dt[0] = 0
    what = f"solving {wanted.paths} paths of {wanted.steps} steps"

    def done(count: int) -> None:
        told(what, count, wanted.paths)

    return samples.sample(model, space.controls(x), dt, space.dimensions, wanted.batch, store, done)


def _law(
    name: str, model: MicroModel, space: Space, box: Array, wanted: Wanted, probed: Probed, found: Sequence[Sampled]
) -> Material | Laws:
    """Return the form, with its scales, that is to be fitted."""
    units = {n: f.unit for n, f in (*model.controls.items(), *model.observables.items())}
    values = {
        n: np.concatenate([s.values[n].reshape(-1, *s.values[n].shape[2:]) for s in found]) for n in found[0].values
    }
    if name == "monotone":
        x = space.vector(values)
        bounds = wanted.bounds or {}
        return laws.build(probed.roles, units, list(space.fields), box, values, x, wanted.ramps, bounds)
    ((control, field),) = space.fields.items()
    elements = wanted.elements if name == "internal" else 0
    architecture = Architecture(
        field.rank, space.dimensions, wanted.width, elements, probed.slow, wanted.convex, wanted.isotropic
    )
    conjugate = values[probed.roles.named(roles.CONJUGATE)]
    scales = [float(np.sqrt((calibration.size(v, 1) ** 2).mean())) for v in (values[control], conjugate)]
    if not all(scales):
        raise TrainingError("nothing happens in the samples: the controls or what is conjugate to them are all zero")
    known = not (wanted.width or wanted.isotropic or probed.slow) and elements > 0
    elastic = stiffness(model, space, box, control, probed.roles.named(roles.CONJUGATE)) if known else None
    law = material.build(architecture, probed.roles, units, control, (scales[0], scales[1], wanted.dt), elastic)
    bend = law.activity(values, values)
    return replace(law, inelastic=max(float(np.sqrt((bend**2).mean())), 1e-12))


def _split(law: Material | Laws, space: Space, found: Sequence[Sampled], seed: int) -> list[list[Bundle]]:
    """Return paths to learn from, to calibrate with and to test with; their targets with all observables beside."""
    parts: list[list[Bundle]] = [[], [], []]
    for number, one in enumerate(found):
        n = len(next(iter(one.values.values())))
        order = np.random.default_rng([seeds.named(seed, "split"), number]).permutation(n)
        ends = [0, *(round(share * n) for share in PARTS), n]
        bundle = Bundle(space.vector(one.values), one.dt, one.values)
        for part, begin, end in zip(parts, ends, ends[1:], strict=False):
            if end > begin:
                part.append(bundle.take(np.sort(order[begin:end])))
    if not all(parts):
        raise SampleError("there are too few paths: some have to be held out; expected 7 or more")
    return parts


def _fitted(
    name: str,
    law: Material | Laws,
    model: MicroModel,
    box: Array,
    parts: Sequence[Sequence[Bundle]],
    about: Mapping[str, Any],
    wanted: Wanted,
    store: Store,
    told: Told,
) -> Trained:
    learned = [replace(b, targets=law.targets(b.targets)) for b in parts[0]]
    members = [_member(name, law, learned, number, wanted, store, told) for number in range(wanted.members)]
    draft = Trained(name, law, fit.joined(members), required(model.controls), model.observables, box, {}, {}, about)
    told("measuring errors", 0, 1)
    floors = {n: calibration.floor(e.error, e.size) for n, e in errors(draft, parts[0]).items()}
    measured = {
        n: Calibration.of(e.error, e.spread, e.activity, e.size, floors[n]) for n, e in errors(draft, parts[1]).items()
    }
    held_out = {
        n: float(np.sqrt((e.error**2).mean() / max((e.size**2).mean(), 1e-300)))
        for n, e in errors(draft, parts[2]).items()
    }
    return replace(draft, calibrations=measured, held_out=held_out)


def _member(
    name: str, law: Material | Laws, learned: Sequence[Bundle], number: int, wanted: Wanted, store: Store, told: Told
) -> dict[str, Array]:
    """Return the parameters of one member, fitted or found in the store."""
    form = hashlib.sha256(json.dumps(law.to_json(), sort_keys=True).encode()).hexdigest()
    key = f"member {number}: {name} {form} {sorted(_plain(wanted).items())}"
    what = f"fitting member {number + 1} of {wanted.members}"
    found: dict[str, Array] | None = store.get(key)
    if found is None:

        def done(count: int) -> None:
            told(what, count, wanted.iterations)

        found = fit.member(law, learned, number, wanted.seed, wanted.iterations, done)
        store.put(key, found)
    return found


@dataclass(frozen=True)
class Errors:
    """Errors of an observable along paths, what the law says of them, and how large the true values are.

    All are (paths, steps), without the start.
    """

    error: Array
    spread: Array
    activity: Array
    size: Array


def errors(law: Trained, bundles: Sequence[Bundle]) -> dict[str, Errors]:
    """Return the errors by observable.

    The bundles have controls and observables as targets. Paths of unlike length are cut to the shortest.
    """
    steps = min(b.x.shape[1] for b in bundles)
    found: dict[str, list[Array]] = {name: [] for name in law.observables}
    for bundle in bundles:
        memory = law.at_rest(len(bundle.x))
        rows: dict[str, list[Array]] = {name: [] for name in law.observables}
        for i in range(steps):
            given = {name: bundle.targets[name][:, i] for name in law.controls}
            answer = law.respond(memory, given, float(bundle.dt[i]))
            memory = answer.memory
            for name, columns in rows.items() if i else ():
                true = bundle.targets[name][:, i]
                error = calibration.size(answer.seen[name] - true, 1)
                columns.append(np.stack([error, answer.spread[name], answer.activity, calibration.size(true, 1)]))
        for name, columns in rows.items():
            found[name].append(np.stack(columns, axis=-1))
    return {name: Errors(*np.concatenate(parts, axis=1)) for name, parts in found.items()}


def coverage(law: Trained, bundles: Sequence[Bundle], confidence: float) -> dict[str, float]:
    """Return which share of steps has an error below the estimate, by observable."""
    found = {}
    for name, e in errors(law, bundles).items():
        one = law.calibrations[name]
        found[name] = float((e.error <= one.estimate(e.spread, e.activity, one.factor(confidence))).mean())
    return found


def _plain(wanted: Wanted) -> dict[str, Any]:
    data = asdict(wanted)
    data["bounds"] = {name: list(pair) for name, pair in (wanted.bounds or {}).items()}
    del data["batch"]
    return data
