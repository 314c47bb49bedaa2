"""Who computed and who waited for whom: shares of equal intervals, against what was put in."""

import re

import numpy as np
import pytest

from scalebridge.report import timeline
from scalebridge.report.source import Member, Worked
from scalebridge.report.timeline import Lane


def member(name, moments, begun=0.0, ended=None, **seconds):
    worked = Worked(np.array(moments, dtype=float), {k: np.array(v, dtype=float) for k, v in seconds.items()})
    return Member(name, None, {}, begun=begun, ended=ended, worked=worked)


def turns():
    """A computes in the first half of each of ten seconds while B waits, and the other way round."""
    half = np.arange(0.0, 10.5, 0.5)
    first = np.minimum(0.5 * np.ceil(half), 5.0)
    second = half - first
    a = member("A", half, 0.0, 10.0, solving=first, waiting=second, exchanging=0 * half)
    b = member("B", half, 0.0, 10.0, solving=second, waiting=first, exchanging=0 * half)
    return [a, b]


def test_turns_are_seen_as_such():
    a, b = timeline.lanes(turns(), 0.0, 10.0, bins=20)
    np.testing.assert_allclose(a.shares["solving"], [1.0, 0.0] * 10, atol=1e-12)
    np.testing.assert_allclose(b.shares["solving"], [0.0, 1.0] * 10, atol=1e-12)
    np.testing.assert_allclose(a.shares["waiting"] + a.shares["solving"], 1.0)
    np.testing.assert_allclose(a.shares["other"], 0.0, atol=1e-12)


@pytest.mark.parametrize("bins", [20, 7, 450])
def test_everybody_waited_for_half_of_the_time(bins):
    found = timeline.lanes(turns(), 0.0, 10.0, bins)
    waited = timeline.waits(found, {"A": ("B",), "B": ("A",)}, 10.0 / bins)
    assert waited == {"A": {"B": pytest.approx(5.0)}, "B": {"A": pytest.approx(5.0)}}


def test_who_was_busy_is_waited_for():
    """A waits all the time; B is busy in the first 3 of 4 seconds, C in the last one."""
    shares = {
        "A": {"waiting": np.ones(4)},
        "B": {"solving": np.array([1.0, 1.0, 1.0, 0.0]), "waiting": np.array([0.0, 0.0, 0.0, 1.0])},
        "C": {"processor": np.array([0.0, 0.0, 0.0, 1.0]), "idle": np.array([1.0, 1.0, 1.0, 0.0])},
    }
    lanes = [Lane(n, s) for n, s in shares.items()]
    waited = timeline.waits(lanes, {"A": ("B", "C"), "B": ("C",), "C": ()}, 1.0)
    assert waited == {"A": {"B": 3.0, "C": 1.0}, "B": {"C": 1.0}}


def test_where_nobody_was_busy_all_are_waited_for_alike():
    lanes = [Lane(n, {"waiting": np.ones(2)}) for n in "ABC"]
    assert timeline.waits(lanes, {"A": ("B", "C", "Gone")}, 1.0) == {"A": {"B": 1.0, "C": 1.0}}


def test_a_participant_that_came_late_and_left_early():
    (lane,) = timeline.lanes([Member("A", None, {}, begun=2.0, ended=5.0)], 0.0, 10.0, bins=10)
    assert lane.shares["other"].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
    reported = member("A", [2.0, 3.0, 4.0], 2.0, 5.0, solving=[0, 1, 1], waiting=[0, 0, 1], exchanging=[0, 0, 0])
    (lane,) = timeline.lanes([reported], 0.0, 10.0, bins=10)
    assert lane.shares["solving"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert lane.shares["waiting"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert lane.shares["other"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]


def test_more_than_one_processor_fills_the_lane():
    (lane,) = timeline.lanes([member("A", [0.0, 10.0], 0.0, 10.0, processor=[0.0, 40.0])], 0.0, 10.0, bins=5)
    assert lane.shares["processor"].tolist() == [1.0] * 5
    assert lane.shares["idle"].tolist() == [0.0] * 5


def test_the_drawing_marks_who_failed():
    found = timeline.lanes(turns(), 0.0, 10.0)
    html = timeline.draw("The run", found, 0.0, 10.0, failed="B")
    assert "✗ B" in html
    assert "✗ A" not in html
    assert len(re.findall('class="kind solving"', html)) == 2


def test_a_close_look_only_where_it_shows_more():
    assert timeline.closeup(turns(), 10.0) is None
    moments = np.linspace(0.0, 100.0, 5000)
    long = member("A", moments, solving=moments, waiting=0 * moments, exchanging=0 * moments)
    begin, end = timeline.closeup([long], 100.0)
    assert 40.0 < begin < 50.0 < end < 60.0
