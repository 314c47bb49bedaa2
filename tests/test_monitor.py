"""Where participants stand: what they do, whom they wait for, and how long it will take."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from scalebridge.embedded import config
from scalebridge.progress import ProgressWriter
from scalebridge.runs import monitor
from scalebridge.runs.monitor import Monitor, Standing
from scalebridge.runs.status import Seen
from scalebridge.runs.usage import Usage

PAIR = config.load(Path(__file__).parent / "hub" / "coupling.xml")
CHAIN = {"A": ("B",), "B": ("A", "C"), "C": ("B",)}


def watched(folder, name="Left", *, ours=True, **process):
    (folder / name).mkdir(exist_ok=True)
    if ours:
        (folder / name / "handout.json").touch()
    seen = Seen(name, folder / name / "output.log", 1, time.monotonic(), **process)
    return Monitor(seen, folder / name / "progress.jsonl", folder / name, PAIR)


def resolve(partners, **states):
    """Return the states and whom each waits for."""
    alone = {n: Standing(n, s, since=0.5) for n, s in states.items()}
    return {s.name: (s.state, *s.partners) for s in monitor._resolved(alone, partners)}


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (None, "starting"),
        ("start", "computing"),
        ("step", "computing"),
        ("wait", "waiting"),
        ("window", "computing"),
        ("end", "finishing"),
        ("error", "failed"),
    ],
)
def test_the_state_follows_from_the_last_event(tmp_path, event, state):
    one = watched(tmp_path)
    if event:
        with ProgressWriter(tmp_path / "Left/progress.jsonl") as writer:
            writer.write(event, time=0.5, window=3, iteration=2, solving=1.0, waiting=3.0)
    standing = one.standing(Usage(1000, 1.0, 0.5))
    assert standing.state == state
    assert standing.memory == 1000
    assert (standing.end, standing.windows) == (2.0, 20)  # from the configuration
    if event:
        assert (standing.time, standing.window, standing.iteration, standing.busy) == (0.5, 3, 2, 0.25)
        assert standing.since == (None if event == "error" else pytest.approx(0.0, abs=5.0))


@pytest.mark.parametrize(
    ("process", "state"),
    [({"status": 0}, "done"), ({"status": 3}, "failed"), ({"status": -15, "stopped": True}, "stopped")],
)
def test_a_process_that_has_ended(tmp_path, process, state):
    assert watched(tmp_path, **process).standing().state == state


def test_a_program_that_reports_nothing(tmp_path):
    one = watched(tmp_path, ours=False)
    assert one.standing().state == "running"
    assert one.standing(Usage(0, 1.0, None)).state == "running"
    assert one.standing(Usage(0, 1.0, 0.9)).state == "running"
    assert one.standing(Usage(0, 1.0, 0.01)).state == "idle"
    (tmp_path / "Left/output.log").write_text("it 2 (max: 30), time-window 11 (max: 20), t 1, Dt 0.1, max-dt 0.1\n")
    standing = one.standing()
    assert (standing.iteration, standing.window, standing.time, standing.fraction) == (2, 11, 1.0, 0.5)


def test_who_waits_for_whom_in_a_pair():
    pair = {"A": ("B",), "B": ("A",)}
    assert resolve(pair, A="waiting", B="computing") == {"A": ("waiting", "B"), "B": ("computing",)}
    assert resolve(pair, A="waiting", B="starting")["A"] == ("waiting", "B")
    assert resolve(pair, A="waiting", B="waiting") == {"A": ("exchanging",), "B": ("exchanging",)}
    assert resolve(pair, A="waiting", B="running")["A"] == ("waiting", "B")
    assert resolve(pair, A="idle", B="computing")["A"] == ("idle", "B")
    assert resolve(pair, A="waiting", B="idle") == {"A": ("waiting", "B"), "B": ("idle",)}
    assert resolve(pair, A="idle", B="idle") == {"A": ("idle",), "B": ("idle",)}


def test_who_waits_for_whom_in_a_chain():
    found = resolve(CHAIN, A="waiting", B="waiting", C="computing")
    assert found == {"A": ("waiting", "B"), "B": ("waiting", "C"), "C": ("computing",)}
    found = resolve(CHAIN, A="waiting", B="computing", C="waiting")
    assert found == {"A": ("waiting", "B"), "B": ("computing",), "C": ("waiting", "B")}
    long = {f"P{i}": tuple(f"P{j}" for j in (i - 1, i + 1) if 0 <= j < 12) for i in range(12)}
    found = resolve(long, **dict.fromkeys(long, "waiting") | {"P11": "computing"})
    assert all(found[f"P{i}"] == ("waiting", f"P{i + 1}") for i in range(11))


def test_all_wait_for_too_long():
    alone = {n: Standing(n, "waiting", since=30.0) for n in "AB"}
    found = monitor._resolved(alone | {"C": Standing("C", "done")}, {"A": ("B", "C"), "B": ("A",), "C": ("A",)})
    assert [(s.state, s.partners) for s in found] == [("waiting", ("B",)), ("waiting", ("A",)), ("done", ())]


def test_in_a_multi_scheme_all_wait_for_the_controller():
    scheme = replace(PAIR.schemes[0], kind="multi", participants=("A", "B", "C"), controller="B")
    configuration = replace(PAIR, schemes=(scheme,))
    assert monitor.partners(configuration, "A") == ("B",)
    assert monitor.partners(configuration, "B") == ("A", "C")


def test_the_time_left_does_not_count_the_start_and_goes_down_inside_a_window():
    pace = monitor._Pace()
    assert pace.left(100.0) is None
    pace.see(0.0, 100.0)  # began 60 s after the start of the process
    assert pace.left(110.0) is None
    pace.see(0.25, 120.0)
    assert pace.left(120.0) == pytest.approx(60.0)
    assert pace.left(130.0) == pytest.approx(50.0)
    pace.see(0.25, 130.0)  # another iteration of the same window
    assert pace.left(200.0) == 0.0
    pace.see(0.5, 200.0)
    assert pace.left(200.0) == pytest.approx(100.0)


def test_a_run_that_is_followed_from_later_on_has_the_same_time_left(tmp_path):
    with ProgressWriter(tmp_path / "progress.jsonl") as writer:
        writer.write("start", end=2.0)
        writer.write("step", time=0.0, end=2.0, window=1)
        time.sleep(0.2)
        writer.write("step", time=0.5, end=2.0, window=6)
        (tmp_path / "Left").mkdir()
        (tmp_path / "progress.jsonl").rename(tmp_path / "Left/progress.jsonl")
        assert watched(tmp_path).standing().left == pytest.approx(0.6, abs=0.15)
