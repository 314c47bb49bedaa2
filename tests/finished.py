"""Folders of runs that have ended, made by hand; and a case whose runs are quick and leave results."""

import json
import shutil
from pathlib import Path

import numpy as np

from scalebridge.checks import at_most
from scalebridge.runs import record as recording

HERE = Path(__file__).parent


def run(path, *, series=None, snapshots=None, checks=(), status=0, ended="well", iterations=(2, 3), participant="Left"):
    """Write what a run of one participant leaves.

    Parameters
    ----------
    series : column -> values, the first one the time.
    snapshots : name of the file -> array -> values; written as .npz.
    checks : (name, value) pairs, each to be at most 1.
    """
    folder = path / participant
    (folder / "snapshots").mkdir(parents=True)
    if series is not None:
        rows = zip(*series.values(), strict=True)
        lines = [",".join(series), *(",".join(repr(float(v)) for v in row) for row in rows)]
        (folder / "series.csv").write_text("\n".join(lines) + "\n")
    for name, arrays in (snapshots or {}).items():
        np.savez(folder / "snapshots" / f"{name}.npz", **{k: np.asarray(v) for k, v in arrays.items()})
    entry = {"status": status, "wall": 1.5, "cpu": 1.25, "memory": 10**8, "iterations": list(iterations)}
    summary = {
        "status": status,
        "ended": ended,
        "wall": 2.0,
        "participants": {participant: {**entry, "windows_not_converged": 0}},
        "checks": [{"by": participant, **at_most(name, value, 1.0, source="").to_json()} for name, value in checks],
    }
    (path / "summary.json").write_text(json.dumps(summary))
    (path / "record.json").write_text(json.dumps(record(ended={"status": status, "changed": []})))
    return path


def record(**changed):
    """Return a whole record of next to nothing."""
    case = {"participants": [], "seed": 0}
    machine = {"system": "Linux", "machine": "x86_64", "processor": "abacus", "cores": 2, "memory": 1}
    tools = {"engine": {"name": "embedded", "version": "1"}, "versions": {"python": "3.12.1"}, "installed": {}}
    return {
        "format": 1,
        "case": case,
        "machine": machine,
        **tools,
        "files": {},
        "packages": {},
        "ended": None,
        **changed,
    }


def steady(monkeypatch):
    """Let nobody mind that our own code is edited while the tests run."""
    changes = recording.changes

    def of_the_case(then, now):
        return [c for c in changes(then, now) if not c.what.startswith(("scalebridge/", "adapters/"))]

    monkeypatch.setattr(recording, "changes", of_the_case)


def decay(folder):
    """Put the case `decay`, and what it takes from the case of two scripted participants, into a folder."""
    shutil.copytree(HERE / "hub", folder / "hub")
    shutil.copytree(HERE / "compared", folder / "decay")
    return folder / "decay"
