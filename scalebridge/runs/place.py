"""The place of a run: a folder that is this user's alone, taken in one step, and locked while the run goes on.

The folder is made beside its place, under a name of its own, with the lock in it and held, and then renamed. So two
runs never share a folder, whenever they start, and a lock dies with the process that holds it, however that ends.
Symbolic links are never followed: neither one in the place of the folder nor one in the place of the lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from pathlib import Path

CASE_FILE = "case.json"  # marks a folder as that of a run
LOCK_FILE = ".lock"
_TRIES = 100


class RunFolderError(Exception):
    """The folder of a run cannot be used."""


class _Moved(Exception):
    """Another process has changed what stands in the place meanwhile."""


def take(path: Path) -> tuple[int, Path | None]:
    """Make the folder `path`, of mode 0700, and lock it; a run that is there is moved aside.

    Returns
    -------
    The descriptor that holds the lock, and where an earlier run has been moved, or None.
    """
    earlier: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        why = "Not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise RunFolderError(f"the run folder {path} cannot be made: {why}") from None
    descriptor = lock(made)
    try:
        for _ in range(_TRIES):
            try:
                made.rename(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise RunFolderError(f"the run folder {path} cannot be made: {error.strerror}") from None
            else:
                return descriptor, earlier
            with contextlib.suppress(_Moved):
                earlier = _move_aside(path)
        raise RunFolderError(f"the run folder {path} is being taken by other runs again and again")
    except BaseException:
        os.close(descriptor)
        (made / LOCK_FILE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            made.rmdir()
        raise


def lock(path: Path) -> int:
    """Lock the folder `path`; return the descriptor that holds the lock until it is closed, or this process ends."""
    try:
        descriptor = os.open(path / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise _Moved from None
        why = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be opened: {error.strerror}"
        raise RunFolderError(f"the lock {path / LOCK_FILE} {why}; choose another folder with --out") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _same(descriptor, path / LOCK_FILE):
            raise _Moved
    except BlockingIOError:
        os.close(descriptor)
        raise RunFolderError(f"a run is going on in {path}; wait, or choose another folder with --out") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _move_aside(path: Path) -> Path:
    """Move the run in `path` to the first free of PATH.1, PATH.2, ...; refuse what is no run, or one that goes on."""
    if path.is_symlink():
        raise RunFolderError(f"{path} is a symbolic link; choose another folder with --out")
    if not os.path.lexists(path):
        raise _Moved
    if not path.is_dir() or not any((path / name).is_file() for name in (CASE_FILE, LOCK_FILE)):
        raise RunFolderError(f"{path} is there and is not the folder of a run; choose another one with --out")
    descriptor = lock(path)
    try:
        number = 1
        while True:
            aside = path.with_name(f"{path.name}.{number}")
            if not os.path.lexists(aside):
                with contextlib.suppress(FileExistsError, NotADirectoryError):
                    return path.rename(aside)
            number += 1
    except FileNotFoundError:
        raise _Moved from None
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            raise _Moved from None
        raise RunFolderError(f"the run in {path} cannot be moved aside: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _same(descriptor: int, file: Path) -> bool:
    """Return whether an open file is the one that stands there now."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    return False
