"""Has the adapters build the strategies of a participant before anything runs: `python -m adapters.strategies.check`.

What is wrong with their settings alone is known without (scalebridge.cases.strategy). Whether a table is one of the
model, whether observables exist and units fit, only the strategies know, with the model and its maps at hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scalebridge.cases.case import Case, Participant
from scalebridge.cases.strategy import KEY
from scalebridge.findings import HINT, Finding, Findings
from scalebridge.handout import Handout
from scalebridge.strategies import Strategy

CHECK = "adapters.strategies.check"
SECONDS = 60.0
RULE = "strategy"


class BuildError(Exception):
    """Strategies could not be built, whatever is wrong with them."""


class StackCheck:
    """A process that is ready to build strategies: it loads the model while the participants describe themselves."""

    def __init__(self, module: str, environment: Mapping[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHECK, module],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, handout: Handout, model: str) -> list[dict[str, Any]]:
        """Return what is wrong with the strategies of a handout, as `adapters.strategies.check` tells it; once.

        Parameters
        ----------
        model : class of the micro model.

        Raises
        ------
        BuildError
            If it cannot tell.
        TimeoutError
            If the model takes too long to be built.
        """
        question = {"handout": asdict(handout), "model": model}
        try:
            out, err = self._process.communicate(json.dumps(question), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise TimeoutError from None
        if self._process.returncode != 0:
            status = f"exit status {self._process.returncode}"
            raise BuildError((err.strip().splitlines()[-1:] or [status])[0])
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def cancel(self) -> None:
        """End the process if it has not answered."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def handout(case: Case, name: str, settings: dict[str, Any], out: Path, strategies: Sequence[Strategy] = ()) -> Handout:
    """Return what a process needs to know that looks at a micro model alone; inputs stay where they are.

    Parameters
    ----------
    name : of the participant.
    settings : of it, as plain values.
    out : folder that it may write to.
    """
    return Handout(
        case=case.name,
        variant=case.variant,
        participant=name,
        module=next(p.module for p in case.participants if p.name == name),
        precice_config=str(case.coupling),
        scaling=str(case.scaling) if case.scaling else None,
        settings=settings,
        strategy=list(strategies),
        folder=str(case.folder),
        run=str(out),
        output=str(out),
        progress=str(out / "progress.jsonl"),
        seed=case.seed,
    )


def note(participant: Participant, told: Sequence[Mapping[str, Any]], findings: Findings) -> None:
    """Note what the strategies of a participant were found to have wrong, each where the case says it."""
    own, lines = f"participants.{participant.name}", participant.lines
    for one in told:
        number, setting = one["strategy"], one["setting"]
        if number is None:
            place, line, rule = f"{own}.settings", lines.get("settings", participant.line), "settings"
            message = f"{participant.module} cannot be built with them: {one['message']}"
        else:
            name, message, rule = next(iter(participant.strategy[number])), one["message"], RULE
            place = f"{own}.{KEY}.{name}" + (f".{setting}" if setting else "")
            line = lines.get(f"{KEY}[{number}]", participant.line)
            line = lines.get(f"{KEY}[{number}].{setting.partition('.')[0]}", line)
        more = one["expected"], one["nearest"]
        findings.found.append(Finding(findings.file, line, place, message, *more, rule=rule, fix=one["fix"]))


def note_failure(participant: Participant, error: BuildError | TimeoutError, findings: Findings) -> None:
    """Note that nothing is known of the strategies of a participant: an error, unless it only takes long."""
    place, line = f"participants.{participant.name}.{KEY}", participant.lines.get(KEY, participant.line)
    if isinstance(error, TimeoutError):
        message = f"{participant.module} takes more than {SECONDS:g} s to be built, so nothing is known of its strategy"
        findings.add(line, place, message, severity=HINT, rule=RULE)
    else:
        findings.add(line, place, f"cannot be built: {error}", rule=RULE)
