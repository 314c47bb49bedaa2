"""Progress events: written by participants, followed by the hub."""

import pytest

from scalebridge.progress import BURST, ProgressReader, ProgressWriter


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
