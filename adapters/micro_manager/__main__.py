"""Run micro simulations that were written for the preCICE Micro Manager.

    scalebridge exec -- python -m adapters.micro_manager micro-manager-config.json

takes the place of `micro-manager-precice micro-manager-config.json` in any case of preCICE. Files go to the file's
output_directory, or to PARTICIPANT-output in the working folder.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters import ensemble
from adapters.case import Case
from adapters.micro_manager.model import FileSettings, MicroManager
from adapters.participant import perform
from adapters.snapshots import Choice
from scalebridge import engines
from scalebridge.cases.foreign import micro_manager
from scalebridge.cases.foreign.micro_manager import MicroManagerFile
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.progress import ProgressWriter

UNUSABLE = 2  # exit status where the file cannot be used


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    title, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m adapters.micro_manager",
        description=title,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="such as micro-manager-config.json, of version 0.12")
    path: Path = parser.parse_args(arguments).file
    try:
        file = micro_manager.load(path.resolve())
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    output = Path(file.output_directory or f"{file.participant}-output").resolve()
    output.mkdir(parents=True, exist_ok=True)
    progress = ProgressWriter(output / "progress.jsonl")
    perform(lambda: _run(file, _handout(file, output), progress), progress)
    return 0


def _run(file: MicroManagerFile, handout: Handout, progress: ProgressWriter) -> None:
    settings = FileSettings(**handout.settings)
    model = MicroManager(settings, handout.seed)
    case = Case(handout, settings, model.controls, model.observables, progress)
    print(f"{file.participant}: {model.kind.__name__} of {file.module}; files in {handout.output}", flush=True)
    ensemble.run(case, model, Choice(times=1, volumes=1))


def _handout(file: MicroManagerFile, output: Path) -> Handout:
    return Handout(
        case=file.file.parent.name,
        participant=file.participant,
        module=MicroManager.__module__,
        precice_config=str(file.precice_config.resolve()),
        run=str(output),
        output=str(output),
        progress=str(output / "progress.jsonl"),
        settings={"config": str(file.file)},
        engine=_engine(),
    )


def _engine() -> str:
    """Return the name of the engine that `import precice` means."""
    found = importlib.util.find_spec("precice")
    own = found is not None and found.origin is not None and Path(found.origin).is_relative_to(engines.ROOT)
    return "embedded" if own else "precice"


if __name__ == "__main__":
    sys.exit(main())
