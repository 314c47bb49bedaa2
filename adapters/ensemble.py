"""One micro simulation for every point of a mesh that another participant provides, solved as one batch.

The points are known only when the coupling has begun, so a micro participant cannot send initial data. Where windows
are iterated the first step of all has no length: what can be seen at the start is sent instead.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from adapters import tensors
from adapters.case import Case
from adapters.coupling import Coupling
from adapters.failing import policies
from adapters.failing.capsule import Place, Program
from adapters.failing.capsules import Capsules
from adapters.failing.guarded import Guarded
from adapters.failing.tally import FAILED
from adapters.mesh import CouplingMesh, Received
from adapters.micro import Array, MicroModel, OneByOne, State, innermost, repeatable
from adapters.ranks import Rows, world
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.snapshots import Choice, Snapshots
from adapters.step import Step
from adapters.strategies.protocol import Context
from adapters.strategies.stack import Stack
from adapters.wiring import CouplingError
from scalebridge import fallbacks, strategies
from scalebridge.checks import Check
from scalebridge.embedded import config as coupling_config


def run(case: Case[Any], model: MicroModel, keep: Choice | None = None) -> None:
    """Run `model`, whose controls and observables are coupling data, behind the mesh it finds in the configuration.

    Parameters
    ----------
    case : what the participant was started with; its fields are those of the model.
    keep : what snapshots to keep.
    """
    comm = world()
    plain = innermost(model)
    max_dt = plain.max_dt if isinstance(plain, OneByOne) else math.inf
    with Coupling(case.for_fields(model.controls, model.observables), comm, shared=True, max_dt=max_dt) as coupling:
        name = _mesh(coupling, model)
        mesh = coupling.receive_signals(name) if _signals(coupling, model) else coupling.receive(name)
        Ensemble(coupling, mesh, model, comm, keep or Choice()).run()


def scaled(case: Case[Any], model: MicroModel) -> MicroModel:
    """Return the model with its scaling maps; in a case without a scaling file its fields are the coupling data."""
    if case.scaling is None:
        return model
    reads, writes = coupled(case)
    return ScaledModel(model, scaling_config.load(case.scaling).of(reads, writes), case.seed)


def coupled(case: Case[Any]) -> tuple[set[str], set[str]]:
    """Return the names of the data that the participant reads and writes: components of tensors, and their wholes."""
    own = coupling_config.load(case.config).participant(case.name)
    reads, writes = (
        {name for access in accesses for name in tensors.whole(access.data)} for accesses in (own.reads, own.writes)
    )
    return reads, writes


class Ensemble:
    """A batch of micro simulations in a coupled run.

    Attributes
    ----------
    scaled : the model with its maps; `model` the same with the strategies around it that the case asks for.
    guarded : the latter, with something standing in for micro simulations that fail.
    observables : what is sent next, (n, ...) by name.
    worst : of every check of the model's audits the one that came closest to failing, or failed most.
    """

    def __init__(self, coupling: Coupling, mesh: CouplingMesh, model: MicroModel, comm: Any, keep: Choice) -> None:
        self.coupling = coupling
        self.mesh = mesh
        self.scaled = model
        self.received = {name: mesh.read(name) for name in model.controls}
        self.observables: dict[str, Array] = {}
        for name in model.observables:
            mesh.write(name, partial(self._observed, name))
        for name, field in self.received.items():
            _require_initial(coupling, mesh, name, field)
        self.worst: dict[str, Check] = {}
        coupling.start()
        self.rows = Rows(len(mesh.points), comm)
        n, ranks = self.rows.total, coupling.ranks
        if n < ranks:
            raise CouplingError(f"{coupling.case.name} runs on {ranks} ranks, but {mesh.name} has only {n} points")
        if isinstance(plain := innermost(model), OneByOne):
            plain.first_row = self.rows.first
        _require_repeatable(coupling, model)
        self.model = self._with_strategies(coupling.case)
        self.guarded = self._guard(coupling.case)
        self.snapshots = Snapshots(coupling.case.output, self.model, self.rows, coupling.windows, keep)
        coupling.remember("snapshots", self.snapshots)
        coupling.remember("checks and failures", self)

    def run(self) -> None:
        """Solve from the first window to the last."""
        controls: dict[str, Array] = {}
        start = begin = {} if self.coupling.resumed else self._start()
        step: Step | None = None
        planned = 0

        def complete(time: float) -> None:
            assert step is not None
            self._note(self.guarded.audit(begin, step.state))
            self._account()
            self._complete_objects(step)
            if self.snapshots.wants(step.window):
                self.snapshots.take(step.window, time, self.mesh.points, {**controls, **self.observables}, step.state)

        self.coupling.on_window(complete)
        for step in self.coupling.steps(start):
            if step.window != planned:  # all iterations of a window begin with the same state
                begin, planned = self._planned(step.state), step.window
            if step.substep == 0:
                step.state = begin
            controls = {name: field.values for name, field in self.received.items()}
            place = Place("solve", step.t, step.dt, step.window, step.iteration, step.substep)
            step.state, self.observables = self._observe(step.state, controls, place)
        if step is not None and isinstance(self.model, Stack):
            self._note(self.model.conclude(step.state))
            self._save_strategies(self.model, step.state)
        self._save_checks()

    def _start(self) -> State:
        """Return the state of all simulations at the start of the run, and keep a snapshot of it."""
        controls = {name: field.old for name, field in self.received.items()}
        begun = self.guarded.start(self.mesh.points, controls)
        start, observables = self._observe(begun, controls, Place("solve"))
        self._account()
        self.snapshots.take(0, 0.0, self.mesh.points, {**controls, **observables}, start)
        return start

    def save(self) -> dict[str, Any]:
        """Return what has been gathered beside the state: the worst checks, failures and their capsules."""
        worst = [check.to_json() for check in self.worst.values()]
        capsules = self.guarded.capsules
        return {
            "worst": worst,
            "tally": self.guarded.tally.save(),
            "written": list(capsules.written),
            "capsules": capsules.total,
        }

    def restore(self, value: dict[str, Any]) -> None:
        """Go on from what was gathered before."""
        self._note(Check.from_json(check) for check in value["worst"])
        self.guarded.tally.restore(value["tally"])
        self.guarded.capsules.written, self.guarded.capsules.total = list(value["written"]), value["capsules"]
        self._write_account()  # what stands there counts windows that are about to be solved again

    def _observed(self, name: str) -> Array:
        return self.observables[name]

    def _observe(self, state: State, controls: Mapping[str, Array], place: Place) -> tuple[State, dict[str, Array]]:
        self.guarded.at(place)
        return self.guarded.solve(state, controls, place.dt)

    def _with_strategies(self, case: Case[Any]) -> MicroModel:
        """Return the model within the strategies that the case asks for; a run that does without has the model."""
        if not case.handout.strategy:
            return self.scaled
        context = Context(
            seed=case.seed,
            folder=case.folder,
            output=case.output,
            rows=self.rows,
            dimensions=self.mesh.points.shape[1],
            explicit=self.coupling.wiring.explicit,
            windows=self.coupling.windows,
            end=self.coupling.end if math.isfinite(self.coupling.end) else None,
            plain=innermost(self.scaled),
            scaled=partial(scaled, case),
            remember=self.coupling.remember,
        )
        return Stack(case.handout.strategy, self.scaled, context)

    def _complete_objects(self, step: Step) -> None:
        """Let a model that holds objects do what belongs to the end of a window, if all of them are in its state."""
        plain = innermost(self.scaled)
        state = self.model.state_of_full(step.state) if isinstance(self.model, Stack) else step.state
        if isinstance(plain, OneByOne) and state is not None:
            plain.complete(state if plain is self.scaled else cast(State, state["model"]), step.window)

    def _planned(self, state: State) -> State:
        """Return the state with what strategies decide for the time window that begins; collective."""
        return self.model.plan(state) if isinstance(self.model, Stack) else state

    def _save_strategies(self, stack: Stack, state: State) -> None:
        """Write what the strategies did in the run; collective."""
        account = stack.report(state)
        if self.rows.rank == 0:
            account.save(self.coupling.case.output / strategies.FILE_NAME)

    def _guard(self, case: Case[Any]) -> Guarded:
        model = innermost(self.scaled)
        reads, writes = coupled(case)
        program = Program(
            case=case.handout.case,
            variant=case.handout.variant,
            participant=case.name,
            module=case.handout.module,
            model=type(model).__name__,
            settings=case.handout.settings,
            seed=case.seed,
            scaling=case.scaling.read_text(encoding="utf-8") if case.scaling is not None else "",
            reads=tuple(sorted(reads)),
            writes=tuple(sorted(writes)),
            engine=case.handout.engine,
        )
        wanted = policies.build(case.handout.on_failure, self.scaled, case.seed, partial(scaled, case))
        return Guarded(self.model, self.mesh.points, self.rows, wanted, Capsules(case.output, program))

    def _account(self) -> None:
        """Close a window in the account of failures, and write it where there are any; collective."""
        if self.guarded.tally.complete():
            self._write_account()

    def _write_account(self) -> None:
        """Write the account of failures; a run without any has none. Collective."""
        tally, capsules = self.guarded.tally, self.guarded.capsules
        names, path = capsules.names(self.rows), self.coupling.case.output / fallbacks.FILE_NAME
        if self.rows.rank > 0:
            return
        if tally.uses[FAILED].times:
            tally.account(names, capsules.program.consent).save(path)
        else:
            path.unlink(missing_ok=True)

    def _note(self, found: Iterable[Check]) -> None:
        for check in found:
            if check.name not in self.worst or excess(check) > excess(self.worst[check.name]):
                self.worst[check.name] = check

    def _save_checks(self) -> None:
        """Give the worst checks of all ranks to the run; collective."""
        lines = "".join(json.dumps(check.to_json()) + "\n" for check in self.worst.values())
        everything = self.rows.gather(np.frombuffer(lines.encode(), dtype=np.uint8)).tobytes().decode()
        self._note(Check.from_json(json.loads(line)) for line in everything.splitlines())
        self.coupling.check(*self.worst.values())


def excess(check: Check) -> float:
    """Return by how much a check is beyond its tolerance, negative where it has passed; infinite for NaN."""
    if not math.isfinite(check.value):
        return math.inf
    if isinstance(check.reference, tuple):
        low, high = check.reference
        return max(low - check.value, check.value - high) - check.tolerance
    if check.kind == "at-most":
        return check.value - check.reference - check.tolerance
    scale = abs(check.reference) if check.kind == "relative" else 1.0
    return abs(check.value - check.reference) - check.tolerance * scale


def _mesh(coupling: Coupling, model: MicroModel) -> str:
    """Return the name of the mesh behind which the model runs: the only one that is received with api-access."""
    received = [r.name for r in coupling.wiring.participant.receives if r.api_access]
    if len(received) != 1:
        found = ", ".join(received) or "none"
        raise CouplingError(
            f"{coupling.wiring.file}: {coupling.case.name} runs one micro simulation per point of one mesh, so it "
            f'needs exactly one <receive-mesh ... api-access="true" />; found {found}'
        )
    return received[0]


def _require_repeatable(coupling: Coupling, model: MicroModel) -> None:
    """Raise CouplingError where states are gone back to, and the simulator of the model cannot do that."""
    if repeatable(model):
        return
    name, kind = coupling.case.name, type(innermost(model)).__name__
    if not coupling.wiring.explicit:
        raise CouplingError(
            f"{coupling.wiring.file}: {name} runs {kind}, whose simulator cannot go back to the start of a window, so "
            "no window can be iterated: use an explicit coupling scheme"
        )
    if coupling.checkpointed:
        raise CouplingError(f"{name} runs {kind}, whose simulator cannot be saved: checkpoints of it are not possible")
    if coupling.case.handout.on_failure:
        raise CouplingError(f"{name} runs {kind}, whose simulator cannot solve anything again: remove its on-failure")
    if coupling.case.handout.strategy:
        raise CouplingError(f"{name} runs {kind}, whose simulator cannot solve some rows alone: remove its strategy")


def _signals(coupling: Coupling, model: MicroModel) -> bool:
    """Say whether what is exchanged are signals over the windows."""
    places = {name: field.per for name, field in (*model.controls.items(), *model.observables.items())}
    if spikes := [name for name, per in places.items() if per == "spikes"]:
        raise CouplingError(f"{coupling.case.name}: spikes travel as rates only: map {spikes[0]} in a scaling file")
    if "window" not in places.values():
        return False
    if others := [name for name, per in places.items() if per != "window"]:
        these = next(name for name, per in places.items() if per == "window")
        raise CouplingError(
            f"{coupling.case.name}: {these} is a signal over the time window and {others[0]} is not, but both are on "
            "one mesh: its vertices are either the samples of signals or points"
        )
    return True


def _require_initial(coupling: Coupling, mesh: CouplingMesh, name: str, field: Received) -> None:
    """Raise CouplingError if a control would be zero at the start because nobody sends its initial value."""
    if not field.channel.initial:
        raise CouplingError(
            f"{coupling.wiring.file}: the micro simulations of {coupling.case.name} start from {name} on {mesh.name}: "
            f'its <exchange data="{name}" from="{field.channel.writer}" ... /> needs initialize="true"'
        )
