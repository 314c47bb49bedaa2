"""One run that is broken on purpose, and what the hub made of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scalebridge.progress import ProgressReader
from torture.faults import HANG_LIMIT, IDLE_LIMIT, RANKS, Plan

ROOT = Path(__file__).resolve().parents[1]
CASE = Path(__file__).parent / "case"
IN_TIME = 5.0  # seconds from a fault, or from the limit that makes it one, to the end of the run
SHARED = "/dev/shm/"  # noqa: S108
_PATIENCE = 60.0
_PAUSE = "30 ms"


@dataclass
class Result:
    """What became of one run.

    Attributes
    ----------
    seconds : from the fault, less the limit of a hang, to the end of the hub; None where the fault came too late.
    problems : promises that were not kept.
    rank_told : whether the message named the rank; None where there was only one.
    resumed : "" where that was not tried, "same" where the result was that of an undisturbed run, else why not.
    message : what the hub said.
    """

    plan: Plan
    seconds: float | None = None
    problems: list[str] = field(default_factory=list)
    rank_told: bool | None = None
    resumed: str = ""
    message: str = ""


class Trial:
    """Runs the case of the torture in a folder, once for each plan.

    Parameters
    ----------
    folder : where the runs go.
    engine : "embedded" or "precice".
    """

    def __init__(self, folder: Path, engine: str = "embedded") -> None:
        self.folder = folder
        self.engine = engine
        self._truth: dict[str, dict[str, bytes]] = {}

    def __call__(self, plan: Plan, number: int) -> Result:
        """Break a run as planned."""
        run, mark = self.folder / f"run-{number}", self.folder / f"mark-{number}"
        result = Result(plan)
        resume = plan.resume and self.engine == "embedded"  # libprecice cannot go on from a checkpoint
        told = {"fault": plan.kind.fault, "window": plan.window, "rank": plan.rank, "mark": mark}
        own = [word for k, v in told.items() for word in ("--set", f"{plan.who}.settings.{k}={v}")]
        hub = self._start(plan.variant, run, [*own, *(["--checkpoint-every", "3"] if resume else [])])
        shared: set[str] = set()
        try:
            when = self._strike(plan, run, hub, shared)
            result.message, ended = self._await(hub, run, shared)
        except subprocess.TimeoutExpired:
            result.problems.append("the run did not end")
            return result
        finally:
            hub.kill()
            hub.communicate()
        if when is None and mark.exists():
            when = float(mark.read_text() or "nan")
        if when is None or (hub.returncode == 0 and plan.kind.number):  # the run was over first
            if hub.returncode:
                result.problems.append("it failed by itself")
            return result
        result.seconds = ended - when - plan.limit
        self._judge(result, hub.returncode)
        self._look_around(result, run, shared)
        if resume and not result.problems:
            result.resumed = self._resume(plan, run)
            if result.resumed not in ("same", "no checkpoint yet"):
                result.problems.append(f"resumed: {result.resumed}")
        return result

    def _await(self, hub: subprocess.Popen[str], run: Path, shared: set[str]) -> tuple[str, float]:
        """Wait for the end of a run, and note the shared memory that it has; return what it said and when it ended."""
        deadline = time.monotonic() + _PATIENCE
        while hub.poll() is None and time.monotonic() < deadline:
            shared |= shared_memory(run)
            time.sleep(0.1)
        ended = time.time()
        return hub.communicate(timeout=1.0)[1], ended

    def _start(self, variant: str, run: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
        everybody = [x for who in RANKS[variant] for x in ("--set", f"{who}.settings.pause={_PAUSE}")]
        chosen = ["--variant", variant] if variant else []
        return self._scalebridge(str(CASE), *chosen, "--out", str(run), *everybody, *arguments)

    def _scalebridge(self, *arguments: str) -> subprocess.Popen[str]:
        limits = ["--idle-limit", f"{IDLE_LIMIT:g}", "--hang-limit", f"{HANG_LIMIT:g}"]
        engine = [] if "--resume" in arguments else ["--engine", self.engine]
        return subprocess.Popen(
            [sys.executable, "-m", "scalebridge", "run", *arguments, "--plain", *limits, *engine],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )

    # ---- the fault

    def _strike(self, plan: Plan, run: Path, hub: subprocess.Popen[str], shared: set[str]) -> float | None:
        """Send the signal of a fault that comes from outside; return when, or None where there is nobody any more."""
        if not plan.kind.number:
            return None
        deadline = time.monotonic() + _PATIENCE
        while hub.poll() is None and time.monotonic() < deadline:
            target = self._target(plan, run, hub) if plan.early or _couples(run) else None
            if target is not None:
                time.sleep(plan.delay)
                shared |= shared_memory(run)
                with contextlib.suppress(ProcessLookupError):
                    if hub.poll() is None:
                        when = time.time()
                        os.kill(target, plan.kind.number)
                        return when
                return None
            time.sleep(0.01)
        return None

    def _target(self, plan: Plan, run: Path, hub: subprocess.Popen[str]) -> int | None:
        mine = [(p, e) for p, e in processes(run) if e.get("SCALEBRIDGE_PARTICIPANT") == plan.who]
        if not mine:
            return None
        ranks = {int(e["PMI_RANK"]): p for p, e in mine if "PMI_RANK" in e}
        match plan.kind.target:
            case "hub":
                return hub.pid
            case "launcher":
                return min(p for p, e in mine if "PMI_RANK" not in e) if ranks else None
            case _:
                return ranks.get(plan.rank) if RANKS[plan.variant][plan.who] > 1 else mine[0][0]

    # ---- the promises

    def _judge(self, result: Result, status: int) -> None:
        plan, lines = result.plan, result.message.splitlines()
        first = lines[0] if lines else ""
        assert result.seconds is not None
        if status != plan.status:
            result.problems.append(f"exit status {status}, not {plan.status}")
        if result.seconds > IN_TIME:
            result.problems.append(f"it took {result.seconds:.1f} s to end")
        if "Traceback" in first or (plan.kind.target == "hub" and "Traceback" in result.message):
            result.problems.append("a traceback of the hub")
        if plan.kind.target == "hub":
            number = signal.Signals(plan.kind.number)
            if number != signal.SIGKILL and first != f"scalebridge: stopped by signal {number.value} ({number.name})":
                result.problems.append(f"said: {first}")
            return
        if not first.startswith((f"scalebridge: {plan.who} failed first", f"scalebridge: {plan.who} hangs")):
            result.problems.append(f"named another one: {first}")
        if RANKS[plan.variant][plan.who] > 1 and plan.kind.target == "rank":
            result.rank_told = f"rank {plan.rank}" in first
            if plan.kind.tells_rank and not result.rank_told:
                result.problems.append(f"did not name rank {plan.rank}: {first}")

    def _look_around(self, result: Result, run: Path, shared: set[str]) -> None:
        deadline = time.monotonic() + (IN_TIME if result.plan.kind.status < 0 else 0.0)
        while (left := processes(run)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if left:
            result.problems.append(f"{len(left)} processes were left")
        if files := [name for name in sorted(shared) if Path(name).exists()]:
            result.problems.append(f"shared memory was left: {' '.join(files)}")
        if notes := list(run.rglob("*.scalebridge")):
            result.problems.append(f"{len(notes)} notes of sockets were left")

    # ---- going on

    def _resume(self, plan: Plan, run: Path) -> str:
        """Let a run go on; return "same" if its result is that of an undisturbed one, bit for bit."""
        hub = self._scalebridge("--resume", str(run))
        try:
            _, said = hub.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return "it did not end"
        finally:
            hub.kill()
            hub.communicate()
        if hub.returncode == 2 and "no complete checkpoint" in said:
            return "no checkpoint yet"
        if hub.returncode != 0:
            return f"exit status {hub.returncode}: {said.splitlines()[0] if said else ''}"
        truth, found = self._undisturbed(plan.variant), _series(run)
        return "same" if truth == found else "another result"

    def _undisturbed(self, variant: str) -> dict[str, bytes]:
        if variant not in self._truth:
            run = self.folder / f"undisturbed-{variant}"
            hub = self._start(variant, run, [])
            _, said = hub.communicate(timeout=_PATIENCE)
            if hub.returncode != 0:
                raise RuntimeError(f"the undisturbed run failed: {said}")
            self._truth[variant] = _series(run)
        return self._truth[variant]


def heed_interrupts() -> None:
    """Do not ignore Ctrl-C, as what a script starts in the background does: a hub that was told so keeps to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _series(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob("*/series.csv"))}


def _couples(run: Path) -> bool:
    """Return whether all participants are in the time loop."""
    found = [
        ProgressReader(folder / "progress.jsonl") for folder in run.glob("*") if (folder / "handout.json").is_file()
    ]
    for reader in found:
        reader.poll()
    return bool(found) and all(reader.latest is not None and reader.latest.window > 0 for reader in found)


def shared_memory(run: Path) -> set[str]:
    """Return the files of shared memory that the processes of a run have mapped now, and that have a name."""
    found = set()
    for process, _ in processes(run):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/maps").read_text().splitlines():
                _, mapped, name = line.partition(SHARED)
                if mapped and not name.endswith("(deleted)"):
                    found.add(mapped + name)
    return found


def processes(run: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the processes of a run with their environments, in the order of their numbers."""
    return sorted(_processes(f"SCALEBRIDGE_RUN={run}".encode()), key=lambda entry: entry[0])


def _processes(mark: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                parts = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                if mark in parts:
                    yield int(entry), dict(p.decode("utf-8", "replace").partition("=")[::2] for p in parts)
