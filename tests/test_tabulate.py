"""How tables are made: boxes, rest, batches, going on after an interruption, files, and the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from coupled import ROOT, environment
from solids_at_points import Hooke, Properties, RelaxingSolid
from test_coupling import xml

from adapters.micro import MicroError
from adapters.strategies import box as ranges
from adapters.strategies.columns import Columns
from adapters.strategies.provenance import FileError
from adapters.strategies.tables import __main__ as program
from adapters.strategies.tables import journal as journals
from adapters.strategies.tables.journal import Journal, JournalError
from adapters.strategies.tables.making import REST, Making
from adapters.strategies.tables.nodes import levels
from adapters.strategies.tables.rest import Rest, relaxed
from adapters.strategies.tables.sampling import SampleError
from adapters.strategies.tables.table import Table
from adapters.strategies.tabulated import TableSettings
from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material
from scalebridge import cli, treefile
from scalebridge import settings as typed
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.interruption import Interrupted

SCALAR = Columns({"Stress": Field("Pa")}, {})
NOTHING = np.zeros(1)


def solid(**settings):
    return RelaxingSolid(Properties(**{"modulus": 2.0, "branch": 2.0, "tau": 1.0, **settings}), 0)


def making(model, *box, dimensions=2, dt=1.0, **settings):
    """Return what makes a table of a model, whose fields are the coupling data."""
    given = typed.build(TableSettings, {"box": list(box), **settings}, plain=True)
    controls = ranges.parse(box, model.controls, dimensions, "the box")
    names = dict.fromkeys(model.observables, dimensions)
    rest = Rest(given.steps, dt, REST * given.tolerance)
    return Making(model, controls, Columns(model.observables, names), rest, given, 0, np.zeros(dimensions))


def made(model, *box, part=None, told=lambda *_: None, **settings):
    return making(model, *box, **settings).make(part, told)[0]


def same(one, other):
    """Say whether two tables have the same numbers, bit for bit."""
    arrays = [(t.grid.nodes, t.grid.surplus, t.values, t.frontier.errors, t.errors.measured) for t in (one, other)]
    return all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))


# Rest -----------------------------------------------------------------------------------------------------------------


def test_a_node_is_solved_until_it_is_at_rest():
    """The relaxed modulus is E alone, the one of the start E + E_1; what is left is below the tolerance."""
    strain = np.array([-1.0, 0.0, 0.25])
    points = np.zeros((3, 2))
    tau = 3.0
    for dt in (0.05, 1.0, 100.0):
        values, solves = relaxed(solid(tau=tau), points, {"Strain": strain}, SCALAR, Rest(10000, dt, 1e-6), NOTHING)
        np.testing.assert_allclose(
            values[:, 0], 2.0 * strain, atol=4.1e-6
        )  # of the largest that was seen, 4 at the start
        steps = tau / dt * np.log(1e6)  # to a millionth
        assert solves < 3 * (1.2 * steps + 4)
    values, solves = relaxed(solid(), points, {"Strain": strain}, SCALAR, Rest(0, 1.0, 1e-6), NOTHING)
    np.testing.assert_allclose(values[:, 0], 4.0 * strain)
    assert solves == 3
    once, solves = relaxed(solid(tau=1.0), points, {"Strain": strain}, SCALAR, Rest(1, 1.0, 1e-6), NOTHING)
    np.testing.assert_allclose(once[:, 0], (2.0 + 2.0 * np.exp(-1)) * strain)
    assert solves == 3


def test_rows_at_rest_are_not_solved_again_and_do_not_matter_to_others():
    points = np.zeros((2, 2))
    strain = np.array([0.0, 1.0])
    values, solves = relaxed(solid(), points, {"Strain": strain}, SCALAR, Rest(100, 1.0, 1e-6), NOTHING)
    alone, steps = relaxed(solid(), points[:1], {"Strain": strain[1:]}, SCALAR, Rest(100, 1.0, 1e-6), NOTHING)
    assert values[1, 0] == alone[0, 0]
    assert solves == steps + 2


def test_what_does_not_come_to_rest_has_no_table():
    with pytest.raises(MicroError) as raised:
        relaxed(
            solid(how="fluid", branch=1.0),
            np.zeros((2, 2)),
            {"Strain": np.array([0.0, 1.0])},
            SCALAR,
            Rest(10, 0.1, 1e-6),
            NOTHING,
        )
    assert raised.value.rows.tolist() == [1]
    assert raised.value.message == (
        "does not come to rest in 10 steps of 0.1 s: Stress still changes by 3.45 % in a step; take more steps, longer "
        "ones, or no table of it"
    )
    with pytest.raises(
        SampleError, match=r"^the micro model fails at Strain = -?[\d.]+: MicroError: does not come to re"
    ):
        made(solid(how="fluid"), "Strain=-1..1", dt=0.1, steps=10)


# Making ---------------------------------------------------------------------------------------------------------------


def test_the_error_of_a_table_is_the_one_it_says():
    """stress = E (e + e^3) at rest: f'' h^2 / 8 between nodes."""
    table = made(solid(curve=1.0), "Strain=-1..1", tolerance=1e-3, dt=10.0)
    strain = np.linspace(-1, 1, 4001)[:, None]
    error = np.abs(table(strain) - 2.0 * (strain + strain**3)).max()
    assert error <= table.errors.estimated[0] < 3 * error
    assert table.errors.measured[0] <= error * (1 + 1e-3)
    assert error < 1e-3 * table.errors.scales[0]
    assert table.errors.scales[0] == pytest.approx(8.0)
    assert (np.abs(table(strain) - 2.0 * (strain + strain**3)) <= table.uncertainty(strain) + 1e-4 * error).all()
    assert table.made["tolerance met"]
    assert table.made["model"]["settings"]["curve"] == 1.0
    np.testing.assert_allclose(table.slopes(np.array([[0.503]])), 2 * (1 + 3 * 0.503**2), rtol=0.1)
    assert np.isinf(table.uncertainty(np.array([[1.1]]))).all()


def test_a_linear_law_of_tensors_is_exact():
    table = made(Hooke(Hooke.Settings(mu=3.0), 0), "Strain=-0.01..0.02", tolerance=1e-3)
    model = Hooke(Hooke.Settings(mu=3.0), 0)
    components = table.box.at(np.random.default_rng(5).random((200, 3)))
    given = table.box.columns.unflatten(components)
    _, seen = model.solve(model.start(np.zeros((200, 2)), given), given, 1.0)
    found = table.observables.unflatten(table(components))
    for name in ("Stress", "Stiffness", "Traction"):
        np.testing.assert_allclose(found[name], seen[name], atol=1e-14)
    np.testing.assert_allclose(found["Energy"], seen["Energy"], atol=1e-3 * np.ptp(table.values[:, -3]))
    assert table.made["solves"] < 2000


def test_a_failing_node_is_named():
    with pytest.raises(SampleError) as raised:
        made(solid(how="fails"), "Strain=-1..1")
    assert str(raised.value) == "the micro model fails at Strain = 1: MicroError: it breaks"
    with pytest.raises(
        SampleError, match=r"the micro model fails at Strain = 1: MicroError: NaN or infinity in Stress"
    ):
        made(solid(how="nan"), "Strain=-1..1")
    with pytest.raises(SampleError, match=r"once, but not when it is asked again: ArithmeticError: a cosmic ray"):
        made(solid(how="once"), "Strain=-1..1")
    together = "the micro model fails: ArithmeticError: they touch; so fail 2 micro simulations together, but none of t"
    with pytest.raises(SampleError, match=together):
        made(solid(how="together"), "Strain=-1..1")


# Going on -------------------------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 6])
def test_sampling_goes_on_where_it_was_bit_for_bit(tmp_path, monkeypatch, after):
    """The model tells batches apart, so that batches of other sizes would show."""
    monkeypatch.setattr(journals, "EVERY", 0.0)
    model, part, calls = solid(how="batch", curve=1.0), tmp_path / "t.npz.part", []
    settings = {"tolerance": 1e-4, "batch": 20, "dt": 10.0}

    def told(what, done, total):
        calls.append(what)
        if len(calls) == after:
            raise Stop

    whole = made(model, "Strain=-1..1", **settings)
    with pytest.raises(Stop):
        made(model, "Strain=-1..1", part=part, told=told, **settings)
    assert part.exists()
    table, journal = making(model, "Strain=-1..1", **settings).make(part, lambda *_: None)
    assert 20 * (after - 2) < journal.found <= 20 * after
    assert same(table, whole)
    assert table.made["solves"] == whole.made["solves"]
    journal.remove()
    assert not part.exists()


def test_answers_of_another_sampling_are_refused(tmp_path):
    part = tmp_path / "t.part"
    one = Journal(part, {"tolerance": 0.1, "steps": 3}, (1, 1))
    one.keep(np.array([[0.5]]), np.array([[2.0]]), 4)
    one.save()
    again = Journal(part, {"tolerance": 0.1, "steps": 3}, (1, 1))
    assert (again.found, again.solves) == (1, 4)
    with pytest.raises(
        JournalError, match=r"t.part: other questions were asked there; remove it, and all is solved an"
    ):
        again.known(np.array([[0.25]]))
    assert again.known(np.array([[0.5]])) == [[2.0]]
    assert again.known(np.array([[0.5]])) is None
    expected = r"is part of another table: tolerance was 0.1, is 0.2; remove it, or give another file with --out"
    with pytest.raises(JournalError, match=expected):
        Journal(part, {"tolerance": 0.2, "steps": 3}, (1, 1))
    treefile.save(part, {"kind": "cake"})
    with pytest.raises(JournalError, match=r"t.part: is no part of a table; give another file with --out"):
        Journal(part, {}, (1, 1))
    part.write_bytes(b"PK")
    with pytest.raises(
        JournalError, match=r"is damaged or no file of scalebridge's.*; remove it, and all is solved anew"
    ):
        Journal(part, {}, (1, 1))


# The file -------------------------------------------------------------------------------------------------------------


def test_a_table_is_the_same_in_its_file(tmp_path):
    table = made(Hooke(Hooke.Settings(mu=3.0), 0), "Strain=-0.01..0.02", "Strain-01=0")
    table.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert {"tree", "nodes", "values", "surplus", "box"} <= set(arrays)
    found = Table.load(tmp_path / "t.npz")
    assert same(found, table)
    assert found.made == table.made
    assert (found.box.columns, found.observables, found.rest) == (table.box.columns, table.observables, table.rest)
    points = table.box.at(np.random.default_rng(0).random((50, 3)))
    np.testing.assert_array_equal(found(points), table(points))
    np.testing.assert_array_equal(found.uncertainty(points), table.uncertainty(points))
    assert found.misfit(Hooke(Hooke.Settings(mu=3.0), 0)) == []
    assert {"scalebridge", "python", "numpy", "scipy"} == found.made["versions"].keys()
    assert found.made["seconds"] > 0


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "t.npz"
    treefile.save(path, {"kind": "cake"})
    with pytest.raises(FileError, match=r"t.npz: is no table"):
        Table.load(path)
    made(solid(), "Strain=-1..1").save(path)
    tree = treefile.load(path)
    treefile.save(path, {**tree, "surplus": tree["surplus"][1:]})
    with pytest.raises(
        FileError, match=r"t.npz: is a damaged table: ValueError: surplus has shape \(16, 1\), not \(17, "
    ):
        Table.load(path)
    treefile.save(path, {**tree, "box": tree["box"][:, :0]})
    with pytest.raises(FileError, match=r"ValueError: the ends of a box of 1 components are \[\], \[\]"):
        Table.load(path)


def test_a_table_of_something_else_does_not_fit():
    table = made(solid(), "Strain=-1..1")
    assert table.misfit(solid()) == []
    assert table.misfit(solid(modulus=3.0)) == ["modulus was 2.0, the case has 3.0"]
    wrong = table.misfit(LeverRule(Material(), 0))
    assert wrong[0] == "control Strain of the file is none of the case, which has temperature"
    assert "it is of solids_at_points:RelaxingSolid, the case has participants.micro.lever_rule:LeverRule" in wrong


def test_a_table_says_where_it_ends():
    fields = {"T": Field("K"), "E": Field("1", rank=2)}
    box = ranges.parse(["T=-10 degC..10 degC", "E=-0.1..0.3", "E-01=0.2..0.2"], fields, 2, "the box")
    table = replace(made(solid(), "Strain=-1..1"), box=box)
    driven = np.array([283.15, -0.101, 0.200001, 0.0])
    assert table.beyond(driven, 0) == "T = 283.15 K is outside of the table, which reaches from 263.15 to 283.15 K"
    assert table.beyond(driven, 1) == "E-00 = -0.101 is outside of the table, which reaches from -0.1 to 0.3"
    assert table.beyond(driven, 2) == "E-01 = 0.200001 is outside of the table, which is for 0.2 alone"


# The command ----------------------------------------------------------------------------------------------------------

CASE = """\
case: solid
coupling: coupling.xml
participants:
  Macro: {command: [python, nothing.py]}
  Micro:
    run: solids_at_points
    settings: {curve: 1.0, tau: 0.01 s}
    strategy:
      - tabulated: {file: solid.npz, box: [Strain=-1..1], tolerance: 0.01, held-out: 20}
variants:
  bare: {Micro.strategy: concurrent}
  alone: {Micro.run: null, Micro.settings: null, Micro.strategy: null, Micro.command: [python, nothing.py]}
"""


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "solid"
    folder.mkdir()
    (folder / "case.yaml").write_text(CASE)
    (folder / "coupling.xml").write_text(xml())
    (folder / "nothing.py").write_text("")
    (folder / "solids_at_points.py").write_text((ROOT / "tests" / "solids_at_points.py").read_text())
    return folder


def call(folder, *arguments):
    return [sys.executable, "-m", "scalebridge", "tabulate", str(folder), "--engine", "embedded", *arguments]


def command(folder, *arguments):
    """Run `scalebridge tabulate` as a program; return the exit status, what was printed, and the errors."""
    done = subprocess.run(
        call(folder, *arguments), cwd=folder.parent, env=environment(), capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_makes_the_table_that_the_case_names(case):
    status, out, err = command(case)
    assert (status, err) == (0, "")
    table = Table.load(case / "solid.npz")
    assert "solids_at_points:RelaxingSolid, at rest after at most 100 steps of 0.25 s; seed 0" in out
    assert "Strain: -1 to 1" in out
    assert "beginning, nodes 1 to 17: 100 %" in out
    assert "measuring the error at 20 points: 100 %" in out
    assert f"{len(table.grid.nodes)} nodes; {table.made['solves']} solves in " in out
    assert f"Stress      8         {table.errors.measured[0]:<16.3g} {table.errors.estimated[0]:<10.3g} [Pa]" in out
    assert f"output: {case / 'solid.npz'}" in out
    assert sorted(path.name for path in case.iterdir() if path.suffix == ".part") == []
    assert table.made["tolerance"] == 0.01

    arguments = ["--tolerance", "1e-3", "--box", "Strain=0..2", "--steps", "0", "--nodes", "20", "--out", "other.npz"]
    status, out, err = command(case, "--participant", "Micro", "--variant", "bare", *arguments)
    assert (status, err) == (1, "")
    assert "solids_at_points:RelaxingSolid, as it starts; seed 0" in out
    assert "the tolerance of 0.001 is not met with 20 nodes at most" in out
    other = Table.load(case.parent / "other.npz")
    assert not other.made["tolerance met"]
    assert other(np.array([[2.0]]))[0, 0] == pytest.approx(2.0 * 2 + 2.0 * 2**3 + 2.0 * 2)
    assert not (case / "table.npz").exists()


def test_a_killed_command_goes_on(case):
    slow = ["--tolerance", "1e-3"]
    text = (case / "case.yaml").read_text().replace("tau: 0.01 s", "tau: 0.01 s, pause: 0.04 s")
    (case / "case.yaml").write_text(text.replace("held-out: 20", "held-out: 20, batch: 4"))
    process = subprocess.Popen(
        call(case, *slow), cwd=case.parent, env=environment(), stdout=subprocess.PIPE, start_new_session=True
    )
    part = case / "solid.npz.part"
    deadline = time.monotonic() + 60
    while not part.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    found = len(treefile.load(part)["points"])
    assert found > 0
    assert not (case / "solid.npz").exists()
    status, out, _ = command(case, *slow)
    assert status == 0
    assert f"went on from {found} that were solved before" in out
    assert not part.exists()
    killed = Table.load(case / "solid.npz")
    status, out, _ = command(case, *slow)
    assert "went on" not in out
    assert same(killed, Table.load(case / "solid.npz"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--participant", "Macro"], "--participant: 'Macro' is no micro participant; expected Micro"),
        (["--variant", "alone"], "participants: has no micro participant, whose model could be looked at alone"),
        (
            ["--tolerance", "2"],
            "strategy.tabulated.tolerance: 2.0 is out of bounds; expected a number above 0 and at mo",
        ),
        (["--dt", "3 m"], "strategy.tabulated.dt: 'm' ([length]) cannot be converted to 's' ([time])"),
        (["--out", "nowhere/t.npz"], "--out: there is no folder "),
        (["--set", "Micro.settings.tua=3 s"], "no such setting; expected one of branch,"),
    ],
)
def test_the_command_refuses(case, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(case.parent)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    assert cli.main(["tabulate", str(case), "--engine", "embedded", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_numbers_of_steps_are_whole(capsys):
    with pytest.raises(SystemExit):
        cli.main(["tabulate", "phase-change", "--steps", "-1"])
    assert "argument --steps: invalid _whole value: '-1'" in capsys.readouterr().err


def solved(case, capsys, *, model="RelaxingSolid", settings=None, xml_changes=(), **strategy):
    """Return the exit status of the process that the hub starts, and the errors."""
    text = (case / "coupling.xml").read_text()
    for old, new in xml_changes:
        text = text.replace(old, new)
    (case / "coupling.xml").write_text(text)
    Handout(
        case="solid",
        participant="Micro",
        module="solids_at_points",
        precice_config=str(case / "coupling.xml"),
        run=str(case),
        output=str(case),
        progress=str(case / "progress.jsonl"),
        settings=settings or {},
        strategy=[{"tabulated": {"box": ["Strain=-1..1"], "tolerance": 0.1, **strategy}}],
    ).save(case / "handout.json")
    status = program.main(["--handout", str(case / "handout.json"), "--model", model, "--out", str(case / "t.npz")])
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"model": "Solid"}, 2, "scalebridge: 'solids_at_points' has no class 'Solid'"),
        ({"box": []}, 2, "scalebridge: the box: 'Strain' has no range; expected Strain=LOW..HIGH"),
        ({"box": ["Strian=0..1"]}, 2, "the box: 'Strian' is no control; expected Strain. Did you mean 'Strain'?"),
        ({"settings": {"how": "fails"}}, 3, "scalebridge: the micro model fails at Strain = 1: MicroError: it breaks"),
    ],
)
def test_the_process_refuses(case, capsys, changes, status, message):
    found, err = solved(case, capsys, **changes)
    assert found == status
    assert message in err
    assert not (case / "t.npz").exists()


def test_windows_of_unknown_length_need_a_dt(case, capsys):
    first = [('<time-window-size value="0.25" />', '<time-window-size value="-1" method="first-participant" />')]
    (case / "coupling.xml").write_text(xml("serial-explicit", first="Macro"))
    status, err = solved(case, capsys, xml_changes=first)
    assert status == 2
    assert "scalebridge tabulate: dt: is not given, and the case does not say how long its time windows are" in err
    assert solved(case, capsys, dt=1.0)[0] == 0


def test_signals_have_no_table(case, capsys, monkeypatch):
    monkeypatch.setattr(RelaxingSolid, "controls", {"Strain": Field("1", per="window")})
    status, err = solved(case, capsys)
    assert status == 2
    assert "Strain: is per window; expected values at points, as a table has them" in err


@pytest.mark.usefixtures("handlers")
def test_an_interrupted_process_says_that_it_goes_on(case, capsys, monkeypatch):
    def interrupted(*_):
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(RelaxingSolid, "start", interrupted)
    status, err = solved(case, capsys)
    assert status == 128 + signal.SIGTERM
    assert err.endswith("; what is done is kept, go on with the same command\n")


def test_a_box_that_is_wrong_is_refused_before_anything_is_solved():
    with pytest.raises(ConfigurationError):
        made(solid(), "Strain=1..-1")


def test_points_where_the_model_stands_are_part_of_the_plan(tmp_path):
    one = making(solid(), "Strain=-1..1")
    one.make(tmp_path / "part", lambda *_: None)
    with pytest.raises(JournalError, match=r"point was \[0.0, 0.0\], is \[1.0, 0.0\]"):
        replace(one, point=np.array([1.0, 0.0])).make(tmp_path / "part", lambda *_: None)


def test_slopes_of_the_interpolant_are_no_reason_to_refine():
    """The slope of a kink jumps, so that a table of it is refined down to the finest level there."""

    class Bent(RelaxingSolid):
        observables = {**RelaxingSolid.observables, "Tangent": Field("Pa")}  # noqa: RUF012

        def solve(self, state, controls, dt):
            e = np.array(controls["Strain"])
            return {**state, "strain": e}, {"Stress": np.abs(e - 0.3), "Tangent": np.sign(e - 0.3)}

    tied = made(Bent(Properties(), 0), "Strain=-1..1", slopes=["Tangent = Stress / Strain"], tolerance=1e-2)
    assert tied.made["tolerance met"]
    assert len(tied.grid.nodes) < 100
    assert tied.errors.measured[0] < 1e-2 * tied.errors.scales[0]
    loose = made(Bent(Properties(), 0), "Strain=-1..1", tolerance=1e-2)
    assert levels(loose.grid.nodes).max() == 16  # down to the finest at the jump
    assert levels(tied.grid.nodes).max() < 12
