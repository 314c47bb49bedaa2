"""How large a micro volume has to be: media whose scatter is known, packs of grains, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from checkerboard import Board, Checkerboard
from coupled import ROOT, environment
from scipy import stats
from test_coupling import xml

from adapters.rve import __main__ as program
from adapters.rve.answer import alone, answer, lacks
from adapters.rve.medium import Conditions, Medium, SizeError, VolumeError
from adapters.rve.statistics import Property, student, typical
from adapters.scaling import config as scaling_config
from participants.micro.brine import Brine, Volumes
from participants.micro.grain import Cell, Grain
from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material
from scalebridge import cli
from scalebridge.commands import micro
from scalebridge.handout import Handout

REST = Conditions({"Drive": np.array(0.0)})


def medium(**settings):
    return Medium(Checkerboard, Board(**{"size": 1.0, **settings}), seed=1)


def drawn(one, name, sizes, realisations, resolutions=(1,), conditions=REST):
    keys = [(size, resolution) for size in sizes for resolution in resolutions]
    return Property(name, "1", 2, {key: one.draw(*key, realisations, conditions)[name] for key in keys})


# Statistics


def test_the_mean_of_independent_squares_has_the_variance_of_the_binomial_law():
    """D^2 = p (1 - p) / N; the variance of 2000 normal values is known to 1 / sqrt(1000) = 3 %, four times that."""
    found = drawn(medium(), "Share", (1, 2, 4), 2000)
    for size in (1, 2, 4):
        variance = found.deviation((size, 1)) ** 2
        assert variance == pytest.approx(0.3 * 0.7 / (4 * size) ** 2, rel=0.13)
        assert found.mean((size, 1)) == pytest.approx(0.3, abs=4 * np.sqrt(variance / 2000))
    assert found.law.kept
    assert found.law.exponent == pytest.approx(-1.0, abs=0.06)
    assert found.law.error == pytest.approx(np.sqrt(1 / (2 * 1999) / (2 * np.log(2) ** 2)), rel=1e-12)


def test_the_size_of_which_one_volume_is_enough_is_that_of_the_law():
    """t sqrt(p (1 - p)) / (4 k p) = tolerance gives the size k."""
    found = drawn(medium(), "Share", (1, 2, 4), 2000)
    assert found.single(0.01) == pytest.approx(1.96 * np.sqrt(0.7 / 0.3) / (4 * 0.01), rel=0.06)
    assert found.single(0.5) == 2  # 1.96 sqrt(0.7 / 0.3) / 4 = 0.75 at size 1 is too much, half of it is not
    assert found.needed((4, 1), 0.01) == pytest.approx(1.96**2 * (0.7 / 0.3) / (16 * 0.01) ** 2, rel=0.1)
    assert found.needed((4, 1), 1e-6) is None


def test_the_interval_of_the_mean_holds_the_true_one_in_95_of_100():
    """300 studies of 5 volumes each: by the binomial law 95 % +- 4 * 1.3 %."""
    values = drawn(medium(squares=8), "Share", (1,), 1500).samples[(1, 1)].reshape(300, 5)
    half = student(5) * values.std(axis=1, ddof=1) / np.sqrt(5)
    assert (np.abs(values.mean(axis=1) - 0.3) <= half).mean() == pytest.approx(0.95, abs=0.05)
    assert student(5) == pytest.approx(stats.t.ppf(0.975, 4), rel=1e-12)


def test_scatter_that_falls_more_slowly_than_that_of_independent_parts_is_seen():
    slow = np.random.default_rng(3).standard_normal((3, 400))
    found = Property("Share", "1", 2, {(k, 1): 10 + slow[i] * k**-0.4 for i, k in enumerate((1, 2, 4))})
    assert found.law.exponent == pytest.approx(-0.4, abs=4 * found.law.error)
    assert not found.law.kept
    assert found.single(0.01) is None
    told = alone(found, 0.01, 1.0)
    assert "not as that of independent parts, edge^(-1)" in told
    assert told.endswith("Of which size one volume alone is within 1 % cannot be foretold.")


def test_the_scatter_of_a_tensor_is_that_of_all_its_components():
    values = np.random.default_rng(0).standard_normal((50, 2, 2)) + 5 * np.eye(2)
    found = Property("K", "1", 2, {(1, 1): values, (2, 1): values})
    mean = values.mean(axis=0)
    assert found.deviation((1, 1)) ** 2 == pytest.approx(values.var(axis=0, ddof=1).sum(), rel=1e-12)
    assert found.scatter((1, 1)) == pytest.approx(found.deviation((1, 1)) / np.linalg.norm(mean), rel=1e-12)
    part = mean - np.trace(mean) / 2 * np.eye(2)
    assert found.anisotropy((1, 1)) == pytest.approx(np.linalg.norm(part) / np.linalg.norm(mean), rel=1e-12)
    assert [typical(v) for v in (np.diag([1.0, 3.0]), np.array([3.0, 4.0]), np.array(-2.0))] == [2.0, 5.0, -2.0]


def test_bias_and_error_of_the_grid_are_those_that_were_put_in():
    """The mean is p' + 0.1 / edge + 0.2 / resolution, so differences of means at equal realisations are exact."""
    found = drawn(medium(how="drift", p=0.0), "Share", (1, 2, 4), 2, (1, 2))
    assert found.mean((1, 1)) == pytest.approx(0.3)
    assert found.bias((1, 1)) == pytest.approx(0.3 / 0.225 - 1)  # against the largest
    assert found.bias((2, 1)) == pytest.approx(0.25 / 0.225 - 1)
    assert found.bias((4, 1)) == pytest.approx(1 - 0.225 / 0.25)  # of the largest: against the next smaller
    assert found.grid_error((4, 1)) == pytest.approx(0.225 / 0.125 - 1)
    assert found.grid_error((4, 2)) == pytest.approx(1 - 0.125 / 0.225)
    assert lacks(found, (1, 1), 0.01) == [
        "it differs from size 4 by 33.3 %",
        "it differs from the finest grid by 50 %",
    ]
    assert lacks(found, (4, 2), 0.01) == ["it differs from size 2 by 16.7 %", "it differs from resolution 1 by 44.4 %"]
    assert not lacks(found, (4, 2), 0.5)


def test_a_grid_that_resolves_all_changes_nothing():
    found = drawn(medium(), "Share", (1, 2), 5, (1, 3))
    np.testing.assert_allclose(found.samples[(2, 1)], found.samples[(2, 3)], rtol=1e-14)
    assert found.grid_error((1, 1)) == pytest.approx(0, abs=1e-14)
    assert drawn(medium(), "Share", (1, 2), 5).grid_error((1, 1)) is None


# The answer


def test_the_smallest_size_that_is_enough_is_told():
    """With 400 volumes the mean at size 1 is known to 1.96 sqrt(0.7 / 0.3) / 80 = 3.7 %, at size 2 to 1.9 %."""
    found = drawn(medium(), "Share", (1, 2, 4), 400, (1, 2))
    said = answer([found], 0.03, 0.5)
    assert said.enough == (2, 1)
    assert said.sentence.startswith(
        "Size 2 (edge 1 m) at resolution 1 is enough for Share within 3 %: the mean of 400 "
    )
    assert "other grids by" in said.sentence


def test_it_is_told_that_no_size_is_enough_and_why():
    found = drawn(medium(), "Share", (1, 2), 16)
    said = answer([found], 0.001, 1.0)
    assert said.enough is None
    begin = "None of the sizes tried is enough for 0.1 %: at size 2 (edge 2 m) at resolution 1, Share: the mean of 16 "
    assert said.sentence.startswith(begin)
    assert f"only; it needs {found.needed((2, 1), 0.001):,}" in said.sentence
    chance = 100 * np.hypot(found.error((1, 1)), found.error((2, 1)))
    assert f" and it differs from size 1 by {100 * found.bias((2, 1)):.3g} %, of which scatter expl" in said.sentence
    assert said.sentence.endswith(f"explains up to {chance:.3g} %.")


def test_one_cell_of_a_periodic_array_is_enough():
    """Nothing scatters, and four cells of an array conduct as one does, to the tolerance of the cell problem."""
    cell = Cell(cells=16, size=1.0, width=0.1, radius=0.3)
    found = drawn(
        Medium(Grain, cell), "conductivity", (1, 2), 3, conditions=Conditions({"concentration": np.array(0.5)})
    )
    one, four = found.samples[(1, 1)], found.samples[(2, 1)]
    np.testing.assert_allclose(four, np.tile(one, (1, 2, 2)), atol=1e-12)
    found = Property("pores", "1", 2, {key: values.mean(axis=(1, 2)) for key, values in found.samples.items()})
    assert found.deterministic((1, 1))
    said = answer([found], 1e-6, 1.0)
    assert said.enough == (1, 1)
    assert "realisations do not differ, larger sizes change it by" in said.sentence
    assert alone(found, 1e-6, 1.0) == "pores does not scatter."


# Realisations


def test_realisations_come_from_seeds_where_points_change_nothing():
    found = drawn(medium(how="seed"), "Share", (1, 2), 200)
    assert found.deviation((1, 1)) ** 2 == pytest.approx(0.3 * 0.7 / 16, rel=0.4)
    assert drawn(medium(how="same"), "Share", (1, 2), 5).deterministic((1, 1))


def test_no_realisation_of_a_size_is_that_of_another_and_a_finer_grid_has_the_same():
    seen = {}

    class Watched(Checkerboard):
        def start(self, points, controls):
            seen[self.settings.size, self.settings.fine] = {tuple(point) for point in points}
            return super().start(points, controls)

    one = Medium(Watched, Board(size=1.0))
    for size, resolution in ((1, 1), (2, 1), (2, 3)):
        one.draw(size, resolution, 5, REST)
    assert len(seen[1, 1]) == 5
    assert not seen[1, 1] & seen[2, 1]
    assert seen[2, 1] == seen[2, 3]


def test_large_batches_are_solved_in_parts(monkeypatch):
    whole = medium().draw(2, 1, 7, REST)
    monkeypatch.setattr("adapters.rve.medium.MOST_CELLS", 64 * 2)
    np.testing.assert_array_equal(medium().draw(2, 1, 7, REST)["Share"], whole["Share"])


def test_volumes_are_driven_before_they_are_looked_at():
    rest = medium().draw(1, 1, 3, REST)["Share"]
    driven = medium().draw(1, 1, 3, Conditions({"Drive": np.array(2.0)}, time=3.0, steps=4))["Share"]
    np.testing.assert_allclose(driven - rest, 6.0, rtol=1e-14)


# Packs of grains


def test_larger_packs_have_more_grains_of_the_same_size():
    cell = Cell(cells=24, size=2.0, grains=3, radius=0.15, width=0.1, dimensions=3)
    assert Grain.enlarged(cell, 2) == replace(cell, cells=48, size=4.0, grains=24, radius=0.075, width=0.05)
    assert Grain.refined(cell, 3) == replace(cell, cells=72)
    assert Grain.enlarged(Cell(), 1) == replace(Cell(), arrangement="array")
    volumes = Volumes(cells=8, pocket=0.1)
    assert Brine.enlarged(volumes, 2) == replace(volumes, cells=16, size=2 * volumes.size, pocket=0.05)


def test_the_conductivity_of_packs_scatters_as_that_of_independent_parts():
    """The scatter of 24 volumes is known to 15 %, so the exponent to 0.15; and packs are isotropic on the average."""
    scaling = scaling_config.load(ROOT / "precice-config" / "two-scale-heat-conduction.scaling.xml")
    cell = Cell(cells=16, size=1.0, grains=4, radius=0.13, width=0.1, pore_conductivity=1.0)
    one = Medium(Grain, cell, 2, scaling)
    found = drawn(one, "K", (1, 2, 4), 24, conditions=Conditions({"Concentration": np.array(0.5)}))
    assert found.law.kept
    assert found.law.exponent == pytest.approx(-1, abs=0.3)
    assert found.anisotropy((4, 1)) < 2 * found.error((4, 1))
    assert 1 - 4 * np.pi * 0.13**2 > typical(found.mean((4, 1))) > 0.5  # below the mean of the parts (Voigt)


# The command


CASE = """\
case: board
coupling: coupling.xml
seed: 1
participants:
  Macro: {command: [python, nothing.py]}
  Micro: {run: checkerboard, settings: {squares: 4, size: 1 m}}
variants:
  fixed: {Micro.settings.how: same}
  alone: {Micro.run: null, Micro.settings: null, Micro.command: [python, nothing.py]}
"""


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "case.yaml").write_text(CASE)
    (folder / "coupling.xml").write_text(xml().replace("Strain", "Drive").replace("Stress", "Share"))
    (folder / "nothing.py").write_text("")
    (folder / "checkerboard.py").write_text((ROOT / "tests" / "checkerboard.py").read_text())
    return folder


def command(folder, *arguments):
    """Run `scalebridge rve` as a program; return the exit status, what was printed, and the errors."""
    call = [sys.executable, "-m", "scalebridge", "rve", str(folder), "--engine", "embedded", *arguments]
    done = subprocess.run(call, cwd=folder.parent, env=environment(), capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_the_command_answers_by_table_picture_and_exit_status(case):
    arguments = ["--participant", "Micro", "--realisations", "30", "--set", "Micro.settings.p=0.6"]
    status, out, err = command(case, *arguments, "--tolerance", "0.5", "--control", "Drive=3 kPa")
    assert (status, err) == (0, "")
    folder = case.parent / "runs" / "rve-board"
    text = (folder / "rve.md").read_text()
    assert text in out
    assert "Size 1 (edge 1 m) at resolution 1 is enough for Share within 50 %" in text
    assert "Checkerboard of checkerboard; Drive 3000 Pa; seed 1." in text
    assert (folder / "rve.png").read_bytes().startswith(b"\x89PNG")
    data = json.loads((folder / "rve.json").read_text())
    assert data["enough"] == {"size": 1, "resolution": 1}
    volumes = data["properties"]["Share"]["volumes"]
    assert [(v["size"], v["resolution"], v["cells"]) for v in volumes[-2:]] == [(4, 1, [16, 16]), (4, 2, [32, 32])]
    values = np.array(volumes[0]["values"])
    assert volumes[0]["standard deviation"] == pytest.approx(values.std(ddof=1))
    assert volumes[0]["mean"] == pytest.approx(0.6, abs=4 * np.sqrt(0.6 * 0.4 / 16 / 30))

    status, out, _ = command(case, *arguments, "--tolerance", "1e-4", "--sizes", "1,2")
    assert status == 1
    assert "None of the sizes tried is enough for 0.01 %" in out
    assert json.loads((folder / "rve.json").read_text())["enough"] is None


def test_no_earlier_answer_is_left_where_there_is_none(case, capsys):
    (case / "rve.json").write_text("{}")
    (case / "rve.md").write_text("an answer")
    status, err = solved(case, capsys, settings={"how": "nan"})
    assert status == 3
    assert "Checkerboard of checkerboard gives NaN or infinite Share at size 1, resolution 1" in err
    assert not (case / "rve.md").exists()
    assert (case / "rve.json").read_text() == ""


def test_a_medium_that_does_not_scatter(case):
    status, out, _ = command(case, "--variant", "fixed", "--sizes", "1,2", "--realisations", "3", "--tolerance", "0.9")
    assert status == 0
    assert "realisations do not differ" in out
    assert "Share does not scatter." in out
    assert (case.parent / "runs" / "rve-board-fixed" / "rve.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--participant", "Macro"], "--participant: 'Macro' is no micro participant; expected Micro"),
        (["--participant", "Mirco"], "there is no participant 'Mirco'; expected Micro. Did you mean 'Micro'?"),
        (["--variant", "alone"], "participants: has no micro participant, whose model could be looked at alone"),
    ],
)
def test_another_participant_is_refused(case, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(case.parent)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    assert cli.main(["rve", str(case), "--engine", "embedded", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (case.parent / "runs").exists()


def test_one_of_several_micro_participants_has_to_be_named():
    assert str(micro._refused("there are several micro participants", "", ["A", "B"])) == (
        "--participant: there are several micro participants; expected one of A, B"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "1"], "argument --sizes: the bias shows in at least 2 sizes"),
        (["--sizes", "0,1"], "argument --sizes: invalid _several value: '0,1'"),
        (["--realisations", "1"], "argument --realisations: there is no scatter of fewer than 2 realisations"),
        (["--tolerance", "0"], "argument --tolerance: invalid share value: '0'"),
    ],
)
def test_arguments_that_tell_nothing_are_refused(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(["rve", "phase-change", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def handout(case, **changes):
    given = {
        "case": "board",
        "participant": "Micro",
        "module": "checkerboard",
        "precice_config": str(case / "coupling.xml"),
        "run": str(case),
        "output": str(case),
        "progress": str(case / "progress.jsonl"),
    }
    path = case / "handout.json"
    Handout(**{**given, **changes}).save(path)
    return path


def solved(case, capsys, *arguments, model="Checkerboard", **changes):
    """Return the exit status of the process that the hub starts, and the errors."""
    fixed = ["--model", model, "--tolerance", "0.1", "--sizes", "1", "2", "--resolutions", "1", "2"]
    call = ["--handout", str(handout(case, **changes)), *fixed, "--realisations", "3", *arguments]
    status = program.main(call)
    return status, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data", "Shape"],
            "--data: 'Shape' is nothing that the micro volumes give; expected Share. Did you mean 'Share'",
        ),
        (["--control", "Drive"], "--control: 'Drive' has no value; expected NAME=VALUE"),
        (
            ["--control", "Drift=1 Pa"],
            "'Drift' is no control of the micro volumes; expected Drive. Did you mean 'Drive'?",
        ),
        (["--control", "Drive=1 m"], "--control: Drive: 'm' ([length]) cannot be converted to 'Pa'"),
        (["--control", "Drive=1 Pa, 2 Pa"], "--control: Drive has 2 values; expected 1"),
    ],
)
def test_names_and_units_are_checked(case, capsys, arguments, message):
    status, err = solved(case, capsys, *arguments)
    assert status == 2
    assert message in err


def test_a_control_needs_a_value(case, capsys):
    status, err = solved(case, capsys, model="Rigid")
    assert status == 2
    assert "--control: 'Drive' needs a value; expected Drive=VALUE, in a unit like 'Pa'" in err
    status, err = solved(case, capsys, "--control", "Drive=0 Pa", model="Rigid")
    assert status == 2
    assert (
        "Rigid of checkerboard cannot be enlarged: the class has no `enlarged(settings, factor)` "
        "that gives the settings of larger volumes"
    ) in err
    status, err = solved(case, capsys, model="Rigged")
    assert (status, err) == (2, "scalebridge: 'checkerboard' has no class 'Rigged'\n")


@pytest.mark.parametrize(
    ("how", "status", "message"),
    [
        ("none", 2, "Checkerboard of checkerboard cannot be enlarged 2 times: there is one board alone"),
        ("bounds", 2, "cannot be enlarged 2 times: squares 800 is out of bounds"),
        ("wrong", 2, "gives 16 x 16 cells on 2 x 2 m at size 2, resolution 1; expected 8 x 8 cells on 2 x 2 m"),
        ("raise", 3, "Checkerboard of checkerboard fails at size 1, resolution 1: ArithmeticError: no root"),
    ],
)
def test_volumes_that_cannot_be_made_or_solved(case, capsys, how, status, message):
    found, err = solved(case, capsys, settings={"how": how})
    assert found == status
    assert message in err


def test_a_model_without_a_volume_or_with_a_layer_is_refused():
    with pytest.raises(
        SizeError, match=r"LeverRule of participants.micro.lever_rule cannot be enlarged: the class has no"
    ):
        Medium(LeverRule, Material()).model(2, 1)
    with pytest.raises(
        SizeError, match="cannot be enlarged 2 times: a larger volume of geometry 'layers-x' has one thick"
    ):
        Medium(Brine, Volumes(geometry="layers-x")).model(2, 1)


def test_too_dense_a_pack_is_told():
    one = Medium(Grain, Cell(cells=8, grains=4, radius=0.3, width=0.2))
    with pytest.raises(
        VolumeError, match=r"fails at size 1, resolution 1: NoRoom: only \d of 4 grains of radius 0.3 fit"
    ):
        one.draw(1, 1, 2, Conditions({"concentration": np.array(0.5)}))
