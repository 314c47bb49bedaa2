"""What a participant is to the hub: a module that describes itself, and that runs when it is handed a case.

python -m participants.macro.heat --describe           settings and fields as JSON, for programs
python -m participants.macro.heat --help               the same for people
python -m participants.macro.heat --delay              the shortest delay, of settings as JSON on standard input
python -m participants.macro.heat --handout FILE       run
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from adapters.case import Case
from adapters.strategies import registry
from adapters.wiring import CouplingError
from scalebridge import settings as typed
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.progress import ProgressWriter

type Delay = float | str | Callable[[Any], float | None] | None


@dataclass(frozen=True)
class Description:
    """What a module tells about itself.

    Attributes
    ----------
    inputs, outputs : its fields.
    model : the class of a micro model.
    delay : shortest time in which its inputs act on its outputs: a number [s], the name of a setting, or a function of
        the settings that returns it [s]; None where they act at once. No explicit time window may be longer.
    time_scales : names of settings that say how fast things happen in it.
    sampling : name of the setting that says how often it samples signals within a window; empty if it has none.
    repeatable : whether it can go back to the start of a window.
    """

    kind: str
    module: str
    title: str
    settings: type
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field]
    model: str = ""
    delay: Delay = None
    time_scales: Sequence[str] = ()
    sampling: str = ""
    repeatable: bool = True

    @property
    def keys(self) -> tuple[str, str]:
        """What inputs and outputs are called for this kind of participant."""
        return ("controls", "observables") if self.kind == "micro" else ("reads", "writes")

    def to_json(self) -> dict[str, Any]:
        fields = (self.inputs, self.outputs)
        return {
            "module": self.module,
            "title": self.title,
            "kind": self.kind,
            "settings": typed.schema(self.settings),
            **({"model": self.model} if self.model else {}),
            **({"delay": {"ask": True} if callable(self.delay) else self.delay} if self.delay is not None else {}),
            **({"time-scales": list(self.time_scales)} if self.time_scales else {}),
            **({"sampling": self.sampling} if self.sampling else {}),
            **({} if self.repeatable else {"repeatable": False}),
            **({"strategies": registry.schemas()} if self.kind == "micro" else {}),
            **{key: {n: f.to_json() for n, f in group.items()} for key, group in zip(self.keys, fields, strict=True)},
        }

    def to_text(self) -> str:
        """Return settings and fields as lines for people."""
        lines = ["settings:"]
        for name, value, about in typed.table(typed.schema(self.settings)):
            lines.append(f"  {name:24} {about}: {value}")
        for key, group in zip(self.keys, (self.inputs, self.outputs), strict=True):
            lines += ["", f"{key}:"]
            for name, one in group.items():
                shape = one.kind + (" on the grid" if one.per == "grid" else "")
                lines.append(f"  {name:24} {shape} [{one.unit}] {one.help}".rstrip())
        for strategy, known in (registry.schemas() if self.kind == "micro" else {}).items():
            lines += ["", f"strategy {strategy}:" if known else f"strategy {strategy}"]
            lines += [f"  {name:24} {about}: {value}" for name, value, about in typed.table(known)]
        return "\n".join(lines)


def participant[S](
    main: Callable[[Case[S]], None],
    settings: type[S],
    *,
    reads: Mapping[str, Field],
    writes: Mapping[str, Field],
    delay: Delay = None,
    time_scales: Sequence[str] = (),
    sampling: str = "",
) -> None:
    """Be a participant: parse the command line, and describe or run.

    Parameters
    ----------
    main : called with the case; it returns when the coupling has ended.
    settings : dataclass whose fields are made by `scalebridge.settings.setting`.
    reads, writes : fields by name of the data, tensors as a whole, in the units that `main` computes in.
    delay : shortest time [s] in which what is read acts on what is written, the name of the setting that says it, or a
        function that returns it for given settings, None where there is none.
    time_scales : names of settings that say how fast things happen here: exchange should be faster.
    sampling : name of the setting that says how often signals are sampled within a window, if they are.
    """
    about = Description(
        "solver", *_module(), settings, reads, writes, delay=delay, time_scales=time_scales, sampling=sampling
    )
    _command(about, main)


def micro_participant(model: type[Any]) -> None:
    """Be a micro participant.

    Parameters
    ----------
    model : class of a `adapters.micro.MicroModel`, constructed as ``model(settings, seed)`` with an object of its own
        ``Settings`` dataclass. If that has whole numbers named `snapshots` or `volumes`, they say how many snapshots
        of how many micro volumes are kept. If it has a `delay`, that is the shortest time [s] in which its controls
        act on its observables, or the name of the setting that says it; `time_scales` are names of settings that say
        how fast things happen in it; `repeatable` is False if its simulator cannot go back.
    """
    about = Description(
        "micro",
        *_module(),
        model.Settings,
        model.controls,
        model.observables,
        model.__name__,
        getattr(model, "delay", None),
        tuple(getattr(model, "time_scales", ())),
        repeatable=getattr(model, "repeatable", True),
    )

    def main(case: Case[Any]) -> None:
        from adapters.ensemble import run, scaled  # brings much that a description does without
        from adapters.snapshots import Choice

        run(case, scaled(case, model(case.settings, case.seed)), Choice.of(case.settings))

    _command(about, main)


def _command(about: Description, main: Callable[[Case[Any]], None]) -> None:
    parser = argparse.ArgumentParser(
        prog=f"python -m {about.module}",
        description=about.title,
        epilog=about.to_text(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--describe", action="store_true", help="print settings and fields as JSON")
    what.add_argument("--delay", action="store_true", help="print the shortest delay [s] of settings on standard input")
    what.add_argument("--handout", metavar="FILE", type=Path, help="run with what this file hands out")
    given = parser.parse_args()
    if given.describe:
        print(json.dumps(about.to_json()))
        return
    if given.delay:
        _tell_delay(about)
        return
    serve(main, about.settings, about.inputs, about.outputs, Handout.load(given.handout))


def _tell_delay(about: Description) -> None:
    """Print the delay [s], or null, of the settings that come on standard input; a clear error where it has none."""
    try:
        settings: Any = typed.build(about.settings, json.load(sys.stdin), plain=True)
        print(json.dumps(about.delay(settings) if callable(about.delay) else about.delay))
    except (ConfigurationError, CouplingError) as error:
        sys.exit(str(error))


def serve[S](
    main: Callable[[Case[S]], None],
    settings: type[S],
    reads: Mapping[str, Field],
    writes: Mapping[str, Field],
    handout: Handout,
) -> None:
    """Run `main` with what was handed out; if it fails, say why and end the process with status 1."""
    os.chdir(handout.output)  # preCICE looks for its partners, and writes its logs, relative to the working folder
    progress = ProgressWriter(handout.progress)
    perform(
        lambda: main(Case(handout, typed.build(settings, handout.settings, plain=True), reads, writes, progress)),
        progress,
    )


def perform(part: Callable[[], None], progress: ProgressWriter) -> None:
    """Do the part of this participant; if it fails, say why and end the process with status 1."""
    try:
        part()
    except Exception as error:
        _fail(progress, error)
    except SystemExit as end:  # the other ranks would wait for this one in MPI_Finalize
        _fail(progress, CouplingError(f"it called sys.exit({end.code or 0}) before its part was over"))
    progress.close()


def _fail(progress: ProgressWriter, error: Exception) -> NoReturn:
    """End this process at once, with all its ranks: a coupling library may wait for its partners at exit."""
    sys.stdout.flush()  # what it printed before comes before
    if isinstance(error, ConfigurationError | CouplingError):  # speak for themselves
        print(error, file=sys.stderr)
    else:
        traceback.print_exception(error)
    world = _world()
    rank = "" if world is None else f"rank {world.rank}: "
    progress.write("error", message=rank + (str(error) or type(error).__name__))
    sys.stdout.flush()
    sys.stderr.flush()
    if world is not None:
        time.sleep(0.5)  # mpiexec drops what it has not yet passed on
        world.Abort(1)
    os._exit(1)


def _world() -> Any:
    """Return the communicator of all ranks where MPI has been started and there are several, else None."""
    mpi = sys.modules.get("mpi4py.MPI")
    return mpi.COMM_WORLD if mpi is not None and mpi.Is_initialized() and mpi.COMM_WORLD.size > 1 else None


def _module() -> tuple[str, str]:
    """Return the name of the module that is run, and the first line of what it says about itself."""
    main = sys.modules["__main__"]
    spec = main.__spec__
    name = spec.name if spec is not None else Path(main.__file__ or "participant").stem
    lines = (main.__doc__ or name).strip().splitlines()
    return name, lines[0].rstrip(".")
