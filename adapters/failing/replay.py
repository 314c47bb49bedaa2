"""Solve a micro simulation again that failed in a run, alone, from its crash capsule.

exit status:
  0    it does not fail: not reproduced
  1    it fails as it did in the run: reproduced
  2    the capsule, the model or an argument cannot be used
  3    it fails in another way
"""

from __future__ import annotations

import argparse
import dataclasses
import pdb
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from adapters.failing import models
from adapters.failing.attempt import Failure, Part, Rows, solving, starting
from adapters.failing.capsule import Capsule, CapsuleError
from adapters.micro import Array, MicroModel, Values, arrays
from adapters.strategies.protocol import names
from adapters.wiring import CouplingError
from scalebridge import settings as typed
from scalebridge.cases import overrides
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.runs import machine

NOT_REPRODUCED = 0
REPRODUCED = 1
UNUSABLE = 2
OTHERWISE = 3
WIDTH = 36
SHOWN = 9  # numbers of one array that are shown one by one


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        capsule = Capsule.load(given.capsule)
        print(f"capsule {given.capsule}", flush=True)
        return _replay(capsule, given)
    except (CapsuleError, models.ModelError, CouplingError) as error:
        print(f"scalebridge: {plain(str(error))}", file=sys.stderr)
    except ConfigurationError as error:
        for finding in error.findings:
            place = dataclasses.replace(finding, line=finding.line or None)  # the command line has no lines
            print(f"scalebridge: {plain(str(place))}", file=sys.stderr)
    return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scalebridge replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("capsule", metavar="CAPSULE", type=Path, help="file under RUN/PARTICIPANT/capsules")
    parser.add_argument("--dt", type=_positive, metavar="SECONDS", help="another length of the step")
    parser.add_argument("--steps", type=_count, default=1, metavar="N", help="so many equal steps instead of one")
    about = "another value of one setting of the model, such as cells=64; may be given many times"
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides", help=about)
    about = "agree to run this module, which is not one of scalebridge's own; the capsule has to name the same"
    parser.add_argument("--module", default="", metavar="NAME", help=about)
    parser.add_argument("--path", type=Path, metavar="FOLDER", help="where that module is looked for")
    parser.add_argument("--pdb", action="store_true", help="open the debugger where it fails")
    return parser


def _replay(capsule: Capsule, given: argparse.Namespace) -> int:
    program = capsule.program
    if not program.ours and given.module != program.module:
        raise CapsuleError(
            f"the capsule runs the module '{program.module}', which does not come with scalebridge. "
            f"If you trust it, say so: --module {program.module}"
        )
    if given.path is not None:
        sys.path.append(str(given.path.resolve()))
    _tell_run(capsule)
    file = models.file(program.module) or "which is not found"
    print(f"runs {program.model} of {program.module}, {file}", flush=True)
    if program.strategy:
        print(plain(f"within {' over '.join(names(program.strategy))}, with files in {program.folder}"), flush=True)
    described, before, settings = _settings(capsule, given.overrides)
    dt = capsule.place.dt if given.dt is None else given.dt
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        model = program.build(settings, Path(folder))
    _tell_settings(capsule, described, before, settings)
    _table("controls", capsule.controls, model.controls)
    _table("state", dict(arrays(capsule.state)), {})
    part, failure = _solve(capsule, model, dt, given.steps, given.pdb)
    return _verdict(capsule, model, part, failure)


def _settings(capsule: Capsule, changes: Sequence[str]) -> tuple[typed.Schema, dict[str, Any], dict[str, Any]]:
    """Return what settings there are, those of the run, and these with those of the command line in their place."""
    found = models.find(capsule.program.module, capsule.program.model)
    before = dataclasses.asdict(typed.build(found.Settings, capsule.program.settings, plain=True))
    findings = Findings("--set")
    asked = {}
    for change in overrides.from_command_line(changes, findings):
        asked[change.path.rpartition("settings.")[2]] = change.value.plain()
    described = {name: {**entry, "default": before[name]} for name, entry in typed.schema(found.Settings).items()}
    result = typed.check(described, asked, findings, key="settings")
    findings.raise_if_any()
    return described, before, result


def _solve(
    capsule: Capsule, model: MicroModel, dt: float, steps: int, debug: bool
) -> tuple[Part | None, Failure | None]:
    """Return what the micro simulations give, or why they fail."""
    rows: Rows = np.arange(len(capsule.rows))
    part = Part(rows, capsule.state, {})
    begins = capsule.place.phase == "start"
    for _ in range(1 if begins else steps):
        if begins:
            call = starting(model, capsule.points, capsule.controls)
        else:
            call = solving(model, part, capsule.controls, dt / steps)
        try:
            part, wrong = call(rows)
        except CouplingError:
            raise
        except Exception as error:
            failure = Failure.of(error)
            print(f"\n{plain(failure.trace)}", end="", flush=True)
            if debug:
                pdb.post_mortem(error.__traceback__)
            return None, failure
        if wrong:
            return part, next(iter(wrong.values()))
    return part, None


def _tell_run(capsule: Capsule) -> None:
    program, place = capsule.program, capsule.place
    rows = ", ".join(str(row) for row in capsule.rows[:5]) + (" ..." if len(capsule.rows) > 5 else "")
    point = ", ".join(f"{x:g}" for x in capsule.points[0])
    case = f"{program.case}-{program.variant}" if program.variant else program.case
    print(plain(f"{program.participant} of case {case}, row {rows} of {capsule.total} at ({point}), {place}"))
    print(plain(f"failed with {capsule.failure.what}"))
    now = machine.versions()
    for name, version in capsule.versions.items():
        if now.get(name) != version:
            print(plain(f"{name} was {version}, is {now.get(name, 'not installed')}"))
    if (here := str(machine.describe()["system"])) != capsule.machine:
        print(plain(f"the machine was {capsule.machine}, is {here}"))


def _tell_settings(
    capsule: Capsule, described: typed.Schema, before: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    print(f"\nsettings, seed {capsule.program.seed}:")
    for name, value in settings.items():
        unit = described[name].get("unit", "1")
        was = "" if value == before[name] else f" (was {before[name]})"
        print(plain(f"  {name + (f' [{unit}]' if unit != '1' else ''):{WIDTH}} {value}{was}"))


def _verdict(capsule: Capsule, model: MicroModel, part: Part | None, failure: Failure | None) -> int:
    if part is not None:
        _table("state after it", dict(arrays(part.state)), {})
        _table("observables", part.observables, model.observables)
    if failure is None:
        print("\nnot reproduced: it does not fail", flush=True)
        return NOT_REPRODUCED
    if failure.kind == capsule.failure.kind:
        print(f"\nreproduced: {plain(failure.what)}", flush=True)
        return REPRODUCED
    print(f"\nfailed in another way: {plain(failure.what)}", flush=True)
    return OTHERWISE


def _table(title: str, values: Values, fields: Mapping[str, Field]) -> None:
    """Print arrays: every number of small ones, of large ones shape, extremes, and how many are not finite."""
    if not values:
        return
    print(f"\n{title}:")
    for name, array in values.items():
        unit = f" [{fields[name].unit}]" if name in fields and fields[name].unit != "1" else ""
        print(plain(f"  {name + unit:{WIDTH}} {_shown(np.asarray(array))}"))


def _shown(array: Array) -> str:
    if array.size <= SHOWN:
        return " ".join(str((array[0] if len(array) == 1 else array).tolist()).split())
    text = f"{'x'.join(map(str, array.shape))} {array.dtype}"
    if array.dtype.kind not in "fiub":
        return text
    finite = np.isfinite(array)
    if finite.any():
        text += f", from {array[finite].min():g} to {array[finite].max():g}"
    nan = int(np.isnan(array).sum())
    for count, what in ((nan, "NaN"), (int((~finite).sum()) - nan, "infinite")):
        text += f", {count} {what}" if count else ""
    return text


def plain(text: str) -> str:
    """Return text of a stranger without characters that a terminal would obey."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; expected seconds, at least 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps; expected 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
