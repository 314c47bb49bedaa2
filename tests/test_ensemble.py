"""A batch of micro simulations behind a received mesh: alone, on two ranks, with snapshots and an audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from coupled import participant, run
from test_coupling import POINTS, xml

from adapters import ensemble, micro
from adapters.coupling import Coupling
from adapters.snapshots import Choice
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.progress import ProgressReader
from scalebridge.settings import setting


class Relaxation:
    """dm/dt = strain - m in every cell of a small grid, where it starts as strain * (1 + cell / 10)."""

    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012
    cell_shape = (4, 3)
    cell_size = (2.0, 3.0)

    def start(self, points, controls):
        cells = 1.0 + 0.1 * np.arange(12.0).reshape(1, 4, 3)
        return {"inside": {"m": controls["Strain"][:, None, None] * cells}, "age": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        m = (state["inside"]["m"] + dt * controls["Strain"][:, None, None]) / (1.0 + dt)
        new = {"inside": {"m": m}, "age": state["age"] + dt}
        return new, {"Stress": 0.5 * m.mean(axis=(1, 2))}

    def snapshot(self, state):
        m = state["inside"]["m"]
        return {"m": m, "twice": np.stack([m, 2 * m], axis=-1), "all": m[..., None, None] * np.eye(2)}

    def audit(self, before, after):
        grown = after["age"] - before["age"]
        return [
            checks.absolute("time", grown.max(), 0.25, 1e-12, source="the window"),
            checks.at_most("age", after["age"].max(), 10.0, source="nothing"),
        ]


@dataclass(frozen=True)
class Settings:
    what: str = setting("")


@participant(Settings, reads={}, writes={})
def batch(case):
    model = Relaxation()
    if case.settings.what == "forgetful":
        model.observables = {**Relaxation.observables, "Heat": Field("W")}
    ensemble.run(case, model, Choice(times=2, volumes=2))


class Grid(Relaxation):
    """The same in its own terms: percent drive it, and half of what is on the grid is seen, in kPa."""

    controls = {"drive": Field("percent")}  # noqa: RUF012
    observables = {"half": Field("kPa", per="grid")}  # noqa: RUF012

    def start(self, points, controls):
        return super().start(points, {"Strain": controls["drive"] / 100.0})

    def solve(self, state, controls, dt):
        new, _ = super().solve(state, {"Strain": controls["drive"] / 100.0}, dt)
        return new, {"half": 0.5e-3 * new["inside"]["m"]}


SCALING = """<scaling precice-config="precice-config.xml">
  <downscale data="Strain" unit="1" to="drive" map="uniform" />
  <upscale data="Stress" unit="MPa" from="half" map="volume-average" />
</scaling>"""


@participant(Settings, reads={}, writes={})
def scaled_batch(case):
    ensemble.run(case, ensemble.scaled(case, Grid()), Choice(times=2, volumes=2))


@participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u) at three points, or at one."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS[: 1 if case.settings.what == "one" else 3])
        u = 1.0 + mesh.points[:, 0]
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        old = None
        for step in coupling.steps(keep=(u,)):
            old = stress.old.copy() if old is None else old
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
        np.savez("end.npz", u=u, old=old)


def solution():
    u, m = 1.0 + POINTS[:, 0], (1.0 + POINTS[:, 0]) * 1.55
    for _ in range(4):
        matrix = np.array([[1.25, 0.125], [-0.25, 1.25]])
        u, m = np.linalg.solve(matrix, np.stack([u, m]))
    return u, m


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_batch_gives_the_same_on_any_number_of_ranks(tmp_path, ranks):
    run(tmp_path, xml(), {"Macro": macro, "Micro": batch}, ranks={"Micro": ranks})
    u, m = solution()
    end = np.load(tmp_path / "Macro/end.npz")
    np.testing.assert_allclose(end["u"], u, rtol=1e-8)
    np.testing.assert_allclose(end["old"], 0.5 * 1.55 * (1.0 + POINTS[:, 0]))  # what is at the start is known
    time, age = checks.load(tmp_path / "Micro/checks.json")
    assert (time.name, age.name) == ("time", "age")
    assert time.passed
    assert age.value == pytest.approx(1.0)  # the worst of all windows
    _check_snapshots(tmp_path / "Micro", u, m)


def test_a_model_is_seen_through_its_scaling_maps(tmp_path):
    """The micro model speaks of percent and kPa, the wire of MPa, the macro side of Pa."""
    run(tmp_path, xml(), {"Macro": macro, "Micro": scaled_batch}, scaling=SCALING)
    u, _ = solution()
    np.testing.assert_allclose(np.load(tmp_path / "Macro/end.npz")["u"], u, rtol=1e-8)
    last = np.load(tmp_path / "Micro/snapshots/000004.npz", allow_pickle=False)
    assert last["fields/m"].shape == (2, 4, 3)


def _check_snapshots(folder, u, m):
    import pyvista  # not in the processes that are started

    names = sorted(p.name for p in (folder / "snapshots").iterdir())
    assert names == [f"{window:06d}.{kind}" for window in (0, 2, 4) for kind in ("npz", "vti")]
    last = np.load(folder / "snapshots/000004.npz", allow_pickle=False)
    np.testing.assert_array_equal(last["points"], POINTS)
    np.testing.assert_array_equal(last["volumes"], [0, 2])
    np.testing.assert_allclose(last["Strain"], u, rtol=1e-8)
    np.testing.assert_allclose(last["Stress"], 0.5 * m, rtol=1e-8)
    np.testing.assert_allclose(last["fields/m"].mean(axis=(1, 2)), m[[0, 2]], rtol=1e-8)
    assert last["time"] == 1.0
    reader = pyvista.get_reader(str(folder / "snapshots.pvd"))
    assert reader.time_values == [0.0, 0.5, 1.0]
    image = pyvista.read(folder / "snapshots/000004.vti")
    assert image.dimensions == (9, 4, 2)  # two volumes of 4 x 3 cells next to each other
    assert image.spacing[:2] == (0.5, 1.0)
    side = last["fields/m"].reshape(8, 3)
    np.testing.assert_array_equal(image.cell_data["m"].reshape(3, 8).T, side)
    np.testing.assert_array_equal(image.cell_data["twice"][:, :2].reshape(3, 8, 2)[:, :, 1].T, 2 * side)
    np.testing.assert_array_equal(
        image.cell_data["all"].reshape(3, 8, 9)[2, 7], side[7, 2] * np.diag([1, 1, 0]).ravel()
    )


def test_controls_need_initial_data(tmp_path):
    text = xml().replace('initialize="true"', "")
    results = run(tmp_path, text, {"Macro": macro, "Micro": batch}, fails=True)
    told = (
        "precice-config.xml: the micro simulations of Micro start from Strain on Macro-Mesh: "
        'its <exchange data="Strain" from="Macro" ... /> needs initialize="true"'
    )
    assert results["Micro"].text.strip().endswith(told)


def test_ranks_without_a_row_are_refused(tmp_path):
    mains = {"Macro": (macro, {"what": "one"}), "Micro": batch}
    results = run(tmp_path, xml(), mains, ranks={"Micro": 2}, fails=True)
    assert results["Micro"].status != 0
    events = ProgressReader(tmp_path / "Micro/progress.jsonl").poll()
    told = "Micro runs on 2 ranks, but Macro-Mesh has only 1 points"
    assert any(event.message.endswith(told) for event in events)


def test_observables_have_to_be_given(tmp_path):
    text = xml().replace(
        '<data:scalar name="Stress" waveform-degree="1" />', '<data:scalar name="Stress" /><data:scalar name="Heat" />'
    )
    text = text.replace('<use-data name="Stress" />', '<use-data name="Stress" /><use-data name="Heat" />')
    write = '<write-data name="Stress" mesh="Macro-Mesh" />'
    text = text.replace(write, write + write.replace("Stress", "Heat"))
    read = '<read-data name="Stress" mesh="Macro-Mesh" />'
    text = text.replace(read, read + read.replace("Stress", "Heat"))
    exchange = '<exchange data="Stress" mesh="Macro-Mesh" from="Micro" to="Macro" />'
    text = text.replace(exchange, exchange + exchange.replace("Stress", "Heat"))
    results = run(tmp_path, text, {"Macro": macro, "Micro": (batch, {"what": "forgetful"})}, fails=True)
    assert results["Micro"].text.strip().endswith("Relaxation.solve gave no Heat, which it declares")


@participant(Settings, reads={}, writes={})
def meshless(case):
    with Coupling(case) as coupling:
        ensemble._mesh(coupling, Relaxation())


def test_there_has_to_be_one_received_mesh(tmp_path):
    (result,) = run(tmp_path, xml(), {"Macro": meshless}, fails=True).values()
    told = 'it needs exactly one <receive-mesh ... api-access="true" />; found none'
    assert result.text.strip().endswith(told)


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (checks.at_most("a", 3.0, 1.0, source=""), 2.0),
        (checks.absolute("a", 3.0, 1.0, 0.5, source=""), 1.5),
        (checks.relative("a", 3.0, 2.0, 0.1, source=""), 0.8),
        (checks.between("a", 3.0, 1.0, 2.5, source=""), 0.5),
        (checks.between("a", 0.0, 1.0, 2.5, source=""), 1.0),
        (checks.at_most("a", np.nan, 1.0, source=""), np.inf),
    ],
)
def test_excess_says_how_far_a_check_is_beyond_its_tolerance(check, expected):
    assert ensemble.excess(check) == pytest.approx(expected)
    assert not check.passed


def test_states_are_taken_apart_and_joined_by_rows():
    state = {"a": np.arange(3), "b": {"c": np.arange(6).reshape(3, 2)}}
    assert micro.rows(state) == 3
    assert [path for path, _ in micro.arrays(state)] == ["a", "b/c"]
    parts = [micro.take(state, slice(0, 1)), micro.take(state, np.array([1, 2]))]
    joined = micro.concatenate(parts)
    np.testing.assert_array_equal(joined["a"], state["a"])
    np.testing.assert_array_equal(joined["b"]["c"], state["b"]["c"])
    with pytest.raises(ValueError, match="the same number of rows, but a has 3, b has 2"):
        micro.rows({"a": np.zeros(3), "b": np.zeros(2)})
    with pytest.raises(ValueError, match=r"states of different kinds cannot be joined: \['a', 'b'\] and \['a'\]"):
        micro.concatenate([state, {"a": np.arange(3)}])
    with pytest.raises(ValueError, match="one has an array where another has a group"):
        micro.concatenate([state, {"a": np.arange(3), "b": np.arange(3)}])


def test_settings_may_choose_the_snapshots():
    @dataclass(frozen=True)
    class Chosen:
        snapshots: int = 3

    assert Choice.of(Chosen()) == Choice(times=3)
    assert Choice.of(Settings()) == Choice()
