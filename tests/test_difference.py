"""How two runs differ: norms that are known by hand, what belongs together, and what does not."""

import math

import finished
import numpy as np
import pytest

from scalebridge.compare import difference
from scalebridge.compare.results import Results

POINTS = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.5]]


def compare(a, b, **options):
    return difference.between(Results(a), Results(b), **options)


def pair(tmp_path, left, right):
    return finished.run(tmp_path / "a", **left), finished.run(tmp_path / "b", **right)


def test_norms_of_a_series(tmp_path):
    times = [1.0, 2.0, 3.0]
    was = {"time": times, "x": [3.0, 4.0, 0.0], "same": [1.0, math.nan, -0.5]}
    result = compare(*pair(tmp_path, {"series": was}, {"series": {**was, "x": [3.0, 4.3, -0.4]}}))
    x, same = result.found
    assert (x.name, x.count, x.identical) == ("Left: x", 3, False)
    assert x.l2 == pytest.approx(0.5 / 5.0)  # sqrt(0.3^2 + 0.4^2) / sqrt(3^2 + 4^2)
    assert x.largest == pytest.approx(0.4)
    assert x.relative == pytest.approx(0.4 / 4.0)
    assert x.where == "time 3"
    assert (same.name, same.identical, same.largest) == ("Left: same", True, 0.0)
    assert result.notes == result.problems == []


def test_norms_of_a_field_over_space_and_time(tmp_path):
    shots = [{"time": t, "points": POINTS, "T": np.array([0.0, 3.0, 4.0]) * t} for t in (1.0, 2.0)]
    moved = [shots[0], {**shots[1], "T": shots[1]["T"] + [0.0, 0.0, 1.0]}]
    names = ("000000", "000010")
    result = compare(
        *pair(
            tmp_path,
            {"snapshots": dict(zip(names, shots, strict=True))},
            {"snapshots": dict(zip(names, moved, strict=True))},
        )
    )
    (T,) = result.found
    assert (T.name, T.count) == ("Left/snapshots.npz: T", 6)
    assert T.l2 == pytest.approx(1.0 / math.sqrt(5**2 + 10**2))
    assert (T.largest, T.relative) == (1.0, 1.0 / 8.0)
    assert T.where == "time 2, row 2 at (2, 0.5)"


def test_only_common_times_are_compared_whatever_their_number(tmp_path):
    coarse = {"time": [1.0, 2.0], "x": [1.0, 2.0]}
    fine = {"time": [0.5, 1.0 + 1e-12, 1.5, 2.0], "x": [0.5, 1.0, 1.5, 2.5]}
    shots = {"000001": {"time": 1.0, "x": [1.0]}}, {"000002": {"time": 1.0, "x": [4.0]}}
    left, right = ({"series": s, "snapshots": n} for s, n in zip((coarse, fine), shots, strict=True))
    result = compare(*pair(tmp_path, left, right))
    time, x, shot = result.found
    assert (time.name, time.largest) == ("Left: time", pytest.approx(1e-12, rel=1e-3))
    assert (x.count, x.largest, x.where) == (2, 0.5, "time 2")
    assert (shot.name, shot.largest) == ("Left/snapshots.npz: x", 3.0)
    assert result.notes == ["Left: compared at the 2 common times (2 in a, 4 in b)"]


def test_a_number_in_one_run_alone_is_an_infinite_difference(tmp_path):
    was = {"time": [1.0, 2.0], "x": [1.0, math.nan]}
    (x,) = compare(*pair(tmp_path, {"series": was}, {"series": {**was, "x": [1.0, 5.0]}})).found
    assert (x.largest, x.relative, x.where) == (math.inf, math.inf, "time 2")
    assert x.to_json()["l2"] == "inf"


def test_equal_numbers_need_not_be_equal_bit_by_bit(tmp_path):
    was = {"000000": {"time": 0.0, "x": [0.0, 1.0]}}
    (x,) = compare(
        *pair(tmp_path, {"snapshots": was}, {"snapshots": {"000000": {"time": 0.0, "x": [-0.0, 1.0]}}})
    ).found
    assert (x.identical, x.largest) == (False, 0.0)


def test_a_reference_of_zeros(tmp_path):
    was = {"time": [1.0], "x": [0.0], "y": [0.0]}
    x, y = compare(*pair(tmp_path, {"series": was}, {"series": {**was, "x": [1e-9]}})).found
    assert (x.l2, x.relative) == (math.inf, math.inf)
    assert (y.l2, y.relative) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("other", "note"),
    [
        ({"time": 1.0, "points": POINTS[:2], "T": [1.0, 2.0]}, "not compared, other points: 3 and 2"),
        ({"time": 1.0, "points": np.array(POINTS) + 0.1, "T": [1.0, 2.0, 3.0]}, "not compared, other points"),
        ({"time": 1.0, "T": [1.0, 2.0, 3.0]}, "not compared, points is in one of the runs only"),
        ({"time": 1.0, "points": POINTS, "T": [[1.0], [2.0], [3.0]]}, "T has other shapes, (3,) and (3, 1)"),
        ({"time": 1.0, "points": POINTS, "U": [1.0, 2.0, 3.0]}, "T is in one of the runs only"),
        ({"time": 2.0, "points": POINTS, "T": [1.0, 2.0, 3.0]}, "compared at the 0 common times (1 in a, 1 in b)"),
    ],
)
def test_what_stands_elsewhere_is_not_compared_but_told(tmp_path, other, note):
    was = {"time": 1.0, "points": POINTS, "T": [1.0, 2.0, 3.0]}
    result = compare(*pair(tmp_path, {"snapshots": {"000001": was}}, {"snapshots": {"000001": other}}))
    assert result.found == []
    assert f"Left/snapshots.npz: {note}" in result.notes


def test_points_that_moved_a_little_are_a_difference_too(tmp_path):
    was, now = ({"time": 1.0, "points": np.array(POINTS) * f, "T": [1.0, 2.0, 3.0]} for f in (1.0, 1.0 + 1e-12))
    moved, T = compare(*pair(tmp_path, {"snapshots": {"1": was}}, {"snapshots": {"1": now}})).found
    assert (moved.name, moved.largest) == ("Left/snapshots.npz: points", pytest.approx(2e-12, rel=1e-3))
    assert T.identical


def test_what_one_run_has_alone(tmp_path):
    left = {"series": {"time": [1.0], "x": [1.0], "y": [1.0]}}
    right = {"series": {"time": [1.0], "x": [1.0], "z": [1.0]}, "snapshots": {"000001": {"x": [1.0]}}}
    result = compare(*pair(tmp_path, left, right))
    assert [d.name for d in result.found] == ["Left: x"]
    assert result.notes == ["Left: y: only in a", "Left: z: only in b", "Left/snapshots.npz: only in b"]


def test_times_of_which_some_are_there_twice():
    assert difference.common(np.array([1.0, 1.0, 2.0]), np.array([2.0, 1.0])).tolist() == [[0, 1], [2, 0]]
    assert difference.common(np.array([]), np.array([1.0])).shape == (0, 2)


def test_tables_of_precice_and_files_that_cannot_be_read(tmp_path):
    for name, value in (("a", "1.0"), ("b", "1.5")):
        run = finished.run(tmp_path / name, snapshots={"000001": {"x": [1.0]}})
        log = f"Time  Coordinate0  Alpha\n  0.0  1.0  2.0\n  0.1  1.0  {value}\n"
        (run / "Left" / "precice-Left-watchpoint-tip.log").write_text(log)
        exports = run / "precice-exports"
        exports.mkdir()
        (exports / "Left-Mesh-Left.dt1.csv").write_text(f"PosX;PosY;Rank;Alpha\n0;0;0;{value}\n1;0;0;2\n")
        (run / "Left" / "half.csv").write_text("time,x\n1,2\n2\n3,4\n")
        (run / "Left" / "words.csv").write_text("time,x\n1,two\n")
        (run / "Left" / "timeless.csv").write_text("x,y\n1,2\n")
        (run / "Left" / "snapshots" / "000001.npz").write_bytes(b"PK\x03\x04")
    result = compare(tmp_path / "a", tmp_path / "b")
    found = {d.name: d for d in result.found}
    assert found["Left/tip: Alpha"].largest == 0.5
    assert (
        found["precice-exports/Left-Mesh-Left.csv: Alpha"].where
        == "precice-exports/Left-Mesh-Left.dt1.csv, row 0 at (0, 0)"
    )
    told = "\n".join(result.problems)
    assert "a: Left/half.csv: a line has 1 columns, the first one 2" in told
    assert "b: Left/words.csv: could not convert string to float: 'two'" in told
    assert "Left/timeless.csv: has no column of times (time, Time, TimeWindow)" in told
    assert "000001.npz: cannot be read: File is not a zip file" in told


def test_nothing_is_unpickled(tmp_path):
    for name in "ab":
        run = finished.run(tmp_path / name)
        np.save(run / "Left" / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert (
        "x.npy: cannot be read: Object arrays cannot be loaded" in compare(tmp_path / "a", tmp_path / "b").problems[0]
    )
