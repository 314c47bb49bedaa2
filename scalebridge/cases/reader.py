"""From the nodes of a `case.yaml` to a Case, collecting every mistake on the way."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from scalebridge.cases import onfailure, paths, starting, strategy, yamlfile
from scalebridge.cases import overrides as changing
from scalebridge.cases.case import FILE_NAME, Case, Participant
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import ConfigurationError, Finding, Findings
from scalebridge.units import UnitError

KEYS = (
    "case",
    "title",
    "coupling",
    "scaling",
    "seed",
    "strict-convergence",
    "participants",
    "report",
    "quantities",
    "variants",
)
MODULE_KEYS = ("run", "settings", strategy.KEY, onfailure.KEY, "ranks", "environment", *starting.KEYS)
COMMAND_KEYS = ("command", "directory", "ranks", "environment", *starting.KEYS)
RESERVED = (
    "checks",
    "inputs",
    "report",
    "verify",
    "precice-run",
    "precice-exports",
    "precice-profiling",
)  # folders of a run
MAX_RANKS = 4096
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def load(path: str | Path, variant: str = "", overrides: Sequence[str] = ()) -> Case:
    """Read a case.

    Parameters
    ----------
    path : the case file, or its folder.
    variant : name of one of its variants, "" for none.
    overrides : settings of the command line, `PATH=VALUE`, applied last.

    Raises
    ------
    ConfigurationError
        With every mistake in the file and on the command line.
    """
    case, findings = read(path, variant, overrides)
    if case is None or findings:
        raise ConfigurationError(placed(findings))
    return case


def read(path: str | Path, variant: str = "", overrides: Sequence[str] = ()) -> tuple[Case | None, list[Finding]]:
    """Read a case as `load` does, but return the mistakes; the case too, if enough of it is there to look further.

    Raises ConfigurationError only where the file cannot be read as YAML.
    """
    file = Path(path)
    file = paths.resolved(file / FILE_NAME if paths.is_folder(file) else file)
    reader = CaseReader(file)
    case = reader.read(yamlfile.read(file), variant, tuple(overrides))
    return case, reader.findings.found


def placed(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; those in line 0 as findings about the command line, where such values came from."""
    return [replace(f, file="--set", line=None) if f.line == 0 else f for f in findings]


class CaseReader:
    """Reads one case file; what is wrong is in `findings`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.findings = Findings(file, "case-file")

    def read(self, root: Node, variant: str, arguments: tuple[str, ...]) -> Case | None:
        """Return the case, or None where too little of it is there."""
        if root.mapping is None:
            self.findings.add(root.line, "", "is not a mapping", expected="the keys case, coupling and participants")
            return None
        self._known(root, "", KEYS)
        variants = self._variants(root.mapping.get("variants"))
        changes = changing.from_command_line(arguments, self.findings)
        if variant in variants:
            changes = [*changing.from_variant(variants[variant]), *changes]
        elif variant:
            line = root.keys.get("variants")
            self.findings.add(
                line,
                "variants",
                f"no variant '{variant}'",
                expected="" if variants else "none",
                got=variant,
                candidates=variants,
            )
        root = changing.apply(root, changes, self.findings)
        return self._case(root, variant, tuple(variants), arguments)

    def _case(self, root: Node, variant: str, variants: tuple[str, ...], arguments: tuple[str, ...]) -> Case | None:
        entries = root.mapping or {}
        name = self._name(entries.get("case"), root.line)
        coupling = self._file(entries.get("coupling"), "coupling", required_by=root.line)
        scaling = self._file(entries.get("scaling"), "scaling")
        participants = self._participants(entries.get("participants"), root.line)
        title = self._text(entries.get("title"), "title")
        report = self._report(entries.get("report"))
        seed = self._whole(entries.get("seed"), "seed", 0, 0, 2**32 - 1)
        if coupling is None:
            return None
        return Case(
            name=name,
            title=title or name,
            file=self.file,
            coupling=coupling,
            scaling=scaling,
            participants=participants,
            report=report,
            seed=seed,
            variant=variant,
            variants=variants,
            overrides=arguments,
            lines=dict(root.keys),
            strict_convergence=self._flag(entries.get("strict-convergence"), "strict-convergence"),
            quantities=self._quantities(entries.get("quantities"), [p.name for p in participants]),
        )

    # --- parts of the file ---------------------------------------------------------------------------------------

    def _name(self, node: Node | None, line: int) -> str:
        if node is None:
            self.findings.add(line, "case", "is missing", expected="the name of the case, such as phase-change")
            return ""
        if not isinstance(node.value, str) or not _SLUG.fullmatch(node.value):
            message = f"{_shown(node)} is no name for a case"
            self.findings.add(node.line, "case", message, expected="letters, digits, '-' and '_'")
            return ""
        return node.value

    def _variants(self, node: Node | None) -> dict[str, Node]:
        if node is None or node.value is None:
            return {}
        if node.mapping is None:
            self.findings.add(node.line, "variants", "is not a mapping", expected="NAME: {Micro.run: MODULE, ...}")
            return {}
        for name, variant in node.mapping.items():
            if not _SLUG.fullmatch(name):
                message = "is no name for a variant"
                self.findings.add(node.keys[name], f"variants.{name}", message, expected="letters, digits, '-' and '_'")
            if variant.mapping is None:
                message = "is not a mapping"
                self.findings.add(variant.line, f"variants.{name}", message, expected="{Micro.run: MODULE, ...}")
        return {name: variant for name, variant in node.mapping.items() if variant.mapping is not None}

    def _participants(self, node: Node | None, line: int) -> tuple[Participant, ...]:
        if node is None or not node.mapping:
            where = node.line if node else line
            self.findings.add(where, "participants", "is missing or empty", expected="NAME: {run: MODULE} for each")
            return ()
        result = []
        for name, entry in node.mapping.items():
            key = f"participants.{name}"
            if not _SLUG.fullmatch(name) or name in RESERVED:
                message = "is no name for a participant (it is also the name of a folder)"
                self.findings.add(node.keys[name], key, message, expected="letters, digits, '-' and '_'")
            participant = self._participant(name, entry, key, node.keys[name])
            if participant is not None:
                result.append(participant)
        starting.order(result, self.findings)
        return tuple(result)

    def _participant(self, name: str, node: Node, key: str, line: int) -> Participant | None:
        entries = node.mapping
        if entries is None or ("run" in entries) == ("command" in entries):
            message = "has both run and command" if entries and "run" in entries else "has neither run nor command"
            expected = "run: MODULE for a participant of ours, or command: PROGRAM for any other"
            self.findings.add(line, key, message, expected=expected)
            if entries is not None:
                self._known(node, key, {*MODULE_KEYS, *COMMAND_KEYS})
            return None
        self._known(node, key, MODULE_KEYS if "run" in entries else COMMAND_KEYS)
        settings = self._mapping(entries.get("settings"), f"{key}.settings")
        lines = {**node.keys, **{f"settings.{s}": n for s, n in (settings.keys if settings else {}).items()}}
        lines |= onfailure.lines(entries.get(onfailure.KEY)) | strategy.lines(entries.get(strategy.KEY))
        return Participant(
            name=name,
            line=line,
            module=self._module(entries.get("run"), f"{key}.run"),
            settings=settings.plain() if settings else {},
            strategy=strategy.read(entries.get(strategy.KEY), f"{key}.{strategy.KEY}", self.findings),
            on_failure=onfailure.read(entries.get(onfailure.KEY), f"{key}.{onfailure.KEY}", self.findings),
            command=self._command(entries.get("command"), f"{key}.command"),
            directory=self._directory(entries.get("directory"), f"{key}.directory"),
            ranks=self._whole(entries.get("ranks"), f"{key}.ranks", 1, 1, MAX_RANKS),
            environment=self._environment(entries.get("environment"), f"{key}.environment"),
            launcher=self._launcher(entries.get("launcher"), f"{key}.launcher"),
            start_after=self._text(entries.get("start-after"), f"{key}.start-after"),
            start_delay=self._delay(entries.get("start-delay"), f"{key}.start-delay"),
            lines=lines,
        )

    def _module(self, node: Node | None, key: str) -> str:
        if node is None:
            return ""
        if not isinstance(node.value, str) or not _MODULE.fullmatch(node.value):
            message = f"{_shown(node)} is not the name of a module"
            self.findings.add(node.line, key, message, expected="as in participants.macro.heat")
            return ""
        return node.value

    def _command(self, node: Node | None, key: str) -> tuple[str, ...]:
        if node is None:
            return ()
        words: list[str] = []
        if isinstance(node.value, str):
            try:
                words = shlex.split(node.value)
            except ValueError as error:
                self.findings.add(node.line, key, f"{_shown(node)} cannot be split into words: {error}")
                return ()
        elif node.items is not None and not any(
            isinstance(i.value, dict | list) or i.value is None for i in node.items
        ):
            words = [str(item.value) for item in node.items]
        if not words or not words[0]:
            self.findings.add(
                node.line, key, f"{_shown(node)} is no command", expected="PROGRAM ARGUMENTS, or a list of these"
            )
        return tuple(words)

    def _launcher(self, node: Node | None, key: str) -> str:
        if node is None:
            return "auto"
        text = node.value
        if isinstance(text, str) and (text in starting.NAMED or (starting.PLACE in text and self._command(node, key))):
            return text
        expected = f"{', '.join(starting.NAMED)}, or a command with {starting.PLACE} in it"
        self.findings.add(node.line, key, f"{_shown(node)} is no launcher of MPI ranks", expected=expected)
        return "auto"

    def _delay(self, node: Node | None, key: str) -> float:
        try:
            return 0.0 if node is None else starting.seconds(node.value)
        except UnitError as error:
            assert node is not None
            self.findings.add(node.line, key, str(error), expected="a time, such as '2 s'")
            return 0.0

    def _environment(self, node: Node | None, key: str) -> dict[str, str]:
        mapping = self._mapping(node, key)
        result = {}
        for name, entry in ((mapping.mapping or {}) if mapping else {}).items():
            if not _VARIABLE.fullmatch(name):
                self.findings.add(entry.line, f"{key}.{name}", "is no name of an environment variable")
            elif isinstance(entry.value, dict | list | bool) or entry.value is None:
                self.findings.add(entry.line, f"{key}.{name}", f"{_shown(entry)} is not a text or a number")
            else:
                result[name] = str(entry.value)
        return result

    def _report(self, node: Node | None) -> tuple[Path, ...]:
        if node is None or node.value is None:
            return ()
        if node.items is None:
            self.findings.add(node.line, "report", f"{_shown(node)} is not a list", expected="[SCRIPT.py, ...]")
            return ()
        found = [self._file(item, f"report[{i}]", required_by=node.line) for i, item in enumerate(node.items)]
        return tuple(path for path in found if path is not None)

    def _quantities(self, node: Node | None, names: Sequence[str]) -> tuple[str, ...]:
        if node is None or node.value is None:
            return ()
        expected = "[Macro.COLUMN, ...], columns of series.csv of a participant"
        if node.items is None:
            self.findings.add(node.line, "quantities", f"{_shown(node)} is not a list", expected=expected)
            return ()
        found = []
        for i, item in enumerate(node.items):
            name, dot, column = item.value.partition(".") if isinstance(item.value, str) else ("", "", "")
            if not (name and dot and column):
                message = f"{_shown(item)} is not PARTICIPANT.COLUMN"
                self.findings.add(item.line, f"quantities[{i}]", message, expected=expected)
            elif name not in names:
                self.findings.add(item.line, f"quantities[{i}]", "no such participant", got=name, candidates=names)
            else:
                found.append(f"{name}.{column}")
        return tuple(found)

    # --- kinds of values -----------------------------------------------------------------------------------------

    def _known(self, node: Node, key: str, names: Iterable[str]) -> None:
        names = tuple(names)
        for name in node.mapping or {}:
            if name not in names:
                place = f"{key}.{name}" if key else name
                self.findings.add(node.keys[name], place, "no such key", got=name, candidates=names)

    def _mapping(self, node: Node | None, key: str) -> Node | None:
        if node is None or node.value is None:
            return None
        if node.mapping is None:
            self.findings.add(node.line, key, f"{_shown(node)} is not a mapping", expected="{NAME: VALUE, ...}")
            return None
        return node

    def _text(self, node: Node | None, key: str) -> str:
        if node is None or node.value is None:
            return ""
        if not isinstance(node.value, str):
            self.findings.add(node.line, key, f"{_shown(node)} is not a text")
            return ""
        return node.value

    def _flag(self, node: Node | None, key: str) -> bool:
        if node is None:
            return False
        if not isinstance(node.value, bool):
            self.findings.add(node.line, key, f"{_shown(node)} is not true or false")
        return node.value is True

    def _whole(self, node: Node | None, key: str, default: int, low: int, high: int) -> int:
        if node is None:
            return default
        if type(node.value) is not int or not low <= node.value <= high:
            message = f"{_shown(node)} is not allowed"
            self.findings.add(node.line, key, message, expected=f"a whole number from {low} to {high}")
            return default
        return node.value

    def _file(self, node: Node | None, key: str, required_by: int | None = None) -> Path | None:
        if node is None or node.value is None:
            if required_by is not None:
                self.findings.add(required_by, key, "is missing", expected="a file")
            return None
        path = self._path(node, key)
        if path is not None and not paths.is_file(path):
            siblings = paths.files_in(path.parent)
            message = f"there is no file {_shown(node)}"
            expected = f"a file, looked for at {path}"
            self.findings.add(node.line, key, message, expected=expected, got=path.name, candidates=siblings)
            return None
        return path

    def _directory(self, node: Node | None, key: str) -> Path | None:
        if node is None:
            return None
        path = self._path(node, key)
        if path is not None and not paths.is_folder(path):
            self.findings.add(node.line, key, f"there is no folder {_shown(node)}", expected=f"looked for at {path}")
            return None
        return path

    def _path(self, node: Node, key: str) -> Path | None:
        if not isinstance(node.value, str) or not node.value or "\0" in node.value:
            self.findings.add(node.line, key, f"{_shown(node)} is not a path")
            return None
        return paths.resolved(self.file.parent / node.value)


def _shown(node: Node) -> str:
    text = repr(node.plain())
    return text if len(text) <= 60 else text[:57] + "..."
