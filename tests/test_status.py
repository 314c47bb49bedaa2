"""What the hub leaves for those who watch."""

import json
import os
import time

import pytest

from scalebridge.runs import status
from scalebridge.runs.status import Recorder, Seen
from scalebridge.runs.usage import Usage


def test_what_is_written_is_read(tmp_path):
    recorder = Recorder(tmp_path)
    now = time.monotonic()
    left = Seen("Left", tmp_path / "Left" / "output.log", os.getpid(), now - 5.0)
    right = Seen("Right", tmp_path / "Right" / "output.log", 77, now - 4.0, now - 1.0, -15, True)
    recorder.update([left, right], {"Left": Usage(1000, 2.5)})
    read = status.read(tmp_path)
    assert read.alive is True
    assert read.begun == pytest.approx(time.time(), abs=10.0)
    one, other = read.processes
    assert (one.name, one.log, one.pid, one.status, one.running) == ("Left", left.log, left.pid, None, True)
    assert one.begun == pytest.approx(left.begun, abs=0.1)
    assert (other.status, other.stopped, other.running) == (-15, True, False)
    assert other.ended == pytest.approx(right.ended, abs=0.1)
    header, row = (tmp_path / status.USAGE_FILE).read_text().splitlines()
    assert header == "time,participant,memory,cpu"
    assert row.split(",")[1:] == ["Left", "1000", "2.50"]


def test_it_writes_only_what_has_changed(tmp_path):
    recorder = Recorder(tmp_path)
    one = Seen("Left", tmp_path, 1, 0.0)
    recorder.update([one], {})
    (tmp_path / status.FILE_NAME).unlink()
    recorder.update([one], {})
    assert status.read(tmp_path) is None
    recorder.update([Seen("Left", tmp_path, 1, 0.0, 1.0, 0)], {})
    assert status.read(tmp_path).processes[0].status == 0


def test_samples_become_rarer(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "_MOST_SAMPLES", 4)
    recorder = Recorder(tmp_path)
    recorder._every = 0.001
    for _ in range(4):
        recorder._sampled = 0.0
        recorder.update([], {"Left": Usage(1, 1.0)})
    assert recorder._every == 0.002


def test_a_hub_that_is_gone_or_elsewhere(tmp_path):
    Recorder(tmp_path).update([], {})
    data = json.loads((tmp_path / status.FILE_NAME).read_text())
    for changed, alive in [({"started": 1}, False), ({"pid": 2**22 + 1}, False), ({"host": "elsewhere"}, None)]:
        text = json.dumps(data | {"hub": data["hub"] | changed})
        (tmp_path / status.FILE_NAME).write_text(text)
        assert status.read(tmp_path).alive is alive


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hub": {}, "participants": 3}', "[" * 100000])
def test_a_file_that_is_none(tmp_path, text):
    (tmp_path / status.FILE_NAME).write_text(text)
    assert status.read(tmp_path) is None


def test_a_folder_that_is_gone_does_not_matter(tmp_path):
    Recorder(tmp_path / "gone").update([], {"Left": Usage(1, 1.0)})
