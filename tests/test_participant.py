"""What a participant tells about itself, and how it ends when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from coupled import environment

from scalebridge.handout import Handout
from scalebridge.progress import ProgressReader

SOLVER = '''
"""Heat in a bar.   rho c dT/dt = div(K grad T)"""
from dataclasses import dataclass
from adapters.participant import participant
from scalebridge.fields import Field
from scalebridge.settings import setting

@dataclass(frozen=True)
class Settings:
    length: float = setting("0.1 m", "length of the bar", above=0)
    shape: str = setting("round", "cross-section", choices=("round", "square"))
    steps: int = setting(help="number of steps")

def main(case):
    print(case.name, case.settings.length, case.settings.shape, case.seed, case.run.name, case.output.name)
    print(case.scaling, case.config.name)
    if case.settings.steps == 13:
        raise ArithmeticError("thirteen steps")

if __name__ == "__main__":
    participant(main, Settings, reads={"Conductivity": Field("W/(m*K)", rank=2, help="effective")},
                writes={"Temperature": Field("K")})
'''
MICRO = '''
"""Ice in brine."""
from dataclasses import dataclass
from adapters.participant import micro_participant
from scalebridge.fields import Field
from scalebridge.settings import setting

class Brine:
    @dataclass(frozen=True)
    class Settings:
        cells: int = setting(32, "cells along an edge", minimum=1)

    controls = {"temperature": Field("K")}
    observables = {"conductivity": Field("W/(m*K)", rank=2, per="grid")}

    def __init__(self, settings, seed): ...

if __name__ == "__main__":
    micro_participant(Brine)
'''


def call(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "module.py").write_text(text)
    command = [sys.executable, str(folder / "module.py"), *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)


def hand_out(folder: Path, **settings) -> Path:
    (folder / "Macro").mkdir()
    progress = folder / "Macro/progress.jsonl"
    paths = {
        "precice_config": "case.xml",
        "run": str(folder),
        "output": str(folder / "Macro"),
        "progress": str(progress),
    }
    Handout(case="test", participant="Macro", module="module", settings=settings, seed=7, **paths).save(
        folder / "h.json"
    )
    return folder / "h.json"


def test_a_solver_describes_itself_to_programs(tmp_path):
    result = call(tmp_path, SOLVER, "--describe")
    told = json.loads(result.stdout)
    assert (result.returncode, told["module"], told["kind"]) == (0, "module", "solver")
    assert told["title"] == "Heat in a bar.   rho c dT/dt = div(K grad T)"
    assert set(told["settings"]) == {"length", "shape", "steps"}
    assert told["settings"]["length"]["default"] == 0.1
    assert told["reads"]["Conductivity"] == {
        "unit": "W/(m*K)", "rank": 2, "symmetric": True, "per": "point", "help": "effective", "optional": False
    }  # fmt: skip
    assert told["writes"]["Temperature"]["unit"] == "K"


def test_a_micro_model_describes_itself_to_programs(tmp_path):
    told = json.loads(call(tmp_path, MICRO, "--describe").stdout)
    assert (told["kind"], told["title"]) == ("micro", "Ice in brine")
    assert told["controls"]["temperature"]["unit"] == "K"
    assert told["observables"]["conductivity"]["per"] == "grid"
    assert told["settings"]["cells"]["default"] == 32


def test_a_delay_is_told_where_there_is_one(tmp_path):
    assert "delay" not in json.loads(call(tmp_path, SOLVER, "--describe").stdout)
    late = SOLVER.replace('Field("K")})', 'Field("K")}, delay=1.5e-3)')
    assert json.loads(call(tmp_path, late, "--describe").stdout)["delay"] == 1.5e-3
    assert "delay" not in json.loads(call(tmp_path, MICRO, "--describe").stdout)
    late = MICRO.replace("    controls =", '    delay = "lag"\n    controls =')
    assert json.loads(call(tmp_path, late, "--describe").stdout)["delay"] == "lag"


def test_a_delay_that_follows_from_the_settings_is_told_when_asked(tmp_path):
    late = SOLVER.replace('Field("K")})', 'Field("K")}, delay=lambda s: 2 * s.length)')
    assert json.loads(call(tmp_path, late, "--describe").stdout)["delay"] == {"ask": True}
    (tmp_path / "module.py").write_text(late)
    command = [sys.executable, str(tmp_path / "module.py"), "--delay"]
    done = subprocess.run(
        command, env=environment(), input='{"length": 0.5, "steps": 1}', capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1.0")
    done = subprocess.run(
        command, env=environment(), input='{"lenght": 1, "steps": 1}', capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "no such setting" in done.stderr
    assert "Did you mean 'length'" in done.stderr


def test_what_a_participant_tells_of_time(tmp_path):
    assert (
        not {"time-scales", "sampling", "repeatable"} & json.loads(call(tmp_path, SOLVER, "--describe").stdout).keys()
    )
    told = SOLVER.replace('Field("K")})', 'Field("K")}, time_scales=("tau", "lag"), sampling="dt")')
    told = json.loads(call(tmp_path, told, "--describe").stdout)
    assert (told["time-scales"], told["sampling"]) == (["tau", "lag"], "dt")
    told = MICRO.replace("    controls =", '    time_scales = ("tau",)\n    repeatable = False\n    controls =')
    told = json.loads(call(tmp_path, told, "--describe").stdout)
    assert (told["time-scales"], told["repeatable"]) == (["tau"], False)


def test_help_is_for_people(tmp_path):
    solver, micro = call(tmp_path, SOLVER, "--help").stdout, call(tmp_path, MICRO, "--help").stdout
    assert "Heat in a bar." in solver
    assert "length of the bar: 0.1 m" in solver
    assert "number of steps: must be given" in solver
    assert "tensor [W/(m*K)] effective" in solver
    assert "scalar [K]" in solver
    assert "tensor on the grid [W/(m*K)]" in micro


def test_it_runs_in_its_folder_with_typed_settings(tmp_path):
    result = call(tmp_path, SOLVER, "--handout", str(hand_out(tmp_path, length=0.5, steps=3)))
    assert result.returncode == 0
    assert result.stdout.splitlines() == [f"Macro 0.5 round 7 {tmp_path.name} Macro", "None case.xml"]


@pytest.mark.parametrize(
    ("settings", "message", "traceback"),
    [
        ({"steps": 13}, "thirteen steps", True),
        ({"steps": 1, "lenght": 1.0}, "Settings: settings.lenght: no such setting", False),
    ],
)
def test_a_failure_has_a_status_and_a_reason(tmp_path, settings, message, traceback):
    result = call(tmp_path, SOLVER, "--handout", str(hand_out(tmp_path, **settings)))
    assert result.returncode == 1
    assert message in result.stderr
    assert ("Traceback" in result.stderr) == traceback
    (event,) = ProgressReader(tmp_path / "Macro/progress.jsonl").poll()
    assert event.event == "error"
    assert message in event.message


def test_a_command_line_without_a_task_is_refused(tmp_path):
    result = call(tmp_path, SOLVER)
    assert result.returncode == 2
    assert "one of the arguments --describe --delay --handout is required" in result.stderr
