"""Progress events: written by participants, followed by the hub."""

import time

import pytest

from scalebridge import progress
from scalebridge.progress import BURST, ProgressReader, ProgressWriter, read_history, read_moment


def test_events_arrive_while_the_file_is_open(tmp_path):
    reader = ProgressReader(tmp_path / "progress.jsonl")
    assert reader.poll() == []
    with ProgressWriter(tmp_path / "progress.jsonl") as writer:
        writer.write("start", end=2.0, windows=4)
        assert [e.event for e in reader.poll()] == ["start"]
        writer.write("window", time=0.5, window=1, iteration=3, solving=0.1, waiting=0.2)
        (event,) = reader.poll()
        assert (event.time, event.window, event.iteration, event.waiting) == (0.5, 1, 3, 0.2)
        assert reader.poll() == []
    assert reader.latest == event


def test_a_flood_is_thinned_but_its_end_is_told(tmp_path):
    with ProgressWriter(tmp_path / "p") as writer:
        for window in range(1000):
            writer.write("window", window=window)
        writer.write("error", message="the brine boiled")
    events = ProgressReader(tmp_path / "p").poll()
    assert BURST < len(events) < BURST + 20
    assert events[-1].message == "the brine boiled"


def test_very_many_events_become_rarer(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "MANY", 100)
    now = [0.0]
    monkeypatch.setattr(progress.clock, "perf_counter", lambda: now[0])
    with ProgressWriter(tmp_path / "p") as writer:
        for _ in range(20000):  # 1000 seconds
            now[0] += 0.05
            writer.write("step", window=1)
    # dn/dt = 20 * 100 / n per second
    assert len(ProgressReader(tmp_path / "p").poll()) == pytest.approx((2 * 2000 * 1000) ** 0.5, rel=0.05)


def test_lines_that_are_no_events_and_half_lines_are_passed_over(tmp_path):
    path = tmp_path / "p"
    path.write_text('nonsense\n[]\n{"event": "dance"}\n{"event": "step", "beat": 3}\n{"event": "step"')
    reader = ProgressReader(path)
    assert reader.poll() == []
    with path.open("a") as file:
        file.write(', "window": 2}\n')
    assert [e.window for e in reader.poll()] == [2]


def test_unknown_events_are_refused(tmp_path):
    with ProgressWriter(tmp_path / "p") as writer, pytest.raises(ValueError, match="an event is one of start"):
        writer.write("dance")


def test_an_error_stands_where_the_event_before_it_stood(tmp_path):
    with ProgressWriter(tmp_path / "progress.jsonl") as writer:
        writer.write("step", time=2.0, window=3, iteration=4, solving=1.5)
        writer.write("error", message="too hot")
    reader = ProgressReader(tmp_path / "progress.jsonl")
    reader.poll()
    last = reader.latest
    assert last is not None
    assert (last.event, last.time, last.window, last.iteration, last.solving) == ("error", 2.0, 3, 4, 1.5)
    assert last.message == "too hot"


def test_the_moment_is_told_also_where_the_history_is_thinned(tmp_path):
    reader = ProgressReader(tmp_path / "progress.jsonl")
    with ProgressWriter(tmp_path / "progress.jsonl") as writer:
        for window in range(1, 1001):
            writer.write("step", window=window, windows=2000, end=4.0)
        writer.write("wait", time=2.5, window=1000, windows=2000, iteration=3, end=4.0, solving=0.5, waiting=0.25)
        events = reader.poll()
        assert events[-1].window < 1000
        now = reader.latest
        assert now is not None
        assert (now.event, now.time, now.end, now.window, now.windows) == ("wait", 2.5, 4.0, 1000, 2000)
        assert (now.iteration, now.solving, now.waiting, now.exchanging) == (3, 0.5, 0.25, 0.0)
        assert reader.begun == pytest.approx(time.time(), abs=60)
        assert now.wall >= events[-1].wall
        writer.write("wait", window=1)
        reader.poll()
        assert reader.latest.end is None
        assert reader.latest.windows is None


def test_a_moment_that_is_none_is_passed_over(tmp_path):
    path = tmp_path / "progress.now"
    assert read_moment(path) is None
    for data in (b"", b"\0" * 88, b"wait    " + b"\xff" * 80, b"x" * 1000):
        path.write_bytes(data)
        assert read_moment(path) is None


def test_an_error_stays_whatever_the_other_ranks_go_on_to_say(tmp_path):
    with ProgressWriter(tmp_path / "p") as first, ProgressWriter(tmp_path / "p") as other:
        first.write("step", window=1)
        other.write("error", message="too hot")
        first.write("wait", window=1)
        reader = ProgressReader(tmp_path / "p")
        reader.poll()
        assert (reader.latest.event, reader.latest.message) == ("error", "too hot")
    with ProgressWriter(tmp_path / "p") as again:  # a run that goes on
        again.write("start", window=1)
        reader.poll()
        assert reader.latest.event == "start"


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "step", "window": "2"}',
        '{"event": "step", "time": null}',
        '{"event": "step", "time": NaN}',
        '{"event": ["step"]}',
        '{"event": "error", "message": 7}',
        "[" * 100000,
    ],
)
def test_lines_with_values_of_the_wrong_type_are_passed_over(tmp_path, line):
    (tmp_path / "p").write_text(line + "\n")
    assert ProgressReader(tmp_path / "p").poll() == []


def test_what_comes_too_fast_can_be_told_in_brief(tmp_path):
    reader = ProgressReader(tmp_path / "p")
    with ProgressWriter(tmp_path / "p") as writer:
        assert not writer.brief("step", 0.0, 1, 1)  # there is room in the history
        for window in range(1, 100):
            writer.write("step", time=0.5 * window, end=99.0, windows=100, window=window, waiting=1.5)
        assert writer.brief("wait", 50.0, 100, 3)
        reader.poll()
        now = reader.latest
        assert (now.event, now.time, now.window, now.iteration) == ("wait", 50.0, 100, 3)
        assert (now.end, now.windows, now.waiting) == (99.0, 100, 1.5)  # as last told
        writer.write("error", message="too hot")
        (error,) = [e for e in reader.poll() if e.event == "error"]
        assert (error.time, error.window, error.iteration, error.end) == (50.0, 100, 3, 99.0)
    with ProgressWriter(tmp_path / "q") as other:  # the file of the moment belongs to the rank that writes
        other.write("error", message="of another rank")
        assert not other.brief("wait", 1.0, 1, 1)


def test_a_very_long_history_is_sampled_without_losing_what_adds_up(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "MANY", 10**9)
    monkeypatch.setattr(progress, "PER_SECOND", 10**9)
    with ProgressWriter(tmp_path / "p") as writer:
        writer.write("start", window=1)
        for window in range(1, 5000):
            writer.write("step", window=window, waiting=0.5 * window)
        writer.write("error", message="too hot")
        writer.write("wait", window=5000, waiting=2500.0)
    whole, events = read_history(tmp_path / "p"), read_history(tmp_path / "p", most=500)
    assert len(whole) == 5002
    assert 500 < len(events) < 800
    assert [e.event for e in events if e.event != "step"] == ["start", "error", "wait"]
    assert (events[0].begun, events[-1].waiting) == (whole[0].begun, 2500.0)
    assert set(range(2450, 2550)) <= {e.window for e in events}
    assert read_history(tmp_path / "none") == []


def test_an_error_is_not_told_before_its_message(tmp_path):
    """The moment tells of an error a little earlier than the history, which has the message."""
    with ProgressWriter(tmp_path / "p.jsonl") as writer:
        writer.write("step", window=3)
        reader = ProgressReader(tmp_path / "p.jsonl")
        writer._keep("error", 1.0, {"window": 3})
        reader.poll()
        assert reader.latest is not None
        assert reader.latest.event == "step"
        writer.write("error", message="too hot")
        reader.poll()
        assert (reader.latest.event, reader.latest.message, reader.latest.window) == ("error", "too hot", 3)
