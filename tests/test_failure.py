"""Who failed first."""

import pytest

from scalebridge.progress import Progress
from scalebridge.runs import failure
from scalebridge.runs.failure import Ending, judge

EMBEDDED = "scalebridge.embedded.transport.PartnerError: participant {} ended (process 17) while Macro was waiting"
SOCKETS = (
    "RuntimeError: Receiving data from another participant (using sockets) failed with a system error: End of file"
)


@pytest.fixture
def ending(tmp_path):
    def make(name, status, when, *lines, stopped=False, progress=None, **more):
        log = tmp_path / f"{name}.log"
        log.write_text("\n".join(lines) + "\n")
        return Ending(name, status, when, stopped, log, progress, **more)

    return make


@pytest.mark.parametrize("complaint", [EMBEDDED.format("Micro"), SOCKETS])
@pytest.mark.parametrize(("status", "why"), [(-9, "killed by signal 9 (SIGKILL)"), (0, "it ended with exit status 0")])
def test_who_lost_its_partner_is_not_to_blame(ending, complaint, status, why):
    verdict = judge([ending("Macro", 1, 1.0, complaint), ending("Micro", status, 1.1, "all is well")])
    assert verdict.culprit == "Micro"
    first, *rest = verdict.message.splitlines()
    assert first.startswith(f"Micro failed first: {why}")
    assert rest[1] == "  | all is well"
    assert rest[2].startswith("Macro lost its partner; its output: ")


def test_blame_passes_along_a_chain(ending):
    first, second = EMBEDDED.format("B"), EMBEDDED.format("C")
    endings = [ending("A", 1, 1.0, first), ending("B", 1, 1.1, second), ending("C", 1, 1.2, "KeyError: 'salt'")]
    assert judge(endings).message.startswith("C failed first: exit status 1: KeyError: 'salt'")


def test_two_that_accuse_each_other(ending):
    endings = [ending("A", 1, 2.0, EMBEDDED.format("B")), ending("B", 1, 1.0, EMBEDDED.format("A"))]
    assert judge(endings).culprit == "B"


def test_a_partner_that_was_well_until_it_was_stopped_is_not_to_blame(ending):
    endings = [ending("A", 1, 1.0, SOCKETS), ending("B", -15, 2.0, "fine", stopped=True)]
    verdict = judge(endings)
    assert verdict.culprit == "A"
    assert "B was stopped; its output: " in verdict.message


def test_one_that_left_the_coupling_and_went_on_is_to_blame(ending):
    endings = [ending("A", 1, 1.0, EMBEDDED.format("B")), ending("B", -15, 2.0, "fine", stopped=True)]
    first = judge(endings).message.splitlines()[0]
    assert first == (
        "B failed first: it had left the coupling before that was over, was still running and had to be stopped"
    )


def test_one_that_was_stopped_while_it_said_who_had_gone_is_not_to_blame(ending):
    last = ending("B", -15, 2.0, EMBEDDED.format("C"), stopped=True)
    endings = [ending("A", 1, 1.0, EMBEDDED.format("B")), last, ending("C", -9, 1.1)]
    assert judge(endings).message.startswith("C failed first: killed by signal 9 (SIGKILL)")


def test_the_first_of_two_real_failures(ending):
    endings = [ending("A", 1, 2.0, "ValueError: late"), ending("B", 2, 1.0, "ValueError: early")]
    verdict = judge(endings)
    assert verdict.message.startswith("B failed first: exit status 2: ValueError: early")
    assert "A failed too: exit status 1: ValueError: late" in verdict.message


def test_what_a_participant_reports_counts_most(ending):
    error = Progress("error", time=120.0, window=3, iteration=2, message="NaN in Liquid-Fraction at point 17\nmore")
    endings = [ending("A", -9, 1.0, "", stopped=True, progress=error), ending("B", 1, 0.9, EMBEDDED.format("A"))]
    first = judge(endings).message.splitlines()[0]
    assert first == "A failed first in time window 3, iteration 2 (t = 120 s): NaN in Liquid-Fraction at point 17"


@pytest.mark.parametrize(
    ("progress", "windows", "text"),
    [
        (None, None, ""),
        (None, 4, " after 4 complete time windows"),
        (Progress("start"), None, " before its first time window"),
        (Progress("step", time=0.5, window=2), None, " in time window 2 (t = 0.5 s)"),
    ],
)
def test_place(ending, progress, windows, text):
    assert failure.place(ending("A", 1, 1.0, progress=progress, windows=windows)) == text


def test_reasons(ending):
    assert failure.reason(ending("A", 139, 1.0, "Segmentation fault")) == (
        "exit status 139, as after signal 11: Segmentation fault"
    )
    assert failure.reason(ending("A", -200, 1.0)) == "killed by signal 200 (unknown)"
    assert failure.reason(ending("A", 1, 1.0, "ValueError: x", "bye")) == "exit status 1: ValueError: x"
    assert failure.reason(ending("A", 1, 1.0)) == "exit status 1: it said nothing"


def test_a_hang(ending):
    stopped = [ending(n, -15, 2.0, f"said by {n}", stopped=True) for n in "ABC"]
    first, *rest = failure.hang("B", "it sleeps", ["A", "C"], stopped).splitlines()
    assert first == "B hangs: it sleeps, while A and C wait for it"
    assert rest[0].startswith("B was stopped; its output: ")
    assert rest[1] == "  | said by B"
    assert rest[2].startswith("A was stopped")
    assert failure.hang("B", "it sleeps", ["A"], stopped).startswith("B hangs: it sleeps, while A waits for it\n")
    assert failure.hang("B", "it sleeps", [], stopped).startswith("B hangs: it sleeps\n")
    assert failure.hang("", "nobody moves", [], stopped).startswith(
        "A, B and C hang: nobody moves; they wait for each other, or do nothing\n"
    )


def test_waiting_for_somebody_who_is_gone(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "scalebridge: participant A waits for participant B (exchange directory ..), which has not come yet\n"
    )
    assert failure.waits_for(log, ["B"]) == "B"
    assert failure.waits_for(log, ["C"]) is None
    log.write_text("(0) 15:34 [impl]: \x1b[0mSetting up primary communication to coupling partner/s\n")
    assert failure.waits_for(log, ["B"]) == "B"
    assert failure.waits_for(log, ["B", "C"]) is None
    log.write_text("working\n")
    assert failure.waits_for(log, ["B"]) is None
    assert failure.waits_for(tmp_path / "none", ["B"]) is None


def test_raised(tmp_path):
    log = tmp_path / "log"
    log.write_text("Traceback (most recent call last):\n  File x\nValueError: no\n")
    assert failure.raised(log)
    log.write_text("Traceback (most recent call last):\n  File x\nValueError: no\ngoing on\n")
    assert not failure.raised(log)
