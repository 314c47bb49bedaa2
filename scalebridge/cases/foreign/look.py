"""Looks a case over that was not made for scalebridge: a folder with a preCICE configuration and adapters' files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scalebridge.cases import paths, yamlfile
from scalebridge.cases.foreign import calculix, jsonfile, jsonformats, openfoam
from scalebridge.cases.foreign.adapter import Adapter
from scalebridge.cases.foreign.compare import compare
from scalebridge.cases.lint import lint
from scalebridge.cases.lint.view import View
from scalebridge.embedded import config
from scalebridge.embedded.config import Configuration
from scalebridge.findings import HINT, WARNING, ConfigurationError, Finding

CONFIGURATION = "precice-config.xml"
NAMES_OF_ADAPTERS = ("adapter-config", "micro-manager-config", "precice-settings")  # parts of the names of their files
TRUSTED = ("value", "flow")
MOST_FILES = 5000
DEPTH = 3
_LEFT_OUT = ("reference-results", "node_modules", "images", "runs", "precice-run", "precice-exports")


@dataclass(frozen=True)
class Look:
    """What was found.

    Attributes
    ----------
    configuration : the file of the preCICE configuration.
    adapters : participant, format and file of every adapter whose file was read.
    """

    configuration: Path
    adapters: tuple[tuple[str, str, str], ...]
    findings: tuple[Finding, ...]


def configuration_of(path: Path) -> Path | None:
    """Return the preCICE configuration that a folder or a file stands for, or None if it stands for none."""
    if paths.is_file(path) and path.suffix == ".xml":
        return path
    return path / CONFIGURATION if paths.is_file(path / CONFIGURATION) else None


def look(path: Path, engine: str) -> Look:
    """Look over the case of the preCICE configuration `path`; `engine` is "embedded" or "precice"."""
    configuration, found = config.read(path)
    adapters, unread = _adapters(path.parent)
    findings = [*found, *unread]
    if configuration is not None and engine == "embedded":
        findings += [replace(f, severity=WARNING, rule="embedded-engine") for f in config.refusals(configuration)]
    trusted = configuration is not None and all(f.rule in TRUSTED for f in found)
    if configuration is not None and trusted:
        findings += lint(View(configuration))
        for adapter in adapters:
            compare(adapter, configuration, path)
        findings += _silent(configuration, adapters, path)
    for adapter in adapters:
        findings += adapter.findings.found
    told = tuple((a.participant.text if a.participant else "?", a.format, a.file) for a in adapters)
    return Look(path, told, tuple(dict.fromkeys(findings)))


def _silent(configuration: Configuration, adapters: list[Adapter], path: Path) -> Iterator[Finding]:
    """Yield a hint for every participant of which no file was read: its names are not checked."""
    heard = {a.participant.text for a in adapters if a.participant}
    for participant in configuration.participants:
        if participant.name not in heard:
            message = "no adapter file that can be read names it, so what its program reads and writes is not checked"
            place = f'<participant name="{participant.name}">'
            yield Finding(str(path), participant.line, place, message, severity=HINT, rule="adapter-participant")


def _adapters(folder: Path) -> tuple[list[Adapter], list[Finding]]:
    """Return the adapters whose files are in a folder and those below, and what is wrong with files of theirs."""
    found: list[Adapter] = []
    findings: list[Finding] = []
    for file in _files(folder):
        try:
            if file.name == "preciceDict":
                found.append(openfoam.read(file))
            elif file.suffix == ".json":
                root = jsonfile.read(file)
                if jsonformats.is_adapter(root):
                    found.append(jsonformats.read(root, str(file)))
            else:
                root = yamlfile.read(file)
                if calculix.is_adapter(root):
                    found += calculix.read(root, str(file))
        except ConfigurationError as error:
            if file.name == "preciceDict" or any(part in file.name for part in NAMES_OF_ADAPTERS):
                findings += error.findings  # another file that cannot be read may be anything
    return found, findings


def _files(folder: Path) -> Iterator[Path]:
    """Yield files that may be adapters', in order; no symbolic link to a folder is followed."""
    seen = 0
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _LEFT_OUT and depth < DEPTH)
        for name in sorted(names):
            seen += 1
            if seen > MOST_FILES:
                return
            file = Path(place) / name
            wanted = name in ("preciceDict", "config.yml", "config.yaml") or file.suffix == ".json"
            if wanted and not name.startswith(".") and paths.is_file(file):
                yield file
