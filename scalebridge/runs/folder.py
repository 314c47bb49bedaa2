"""The folder of a run: made new (scalebridge.runs.place), with a copy of every input in it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scalebridge.cases.case import Case
from scalebridge.cases.inspection import Inspection
from scalebridge.handout import Handout
from scalebridge.runs import place, record
from scalebridge.runs.place import CASE_FILE
from scalebridge.runs.place import RunFolderError as RunFolderError  # whoever makes one catches it

DEFAULT = "runs"


class RunFolder:
    """The folder of one run.

    Attributes
    ----------
    path : absolute path of the folder.
    earlier : where a run that was here before has been moved, or None.
    coupling, scaling : copies of the inputs in it; `scaling` may be None.
    record : what goes into the run (scalebridge.runs.record).
    """

    def __init__(self, path: Path, inspection: Inspection) -> None:
        self.path = path.absolute()
        self.inspection = inspection
        self._lock, self.earlier = place.take(self.path)
        case = inspection.case
        self.coupling = self._copy(case.coupling)
        self.scaling = self._copy(case.scaling) if case.scaling else None
        (self.path / CASE_FILE).write_text(json.dumps(resolved(inspection), indent=2) + "\n", encoding="utf-8")
        for participant in case.participants:
            self.output(participant.name).mkdir()
        for name in inspection.descriptions:
            self._handout(name).save(self.output(name) / "handout.json")
        self.record = record.begin(self.path, inspection, resolved(inspection))

    def output(self, name: str) -> Path:
        """Return the folder of a participant."""
        return self.path / name

    def log(self, name: str) -> Path:
        """Return the file with what a participant prints."""
        return self.output(name) / "output.log"

    def progress(self, name: str) -> Path:
        """Return the file with the progress of a participant."""
        return self.output(name) / "progress.jsonl"

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._lock)

    def _copy(self, source: Path) -> Path:
        return Path(shutil.copyfile(source, self.path / source.name))

    def _handout(self, name: str) -> Handout:
        case, engine = self.inspection.case, self.inspection.engine
        participant = next(p for p in case.participants if p.name == name)
        return Handout(
            case=case.name,
            variant=case.variant,
            participant=name,
            module=participant.module,
            precice_config=str(self.coupling),
            scaling=str(self.scaling) if self.scaling else None,
            settings=self.inspection.settings[name],
            strategy=self.inspection.strategies[name],
            folder=str(case.folder),
            on_failure=self.inspection.on_failure[name],
            run=str(self.path),
            output=str(self.output(name)),
            progress=str(self.progress(name)),
            seed=case.seed,
            engine=engine.name,
        )


def default(case: Case) -> Path:
    """Return where a run goes if nobody says where: runs/CASE[-VARIANT] in the working folder."""
    return Path(DEFAULT) / case.label


def resolved(inspection: Inspection) -> dict[str, Any]:
    """Return the case as it is run: everything spelled out, as JSON."""
    data = asdict(inspection.case)
    del data["lines"]
    for participant in data["participants"]:
        for key in ("line", "lines"):
            del participant[key]
        name = participant["name"]
        if name in inspection.settings:
            units = {
                s: e["unit"] for s, e in inspection.descriptions[name].settings.items() if e.get("unit", "1") != "1"
            }
            participant.update(settings=inspection.settings[name], units=units, strategy=inspection.strategies[name])
    data["engine"] = inspection.engine.name
    plain: dict[str, Any] = json.loads(json.dumps(data, default=str))
    return plain
