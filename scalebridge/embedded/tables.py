"""Text tables in preCICE's format: the iterations and convergence logs, watch points and watch integrals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scalebridge import continuation


class Table:
    """A text file with a header and a line per `write`; integers and floats, vectors with a column per component.

    Parameters
    ----------
    size : bytes of an earlier process's file behind which to go on; None begins anew.
    """

    def __init__(self, path: str | Path, size: int | None = None) -> None:
        self._file = continuation.go_on(path, size)
        self._begun = size is not None

    def header(self, names: Sequence[str]) -> None:
        """Write the names of the columns (or of more columns); before the first `write`."""
        if self._begun:
            return
        self._file.write("".join(f"  {name}" for name in names))
        self._file.flush()

    def write(self, values: Sequence[float]) -> None:
        """Write one line."""
        cells = [f"{v:6d}" if isinstance(v, int) else f"{v:15.8e}" for v in values]
        self._file.write("\n" + "  ".join(cells))
        self._file.flush()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return continuation.position(self._file)

    def close(self) -> None:
        self._file.close()


def columns(name: str, components: int) -> list[str]:
    """Return the column names of a data: the name itself for a scalar, numbered for a vector."""
    return [name] if components == 1 else [f"{name}{i}" for i in range(components)]
