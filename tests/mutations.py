"""Break configurations by the thousand: each is either in order or told what is wrong with it, in time.

    python -m tests.mutations 10000          the long version; the seed may follow

A configuration is changed as a person or a cat on the keyboard would; participants and maps are asked in this process,
so that thousands take minutes. What counts as a failure is any exception but ConfigurationError, a finding without a
message or a place, or a check that takes longer than SECONDS.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.scaling.check import check as check_scaling
from scalebridge import engines
from scalebridge.cases import inspection, reader
from scalebridge.cases.describe import Description, read
from scalebridge.cases.foreign.look import look
from scalebridge.embedded import config
from scalebridge.findings import SEVERITIES, ConfigurationError, Finding, Findings

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 20.0
STRANGE = (
    "",
    "-1",
    "0",
    "1e400",
    "nan",
    "x",
    "1/0",
    "true",
    ";;",
    "é",
    "\U0001f9ca",
    "../..",
    "9" * 400,
    "x" * 400,
    "loop",
    "null",
    "[",
    "{a: 1}",
)


def mutate(text: str, chance: random.Random) -> str:
    """Change one thing in a text: a line, a value in quotes, a name, a character, or a piece that goes missing."""
    kind = chance.choice((0, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 6))
    lines = text.splitlines() or [""]
    if kind == 0:
        del lines[chance.randrange(len(lines))]
    elif kind == 1:
        lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    elif kind == 2:
        i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        return _mutate_value(text, chance)
    elif kind == 4:
        names = list(re.finditer(r"</?([a-z0-9:-]+)|([a-z_-]+)[=:]", text))
        spot = chance.choice(names) if names else None
        new = chance.choice(["<x", " y=", "<data", "/", "z:", spot[0] * 2 if spot else ""])
        return text[: spot.start()] + new + text[spot.end() :] if spot else text
    elif kind == 5:
        i = chance.randrange(len(text) + 1)
        return text[:i] + chance.choice("<>&\"'/= ax\x00é{}[]:,#-\t\n") + text[i + 1 :]
    else:
        i, j = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        return text[:i] + text[min(j, i + 40) :]
    return "\n".join(lines)


def _mutate_value(text: str, chance: random.Random) -> str:
    """Replace a value in quotes, or a word after a colon, by a strange one or by another one of the file."""
    values = list(re.finditer(r'"([^"\n]*)"|(?<=: )([^\s,{}\[\]]+)', text))
    if not values:
        return text
    spot = chance.choice(values)
    new = chance.choice([*STRANGE, *(v[1] or v[2] or "" for v in values)])
    if chance.random() < 0.3:  # a slip of a finger
        old = spot[1] or spot[2] or "x"
        i = chance.randrange(len(old))
        new = old[:i] + chance.choice([old[i] * 2, "", chance.choice("abcxyz-_0")]) + old[i + 1 :]
    return text[: spot.start()] + (f'"{new}"' if spot[0].startswith('"') else new) + text[spot.end() :]


@dataclass
class Report:
    """What came of it.

    Attributes
    ----------
    count : configurations that were checked.
    refused : of these, how many had errors.
    rules : how often each rule was broken.
    slowest : longest check [s].
    failures : what must not happen, each with all that is needed to see it again.
    """

    count: int = 0
    refused: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        often = ", ".join(f"{rule} ({n})" for rule, n in self.rules.most_common(5))
        lines = [
            f"{self.count} configurations checked, {self.refused} refused; {len(self.rules)} rules broken, most often "
            + often,
            f"slowest check {self.slowest:.2f} s; {len(self.failures)} failures",
        ]
        return "\n".join([*lines, *self.failures])


class _Ask:
    """Gives the descriptions of modules that are known, without starting anything."""

    known: dict[str, Description]

    def __init__(self, modules: object, environment: object, folder: object) -> None:
        self.modules = list(modules)  # type: ignore[call-overload]

    def answers(self, findings: Findings, places: dict[str, tuple[int, str]]) -> dict[str, Description]:
        for module in self.modules:
            if module not in self.known:
                line, key = places[module]
                findings.add(line, key, f"there is no module '{module}'", got=module, candidates=self.known)
        return {m: self.known[m] for m in self.modules if m in self.known}

    def delay(self, module: str, settings: object) -> float | None:
        raise ValueError(f"'{module}' is not there to be asked")

    def cancel(self) -> None:
        pass


class _Judge:
    """Checks scaling files in this process, as `python -m adapters.scaling.check` does in its own."""

    def __init__(self, environment: object) -> None:
        pass

    def __call__(self, scaling: Path, coupling: Path | None, descriptions: dict, unknown=()) -> list[Finding]:
        return check_scaling(scaling, config.read(coupling)[0] if coupling else None, descriptions, unknown)

    def cancel(self) -> None:
        pass


class _Build:
    """Builds no strategies: the cases here have none, and what they are mutated to is none either."""

    def __init__(self, module: str, environment: object, folder: Path) -> None:
        pass

    def __call__(self, handout: object, model: str) -> list[dict]:
        return []

    def cancel(self) -> None:
        pass


def torture(count: int, seed: int = 0, folder: Path | None = None) -> Report:
    """Check `count` broken configurations and report; they are written in `folder`, or among temporary files."""
    report, chance = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="scalebridge-mutations-", dir=folder) as place:
        kinds = [_cases(Path(place)), _foreign(Path(place))]
        for number in range(count):
            cases = chance.choices(kinds, (3, 1))[0]
            name = chance.choice(sorted(cases))
            originals, check = cases[name]
            _one(originals, check, chance, f"seed {seed}, number {number}, {name}", report)
    return report


Check = Callable[[], tuple[Finding, ...]]
Sources = dict[str, tuple[dict[Path, str], Check]]


def _one(originals: dict[Path, str], check: Check, chance: random.Random, label: str, report: Report) -> None:
    changed = chance.sample(sorted(originals), chance.choice((1, 1, 1, 2)) if len(originals) > 1 else 1)
    for file in changed:
        text = originals[file]
        for _ in range(chance.choice((1, 1, 2, 3))):
            text = mutate(text, chance)
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
    begun = time.monotonic()
    try:
        with _alarm():
            found = check()
        for finding in found:
            problem = _problem(finding)
            if problem:
                report.failures.append(f"{label}: {problem}: {finding!r}")
    except Exception as error:  # what must not happen
        report.failures.append(f"{label}: {type(error).__name__}: {error}")
        found = ()
    report.count += 1
    report.refused += any(f.severity == "error" for f in found)
    report.rules.update({f.rule for f in found})
    report.slowest = max(report.slowest, time.monotonic() - begun)
    for file in changed:
        file.write_text(originals[file], encoding="utf-8")


def _problem(finding: Finding) -> str:
    """Return what is wrong with a finding itself."""
    json.dumps(finding.to_json())
    if not finding.message or not finding.file:
        return "no message or no file"
    if finding.severity not in SEVERITIES or not finding.rule:
        return "no severity or no rule"
    if "Traceback" in str(finding) or "\n  File" in str(finding):
        return "a traceback"
    return ""


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise TimeoutError after SECONDS, where the system has a timer (and this is the main thread)."""

    def ring(number: int, frame: object) -> None:
        raise TimeoutError(f"no result after {SECONDS:g} s")

    earlier = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


def _cases(place: Path) -> Sources:
    """Return the cases of the repository and of the tests, copied, with what checks them."""
    shutil.copytree(ROOT / "tests" / "hub", place / "pair")
    shutil.copytree(ROOT / "precice-config", place / "precice-config")
    (place / "pair" / "loop").symlink_to("loop")
    files = {"pair": place / "pair" / "case.yaml"}
    for file in sorted((ROOT / "tutorials").glob("*/case.yaml")):
        target = place / "tutorials" / file.parent.name
        shutil.copytree(file.parent, target, ignore=shutil.ignore_patterns("reference"))
        files[file.parent.name] = target / "case.yaml"
    sources: Sources = {}
    modules: set[tuple[str, Path]] = set()
    for name, file in files.items():
        case, found = reader.read(file)
        assert case is not None
        assert found == []
        modules |= {(p.module, file.parent) for p in case.participants if p.module}
        inputs = [file, case.coupling, *([case.scaling] if case.scaling else [])]
        sources[name] = ({p: p.read_text(encoding="utf-8") for p in inputs}, _checker(file))
    _Ask.known = {module: _described(module, folder) for module, folder in sorted(modules)}
    return sources


def _checker(file: Path) -> Check:
    def check() -> tuple[Finding, ...]:
        try:
            case, found = reader.read(file)
            if case is None:
                return tuple(reader.placed(found))
            return inspection.inspect(case, "embedded", found, ask=_Ask, judge=_Judge, build=_Build).findings
        except ConfigurationError as error:
            return error.findings

    return check


def _described(module: str, folder: Path) -> Description:
    environment = engines.embedded().environment({"PATH": "", "PYTHONPATH": str(folder)})
    command = [sys.executable, "-m", module, "--describe"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    findings = Findings(module)
    description = read(module, done.stdout, findings)
    assert description is not None, findings.found
    return description


def _foreign(place: Path) -> Sources:
    """Return cases that are not ours: one for each format of an adapter's file."""
    from tests.test_foreign import CASE, FILES, MICRO_MANAGER

    sources: Sources = {}
    for number, (name, content) in enumerate({**FILES, "micro-manager-config.json": MICRO_MANAGER}.items()):
        folder = place / f"foreign-{number}" / "solid"
        folder.mkdir(parents=True)
        case, file = folder.parent / "precice-config.xml", folder / name
        texts = {case: CASE, file: content if isinstance(content, str) else json.dumps(content, indent=1)}
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        sources[name] = (texts, lambda case=case: look(case, "embedded").findings)
    return sources


if __name__ == "__main__":
    told = torture(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32))
    print(told)
    sys.exit(1 if told.failures else 0)
