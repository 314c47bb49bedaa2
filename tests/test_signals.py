"""Signals: what happens inside a time window is exchanged, on one rank and on two, and only where that makes sense."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from coupled import participant, run
from test_coupling import xml

from adapters import ensemble
from adapters.coupling import Coupling
from adapters.signals import samples_of, vertices
from adapters.snapshots import Choice
from adapters.spikes import Spikes
from adapters.wiring import CouplingError
from scalebridge.fields import Field
from scalebridge.settings import setting

PLACES = np.array([[3.0], [7.0], [8.0]])
WINDOW, SAMPLES = 0.25, 5


def wave(place, time):
    return place * np.sin(3.0 * time)


def times(window):
    """Return the sampled times [s] of a window, which count from 1."""
    return WINDOW * (window - 1 + np.arange(1, SAMPLES + 1) / SAMPLES)


@dataclass(frozen=True)
class Settings:
    what: str = setting("")


@participant(Settings, reads={"Stress": Field("Hz", per="window")}, writes={"Strain": Field("Hz", per="window")})
def sender(case):
    """Sends in every window the signal of the next one, and gets back the running integral of what it sent."""
    with Coupling(case) as coupling:
        mesh = coupling.provide_signals("Macro-Mesh", PLACES, SAMPLES)
        sent, seen = np.zeros((3, SAMPLES)), []
        got = mesh.read("Stress")
        mesh.write("Strain", sent)
        ahead = 1 if coupling.wiring.explicit else 0
        sent[:] = wave(PLACES, times(1))
        for step in coupling.steps(keep=(sent,)):
            seen.append((step.window, step.iteration, got.values.copy()))
            sent[:] = wave(PLACES, times(step.window + ahead))
        np.savez("end.npz", **{f"{window}": values for window, _, values in seen})


class Sum:
    """Keeps the sum of all that came, in every sample; its rows must not change their places."""

    controls = {"Strain": Field("Hz", per="window")}  # noqa: RUF012
    observables = {"Stress": Field("Hz", per="window")}  # noqa: RUF012

    def start(self, points, controls):
        assert points.shape[1] == 2
        return {"sum": np.zeros(len(points)), "place": points[:, 0]}

    def solve(self, state, controls, dt):
        came = controls["Strain"] if dt else np.zeros_like(controls["Strain"])
        sums = state["sum"][:, None] + came.cumsum(axis=1) * state["place"][:, None]
        return {**state, "sum": sums[:, -1]}, {"Stress": sums}


class Forward(Sum):
    """The same, but it can only go on."""

    repeatable = False


class Mixed(Sum):
    observables = {"Stress": Field("Hz")}  # noqa: RUF012


class Bursting(Sum):
    observables = {"Stress": Field("1", per="spikes")}  # noqa: RUF012


@participant(Settings, reads={}, writes={})
def receiver(case):
    model = {"": Sum, "forward": Forward, "mixed": Mixed, "bursting": Bursting}[case.settings.what]()
    ensemble.run(case, model, Choice(times=1, volumes=1))


def expected(windows):
    """Return what the receiver has sent at the end of each of the windows."""
    found, total = [], np.zeros((3, 1))
    for window in range(1, windows + 1):
        sums = total + PLACES * wave(PLACES, times(window)).cumsum(axis=1)
        found.append(sums)
        total = sums[:, -1:]
    return found


@pytest.mark.parametrize("ranks", [1, 2])
def test_signals_arrive_whole_one_window_later(tmp_path, ranks):
    run(tmp_path, xml("parallel-explicit"), {"Macro": sender, "Micro": receiver}, ranks={"Micro": ranks})
    with np.load(tmp_path / "Macro" / "end.npz") as end:
        assert not end["1"].any()
        for window, sums in zip((2, 3, 4), expected(3), strict=True):
            np.testing.assert_allclose(end[str(window)], sums, rtol=1e-13)


def test_signals_of_the_same_window_where_it_is_iterated(tmp_path):
    run(tmp_path, xml("serial-implicit", first="Macro"), {"Macro": sender, "Micro": receiver})
    with np.load(tmp_path / "Macro" / "end.npz") as end:
        for window, sums in zip((1, 2, 3, 4), expected(4), strict=True):
            np.testing.assert_allclose(end[str(window)], sums, rtol=1e-13)


def test_a_simulator_that_cannot_go_back(tmp_path):
    run(tmp_path, xml("parallel-explicit"), {"Macro": sender, "Micro": (receiver, {"what": "forward"})})
    again = tmp_path / "again"
    again.mkdir()
    implicit = xml("serial-implicit", first="Macro")
    results = run(again, implicit, {"Macro": sender, "Micro": (receiver, {"what": "forward"})}, fails=True)
    assert "Micro runs Forward, whose simulator cannot go back to the start of a window" in results["Micro"].text


def test_a_simulator_that_cannot_be_solved_again(tmp_path):
    results = run(
        tmp_path,
        xml("parallel-explicit"),
        {"Macro": sender, "Micro": (receiver, {"what": "forward"})},
        on_failure={"Micro": [{"neighbours": {"count": 1}}]},
        fails=True,
    )
    assert "whose simulator cannot solve anything again: remove its on-failure" in results["Micro"].text


def test_retry_is_refused_for_signals(tmp_path):
    policy = {"Micro": [{"retry": {"halvings": 1}}]}
    mains = {"Macro": sender, "Micro": receiver}
    results = run(tmp_path, xml("parallel-explicit"), mains, on_failure=policy, fails=True)
    assert "retry solves a window in smaller steps, but Strain is a signal over it" in results["Micro"].text


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("mixed", "Micro: Strain is a signal over the time window and Stress is not, but both are on one mesh"),
        ("bursting", "Micro: spikes travel as rates only: map Stress in a scaling file"),
    ],
)
def test_fields_that_cannot_travel(tmp_path, what, message):
    mains = {"Macro": sender, "Micro": (receiver, {"what": what})}
    assert message in run(tmp_path, xml("parallel-explicit"), mains, fails=True)["Micro"].text


@participant(Settings, reads={"Stress": Field("Hz", per="window")}, writes={"Strain": Field("Hz", per="window")})
def wrong(case):
    with Coupling(case, max_dt=0.1 if case.settings.what == "steps" else math.inf) as coupling:
        mesh = coupling.provide_signals("Macro-Mesh", PLACES, SAMPLES)
        mesh.write("Strain", np.zeros((3, SAMPLES + 1)))
        coupling.start()


@pytest.mark.parametrize(
    ("what", "xml", "message"),
    [
        (
            "steps",
            xml("parallel-explicit"),
            "a whole window of 0.25 s, which cannot be divided into steps of at most 0.1 s",
        ),
        (
            "windows",
            xml("parallel-explicit").replace('<max-time-windows value="4" />', '<max-time value="0.9" />'),
            "the signals on Macro-Mesh need windows of one length, but 0.9 s are 3.6 windows",
        ),
        (
            "open",
            xml("serial-explicit", first="Macro").replace(
                '<time-window-size value="0.25" />', '<time-window-size method="first-participant" />'
            ),
            "need windows of one length, but the first participant sets it",
        ),
        (
            "shape",
            xml("parallel-explicit"),
            "as an array of shape (3, 6); expected (3, 5): one value of shape () for each point and each of 5 samples",
        ),
    ],
)
def test_signals_that_cannot_be_sampled(tmp_path, what, xml, message):
    results = run(tmp_path, xml, {"Macro": (wrong, {"what": what}), "Micro": receiver}, fails=True)
    assert message in results["Macro"].text


def test_vertices_and_back():
    found = vertices(PLACES, 4, 2e-3, 3)
    assert found.shape == (12, 3)
    np.testing.assert_allclose(found[4:8], [[7, 0, 5e-4], [7, 0, 1e-3], [7, 0, 1.5e-3], [7, 0, 2e-3]])
    assert samples_of(found, "Mesh", 2e-3) == 4
    assert samples_of(found[:0], "Mesh") == 1
    assert samples_of(vertices(PLACES[:1], 1, 1.0, 2), "Mesh") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:-1], "11 vertices are not 4 for each place"),
        (lambda v: v[::-1].copy(), "not the ends of equal parts of a window"),
        (lambda v: v * [1, 1, 2], "it has the samples of windows of 0.004 s, but windows last 0.002 s"),
    ],
)
def test_vertices_that_are_no_signals(change, message):
    with pytest.raises(CouplingError, match=message):
        samples_of(change(vertices(PLACES, 4, 2e-3, 3)), "Mesh", 2e-3)


def test_places_in_too_many_dimensions():
    with pytest.raises(CouplingError, match=r"expected shape \(n, d\) with d < 2"):
        vertices(np.zeros((3, 2)), 4, 1.0, 2)
    with pytest.raises(CouplingError, match="signals of 0 samples in a window; expected at least 1"):
        vertices(PLACES, 0, 1.0, 2)


def test_spikes_are_ordered_and_counted():
    spikes = Spikes.of([1, 0, 1, 1], [5, 2, 0, 1], [2e-3, 1e-3, 0.1e-3, 0.7e-3], rows=3, neurons=6, duration=2e-3)
    assert spikes.neuron.tolist() == [2, 0, 1, 5]
    divided = spikes.divided(4)
    assert divided.counts().tolist() == [[0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]]
    assert divided.part().tolist() == [1, 0, 1, 3]  # at 1 ms: the end of part 1
    assert Spikes.none(2, 6, 0.0).divided(4).counts().tolist() == [[0] * 4] * 2


def test_spikes_at_the_ends_of_steps_belong_to_the_part_that_ends_there():
    """Steps of 0.1 ms in parts of 1 ms: ten in each, whatever the round-off of 0.1 ms times a number."""
    steps = np.arange(1, 2001) * 1e-4
    spikes = Spikes.of(np.zeros(2000), np.zeros(2000), steps, rows=1, neurons=1, duration=0.2).divided(200)
    assert (spikes.counts() == 10).all()


@pytest.mark.parametrize(
    ("row", "neuron", "time", "message"),
    [
        (2, 0, 0.1, "neurons that are not there: expected 2 populations of 3"),
        (0, 3, 0.1, "neurons that are not there"),
        (0, 0, 1.5, "spikes from 1.5 s to 1.5 s in a window of 1 s"),
        (0, 0, 0.0, "spikes from 0 s to 0 s in a window of 1 s"),
    ],
)
def test_spikes_that_cannot_be(row, neuron, time, message):
    with pytest.raises(ValueError, match=message):
        Spikes.of([row], [neuron], [time], rows=2, neurons=3, duration=1.0)
