"""Crash capsules: what is in them, what is refused of a stranger's, and solving them again."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import fragile
import numpy as np
import pytest
from coupled import ROOT, environment
from fragile import Fragile, Settings

from adapters.failing import replay
from adapters.failing.attempt import Failure
from adapters.failing.capsule import Capsule, CapsuleError, Place, Program
from scalebridge import treefile

BRINE = "participants.micro.brine"
PROGRAM = Program("test", "Micro", "fragile", "Fragile", {"how": "raise", "where": [2.0]}, 3, variant="fast")


def capsule(**changes):
    given = {
        "program": PROGRAM,
        "place": Place("solve", 1.5, 0.25, 7, 2, 1),
        "rows": np.array([41]),
        "total": 100,
        "points": np.array([[2.0, 0.5]]),
        "controls": {"Strain": np.array([4.0])},
        "state": {"m": np.array([2.0]), "place": {"x": np.array([2.0])}, "age": np.array([1.5])},
        "failure": Failure("ArithmeticError: no root", "ArithmeticError", "Traceback ...", True),
        "versions": {"python": "2.7", "numpy": np.__version__},
        "machine": "elsewhere",
    }
    return Capsule(**{**given, **changes})


def program(**settings):
    return dataclasses.replace(PROGRAM, settings={**PROGRAM.settings, **settings})


def solve(path, capsys, *arguments, trusted=True):
    """Return the exit status, what was printed, and the errors."""
    status = replay.main([str(path), *arguments, *(("--module", "fragile") if trusted else ())])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.fixture
def path(tmp_path):
    return tmp_path / "one.npz"


def test_what_is_saved_is_read(path):
    one = capsule()
    one.save(path)
    again = Capsule.load(path)
    for field in dataclasses.fields(Capsule):
        if field.name not in ("rows", "points", "controls", "state"):
            assert getattr(again, field.name) == getattr(one, field.name)
    np.testing.assert_array_equal(again.rows, [41])
    np.testing.assert_array_equal(again.state["place"]["x"], [2.0])
    assert path.stat().st_mode & 0o077 == 0


def test_it_fails_again(path, capsys):
    capsule().save(path)
    status, out, _ = solve(path, capsys)
    assert status == replay.REPRODUCED == 1
    lines = out.splitlines()
    assert "Micro of case test-fast, row 41 of 100 at (2, 0.5), time 1.5 s (dt 0.25 s), window 7, iteration 2" in lines
    assert "failed with ArithmeticError: no root" in lines
    assert lines[3].startswith("python was 2.7, is 3.")
    assert lines[4].startswith("the machine was elsewhere, is ")
    assert f"runs Fragile of fragile, {fragile.__file__}" in lines
    assert "settings, seed 3:" in lines
    assert "  how                                  raise" in lines
    assert "  Strain                               4.0" in lines
    assert "  place/x                              2.0" in lines
    assert 'raise ArithmeticError("no root")' in out
    assert "adapters/failing" not in out.split("Traceback")[1]  # the model's own frames alone
    assert lines[-1] == "reproduced: ArithmeticError: no root"


def test_it_may_go_well_with_other_settings(path, capsys):
    capsule().save(path)
    status, out, _ = solve(path, capsys, "--set", "how=never", "--set", "Micro.settings.rate=60 1/min")
    assert status == replay.NOT_REPRODUCED == 0
    assert "  how                                  never (was raise)" in out
    assert "  rate [1/s]                           1.0" in out
    # m + dt (strain - m) / (1 + dt), and half of it
    assert f"  Stress [Pa]                          {(2.0 + 0.25 * 2.0 / 1.25) / 2}" in out
    assert out.splitlines()[-1] == "not reproduced: it does not fail"


def test_it_may_fail_in_another_way(path, capsys):
    capsule().save(path)
    status, out, _ = solve(path, capsys, "--set", "how=nan")
    assert status == replay.OTHERWISE == 3
    assert out.splitlines()[-1] == "failed in another way: NaN in Stress"
    assert "  Stress [Pa]                          nan" in out  # what it gave is shown


def test_smaller_and_other_steps(path, capsys):
    """A stiff row: rate 10 / s converges where the step is shorter than 0.1 s."""
    failure = Failure("MicroError: no convergence", "MicroError", "", True)
    capsule(program=program(how="stiff"), failure=failure).save(path)
    assert solve(path, capsys)[0] == 1
    assert solve(path, capsys, "--steps", "2")[0] == 1
    status, out, _ = solve(path, capsys, "--steps", "4")
    assert status == 0
    assert "  age                                  1.75\n" in out.split("state after it")[1]
    assert solve(path, capsys, "--dt", "0.05")[0] == 0


def test_a_row_that_could_not_start(path, capsys):
    capsule(program=program(how="start"), place=Place("start"), state={}).save(path)
    status, out, _ = solve(path, capsys)
    assert (status, out.splitlines()[-1]) == (1, "reproduced: ArithmeticError: no root")
    assert "at (2, 0.5), at the start" in out
    assert "  age                                  0.0" in solve(path, capsys, "--set", "how=never")[1]


def test_rows_that_fail_together(path, capsys):
    state = {name: np.array([2.0, 3.0]) for name in ("m", "age")} | {"place": {"x": np.array([2.0, 3.0])}}
    points, controls = np.array([[2.0, 0.0], [3.0, 0.0]]), {"Strain": np.ones(2)}
    more = {"rows": np.array([2, 3]), "points": points, "controls": controls, "state": state}
    more["failure"] = Failure("MemoryError", "MemoryError")
    capsule(program=program(how="together", where=[2.0, 3.0]), **more).save(path)
    status, out, _ = solve(path, capsys)
    assert (status, out.splitlines()[-1]) == (1, "reproduced: MemoryError")
    assert "row 2, 3 of 100" in out


def test_large_arrays_are_summed_up(path, capsys):
    m = np.full((1, 4, 5), 2.0)
    m[0, 0, :3] = np.nan, np.inf, -1.0
    capsule(state={"m": np.array([2.0]), "grid": m, "place": {"x": np.array([2.0])}, "age": np.array([1.5])}).save(path)
    out = solve(path, capsys)[1]
    assert "  grid                                 1x4x5 float64, from -1 to 2, 1 NaN, 1 infinite" in out


def test_a_capsule_does_not_choose_what_runs(path, capsys):
    """Models of ours run as they are; another module has to be named by whoever replays."""
    capsule().save(path)
    status, out, err = solve(path, capsys, trusted=False)
    assert status == replay.UNUSABLE == 2
    assert err == (
        "scalebridge: the capsule runs the module 'fragile', which does not come with scalebridge. If you trust it, "
        "say so: --module fragile\n"
    )
    assert "runs" not in out
    assert solve(path, capsys, "--module", "fragil", trusted=False)[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "os.system('ls')"}, "do not name a module and a class"),
        ({"model": "Fragile.__init__"}, "do not name a module and a class"),
        ({"module": "participants.micro.brin"}, "there is no module 'participants.micro.brin'"),
        ({"module": BRINE, "model": "Mapping"}, "'participants.micro.brine' has no class 'Mapping'"),
        ({"module": BRINE, "model": "Volumes"}, "is no micro model: it has no Settings, controls,"),
        ({"settings": {"hwo": "raise"}}, "settings.hwo: no such setting; expected one of"),
        ({"settings": 3}, "settings is a int"),
        ({"scaling": "<scaling"}, "scaling.xml:1: "),
    ],
)  # fmt: skip
def test_a_program_that_cannot_be_had(path, capsys, changes, message):
    treefile.save(path, {**tree(capsule()), "program": {**vars(PROGRAM), **changes}})
    status, _, err = solve(path, capsys)
    assert status == 2
    assert message in err


def tree(one):
    plain = {**vars(one), **{name: vars(getattr(one, name)) for name in ("program", "place", "failure")}}
    return {"capsule": 1, **plain}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"capsule": 2}, "is a capsule of format 2; this scalebridge reads format 1"),
        ({"more": 1}, "is no crash capsule that could be used: .*unexpected keyword argument 'more'"),
        ({"place": 3}, "is no crash capsule that could be used"),
        ({"place": {"phase": "end"}}, "it failed in 'end'"),
        ({"rows": np.array([])}, "its rows are no array"),
        ({"points": "here"}, "its points are no array"),
        ({"controls": {"Strain": np.zeros(3)}}, "Strain does not have one row for each micro simulation"),
        ({"state": {"m": {"n": "text"}}}, "m/n does not have one row for each micro simulation"),
        ({"state": "none"}, "is no crash capsule that could be used"),
        ({"total": "many"}, "total and machine are a number and a text"),
        ({"versions": {"python": 3}}, "versions are texts"),
        ({"failure": {"what": 1, "kind": "NaN"}}, "what is a int"),
    ],
)
def test_a_file_that_is_no_capsule(path, changes, message):
    treefile.save(path, {**tree(capsule()), **changes})
    with pytest.raises(CapsuleError, match=message):
        Capsule.load(path)


def test_other_files(path):
    treefile.save(path, [1, 2])
    with pytest.raises(CapsuleError, match="is no crash capsule"):
        Capsule.load(path)
    np.savez(path, a=np.array([object()], dtype=object))
    with pytest.raises(CapsuleError, match="was not written by scalebridge"):
        Capsule.load(path)
    with pytest.raises(CapsuleError, match="cannot be read: No such file"):
        Capsule.load(path.with_name("two.npz"))


def test_a_terminal_obeys_no_capsule(path, capsys):
    failure = Failure("Bell\a: \x1b[31mred", "Bell", "\x1b]0;title\x07")
    capsule(failure=failure, machine="\x1b[2J").save(path)
    status, out, _ = solve(path, capsys)
    assert status == 3
    assert "\x1b" not in out
    assert "\a" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "hwo=nan"), "--set: settings.hwo: no such setting; expected one of how, rate, since, stiff, where."),
        (("--set", "how"), "--set: how: is not of the form PATH=VALUE"),
        (("--set", "rate=1"), "--set: settings.rate: 1 has no unit; expected a quantity in '1/s', such as '1 1/s'"),
        (("--dt", "-1"), "argument --dt: '-1' is no time; expected seconds, at least 0"),
        (("--steps", "0"), "argument --steps: '0' is no number of steps; expected 1 or more"),
    ],
)  # fmt: skip
def test_arguments(path, capsys, arguments, message):
    capsule().save(path)
    try:
        status, _, err = solve(path, capsys, *arguments)
    except SystemExit as end:
        status, err = end.code, capsys.readouterr().err
    assert status == 2
    assert message in err


def test_the_command(path):
    """All arguments reach the process that does it, options too."""
    capsule().save(path)
    command = [sys.executable, "-m", "scalebridge", "replay", "--set", "how=never", str(path), "--module", "fragile"]
    done = subprocess.run(
        [*command, "--path", str(ROOT / "tests")],
        env={**environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "not reproduced: it does not fail"


def test_the_remedy_is_a_command_for_a_shell():
    ours = dataclasses.replace(PROGRAM, module="participants.micro.brine")
    assert ours.replay("/a b/c.npz") == "scalebridge replay '/a b/c.npz'"
    assert PROGRAM.replay("/c.npz") == f"scalebridge replay /c.npz --module fragile --path {ROOT}/tests"
    assert Fragile(Settings(), 0).settings.how == "never"
