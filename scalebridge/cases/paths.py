"""Questions about paths that strangers have written: too long, in a circle of symbolic links, in a closed folder.

What pathlib answers with an exception there is answered here: there is no such file.
"""

from __future__ import annotations

import os
from pathlib import Path


def is_file(path: Path) -> bool:
    """Say whether there is such a file."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    """Say whether there is such a folder."""
    return os.path.isdir(path)


def resolved(path: Path) -> Path:
    """Return the absolute path, with symbolic links followed as far as they lead anywhere."""
    return Path(os.path.realpath(path))


def files_in(folder: Path, ending: str = "") -> list[str]:
    """Return the names of the files in a folder, none where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(ending) and entry.is_file())
    except (OSError, ValueError):
        return []
