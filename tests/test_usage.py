"""Memory and processor time of processes and of all that they have started."""

import os
import subprocess
import sys
import time

import pytest

from scalebridge.runs import usage

CHILD = "import time; x = bytearray(80_000_000); print('ready', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], start_new_session=True)"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


def test_the_memory_of_children_in_other_sessions_counts():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert parent.stdout.readline() == b"ready\n"
        found = usage.of({"Tree": parent.pid, "Me": os.getpid(), "Gone": 2**22 + 1})
        assert set(found) == {"Tree", "Me"}
        assert 85e6 < found["Tree"].memory < 200e6
        assert found["Tree"].cpu < 5.0
    finally:
        for process in _children(parent.pid):
            os.kill(process, 9)
        parent.wait()
        parent.stdout.close()


def _children(root):
    return [p for p, e in usage._table().items() if e.parent == root]


def test_the_load_is_the_processor_time_between_two_looks(monkeypatch):
    monkeypatch.setattr(usage, "_LOOK_SECONDS", 0.0)
    meter = usage.Meter()
    me = {"Me": os.getpid()}
    assert meter.read(me)["Me"].load is None
    begin = time.process_time()
    while time.process_time() - begin < 0.3:
        pass
    assert meter.read(me)["Me"].load > 0.1
    time.sleep(0.5)
    assert meter.read(me)["Me"].load < 0.1


def test_it_looks_once_a_second():
    meter = usage.Meter()
    me = {"Me": os.getpid()}
    assert meter.read(me) is meter.read(me)
    assert meter.read({}) == meter.read({})


@pytest.mark.parametrize(
    ("count", "text"), [(830_000_000, "830 MB"), (1_234_000_000, "1.2 GB"), (12_340_000_000, "12 GB"), (5000, "5 kB")]
)
def test_bytes_in_words(count, text):
    assert usage.bytes_text(count) == text
