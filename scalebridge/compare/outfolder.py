"""The folder of a comparison or a sweep: made, or taken again where it is one already."""

from __future__ import annotations

from pathlib import Path

from scalebridge.findings import ConfigurationError, Finding


def take(path: Path, marker: str) -> Path:
    """Return the absolute path of the folder; `marker` is the file that says that it is of this kind.

    Raises ConfigurationError where something else is in its place: nothing is overwritten.
    """
    path = path.absolute()
    if path.is_symlink():
        raise _refused(path, "is a symbolic link, which is not followed")
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(path.iterdir()) and not (path / marker).is_file():
            raise _refused(path, f"is there and has no {marker}, so something else is in it")
        (path / marker).touch()
    except OSError as error:
        why = "something else is there" if isinstance(error, FileExistsError) else error.strerror
        raise _refused(path, f"cannot be used as a folder: {why}") from None
    return path


def _refused(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Finding(str(path), None, "", message, "another folder with --out")])
