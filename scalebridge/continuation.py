"""Text files that a process goes on with where an earlier one stood: what was written behind that point is cut off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO


class ContinuationError(RuntimeError):
    """A file that cannot be gone on with."""


def position(file: TextIO) -> int:
    """Return how many bytes have been written to a file, all of which others can see now."""
    file.flush()
    return os.fstat(file.fileno()).st_size


def go_on(path: str | Path, size: int | None) -> TextIO:
    """Open a text file to write: anew where `size` is None, else behind its first `size` bytes.

    Raises
    ------
    ContinuationError
        If the file is not there any more, or is shorter than that.
    """
    if size is None:
        return open(path, "w", encoding="utf-8", newline="")
    try:
        file = open(path, "r+", encoding="utf-8", newline="")  # noqa: SIM115  (lives as long as who writes it)
    except OSError as error:
        raise ContinuationError(f"{path} cannot be gone on with: {error.strerror}") from None
    found = os.fstat(file.fileno()).st_size
    if found < size:
        file.close()
        raise ContinuationError(f"{path} cannot be gone on with: it has {found} bytes, and had {size}")
    file.seek(size)
    file.truncate()
    return file
