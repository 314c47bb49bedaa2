"""Whole runs that end early and go on: by the command line, and with inputs that have changed meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_coupling import xml
from test_restart import content

from scalebridge.checkpoints import CheckpointError, Plan
from scalebridge.findings import ConfigurationError
from scalebridge.runs import checkpoints
from scalebridge.runs.checkpoints import ResumedFolder
from scalebridge.runs.place import RunFolderError

ENGINE = os.environ.get("ENGINE", "embedded")
ROOT = Path(__file__).resolve().parents[1]
only_embedded = pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")

CASE = """case: decay
title: A decay that ends early
coupling: coupling.xml
participants:
  Macro: {run: decaying, settings: {rate: 1.5}}
  Micro: {run: following, ranks: 2}
"""
MACRO = '''"""Something that decays."""
import os, signal
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from adapters.coupling import Coupling
from adapters.participant import participant
from scalebridge.fields import Field
from scalebridge.settings import setting

@dataclass(frozen=True)
class Settings:
    """How fast."""
    rate: float = setting(1.0, "how fast")

def main(case):
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 1.0]]))
        u, stress = 1.0 + mesh.points[:, 0], mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=[u]):
            if step.window == 6 and Path(__file__).with_name("die").exists():  # beside the case, not beside its copy
                os.kill(os.getpid(), signal.SIGKILL)
            u[:] = (u - step.dt * case.settings.rate * stress.values) / (1.0 + step.dt)
            coupling.record(u=u[0], v=u[1])

if __name__ == "__main__":
    participant(main, Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
'''
MICRO = '''"""Something that follows."""
from dataclasses import dataclass
from adapters.participant import micro_participant
from scalebridge.fields import Field

@dataclass(frozen=True)
class Nothing:
    """Nothing to choose."""

class Following:
    Settings = Nothing
    controls = {"Strain": Field("1")}
    observables = {"Stress": Field("Pa")}

    def __init__(self, settings, seed):
        pass

    def start(self, points, controls):
        return {"m": controls["Strain"]}

    def solve(self, state, controls, dt):
        m = (state["m"] + dt * controls["Strain"]) / (1.0 + dt)
        return {"m": m}, {"Stress": 0.5 * m + 0.1 * m**3}

if __name__ == "__main__":
    micro_participant(Following)
'''


def scalebridge(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scalebridge", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def write_case(folder: Path) -> None:
    folder.mkdir()
    text = xml().replace('<max-time-windows value="4" />', '<max-time-windows value="8" />')
    files = {"case.yaml": CASE, "coupling.xml": text, "decaying.py": MACRO, "following.py": MICRO}
    for name, lines in files.items():
        (folder / name).write_text(lines)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: Any) -> Path:
    """A folder with the case, and a run of it that ended after its sixth window had begun."""
    folder: Path = tmp_path_factory.mktemp("ended")
    write_case(folder / "decay")
    (folder / "decay" / "die").touch()
    done = scalebridge(folder, "run", "decay", "--engine", "embedded", "--checkpoint-every", 2)
    (folder / "decay" / "die").unlink()
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stderr.startswith("scalebridge: Macro failed first in time window 6")
    hint = f"scalebridge: to go on after time window 4: scalebridge run --resume {folder}/runs/decay"
    assert done.stderr.splitlines()[-1] == hint
    return folder


@pytest.fixture
def run(ended: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be spoilt."""
    return Path(shutil.copytree(ended / "runs/decay", tmp_path / "decay"))


@only_embedded
def test_a_run_goes_on_to_the_same_end(ended: Path, run: Path) -> None:
    whole = scalebridge(ended, "run", "decay", "--engine", "embedded", "--checkpoint-every", "2", "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    done = scalebridge(run.parent, "run", "--resume", run)
    assert done.returncode == 0, done.stderr
    assert f"the run in {run} goes on after time window 4 (t = 1 s)" in done.stdout
    assert "since it went on after time window 4" in done.stdout
    told = [json.loads((run / name).read_text())["resumed"] for name in ("summary.json", "record.json")]
    assert [(entry["window"], entry["time"]) for entry in told[0]] == [(4, 1.0)]
    assert told[0] == told[1]
    assert (run / "Macro/output.log.1").is_file()
    parts = "Macro", "Micro"
    before, after = ({part: content(folder / part) for part in parts} for folder in (ended / "whole", run))
    for part in parts:
        after[part] = {n: b for n, b in after[part].items() if not n.startswith("progress")}
        assert before[part].keys() == after[part].keys()
        assert [name for name in before[part] if before[part][name] != after[part][name]] == []
    again = scalebridge(run.parent, "run", "--resume", run)
    assert again.returncode == 2
    assert again.stderr == f"scalebridge: there is nothing to resume: the run in {run} has come to its end\n"


def test_the_checkpoint_before_is_used_where_one_is_damaged(run: Path) -> None:
    damaged = run / "checkpoints/000004/Micro.1.npz"
    damaged.write_bytes(damaged.read_bytes()[:-30])
    folder = ResumedFolder(run, every=3)
    folder.close()
    assert (folder.checkpoint.window, folder.checkpoint.time) == (2, 0.5)
    assert folder.warnings[0].startswith(f"{damaged}: is damaged")
    assert folder.warnings[0].endswith("; the checkpoint before it is used")
    plan = Plan.load(run / "checkpoints")
    assert (plan.every, plan.resume) == (3, 2)
    assert not (run / "checkpoints/000004").exists()
    assert json.loads((run / "Macro/handout.json").read_text())["output"] == str(run / "Macro")


def test_a_run_without_a_whole_checkpoint_cannot_go_on(run: Path) -> None:
    for window in ("000002", "000004"):
        (run / f"checkpoints/{window}/Macro.npz").unlink()
    with pytest.raises(
        CheckpointError, match=r"has no complete checkpoint to go on from; run it again\n  .*is missing"
    ):
        ResumedFolder(run)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match=r"was run without --checkpoint-every"):
        ResumedFolder(run)
    with pytest.raises(ConfigurationError, match=r"there is no such run folder"):
        ResumedFolder(run / "nowhere")


def test_a_run_that_goes_on_already_is_left_alone(run: Path) -> None:
    folder = ResumedFolder(run)
    with pytest.raises(RunFolderError, match=r"a run is going on in"):
        ResumedFolder(run)
    folder.close()


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_inputs_that_have_changed_in_the_run_are_refused(run: Path) -> None:
    spoil(run / "inputs/case.yaml", "rate: 1.5", "rate: 2.5")
    spoil(run / "inputs/decaying.py", "how fast", "how quick")
    with pytest.raises(ConfigurationError) as caught:
        ResumedFolder(run)
    told = str(caught.value)
    assert (
        f"{run}: Macro.settings.rate: is not what the run began with; a run can only go on unchanged: was 1.5, " in told
    )
    assert f"{run}: case.yaml: is not what" in told
    assert f"{run}: decaying.py: is not what" in told
    assert not list(run.glob("Macro/output.log.*"))


def test_the_coupling_that_has_changed_in_the_run_is_refused(run: Path) -> None:
    spoil(run / "coupling.xml", "1e-10", "1e-9")
    with pytest.raises(
        ConfigurationError, match=r"coupling\.xml: is not what the run began with; a run can only go on"
    ):
        ResumedFolder(run)


def test_a_copy_that_is_gone_is_told(run: Path) -> None:
    (run / "inputs/case.yaml").unlink()
    with pytest.raises(CheckpointError, match=r"has no copy of .*case\.yaml, from which the run would go on"):
        ResumedFolder(run)


def test_a_case_that_has_changed_since_is_told(ended: Path, run: Path) -> None:
    spoil(run / "record.json", '"numpy": "', '"numpy": "0.')
    original = ended / "decay/case.yaml"
    spoil(original, "rate: 1.5", "rate: 2.5")
    try:
        folder = ResumedFolder(run)
    finally:
        spoil(original, "rate: 2.5", "rate: 1.5")
    folder.close()
    assert folder.warnings[0] == f"{original} has changed since the run began; the run goes on with its own copy"
    assert folder.warnings[1].startswith("not all is as it was, so the result may not be the same to the last bit:\n")
    assert "package numpy: was 0." in folder.warnings[1]
    assert folder.inspection.settings["Macro"] == {"rate": 1.5}


def test_what_libprecice_began_does_not_go_on(run: Path) -> None:
    spoil(run / "record.json", '"name": "embedded"', '"name": "precice"')
    with pytest.raises(CheckpointError, match=r"was made with libprecice, whose memory was not saved; it cannot go on"):
        ResumedFolder(run)


@pytest.mark.skipif(ENGINE == "embedded", reason="the embedded engine saves its memory")
def test_on_libprecice_it_is_said_what_is_lost(tmp_path: Path) -> None:
    write_case(tmp_path / "decay")
    done = scalebridge(tmp_path, "run", "decay", "--engine", "precice", "--checkpoint-every", 2)
    assert done.returncode == 0, done.stderr
    assert checkpoints.LOST in done.stderr
    assert (tmp_path / "runs/decay/checkpoints/000006/Macro.npz").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "run needs a CASE, or --resume RUN"),
        (
            ("decay", "--set", "a=1", "--out", "x", "--resume", "y"),
            "--resume goes on with a run as it was begun: CASE and --set and --out cannot be given too",
        ),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = scalebridge(tmp_path, "run", *arguments)
    assert done.returncode == 2
    assert done.stderr == f"scalebridge: {message}\n"


def test_checkpoints_have_a_whole_number_of_windows_between_them(tmp_path: Path) -> None:
    done = scalebridge(tmp_path, "run", "decay", "--checkpoint-every", "0")
    assert done.returncode == 2
    assert "argument --checkpoint-every: invalid count value: '0'" in done.stderr


def test_programs_of_their_own_are_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/hub", tmp_path / "pair")
    done = scalebridge(tmp_path, "run", "pair", "--engine", "embedded", "--checkpoint-every", 2)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"scalebridge: pair/case.yaml:{line}: participants.{name}.command: {name} is a program of its own, which "
        "cannot be asked for its state; expected participants with `run:`, or no --checkpoint-every"
        for line, name in ((5, "Left"), (6, "Right"))
    ]
    assert not (tmp_path / "runs").exists()


def test_windows_that_do_not_end_together_are_refused(run: Path) -> None:
    folder = ResumedFolder(run)
    folder.close()
    inspection = folder.inspection
    (scheme,) = inspection.configuration.schemes
    for size, told in ((0.5, "0.25 and 0.5"), (None, "0.25 and a size of their own")):
        schemes = (scheme, replace(scheme, time_window_size=size, line=77))
        other = replace(inspection, configuration=replace(inspection.configuration, schemes=schemes))
        (found,) = checkpoints.problems(other)
        assert found.line == 77
        assert found.message == (
            f"Micro, Macro and Micro, Macro couple in time windows of different lengths ({told}), which do not end "
            "together"
        )
    assert checkpoints.problems(inspection) == []
