"""The cases that can be named: those under tutorials/ of the working folder, and ours where there is a repository.

Our tutorials are to be read and changed, so they belong to the repository and not to the installed package.
"""

from __future__ import annotations

from pathlib import Path

from scalebridge import engines
from scalebridge.cases import paths
from scalebridge.cases.case import FILE_NAME
from scalebridge.findings import ConfigurationError, Finding, nearest, one_of


def folders() -> list[Path]:
    """Return where cases are looked for."""
    here, ours = Path.cwd() / "tutorials", engines.ROOT / "tutorials"
    return [here, ours] if ours.is_dir() and here != ours else [here]


def files() -> dict[str, Path]:
    """Return name -> file of the cases that can be named; those in the working folder come first."""
    found: dict[str, Path] = {}
    for folder in folders():
        for file in sorted(folder.glob(f"*/{FILE_NAME}")):
            found.setdefault(file.parent.name, file)
    return found


def find(name: str) -> Path:
    """Return the case file that `name` means: a name, a folder or a file. Raises ConfigurationError."""
    path = Path(name)
    if paths.is_file(path) or paths.is_file(path / FILE_NAME):
        return path
    named = files()
    if name in named:
        return named[name]
    expected = one_of(named) if named else f"a folder with a {FILE_NAME}, or such a file"
    raise ConfigurationError([Finding(name, None, "", "there is no such case", expected, nearest(name, named))])
