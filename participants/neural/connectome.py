"""Which regions of a brain are connected, how strongly, and over what distance.

A connectome is a folder or a zip of text files, as The Virtual Brain has them:

    weights.txt        n lines of n numbers; number j of line i is the weight of the connection from region j to i
    tract_lengths.txt  n lines of n numbers: the lengths of these connections [mm]
    centres.txt        n lines of a label and the coordinates x y z of the centre of the region [mm]
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from scalebridge.findings import Finding, Findings, nearest

type Array = NDArray[np.float64]
type Integers = NDArray[np.int64]

MEMBERS = ("weights.txt", "tract_lengths.txt", "centres.txt")
LARGEST = 64 * 2**20  # bytes of a member, 1600 regions or more
TVB = "tvb:"


@dataclass(frozen=True)
class Connectome:
    """The connections of n regions.

    Attributes
    ----------
    weights : (n, n) of the connection from region j to region i, at [i, j].
    lengths : (n, n) of the same connections [mm].
    labels : names of the regions.
    centres : (n, 3) where they are [mm].
    """

    weights: Array
    lengths: Array
    labels: tuple[str, ...]
    centres: Array

    def regions(self, names: Iterable[str], key: str) -> Integers:
        """Return the numbers of regions that are given by label or number; `key` is the setting that names them.

        Raises
        ------
        ConfigurationError
            With all that are not there, or are there twice.
        """
        findings, found = Findings(key), list[int]()
        for name in names:
            if name in self.labels:
                number = self.labels.index(name)
            elif name.isdecimal() and int(name) < len(self.labels):
                number = int(name)
            else:
                expected = f"a label such as {self.labels[0]}, or a number from 0 to {len(self.labels) - 1}"
                meant = nearest(name, self.labels)
                findings.found.append(Finding(key, None, "", f"no region '{name}'", expected, meant))
                continue
            if number in found:
                findings.add(None, "", f"the region '{name}' is there twice")
            found.append(number)
        findings.raise_if_any()
        return np.array(found, dtype=np.int64)

    def without_self(self) -> Connectome:
        """Return the same connections but those of regions with themselves."""
        return replace(self, weights=np.where(np.eye(len(self.labels), dtype=bool), 0.0, self.weights))

    def delays(self, speed: float, dt: float) -> Integers:
        """Return how many steps of dt [ms] what travels at a speed [mm/ms] takes (n, n), rounded."""
        return np.rint(self.lengths / speed / dt).astype(np.int64)


def pair(weight: float, length: float) -> Connectome:
    """Return two regions, A and B, that are connected in both ways with one weight over one length [mm]."""
    across = 1 - np.eye(2)
    centres = np.array([[0.0, 0.0, 0.0], [length, 0.0, 0.0]])
    return Connectome(weight * across, length * across, ("A", "B"), centres)


def load(name: str) -> Connectome:
    """Return the connectome in a folder or zip; ``tvb:connectivity_76`` is a file of the installed package tvb_data.

    Raises
    ------
    ConfigurationError
        With everything that is wrong with its files.
    """
    path = _of_tvb(name.removeprefix(TVB)) if name.startswith(TVB) else Path(name)
    findings = Findings(name)
    if not path.is_absolute() or not path.exists():
        found = "is not there" if path.is_absolute() else "is not an absolute path"
        findings.add(None, "", found, expected="the path of a folder or zip, or such as tvb:connectivity_76")
        findings.raise_if_any()
    texts = (_folder if path.is_dir() else _zip)(path, findings)
    findings.raise_if_any()
    weights, lengths = (_matrix(texts[member], member, findings) for member in MEMBERS[:2])
    labels, centres = _places(texts[MEMBERS[2]], findings)
    findings.raise_if_any()
    _agree(weights, lengths, labels, findings)
    findings.raise_if_any()
    return Connectome(weights, lengths, labels, centres)


def _of_tvb(name: str) -> Path:
    """Return where the package tvb_data has a connectome, without importing it."""
    spec, findings = find_spec("tvb_data"), Findings(TVB + name)
    if spec is None or not spec.submodule_search_locations:
        findings.add(None, "", "the package tvb_data is not installed", fix="Install tvb-data, or give a folder or zip")
        findings.raise_if_any()
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = {p.stem: p for p in Path(spec.submodule_search_locations[0], "connectivity").glob("*.zip")}
    if name not in files:
        findings.add(None, "", "the package tvb_data has no such connectome", got=name, candidates=files)
        findings.raise_if_any()
    return files[name]


def _folder(path: Path, findings: Findings) -> dict[str, str]:
    def read(member: str) -> bytes:
        with (path / member).open("rb") as file:
            return file.read(LARGEST + 1)

    return _texts({p.name for p in path.iterdir() if p.is_file()}, read, findings)


def _zip(path: Path, findings: Findings) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {PurePosixPath(i.filename).name: i for i in archive.infolist() if not i.is_dir()}

            def read(member: str) -> bytes:
                with archive.open(members[member]) as file:
                    return file.read(LARGEST + 1)  # whatever the archive says of its size

            return _texts(set(members), read, findings)
    except (zipfile.BadZipFile, OSError) as error:
        findings.add(None, "", f"cannot be read as a zip: {error}")
        return {}


def _texts(there: set[str], read: Callable[[str], bytes], findings: Findings) -> dict[str, str]:
    """Return the files that make a connectome, and note those that are missing, too large or no text."""
    result = {}
    for member in MEMBERS:
        if member not in there:
            found = ", ".join(sorted(there)[:12]) or "nothing"
            findings.add(None, member, f"is not there; found {found}")
            continue
        try:
            content = read(member)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            findings.add(None, member, f"cannot be read: {error}")
            continue
        if len(content) > LARGEST:
            findings.add(None, member, f"is larger than {LARGEST // 2**20} MiB, which no connectome is")
            continue
        try:
            result[member] = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            findings.add(None, member, "is no text in UTF-8")
    return result


def _lines(text: str) -> list[tuple[int, list[str]]]:
    """Return the words of every line that has any, with the number of the line from 1."""
    numbered = ((i, line.replace(",", " ").split()) for i, line in enumerate(text.splitlines(), start=1))
    return [(i, words) for i, words in numbered if words]


def _numbers(words: Iterable[str], line: int, member: str, findings: Findings) -> list[float]:
    """Return the numbers of a line, and note the first that is none."""
    result = []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            findings.add(line, member, f"'{word[:20]}' is not a finite number")
            return []
        result.append(number)
    return result


def _matrix(text: str, member: str, findings: Findings) -> Array:
    lines = _lines(text)
    rows = [(i, _numbers(words, i, member, findings)) for i, words in lines]
    if not rows:
        findings.add(None, member, "is empty", expected="n lines of n numbers")
    for line, row in rows:
        if row and len(row) != len(rows):
            findings.add(line, member, f"has {len(row)} numbers", expected=f"as many as there are lines, {len(rows)}")
            break
    square = all(len(row) == len(rows) for _, row in rows)
    return np.array([row for _, row in rows]) if square else np.zeros((0, 0))


def _places(text: str, findings: Findings) -> tuple[tuple[str, ...], Array]:
    member, labels, centres = MEMBERS[2], list[str](), list[list[float]]()
    for line, words in _lines(text):
        if len(words) < 4:
            findings.add(line, member, f"has {len(words)} words", expected="a label and three coordinates")
            continue
        if words[0] in labels:
            findings.add(line, member, f"the label {words[0]} is there twice")
        labels.append(words[0])
        centres.append(_numbers(words[1:4], line, member, findings) or [0.0, 0.0, 0.0])
    return tuple(labels), np.array(centres).reshape(-1, 3)


def _agree(weights: Array, lengths: Array, labels: tuple[str, ...], findings: Findings) -> None:
    """Note what is wrong between the files, or with lengths."""
    sizes = {"weights.txt": len(weights), "tract_lengths.txt": len(lengths), "centres.txt": len(labels)}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{member} has {n}" for member, n in sizes.items())
        findings.add(None, "", f"the files are of different numbers of regions: {told}")
    elif (lengths < 0).any():
        i, j = np.argwhere(lengths < 0)[0]
        message = f"the length from {labels[j]} to {labels[i]} is {lengths[i, j]:g} mm"
        findings.add(None, MEMBERS[1], message, expected="at least 0 mm")
