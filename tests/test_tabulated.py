"""The strategy `tabulated`: looked up in a run, left at its ends, and as wrong as it says where a model has memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from coupled import ENGINE, ROOT, environment
from solids_at_points import Hooke, Properties
from test_tabulate import made, solid

from adapters.micro import MicroError, concatenate, take
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.strategies.protocol import Context, Strategy
from adapters.strategies.stack import Stack
from adapters.strategies.tables import slopes
from adapters.strategies.tables.table import Table
from adapters.strategies.tabulated import TableSettings, Tabulated
from adapters.wiring import CouplingError
from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material
from scalebridge import settings as typed
from scalebridge import treefile
from scalebridge.cases import catalogue, reader
from scalebridge.cases.inspection import inspect
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

POINTS = np.array([[0.0, 0.0], [0.1, 0.2], [0.3, 0.4]])
SLOPE = "Liquid-Fraction-Slope = Liquid-Fraction / Temperature"


def tabulated(folder, model, table=None, **settings):
    """Return the strategy around a model, with its table in a file."""
    if table is not None:
        table.save(folder / "table.npz")
    return Tabulated(model, typed.build(TableSettings, settings, plain=True), Context(folder=folder))


def strains(*values):
    return {"Strain": np.array(values)}


@pytest.fixture(scope="module")
def curved():
    """Return a table of stress = 2 (e + e^3) from -1 to 1, to a thousandth of its range 8."""
    return made(solid(curve=1.0), "Strain=-1..1", dt=10.0)


# Looking up -----------------------------------------------------------------------------------------------------------


def test_it_answers_within_its_error_and_solves_nothing(tmp_path, curved):
    model = solid(curve=1.0)
    one = tabulated(tmp_path, model, curved)
    assert isinstance(one, Strategy)
    assert (one.controls, one.observables) == (model.controls, model.observables)
    model.start = model.solve = None
    state = one.start(POINTS, strains(0.1, -0.5, 1.0))
    same, seen = one.solve(state, strains(0.0, 0.0, 0.0), 0.0)
    assert same is state
    at = np.array([0.1, -0.5, 1.0])
    np.testing.assert_allclose(seen["Stress"], 2 * (at + at**3), atol=8e-3)
    e = np.array([0.3, 0.33, -0.7])
    before = {name: np.copy(array) for name, array in state.items()}
    after, seen = one.solve(state, strains(*e), 0.25)
    error = np.abs(seen["Stress"] - 2 * (e + e**3))
    assert (error <= one.uncertainty(state, strains(*e))["Stress"] + 1e-5).all()
    assert (error < 8e-3).all()
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)
    np.testing.assert_array_equal(one.solve(after, strains(1.0, 1.0, 1.0), 0.0)[1]["Stress"], seen["Stress"])
    assert one.inner(after) is None
    assert one.audit(state, after) == []
    assert one.snapshot(after) == {}


def test_rows_are_by_themselves(tmp_path, curved):
    one = tabulated(tmp_path, solid(curve=1.0), curved)
    values = np.linspace(-1, 1, 5000)
    points = np.zeros((5000, 2))
    state = one.start(points, strains(*(0 * values)))
    whole, seen = one.solve(state, strains(*values), 0.25)
    parts = [one.solve(take(state, part), {"Strain": values[part]}, 0.25) for part in (slice(0, 1), slice(1, None))]
    np.testing.assert_array_equal(np.concatenate([p[1]["Stress"] for p in parts]), seen["Stress"])
    joined = concatenate([p[0] for p in parts])
    for name in whole:
        np.testing.assert_array_equal(joined[name], whole[name])
    treefile.save(tmp_path / "state.npz", whole)  # a checkpoint
    again = treefile.load(tmp_path / "state.npz")
    np.testing.assert_array_equal(one.solve(again, {}, 0.0)[1]["Stress"], seen["Stress"])


def test_what_it_tells_at_the_end(tmp_path, curved):
    one = tabulated(tmp_path, solid(curve=1.0), curved, outside="model")
    state, _ = one.solve(one.start(POINTS, strains(0.0, 0.0, 2.0)), strains(0.0, 2.0, 3.0), 0.25)
    assert one.report(state) == {
        "nodes": len(curved.grid.nodes),
        "measured error of Stress [Pa]": curved.errors.measured[0],
        "estimated error of Stress [Pa]": curved.errors.estimated[0],
        "steps outside of the box": 2,
    }


def test_100000_rows_take_less_than_a_second(tmp_path):
    """With the strategy around it, in three dimensions; 5 times slower passes here, as the machine may be busy."""
    table = made(Hooke(Hooke.Settings(mu=3.0), 0), "Strain=-0.01..0.02")
    one = tabulated(tmp_path, Hooke(Hooke.Settings(mu=3.0), 0), table)
    strain = np.random.default_rng(0).uniform(-0.01, 0.02, (50_000, 2, 2))
    strain = 0.5 * (strain + strain.transpose(0, 2, 1))
    state = one.start(np.zeros((50_000, 2)), {"Strain": strain})
    begun = time.process_time()
    one.solve(state, {"Strain": strain}, 0.25)
    assert time.process_time() - begun < 2.5


# Outside --------------------------------------------------------------------------------------------------------------


def test_a_question_outside_is_an_error_that_says_all(tmp_path, curved):
    one = tabulated(tmp_path, solid(curve=1.0), curved)
    state = one.start(POINTS, strains(0.0, 0.0, 0.0))
    with pytest.raises(MicroError) as raised:
        one.solve(state, strains(0.5, 1.25, -3.0), 0.25)
    assert raised.value.rows.tolist() == [1, 2]
    assert raised.value.message == (
        "Strain = 1.25 is outside of the table, which reaches from -1 to 1, at (0.1, 0.2) m; make a larger one, or let "
        "the full model answer with outside: model"
    )
    with pytest.raises(MicroError, match="Strain = nan is outside of the table"):
        one.solve(state, strains(0.5, np.nan, 0.0), 0.25)
    one.solve(state, strains(1.0, -1.0, 1.0 + 1e-12), 0.25)
    assert np.isinf(one.uncertainty(state, strains(0.0, 1.25, 0.0))["Stress"]).tolist() == [False, True, False]


def test_a_question_outside_goes_to_the_full_model(tmp_path, curved):
    """Those rows alone; it is solved to rest, as the nodes of the table were."""
    model, asked = solid(curve=1.0), []

    def start(points, controls, begin=model.start):
        asked.append(points.tolist())
        return begin(points, controls)

    model.start = start
    one = tabulated(tmp_path, model, curved, outside="model")
    state = one.start(POINTS, strains(0.0, 0.0, 0.0))
    assert asked == []
    state, seen = one.solve(state, strains(0.5, 1.25, -3.0), 0.25)
    assert asked == [POINTS[1:].tolist()]
    at = np.array([1.25, -3.0])
    np.testing.assert_allclose(seen["Stress"][1:], 2 * (at + at**3), rtol=1e-5)
    assert seen["Stress"][0] == pytest.approx(1.25, abs=8e-3)
    assert state["outside"].tolist() == [0, 1, 1]
    alone, least = one.solve(take(state, [1]), strains(1.25), 0.25)
    assert least["Stress"][0] == seen["Stress"][1]
    assert alone["outside"].tolist() == [2]
    model.settings = Properties(modulus=2.0, branch=2.0, tau=1.0, curve=1.0, how="fluid")
    with pytest.raises(MicroError, match="does not come to rest in 100 steps of 10 s") as raised:
        one.solve(state, strains(0.5, 0.25, -3.0), 0.25)
    assert raised.value.rows.tolist() == [2]


def test_other_dimensions_are_refused(tmp_path):
    model = Hooke(Hooke.Settings(mu=3.0), 0)
    one = tabulated(tmp_path, model, made(model, "Strain=-0.01..0.02"))
    with pytest.raises(CouplingError, match=r"Strain has shape \(3, 3\) at each point, in the table \(2, 2\)"):
        one.start(POINTS, {"Strain": np.zeros((3, 3, 3))})


# What fits ------------------------------------------------------------------------------------------------------------


def test_a_table_of_another_model_is_refused(tmp_path, curved):
    with pytest.raises(CouplingError) as raised:
        tabulated(tmp_path, solid(curve=2.0), curved)
    assert str(raised.value) == (
        f"tabulated: file: {tmp_path / 'table.npz'} does not fit the case: curve was 1.0, the case has 2.0. "
        "Make it again with: scalebridge tabulate CASE"
    )
    with pytest.raises(CouplingError, match="observable Stress of the file is none of the case, which has liquid-ind"):
        tabulated(tmp_path, LeverRule(Material(), 0), curved)


def test_a_table_of_other_units_or_maps_is_refused(tmp_path):
    model = lever()
    table = made(model, "Temperature=-5 degC..5 degC", tolerance=0.1)
    tabulated(tmp_path, lever(), table)
    with pytest.raises(
        CouplingError,
        match=r"control Temperature is a scalar \[K\] in the file, a scalar \[degC\] in the case; the scalin",
    ):
        tabulated(tmp_path, lever(('unit="K" to', 'unit="degC" to')), table)
    with pytest.raises(CouplingError) as raised:
        tabulated(tmp_path, lever(('tolerance="1e-6"', 'tolerance="1e-4"')), table)
    assert "the scaling maps are others: was 'Conductivity [W/(m*K)] conductivity effective-tensor" in str(raised.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(
        CouplingError, match=r"nowhere.npz: cannot be read: .*\. Make it again with: scalebridge tabulate C"
    ):
        tabulated(tmp_path, solid(), file="nowhere.npz")


def test_the_hub_says_how_to_make_a_table_that_is_not_there(tmp_path):
    override = "Micro.strategy={tabulated: {file: nowhere.npz}}"
    case, found = reader.read(catalogue.find("phase-change"), "lever-rule", [override])
    with pytest.raises(ConfigurationError) as raised:
        inspect(case, "embedded", found)
    assert "there is no file 'nowhere.npz'" in str(raised.value)
    assert "Make it with: scalebridge tabulate CASE" in str(raised.value)


# Slopes ---------------------------------------------------------------------------------------------------------------


def lever(*changes):
    """Return the lever rule with the maps of the tutorial, in whose text pieces have been changed."""
    text = (ROOT / "precice-config" / "phase-change.scaling.xml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "scaling.xml").write_text(text)
        scaling = scaling_config.load(Path(folder) / "scaling.xml")
    return ScaledModel(LeverRule(Material(salinity=0.035), 0), scaling)


def test_a_slope_is_that_of_the_interpolant(tmp_path):
    table = made(lever(), "Temperature=-12 degC..12 degC")
    free = tabulated(tmp_path, lever(), table)
    tied = tabulated(tmp_path, lever(), slopes=[SLOPE])
    T = np.random.default_rng(1).uniform(262, 270, 1000)
    values = []
    for shift in (0.0, 1e-5):
        state = tied.start(np.zeros((1000, 2)), {"Temperature": T + shift})
        values.append(tied.solve(state, {}, 0.0)[1])
    quotient = (values[1]["Liquid-Fraction"] - values[0]["Liquid-Fraction"]) / 1e-5
    assert (np.abs(values[0]["Liquid-Fraction-Slope"] - quotient) < 1e-8).mean() > 0.99
    own = free.solve(free.start(np.zeros((1000, 2)), {"Temperature": T}), {}, 0.0)[1]
    np.testing.assert_array_equal(own["Liquid-Fraction"], values[0]["Liquid-Fraction"])
    S, true = LeverRule(Material(salinity=0.035), 0).liquid_fraction(T)
    np.testing.assert_allclose(own["Liquid-Fraction"], S, atol=1e-3)
    np.testing.assert_allclose(own["Liquid-Fraction-Slope"], true, atol=1e-3 * table.errors.scales[1])
    np.testing.assert_allclose(values[0]["Liquid-Fraction-Slope"], true, rtol=0.2)  # only of first order


def test_a_tangent_is_the_derivative_of_an_interpolated_stress(tmp_path):
    model = Hooke(Hooke.Settings(mu=3.0), 0)
    table = made(model, "Strain=-0.01..0.02")
    one = tabulated(tmp_path, model, table, slopes=["Stiffness = Stress / Strain"])
    strain = np.random.default_rng(0).uniform(-0.01, 0.02, (5, 2, 2))
    strain = 0.5 * (strain + strain.transpose(0, 2, 1))
    _, seen = one.solve(one.start(np.zeros((5, 2)), {"Strain": strain}), {"Strain": strain}, 1.0)
    _, own = model.solve(model.start(np.zeros((5, 2)), {"Strain": strain}), {"Strain": strain}, 1.0)
    np.testing.assert_allclose(seen["Stiffness"], own["Stiffness"], atol=1e-14)  # in kPa


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Stiffness", "'Stiffness' declares no slope; expected 'NAME = NAME / CONTROL'"),
        ("Stifness = Stress / Strain", "'Stifness' is no observable. Did you mean 'Stiffness'?"),
        ("Stiffness = Force / Strain", "'Force' is no observable; expected one of Stress, Stiffness, Energy, Traction"),
        ("Stiffness = Stress / Stress", "'Stress' is no control; expected one of Strain"),
        ("Energy = Stress / Strain", "Energy is a scalar, and the derivative of a tensor by a tensor is none"),
        ("Stress = Area / Strain", "Stress: '1' ([]) cannot be converted to 'Pa'"),
    ],
)
def test_what_is_no_slope_is_refused(text, message):
    table = made(Hooke(Hooke.Settings(mu=3.0), 0), "Strain=-0.01..0.02")
    observables = table.observables
    if "Area" in text:
        observables = type(observables)({**observables.fields, "Area": Field("1")}, observables.dimensions)
    with pytest.raises(CouplingError) as raised:
        slopes.parse(text, table.box, observables)
    assert message.split(" ([])")[0] in str(raised.value)


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deborah", "error"), [(1e-3, 0.0010000), (1e-2, 0.0099980), (0.1, 0.098058), (1.0, 0.44721), (10.0, 0.49938)]
)
def test_a_relaxed_table_of_a_solid_with_memory_is_wrong_by_its_deborah_number(tmp_path, deborah, error):
    """|E* - E| / |E*| of a standard linear solid, E* = E + E_1 i De / (1 + i De), with E_1 = E, under harmonic strain.

    Both are driven, and the first harmonic is taken of what they answer over a period when the start is forgotten.
    """
    table = made(solid(), "Strain=-1..1", dt=1.0)
    one, full, n = tabulated(tmp_path, solid(), table), solid(), 200
    dt = 2 * np.pi / deborah / n
    periods = max(1, int(np.ceil(16 / (2 * np.pi / deborah))))
    phase = 2 * np.pi * np.arange(1, n * (periods + 1) + 1) / n
    state, answers = full.start(POINTS[:1], strains(0.0)), []
    for strain in np.sin(phase):
        state, seen = full.solve(state, strains(strain), dt)
        answers.append(seen["Stress"][0])
    weights = 2j * np.exp(-1j * phase[-n:]) / n
    looked_up = one.start(np.zeros((n, 2)), strains(*np.sin(phase[-n:])))
    truth, relaxed = weights @ np.array(answers[-n:]), weights @ one.solve(looked_up, {}, 0.0)[1]["Stress"]
    assert truth == pytest.approx(2 + 2 * 1j * deborah / (1 + 1j * deborah), rel=2e-4)
    assert relaxed == pytest.approx(2.0, rel=1e-5)
    assert abs(truth - relaxed) / abs(truth) == pytest.approx(error, rel=5e-4)


# Coupled --------------------------------------------------------------------------------------------------------------


def test_it_is_looked_up_behind_a_mesh(tmp_path, curved):
    """Stacked, as a run has it: no full solves, and the macro side gets the relaxed stress."""
    curved.save(tmp_path / "table.npz")
    whole = Stack([{"tabulated": {"outside": "model"}}], solid(curve=1.0), Context(folder=tmp_path))
    state = whole.start(POINTS, strains(0.1, 0.2, 0.3))
    state, seen = whole.solve(state, strains(0.2, 0.4, 2.0), 0.25)
    account = whole.report(state)
    assert account.work.asked == 3
    assert 0 < account.work.solved <= 100  # of the one row outside, until it was at rest
    assert account.layers[0].report["steps outside of the box"] == 1
    assert seen["Stress"][2] == pytest.approx(2 * (2 + 8), rel=1e-5)


def program(folder, *arguments):
    """Run a command of the hub on a quarter of an hour of the tutorial, in `folder`; return how it ended."""
    for name in ("phase-change.xml", "phase-change.scaling.xml"):
        text = (ROOT / "precice-config" / name).read_text()
        (folder / name).write_text(text.replace('<max-time value="3600" />', '<max-time value="900" />'))
    command = [sys.executable, "-m", "scalebridge", arguments[0], "phase-change", "--engine", ENGINE, *arguments[1:]]
    command += ["--variant", "lever-rule", "--set", f"coupling={folder / 'phase-change.xml'}"]
    command += ["--set", f"scaling={folder / 'phase-change.scaling.xml'}", "--set", "report=[]"]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)


def tutorial(folder, name, *overrides):
    """Run it; return how it ended, its summary, and what Micro saw and sent last."""
    sets = [word for one in ("Macro.settings.elements=40", *overrides) for word in ("--set", one)]
    done = program(folder, "run", "--plain", "--out", str(folder / name), *sets)
    with np.load(max((folder / name / "Micro" / "snapshots").glob("*.npz"))) as last:
        return done, json.loads((folder / name / "summary.json").read_text()), dict(last)


def test_phase_change_with_a_table_is_phase_change(tmp_path):
    """The table is wrong by e < 1e-3 in the liquid fraction, which the temperature at which it is in balance evens out.

    Where phi is the same, T differs by e / (dphi/dT); dphi/dT is above 0.005 / K wherever there is ice.
    """
    file, box = tmp_path / "lever.npz", "Temperature=-11 degC..11 degC"
    done = program(tmp_path, "tabulate", "--box", box, "--tolerance", "1e-3", "--out", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    table = Table.load(file)
    error = {name: table.errors.estimated[row] for row, name in enumerate(table.observables.fields)}
    done, whole, truth = tutorial(tmp_path, "whole")
    assert done.returncode == 0, done.stdout + done.stderr
    given = f'Micro.strategy={{tabulated: {{file: {file}, slopes: ["{SLOPE}"]}}}}'
    done, summary, found = tutorial(tmp_path, "table", given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tabulated: 0 solves of the full model for " in done.stdout
    assert "tabulated: steps outside of the box: 0" in done.stdout
    difference = np.abs(found["Liquid-Fraction"] - truth["Liquid-Fraction"]).max()
    assert 0 < difference < 2 * error["Liquid-Fraction"]
    assert np.abs(found["Conductivity"] - truth["Conductivity"]).max() < 2 * error["Conductivity"]
    assert np.abs(found["Temperature"] - truth["Temperature"]).max() < error["Liquid-Fraction"] / 0.005
    iterations = [sum(one["participants"]["Macro"]["iterations"]) for one in (whole, summary)]
    assert iterations[1] <= iterations[0]  # Newton's method has the derivative of what it gets


def test_a_run_that_leaves_the_table_is_stopped_with_the_place(tmp_path):
    file, box = tmp_path / "lever.npz", "Temperature=-11 degC..1 degC"
    done = program(tmp_path, "tabulate", "--box", box, "--tolerance", "1e-2", "--out", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    override = f"Micro.strategy={{tabulated: {{file: {file}}}}}"
    done = program(tmp_path, "run", "--plain", "--out", str(tmp_path / "run"), "--set", override)
    assert done.returncode != 0
    assert "is outside of the table, which reaches from 262.15 to 274.15 K, at (" in done.stdout + done.stderr
