"""Trees of arrays and plain values in one .npz file: exact, complete or absent, readable by their owner alone.

A tree is made of mappings, lists, tuples, NumPy arrays and scalars, numbers, text, bytes, truth values and None. The
arrays are members of the archive under names that tell their place; the rest is JSON, in the member ``tree``. Nothing
is compressed or pickled, so what is read is never larger than the file and never more than data.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import tempfile
import tokenize
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "scalebridge tree"
VERSION = 1
KINDS = "biufcUSmM"  # of arrays: all but objects and records


class TreeFileError(Exception):
    """A tree that cannot be written, or a file that cannot be read as one."""


def save(path: str | Path, tree: Any) -> None:
    """Write a tree, replacing what was at `path` at once and only when all of it is on the disk.

    Raises
    ------
    TreeFileError
        With the place in the tree of a value that no file can hold, or why the file cannot be written.
    """
    path = Path(path)
    writer = _Encoder()
    node = writer.encode(tree, "")
    text = json.dumps({"format": FORMAT, "version": VERSION, "tree": node}, allow_nan=False)
    members = {"tree": np.frombuffer(text.encode(), dtype=np.uint8), **writer.arrays}
    try:
        _replace(path, members)
    except OSError as error:
        raise TreeFileError(f"{path}: cannot be written: {error.strerror or error}") from None


def load(path: str | Path, *, arrays: bool = True) -> Any:
    """Return the tree that `save` wrote; arrays come back with the same type, shape, values and order in memory.

    Parameters
    ----------
    arrays : return None for every array, scalar of NumPy and bytes instead, having only made sure that they are whole.

    Raises
    ------
    TreeFileError
        If the file cannot be read, is damaged, or was not written by `save`, or by a later version of it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise TreeFileError(f"{path}: is no file")
            return _read(path, file, arrays)
    except OSError as error:
        raise TreeFileError(f"{path}: cannot be read: {error.strerror or error}") from None


class _Encoder:
    """Turns a tree into JSON and named arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def encode(self, value: Any, place: str) -> Any:
        if value is None or type(value) in (bool, str, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray | np.generic):
            return {"array" if isinstance(value, np.ndarray) else "scalar": self._store(np.asarray(value), place)}
        if isinstance(value, bytes):
            return {"bytes": self._store(np.frombuffer(value, dtype=np.uint8), place)}
        if isinstance(value, Mapping):
            return {"map": [[self._key(k, place), self.encode(v, f"{place}/{k}")] for k, v in value.items()]}
        if type(value) in (list, tuple):
            items = [self.encode(item, f"{place}/{i}") for i, item in enumerate(value)]
            return items if type(value) is list else {"tuple": items}
        raise TreeFileError(
            f"{place or 'the tree'}: a {type(value).__name__} cannot be saved; expected mappings, lists, tuples, "
            "arrays, numbers, text, bytes or None"
        )

    def _key(self, key: Any, place: str) -> Any:
        if not isinstance(key, str | int | float | tuple):
            raise TreeFileError(f"{place or 'the tree'}: a {type(key).__name__} cannot be a key; expected text")
        return self.encode(key, f"{place}/{key}")

    def _store(self, array: NDArray[Any], place: str) -> str:
        if array.dtype.kind not in KINDS:
            raise TreeFileError(f"{place or 'the tree'}: an array of {array.dtype} cannot be saved")
        plain = "/".join(part for part in (re.sub(r"[^\w-]+", "_", p).strip("_") for p in place.split("/")) if part)
        name, n = plain[:200] or "value", 1
        while name in self.arrays or name == "tree":
            n += 1
            name = f"{plain[:200]}-{n}"
        self.arrays[name] = array
        return name


def _replace(path: Path, members: Mapping[str, NDArray[Any]]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # of mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for member, array in members.items():
                    with archive.open(f"{member}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path, file: Any, arrays: bool) -> Any:
    damaged = (zipfile.BadZipFile, ValueError, EOFError, KeyError, IndexError, TypeError, struct.error)
    odd = (UnicodeError, NotImplementedError, RuntimeError, RecursionError, SyntaxError, tokenize.TokenError)
    try:
        with zipfile.ZipFile(file) as archive:
            if "tree.npy" not in archive.namelist():
                raise TreeFileError(f"{path}: was not written by scalebridge")
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise TreeFileError(f"{path}: was not written by scalebridge: it is compressed")
            header = json.loads(_array(archive, "tree").tobytes())
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise TreeFileError(f"{path}: was not written by scalebridge")
            if header["version"] != VERSION:
                raise TreeFileError(
                    f"{path}: is of version {header['version']}; this scalebridge reads version {VERSION}"
                )
            if arrays:
                return _decode(header["tree"], lambda name: _array(archive, name))
            if (broken := archive.testzip()) is not None:
                raise ValueError(f"{broken} does not fit its checksum")
            return _decode(header["tree"], _nothing)
    except (*damaged, *odd) as error:
        raise TreeFileError(
            f"{path}: is damaged or no file of scalebridge's: {error or type(error).__name__}"
        ) from None


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Return a member; all of it is read, so its checksum is verified."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise ValueError(f"{name} is longer than its array")
    return array


def _nothing(name: str) -> None:
    return None


def _decode(node: Any, member: Callable[[str], Any]) -> Any:
    if isinstance(node, list):
        return [_decode(item, member) for item in node]
    if not isinstance(node, dict):
        return node
    ((tag, value),) = node.items()
    match tag:
        case "array":
            return member(value)
        case "scalar":
            array = member(value)
            return None if array is None else array[()]
        case "bytes":
            array = member(value)
            return None if array is None else array.tobytes()
        case "float":
            return float(value)
        case "tuple":
            return tuple(_decode(item, member) for item in value)
        case "map":
            return {_decode(key, member): _decode(item, member) for key, item in value}
    raise ValueError(f"no such kind of value: {tag}")
