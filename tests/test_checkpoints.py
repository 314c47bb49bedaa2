"""Checkpoints of several processes: valid together or not at all, and no more kept than are needed."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalebridge import checkpoints, treefile
from scalebridge.checkpoints import Checkpoint, CheckpointError, Plan

PLAN = Plan("this", 2, {"Macro": 1, "Micro": 2}, "inputs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    PLAN.save(tmp_path / "run" / "checkpoints")
    return tmp_path / "run" / "checkpoints"


def write(folder: Path, window: int, *, name: str = "", plan: Plan = PLAN, time: float | None = None) -> None:
    """Write the files of all processes, or of one participant."""
    for who, rank, _ in plan.files():
        if name in ("", who):
            at = 0.5 * window if time is None else time
            checkpoints.write(folder, plan, who, rank, window=window, time=at, body={"x": np.full(2, rank)})


def test_a_plan_comes_back(folder: Path) -> None:
    assert Plan.load(folder) == PLAN
    assert [file for _, _, file in PLAN.files()] == ["Macro.npz", "Micro.0.npz", "Micro.1.npz"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_each_process_gets_back_its_own(folder: Path) -> None:
    write(folder, 4)
    going_on = Plan("this", 2, PLAN.ranks, "inputs", resume=4)
    time, body = checkpoints.read(folder, going_on, "Micro", 1)
    assert time == 2.0
    assert body["x"].tolist() == [1.0, 1.0]


def test_the_newest_whole_one_counts(folder: Path) -> None:
    assert checkpoints.newest(folder, PLAN) == (None, [])
    write(folder, 2)
    write(folder, 4)
    write(folder, 6, name="Macro")
    found, problems = checkpoints.newest(folder, PLAN)
    assert found == Checkpoint(4, 2.0)
    assert problems == [f"{folder}/000006/Micro.0.npz: is missing"]


def test_two_whole_ones_are_kept(folder: Path) -> None:
    for window in (2, 4, 6):
        write(folder, window)
    assert sorted(p.name for p in (folder / "000002").iterdir()) == ["Macro.npz", "Micro.0.npz"]  # they wrote before
    write(folder, 8, name="Macro")
    assert [p.name for p in (folder / "000002").iterdir()] == ["Micro.0.npz"]
    write(folder, 8, name="Micro")
    assert checkpoints.windows(folder) == [8, 6, 4]


def change(folder: Path, **changes: Any) -> None:
    path = folder / "000004/Micro.1.npz"
    treefile.save(path, {**treefile.load(path), **changes})


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda f: change(f, run="other"), "000004/Micro.1.npz: is of another run: other, and this is wanted"),
        (lambda f: change(f, rank=0), "000004/Micro.1.npz: is of another rank: 0, and 1 is wanted"),
        (lambda f: change(f, window=2), "000004/Micro.1.npz: is of another window: 2, and 4 is wanted"),
        (lambda f: change(f, inputs="?"), "000004/Micro.1.npz: is of another inputs: ?, and inputs is wanted"),
        (lambda f: change(f, participant="X"), "000004/Micro.1.npz: is of another participant: X, and Micro is wanted"),
        (lambda f: change(f, time=2.5), "000004: its files are of different times"),
        (lambda f: treefile.save(f / "000004/Macro.npz", [1]), "000004/Macro.npz: is no file of a checkpoint"),
        (
            lambda f: (f / "000004/Macro.npz").write_bytes((f / "000004/Macro.npz").read_bytes()[:-30]),
            "000004/Macro.npz: is damaged or no file of scalebridge's: File is not a zip file",
        ),
    ],
)
def test_files_that_do_not_belong_together_do_not_count(folder: Path, spoil: Any, problem: str) -> None:
    write(folder, 2)
    write(folder, 4)
    spoil(folder)
    assert checkpoints.newest(folder, PLAN) == (Checkpoint(2, 1.0), [f"{folder}/{problem}"])


def test_plans_that_are_none(folder: Path) -> None:
    (folder / "plan.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"plan\.json cannot be read: .*missing 4 required"):
        Plan.load(folder)
    (folder / "plan.json").unlink()
    with pytest.raises(CheckpointError, match=r"/run was run without --checkpoint-every: it has no plan\.json"):
        Plan.load(folder)


def test_what_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "000002").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"the checkpoint after time window 2 cannot be written: .*File exists"):
        write(folder, 2)
