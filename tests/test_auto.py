"""The strategy `auto`: it finds out what is right when a run starts, says why, and uses what is there."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coupled import ENGINE, participant, run
from standard_linear_solid import Settings, Solid
from test_box import snapshots
from test_coupling import macro, xml

from adapters import ensemble
from adapters.micro import innermost
from adapters.ranks import Rows
from adapters.strategies import registry
from adapters.strategies.auto import CHOICES, Auto, AutoSettings
from adapters.strategies.protocol import Around, Context
from adapters.strategies.refusal import SettingError
from adapters.strategies.stack import Stack
from adapters.wiring import CouplingError
from scalebridge import checkpoints, treefile
from scalebridge.cases import strategy
from scalebridge.checkpoints import Plan
from scalebridge.fields import Field
from scalebridge.settings import build, schema, setting
from scalebridge.strategies import FILE_NAME, Account

POINTS = np.zeros((3, 2))
CONTROLS = {"Strain": np.array([0.0, 0.005, 0.01])}


class Twice(Around):
    """Stands for a table: it doubles what the model gives, so that one sees who has answered."""

    name = "tabulated"

    class Settings:
        pass

    def __init__(self, model, settings, context):
        super().__init__(model, context)
        self.settings = settings
        self.planned = 0
        if "another" in context.file(settings.file).read_text():
            raise CouplingError("tabulated: it is of another model")
        context.remember("counts", self)

    def start(self, points, controls):
        return {"model": self.model.start(points, controls)}

    def solve(self, state, controls, dt):
        inner, seen = self.model.solve(state["model"], controls, dt)
        return {"model": inner}, {name: 2 * values for name, values in seen.items()}

    def plan(self, state):
        self.planned += 1
        return state

    def report(self, state):
        return {"planned": self.planned}

    def save(self):
        return {"planned": self.planned}

    def restore(self, value):
        self.planned = value["planned"]


@pytest.fixture(autouse=True)
def twice(monkeypatch):
    import dataclasses

    @dataclasses.dataclass(frozen=True)
    class TwiceSettings:
        file: str = setting("table.npz", "a table", file=True)
        outside: str = setting("error", "who answers outside of it")

    monkeypatch.setattr(Twice, "Settings", TwiceSettings)
    monkeypatch.setitem(registry.STRATEGIES, "tabulated", "test_auto:Twice")
    monkeypatch.delitem(registry.STRATEGIES, "adaptive", raising=False)


def auto(tau, folder=Path(), **settings):
    given = {"box": ["Strain=0.01"], "time": 1.0, **settings}
    context = Context(folder=folder, windows=1000, end=1.0, rows=Rows(3))
    return Stack([{"auto": given}], Solid(Settings(tau=tau)), context)


def test_its_place_among_the_strategies():
    assert registry.find("auto") is Auto
    assert CHOICES[0] == "concurrent"
    assert schema(AutoSettings)["table"]["file"] == "optional"


def test_a_table_is_used_where_it_is_right_and_there(tmp_path, capsys):
    (tmp_path / "mine.npz").write_text("")
    made = auto(1e-5, tmp_path, table="mine.npz")
    state = made.start(POINTS, CONTROLS)
    assert isinstance(made.model.model, Twice)
    assert made.model.model.settings.file == "mine.npz"
    assert made.model.model.settings.outside == "model"
    assert state["choice"].tolist() == [CHOICES.index("tabulated")] * 3
    _, seen = made.solve(made.plan(state), CONTROLS, 0.1)
    np.testing.assert_allclose(seen["Stress"], 2 * CONTROLS["Strain"], atol=1e-6)
    account = made.report(state)
    assert [layer.name for layer in account.layers] == ["auto", "tabulated"]
    told = account.layers[0].report
    assert (told["right"], told["used"]) == ("tabulated", "tabulated")
    assert told["why"].startswith("what is seen follows from the controls")
    assert told["solves of the diagnosis"] == made.full.solved - 3 > 100
    assert account.layers[1].report == {"planned": 1}
    assert "used: tabulated" in capsys.readouterr().out
    assert isinstance(innermost(made), Solid)


def test_what_is_not_there_is_said(tmp_path, capsys):
    made = auto(1e-5, tmp_path)
    state = made.start(POINTS, CONTROLS)
    _, seen = made.solve(made.plan(state), CONTROLS, 0.1)
    np.testing.assert_allclose(seen["Stress"], CONTROLS["Strain"], atol=1e-5)
    told = made.report(state).layers[0].report
    assert (told["right"], told["used"]) == ("tabulated", "concurrent")
    assert told["not tabulated"] == "there is no file 'table.npz', which scalebridge tabulate makes"
    assert told["not surrogate"] == "there is no file 'surrogate.npz', which scalebridge train makes"
    out = capsys.readouterr().out
    assert "right here: tabulated, because" in out
    assert "tabulated is not used: there is no file 'table.npz', which scalebridge tabulate makes" in out
    assert "used: concurrent" in out
    assert made.state_of_full(state) is state["model"]


def test_a_file_that_does_not_fit_is_not_used_and_this_is_said(tmp_path, capsys):
    (tmp_path / "table.npz").write_text("another")
    made = auto(1e-5, tmp_path)
    told = made.report(made.start(POINTS, CONTROLS)).layers[0].report
    assert (told["right"], told["used"]) == ("tabulated", "concurrent")
    assert told["not tabulated"] == "it is of another model"
    assert "tabulated is not used: it is of another model" in capsys.readouterr().out


def test_a_memory_speaks_against_tables(tmp_path):
    (tmp_path / "table.npz").write_text("")
    made = auto(1.0, tmp_path)
    told = made.report(made.start(POINTS, CONTROLS)).layers[0].report
    assert (told["right"], told["used"]) == ("adaptive", "concurrent")
    assert told["not adaptive"] == "there is no strategy 'adaptive'"
    assert told["Deborah number"] == pytest.approx(math.pi, rel=0.03)
    assert told["error of a table"] > 0.4
    assert told["difference of paths after a rest"] < 1e-3


def test_what_adaptive_and_others_are_given(tmp_path):
    one = auto(1.0, tmp_path, tolerance=0.02, surrogate="law.npz").model
    law = {"surrogate": {"file": "law.npz", "outside": "extrapolate"}}
    assert one._layer("adaptive") == {"tolerance": 0.02, "cheap": law}
    assert one._layer("surrogate") == {"file": "law.npz", "outside": "error"}
    assert one._layer("clustered") == {}


@pytest.mark.parametrize("name", CHOICES[1:])
def test_what_others_are_given_are_settings_of_theirs(name, monkeypatch):
    monkeypatch.undo()  # the real ones
    build(registry.find(name).Settings, auto(1.0).model._layer(name), plain=True)


def test_the_diagnosis_is_made_once_and_is_the_same_on_every_rank(tmp_path):
    made = auto(1.0, tmp_path)
    first = made.start(POINTS, CONTROLS)
    solves = made.full.solved
    again = made.start(POINTS[:1], {"Strain": CONTROLS["Strain"][:1]})
    assert made.full.solved == solves
    assert again["choice"].tolist() == first["choice"][:1].tolist()
    other = auto(1.0, tmp_path)
    other.start(POINTS[:2] + 7.0, {"Strain": CONTROLS["Strain"][1:]})
    assert other.model.told == made.model.told


def test_what_was_chosen_is_in_the_state(tmp_path):
    """After a restart, and in the replay of a capsule, nothing is chosen again."""
    (tmp_path / "table.npz").write_text("")
    made = auto(1e-5, tmp_path)
    state = made.start(POINTS, CONTROLS)
    later = auto(1e-5, tmp_path)
    _, seen = later.solve(state, CONTROLS, 0.1)
    np.testing.assert_allclose(seen["Stress"], 2 * CONTROLS["Strain"], atol=1e-6)
    assert later.full.solved == 3
    later.model.restore(made.model.save())
    assert later.report(state).layers[0] == made.report(state).layers[0]


def test_the_box_of_a_recorded_run(tmp_path):
    snapshots(tmp_path / "run")
    for file in (tmp_path / "run/Micro/snapshots").glob("*.npz"):
        with np.load(file) as arrays:
            kept = {"time": arrays["time"], "Strain": arrays["Strain"][:, 0, 0]}
        np.savez(file, **kept)
    told = auto(1e-5, tmp_path, box=[], recorded="run", time=0.0).start(POINTS, CONTROLS)
    assert told["choice"].tolist() == [0, 0, 0]
    with pytest.raises(SettingError, match=r"auto: recorded: .*nowhere: has no snapshots of Strain: it is no run, or"):
        auto(1e-5, tmp_path, box=[], recorded="nowhere").start(POINTS, CONTROLS)


def test_without_a_box_there_is_no_diagnosis():
    with pytest.raises(CouplingError, match=r"auto: box: which controls will the micro simulations meet\? Say box:"):
        auto(1.0, box=[])


def test_the_box_is_read_when_it_is_built_unless_the_run_goes_on():
    given, model = AutoSettings(box=("Strain=1 K",)), Solid(Settings())
    with pytest.raises(SettingError, match=r"auto: box: Strain: 'K' .* cannot be converted to '1'"):
        Auto(model, given, Context(dimensions=2))
    told = {"used": "concurrent"}
    assert Auto(model, given, Context(dimensions=2, remember=lambda name, thing: thing.restore(told))).told == told


def test_without_an_end_of_the_run_the_time_has_to_be_said():
    made = Stack([{"auto": {"box": ["Strain=0.01"]}}], Solid(Settings()), Context())
    with pytest.raises(CouplingError, match="auto: time: nobody knows how fast the controls change"):
        made.start(POINTS, CONTROLS)


def test_files_that_may_be_missing_are_inputs_only_if_they_are_there():
    known = {"auto": schema(AutoSettings)}
    values = {name: entry["default"] for name, entry in known["auto"].items()}
    assert strategy.files([{"auto": values}], known) == [
        (0, "table", "table.npz", False),
        (0, "surrogate", "surrogate.npz", False),
    ]


# Coupled --------------------------------------------------------------------------------------------------------------


class Alone(Solid):
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def solve(self, state, controls, dt):
        after, seen = super().solve(state, controls, dt)
        return after, {"Stress": seen["Stress"]}


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def batch(case):
    ensemble.run(case, Alone(Settings(tau=0.5), case.seed))


GIVEN = [{"auto": {"box": ["Strain=0..2"], "tolerance": 0.02}}]


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_that_chooses_gives_what_it_has_chosen(tmp_path, ranks):
    """There is no trained law, so it is the micro model itself."""
    mains = {"Macro": macro, "Micro": batch}
    chosen = run(tmp_path, xml(), mains, ranks={"Micro": ranks}, strategy={"Micro": GIVEN})
    (tmp_path / "plain").mkdir()
    plain = run(tmp_path / "plain", xml(), mains, ranks={"Micro": ranks})
    assert chosen["Micro"].text.count("used: concurrent") == 1
    assert "right here: adaptive" in chosen["Micro"].text
    assert (chosen["Macro"].folder / "series.csv").read_text() == (plain["Macro"].folder / "series.csv").read_text()
    account = Account.load(chosen["Micro"].folder / FILE_NAME)
    assert account.layers[0].report["used"] == "concurrent"
    assert account.work.solved == account.work.asked + ranks * account.layers[0].report["solves of the diagnosis"]
    assert json.loads((chosen["Micro"].folder / FILE_NAME).read_text())["layers"][0]["name"] == "auto"


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_a_run_that_goes_on_knows_what_it_has_chosen(tmp_path):
    mains = {"Macro": macro, "Micro": batch}
    plan = Plan("this", 1, {"Macro": 1, "Micro": 1}, "inputs")
    (tmp_path / "checkpoints").mkdir()
    plan.save(tmp_path / "checkpoints")
    through = run(tmp_path, xml(), mains, strategy={"Micro": GIVEN})
    truth = (through["Macro"].folder / "series.csv").read_text()
    account = Account.load(through["Micro"].folder / FILE_NAME)
    body = treefile.load(tmp_path / "checkpoints/000002/Micro.npz")["body"]
    assert body["things"]["strategy 0 auto: diagnosis"]["used"] == "concurrent"
    shutil.rmtree(tmp_path / "checkpoints/000003")
    assert checkpoints.newest(tmp_path / "checkpoints", plan)[0].window == 2
    replace(plan, resume=2).save(tmp_path / "checkpoints")
    again = run(tmp_path, xml(), mains, strategy={"Micro": GIVEN})
    assert "used:" not in again["Micro"].text
    assert (again["Macro"].folder / "series.csv").read_text() == truth
    later = Account.load(again["Micro"].folder / FILE_NAME)
    assert (later.layers, later.work.solved) == (account.layers, account.work.solved)
