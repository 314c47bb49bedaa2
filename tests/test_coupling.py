"""The time loop, against scripted partners, on the engine under test."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from coupled import Nothing, participant, run

from adapters.case import Case
from adapters.coupling import Coupling
from adapters.keeping import keeper
from adapters.record import Series
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.handout import Handout
from scalebridge.progress import ProgressReader, ProgressWriter
from scalebridge.settings import setting

POINTS = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 1.0]])
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > info" enabled="true" /></log>
  <profiling mode="off" />
  <data:scalar name="Strain" waveform-degree="DEGREE" />
  <data:scalar name="Stress" waveform-degree="DEGREE" />
  <mesh name="Macro-Mesh" dimensions="2"><use-data name="Strain" /><use-data name="Stress" /></mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    <write-data name="Strain" mesh="Macro-Mesh" />
    <read-data name="Stress" mesh="Macro-Mesh" />
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    <read-data name="Strain" mesh="Macro-Mesh" />
    <write-data name="Stress" mesh="Macro-Mesh" />
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:KIND>
    <participants first="FIRST" second="SECOND" />
    <max-time-windows value="4" />
    <time-window-size value="0.25" />
    <exchange data="Strain" mesh="Macro-Mesh" from="Macro" to="Micro" initialize="true" />
    <exchange data="Stress" mesh="Macro-Mesh" from="Micro" to="Macro" />
    IMPLICIT
  </coupling-scheme:KIND>
</precice-configuration>
"""
IMPLICIT = """<relative-convergence-measure limit="1e-10" data="Strain" mesh="Macro-Mesh" />
    <relative-convergence-measure limit="1e-10" data="Stress" mesh="Macro-Mesh" />
    <min-iterations value="2" />
    <max-iterations value="60" />"""


def xml(kind="serial-implicit", first="Micro", degree=1):
    second = {"Macro": "Micro", "Micro": "Macro"}[first]
    implicit = IMPLICIT if "implicit" in kind else ""
    names = {"DEGREE": str(degree), "KIND": kind, "FIRST": first, "SECOND": second, "IMPLICIT": implicit}
    text = XML
    for name, value in names.items():
        text = text.replace(name, value)
    return text


@dataclass(frozen=True)
class Settings:
    substeps: int = setting(1)
    spoil: float = setting(0.0, "time after which NaN is written, if above 0")


@participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u) by backward Euler, u(0) = 1 + x, changed in place."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS)
        u = 1.0 + POINTS[:, 0]
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        steps = []
        for step in coupling.steps(keep=(u,)):
            numbers = (step.t, step.dt, step.window, step.iteration, step.substep, step.first)
            steps.append((*numbers, stress.old[0], u[0]))
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(strain=u[0], iterations=step.iteration)
        coupling.check(checks.at_most("strain", u.max(), 10.0, source="it decays"))
        names = [(name, "f8") for name in ("t", "dt", "window", "iteration", "substep", "first", "old", "u")]
        np.save("steps.npy", np.array(steps, dtype=names))
        np.save("u.npy", u)


@participant(Settings, reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def micro(case):
    """dm/dt = strain - m by backward Euler, stress = m / 2 + strain / 4, as a functional state."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        strain = mesh.read("Strain")
        stress = mesh.write("Stress", lambda: 0.5 * m + 0.25 * strain.values)
        coupling.start()
        m = strain.old
        seen = [mesh.points]
        for step in coupling.steps(m):
            used = strain.values
            m = step.state = (step.state + step.dt * strain.values) / (1.0 + step.dt)
            if 0.0 < case.settings.spoil < step.end:
                m = np.where(mesh.points[:, 0] == 1.0, np.nan, m)
        np.save("m.npy", m)
        np.save("points.npy", seen[0])
        np.testing.assert_array_equal(stress.values, 0.5 * m + 0.25 * used)


def monolithic(substeps, windows=4, dt=0.25):
    """The converged solution: both equations solved together, in every window for all its steps."""
    u = m = 1.0 + POINTS[:, 0]
    h = dt / substeps
    for window in range(windows):
        stress = np.zeros((substeps, len(u)))
        for _ in range(200):  # a contraction
            us, ms, u_end, m_end = [], [], u, m
            for step in range(substeps):
                # inside the first window only the stress at its end is known, as it has no initial value
                u_end = (u_end - h * stress[step if window else -1]) / (1.0 + h)
                m_end = (m_end + h * u_end) / (1.0 + h)
                us.append(u_end)
                ms.append(m_end)
            stress = 0.5 * np.array(ms) + 0.25 * np.array(us)
        u, m = u_end, m_end
    return u, m


@pytest.mark.parametrize(
    ("kind", "first", "substeps"),
    [("serial-implicit", "Macro", 1), ("serial-implicit", "Micro", 2), ("parallel-implicit", "Macro", 1)],
)
def test_implicit_iterations_end_at_the_monolithic_solution(tmp_path, kind, first, substeps):
    settings = {"substeps": substeps}
    run(tmp_path, xml(kind, first), {"Macro": (macro, settings), "Micro": (micro, settings)})
    u, m = monolithic(substeps)
    np.testing.assert_allclose(np.load(tmp_path / "Macro/u.npy"), u, rtol=1e-8)
    np.testing.assert_allclose(np.load(tmp_path / "Micro/m.npy"), m, rtol=1e-8)
    np.testing.assert_array_equal(np.load(tmp_path / "Micro/points.npy"), POINTS)
    steps = np.load(tmp_path / "Macro/steps.npy", allow_pickle=False)
    _check_steps(steps, substeps)
    _check_records(tmp_path / "Macro", steps, u)


def _check_steps(steps, substeps):
    """Every window is begun where the last one ended, and `old` is the value then in each of its iterations."""
    begun = steps[steps["substep"] == 0]
    assert set(begun["window"]) == {1, 2, 3, 4}
    np.testing.assert_allclose(begun["t"], 0.25 * (begun["window"] - 1))
    np.testing.assert_allclose(steps["dt"], 0.25 / substeps)
    assert set(steps["substep"]) == set(range(substeps))
    for window in (1, 2, 3, 4):
        there = begun[begun["window"] == window]
        first = [True] + [False] * (len(there) - 1)
        assert there["first"].tolist() == first
        later = steps[(steps["window"] == window) & (steps["substep"] > 0)]
        assert later["first"].tolist() == np.repeat(first, substeps - 1).tolist()
        np.testing.assert_array_equal(there["old"], there["old"][0])
        np.testing.assert_array_equal(there["u"], there["u"][0])
    # the stress at the start is m/2 + strain/4 = 3/4 at x = 0: known, although it cannot be sent before the first step
    assert begun["old"][0] == 0.75


def _check_records(folder, steps, u):
    with (folder / "series.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time"]) for row in rows] == [0.25, 0.5, 0.75, 1.0]
    assert float(rows[-1]["strain"]) == pytest.approx(u[0])
    assert [int(row["iterations"]) for row in rows] == [
        steps["iteration"][steps["window"] == window].max() for window in (1, 2, 3, 4)
    ]
    (found,) = checks.load(folder / "checks.json")
    assert found.value == pytest.approx(u[-1])
    events = ProgressReader(folder / "progress.jsonl").poll()
    assert [(e.event, e.window) for e in events[:3]] == [("wait", 0), ("start", 1), ("wait", 1)]
    assert (events[-1].event, events[-1].time, events[-1].window) == ("end", 1.0, 4)
    assert {(e.windows, e.end) for e in events} == {(4, 1.0)}
    last = events[-1]
    assert min(last.solving, last.waiting, last.exchanging) > 0
    assert last.solving + last.waiting + last.exchanging < last.wall


@pytest.mark.parametrize(("kind", "first"), [("serial-explicit", "Macro"), ("parallel-explicit", "Macro")])
def test_explicit_steps_use_what_there_is(tmp_path, kind, first):
    """Recomputed here step by step: of its partner each one has what it sent at the end of the last window."""
    run(tmp_path, xml(kind, first), {"Macro": macro, "Micro": micro})
    u = m = 1.0 + POINTS[:, 0]
    stress = 0.0 * u  # cannot be initialised on a mesh that its writer receives
    for _ in range(4):
        u, known = (u - 0.25 * stress) / 1.25, u
        strain = u if kind == "serial-explicit" else known
        m = (m + 0.25 * strain) / 1.25
        stress = 0.5 * m + 0.25 * strain
    np.testing.assert_allclose(np.load(tmp_path / "Macro/u.npy"), u, rtol=1e-12)
    np.testing.assert_allclose(np.load(tmp_path / "Micro/m.npy"), m, rtol=1e-12)


@participant(reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def sine(case):
    """Writes sin(3 t), in windows of 2, 4, 8 and 16 steps."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS[:1])
        mesh.read("Stress")
        end = 0.0
        mesh.write("Strain", lambda: np.array([np.sin(3.0 * end)]))
        for step in coupling.steps():
            if step.substep == 0:
                coupling.max_dt = 0.25 / 2**step.window
                end = step.t + coupling.max_dt
            end = step.end


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def listener(case):
    """Reads at 50 times in every window."""
    with Coupling(case) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        strain = mesh.read("Strain")
        mesh.write("Stress", lambda: np.zeros(1))
        errors = []
        for step in coupling.steps():
            times = np.linspace(step.t, step.end, 50)
            errors.append(max(abs(strain.at(t)[0] - np.sin(3.0 * t)) for t in times))
            assert strain.at(step.end) == strain.values
            assert np.asarray(strain) == strain.values
        np.save("errors.npy", errors)


@pytest.mark.parametrize(("degree", "order"), [(1, 2.0), (3, 4.0)])
def test_reading_inside_a_step_has_the_order_of_the_waveform(tmp_path, degree, order):
    text = xml("serial-explicit", "Macro", degree)
    text = text.replace('initialize="true"', 'initialize="true" substeps="true"')
    text = text.replace('from="Micro" to="Macro"', 'from="Micro" to="Macro" substeps="true"')
    run(tmp_path, text, {"Macro": sine, "Micro": listener})
    errors = np.load(tmp_path / "Micro/errors.npy")
    observed = np.log2(errors[:-1] / errors[1:])
    assert observed[-1] == pytest.approx(order, abs=0.5)


WIRE = """<scaling precice-config="precice-config.xml">
  <downscale data="Strain" unit="percent" to="strain" map="uniform" />
  <upscale data="Stress" unit="kPa" from="stress" map="volume-average" />
</scaling>"""


@participant(reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def pascals(case):
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS[:, :1])
        stress = mesh.read("Stress")
        sent = mesh.write("Strain", np.array([0.01, 0.02, 0.03]))
        for _ in coupling.steps():
            pass
        np.testing.assert_allclose(stress.values, [1000.0, 2000.0, 3000.0])
        np.testing.assert_allclose(sent.values, [0.01, 0.02, 0.03])
        assert (mesh.points == np.stack([POINTS[:, 0], 0 * POINTS[:, 0]], -1)).all()  # filled up with zeros


@participant(reads={"Strain": Field("percent")}, writes={"Stress": Field("kPa")})
def kilopascals(case):
    with Coupling(case) as coupling:
        mesh = coupling.receive("Macro-Mesh", region=[(-1.0, 3.0), (-1.0, 1.0)])
        strain = mesh.read("Strain")
        mesh.write("Stress", lambda: strain.values)
        for _ in coupling.steps():
            np.testing.assert_allclose(strain.values, [1.0, 2.0, 3.0])


def test_units_are_those_of_the_participant_on_one_side_and_of_the_wire_on_the_other(tmp_path):
    mains = {"Macro": pascals, "Micro": kilopascals}
    run(tmp_path, xml("serial-explicit", "Micro", 0), mains, scaling=WIRE)


def test_a_value_that_is_not_finite_is_named_with_its_place_by_its_writer(tmp_path):
    mains = {"Macro": macro, "Micro": (micro, {"spoil": 0.5})}
    results = run(tmp_path, xml(), mains, fails=True)
    message = "NaN in Stress at point 1 (1, 0.5) of Macro-Mesh, time 0.75 s, written by Micro"
    assert results["Micro"].status == 1
    assert results["Micro"].text.strip().endswith(message)
    (error,) = [e for e in ProgressReader(tmp_path / "Micro/progress.jsonl").poll() if e.event == "error"]
    assert error.message == message


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def unguarded(case):
    """A partner that is not ours: it writes NaN and infinity without looking."""
    import precice

    p = precice.Participant("Micro", str(case.config), 0, 1)
    p.set_mesh_access_region("Macro-Mesh", [-9.0, 9.0] * 2)
    p.initialize()
    ids, _ = p.get_mesh_vertex_ids_and_coordinates("Macro-Mesh")
    p.write_data("Macro-Mesh", "Stress", ids, [0.0, np.inf, np.nan])
    p.advance(p.get_max_time_step_size())


def test_a_value_that_is_not_finite_is_named_with_its_place_by_its_reader(tmp_path):
    results = run(tmp_path, xml("serial-explicit", "Micro", 0), {"Macro": macro, "Micro": unguarded}, fails=True)
    message = "infinite value in Stress at point 1 (1, 0.5) and 1 more of Macro-Mesh, time 0.25 s, written by Micro"
    assert results["Macro"].status == 1
    assert results["Macro"].text.strip().endswith(message)


@participant(reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def mistaken(case):
    """All mistakes that are found before there is a partner, one after the other."""
    with Coupling(case) as coupling:
        message = r"Macro-Mesh has 2 dimensions in precice-config.xml: expected points of shape \(n, 2\) or with fewer "
        with pytest.raises(RuntimeError, match=message + r"columns, got \(4, 3\)"):
            coupling.provide("Macro-Mesh", np.zeros((4, 3)))
        mesh = coupling.provide("Macro-Mesh", POINTS)
        message = (
            r"says that Macro writes data that it has no values for \(line 10: Strain on Macro-Mesh\): zeros would"
        )
        with pytest.raises(RuntimeError, match=message):
            coupling.start()
        strain = mesh.write("Strain", np.zeros((2, 2)))
        message = r"Macro gave Strain on Macro-Mesh as an array of shape \(2, 2\); expected \(3,\): one value of shape"
        with pytest.raises(RuntimeError, match=message):
            strain.send(0.0)
        coupling.max_dt = -1.0
        with pytest.raises(RuntimeError, match="Macro: max_dt is -1 s; expected more than 0"):
            coupling._length(1.0)
        coupling.max_dt = np.inf
        with pytest.raises(
            RuntimeError, match="leaves the length of the time windows to Macro, and the end of the run"
        ):
            coupling._length(1.7e308)
        print("all were found")
        raise KeyError("the end")


def test_mistakes_before_the_start_are_told(tmp_path):
    (result,) = run(tmp_path, xml(), {"Macro": mistaken}, fails=True).values()
    assert "all were found" in result.text
    assert result.status == 1
    assert result.text.strip().endswith("KeyError: 'the end'")  # with its traceback


def test_an_implicit_scheme_that_may_converge_in_its_first_iteration_is_refused(tmp_path):
    """The first iteration only carries the values at the start."""
    text = xml().replace('relative-convergence-measure limit="1e-10"', 'absolute-convergence-measure limit="1e10"')
    text = text.replace('<min-iterations value="2" />', "")
    results = run(tmp_path, text, {"Macro": macro, "Micro": micro}, fails=True)
    told = 'must not be its last: add <min-iterations value="2" /> to the coupling scheme'
    assert any(told in result.text for result in results.values())


def test_a_missing_engine_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "precice", None)
    handout = Handout("test", "Macro", "", str(tmp_path / "c.xml"), str(tmp_path), str(tmp_path), "")
    (tmp_path / "c.xml").write_text(xml())
    told = "there is no module named 'precice': start this through 'scalebridge run'"
    with ProgressWriter(tmp_path / "progress.jsonl") as progress, pytest.raises(RuntimeError, match=told):
        Coupling(Case(handout, Nothing(), {}, {}, progress))


def test_series_needs_its_columns_from_the_first_window_on(tmp_path):
    series = Series(tmp_path / "series.csv")
    series.complete(1.0)  # nothing was recorded: no file yet
    series.pending = {"a": 1.0, "b": 2.0}
    series.complete(2.0)
    series.pending = {"b": 3.0}
    series.complete(3.0)
    series.pending = {"c": 4.0}
    with pytest.raises(RuntimeError, match=r"has the columns time, a, b; c must be recorded from the first window on"):
        series.complete(4.0)
    series.close()
    assert (tmp_path / "series.csv").read_text().split() == ["time,a,b", "2.0,1.0,2.0", "3.0,,3.0"]


def test_kept_things_are_arrays_functions_and_objects_that_save_and_restore():
    values = np.arange(3.0)
    kept = keeper(values)
    saved = kept.save()
    values += 1.0
    kept.restore(saved)
    np.testing.assert_array_equal(values, [0.0, 1.0, 2.0])
    assert keeper(kept) is kept
    with pytest.raises(
        TypeError, match="cannot keep a str: expected an array, a DOLFINx function, a random generator,"
    ):
        keeper("text")
