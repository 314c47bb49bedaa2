"""What came of a run, `summary.json`, and what is told of it at the end; what went in stands in `record.json`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scalebridge import checks, fallbacks
from scalebridge.cases.timescales import Separation
from scalebridge.checks import Check
from scalebridge.fallbacks import Account
from scalebridge.runs import record
from scalebridge.runs.folder import RunFolder, resolved
from scalebridge.runs.machine import cores as cores  # the number of cores is asked for here
from scalebridge.runs.monitor import Monitor
from scalebridge.runs.panel import duration
from scalebridge.strategies import FILE_NAME as FILE_OF_STRATEGIES
from scalebridge.strategies import Account as Strategies

FILE_NAME = "summary.json"
_MODULE_KEYS = ("module", "settings", "units", "strategy", "ranks", "environment")
_COMMAND_KEYS = ("command", "directory", "ranks", "environment")


@dataclass(frozen=True)
class Told:
    """One check and who made it: a participant or the report."""

    by: str
    check: Check


def collect(folder: RunFolder) -> tuple[list[Told], list[str]]:
    """Return the checks of all participants and of the report, and what is wrong with files of checks."""
    names = [p.name for p in folder.inspection.case.participants]
    files = [(name, folder.output(name) / "checks.json") for name in names]
    files += [("report", path) for path in sorted((folder.path / "checks").glob("*.json"))]
    told, problems = [], []
    for by, path in files:
        if path.is_file():
            try:
                told += [Told(by, check) for check in checks.load(path)]
            except ValueError as error:
                problems.append(str(error))
    return told, problems


def failures(folder: RunFolder) -> tuple[dict[str, Account], list[str]]:
    """Return what each participant did about micro simulations that failed, and what is wrong with files of that."""
    accounts, problems = {}, []
    for participant in folder.inspection.case.participants:
        try:
            account = Account.load(folder.output(participant.name) / fallbacks.FILE_NAME)
        except ValueError as error:
            problems.append(str(error))
        else:
            accounts.update({participant.name: account} if account is not None else {})
    return accounts, problems


def strategies(folder: RunFolder) -> tuple[dict[str, Strategies], list[str]]:
    """Return what the strategies of each participant did, and what is wrong with files of that."""
    accounts, problems = {}, []
    for name, chosen in folder.inspection.strategies.items():
        try:
            account = Strategies.load(folder.output(name) / FILE_OF_STRATEGIES) if chosen else None
        except ValueError as error:
            problems.append(str(error))
        else:
            accounts.update({name: account} if account is not None else {})
    return accounts, problems


def write(
    folder: RunFolder,
    monitors: Sequence[Monitor],
    told: Sequence[Told],
    accounts: Mapping[str, Account],
    chosen: Mapping[str, Strategies],
    *,
    status: int,
    ended: str,
    begun: float,
) -> dict[str, Any]:
    """Write what came of a run, and complete its record.

    Parameters
    ----------
    accounts : of the participants with micro simulations that failed.
    chosen : what the strategies did, of the participants that have any.
    status : exit status of the run; `ended` says in words how it ended.
    begun : time.time() at the start.
    """
    inspection = folder.inspection
    case = resolved(inspection)
    data = {
        "case": inspection.case.name,
        "variant": inspection.case.variant,
        "title": inspection.case.title,
        "status": status,
        "ended": ended,
        "begun": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(begun)),
        "wall": round(time.time() - begun, 3),
        "resumed": folder.record.get("resumed", []),
        "engine": folder.record["engine"],
        "versions": folder.record["versions"],
        "platform": folder.record["machine"],
        "seed": inspection.case.seed,
        "overrides": list(inspection.case.overrides),
        "participants": {entry["name"]: _participant(entry, monitors) for entry in case["participants"]},
        "time_scales": [separation.to_json() for separation in inspection.separations],
        "strategies": {name: account.to_json() for name, account in chosen.items()},
        "failures": {name: asdict(account) for name, account in accounts.items()},
        "checks": [{"by": t.by, **t.check.to_json()} for t in told],
    }
    (folder.path / FILE_NAME).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    record.complete(folder.path, folder.record, status=status, ended=ended, wall=data["wall"])
    return data


def _participant(entry: dict[str, Any], monitors: Sequence[Monitor]) -> dict[str, Any]:
    """Return what a participant was asked to do, and what it did, if it was started."""
    asked = {k: entry[k] for k in (_COMMAND_KEYS if entry["command"] else _MODULE_KEYS) if k in entry}
    monitor = next((m for m in monitors if m.process.name == entry["name"]), None)
    return {**asked, **(_run(monitor) if monitor else {"status": None})}


def _run(monitor: Monitor) -> dict[str, Any]:
    """Return what a participant did: exit status, seconds, memory, time windows and iterations."""
    process, last = monitor.process, monitor.progress
    result: dict[str, Any] = {
        "status": process.status,
        "stopped": process.stopped,
        "wall": round((process.ended or time.monotonic()) - process.begun, 3),
        "cpu": round(process.cpu, 3),
        "memory": process.memory,
    }
    if last is not None:
        seconds = {"solving": last.solving, "waiting": last.waiting, "exchanging": last.exchanging}
        result.update({name: round(value, 3) for name, value in seconds.items()})
        result.update(windows=last.window, time=last.time)
    iterations = monitor.iterations()
    if iterations is not None:
        result.update(iterations=list(iterations.per_window), windows_not_converged=iterations.not_converged)
    return result


def table(told: Sequence[Told]) -> str:
    """Return the checks as lines for people, each with where its reference comes from."""
    if not told:
        return "no checks were made"
    failed = sum(not t.check.passed for t in told)
    lines = [f"{len(told)} checks, " + (f"{failed} FAILED" if failed else "all passed") + ":"]
    for entry in told:
        lines.append(f"  {entry.check} [{entry.by}]")
        if entry.check.source:
            lines.append(f"          {entry.check.source}")
    return "\n".join(lines)


def times(data: dict[str, Any]) -> str:
    """Return who spent how long on what, as lines for people."""
    lines = []
    for name, entry in data["participants"].items():
        parts = [f"{entry['wall']:.1f} s"]
        if "solving" in entry:
            parts.append(", ".join(f"{word} {entry[word]:.1f} s" for word in ("solving", "waiting", "exchanging")))
        if entry.get("iterations"):
            count = entry["iterations"]
            parts.append(f"{sum(count)} iterations in {len(count)} time windows")
        if entry.get("windows_not_converged"):
            parts.append(f"{entry['windows_not_converged']} windows did NOT converge")
        lines.append(f"  {name}: {'; '.join(parts)}")
    lines += [f"  {Separation.from_json(told)}" for told in data.get("time_scales", ())]
    since = f" since it went on after time window {data['resumed'][-1]['window']}" if data.get("resumed") else ""
    return f"ran for {duration(data['wall'])}{since}\n" + "\n".join(lines)
