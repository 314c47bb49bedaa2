"""Reads VTK's XML files: .vtu, .vtp, .vti, .vts and .vtr, as arrays by name.

What ParaView, DOLFINx, preCICE and we write: text, base64 in place, and appended data, base64 or raw, each plain or
compressed with zlib or LZMA. A file that is put together from pieces by an index (.pvtu, .pvd) is read piece by piece.
"""

from __future__ import annotations

import base64
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[Any]

_TYPES = {
    **{f"Int{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"Float{bits}": f"f{bits // 8}" for bits in (32, 64)},
}
_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "vtkZLibDataCompressor": zlib.decompress,
    "vtkLZMADataCompressor": lzma.decompress,
}
_APPENDED = re.compile(rb"<AppendedData[^>]*?encoding\s*=\s*[\"'](\w+)[\"'][^>]*>\s*_")
_SHAPES = ("WholeExtent", "Extent", "Origin", "Spacing", "Direction")
_VALUES = ("PointData", "CellData")


@dataclass(frozen=True)
class Grid:
    """One file.

    Attributes
    ----------
    values : data at points and in cells by name; of two of one name that of the cells as NAME (cells).
    at_points : names of the data at points.
    points : (n, 3) coordinates, None where the file gives none.
    geometry : everything that says where the values are, by name.
    """

    values: dict[str, Array]
    at_points: tuple[str, ...]
    points: Array | None
    geometry: dict[str, Array]


@dataclass
class _Source:
    """An array as it stands in the file: where (PointData, CellData, Points, ...), attributes, piece, text."""

    where: str
    attributes: dict[str, str]
    piece: int
    text: list[str]


def read(path: Path) -> Grid:
    """Read one file. Raises ValueError where it is not of these formats."""
    content = path.read_bytes()
    found = _APPENDED.search(content)
    appended, encoding = b"", ""
    if found:
        end = content.rfind(b"</AppendedData>")
        appended, encoding = content[found.end() : end if end > 0 else None], found[1].decode()
        content = content[: found.start()] + b"</VTKFile>"
    reader = _Reader()
    reader.parse(content)
    return _grid(reader, _Decoder(reader.root, appended, encoding))


def times(folder: Path) -> dict[Path, float]:
    """Return the simulated time [s] of files below a folder, as far as a .pvd or a .series file gives it."""
    found: dict[Path, float] = {}
    for index in sorted(folder.rglob("*.pvd")):
        for tag, attributes in _elements(index):
            if tag == "DataSet" and "file" in attributes and "timestep" in attributes:
                for path in _pieces(folder, index, attributes["file"]):
                    found[path] = float(attributes["timestep"])
    for index in sorted(folder.rglob("*.series")):
        for entry in json.loads(index.read_text(encoding="utf-8"))["files"]:
            for path in _pieces(folder, index, str(entry["name"])):
                found[path] = float(entry["time"])
    return found


def _pieces(folder: Path, index: Path, name: str) -> list[Path]:
    """Return the file that an index names, or the pieces of which that is the index; nothing outside `folder`."""
    path = Path(os.path.normpath(index.parent / name))
    if not path.is_relative_to(folder):
        return []
    if not path.suffix.startswith(".pv") or not path.is_file():
        return [path]
    sources = [a["Source"] for tag, a in _elements(path) if tag == "Piece" and "Source" in a]
    return [Path(os.path.normpath(path.parent / source)) for source in sources]


def _elements(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    reader = _Reader()
    reader.parse(path.read_bytes())
    yield from reader.elements


class _Reader:
    """Collects elements and arrays; document types and entities are refused."""

    def __init__(self) -> None:
        self.root: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.arrays: list[_Source] = []
        self._open: list[str] = []
        self._pieces = 0

    def parse(self, content: bytes) -> None:
        """Read a document. Raises ValueError."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise ValueError(f"not well-formed XML: {error}") from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._open.append(tag)
        if len(self._open) == 1:
            self.root = attributes
        if tag == "Piece":
            self._pieces += 1
        if tag == "DataArray" and len(self._open) > 1:
            self.arrays.append(_Source(self._open[-2], attributes, self._pieces, []))
        else:
            self.elements.append((tag, attributes))

    def _end(self, tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open and self._open[-1] == "DataArray" and self.arrays:
            self.arrays[-1].text.append(text)

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type declaration, which is not read")


class _Decoder:
    """Turns the text of an array, or its part of the appended data, into numbers."""

    def __init__(self, root: dict[str, str], appended: bytes, encoding: str) -> None:
        self._order = ">" if root.get("byte_order") == "BigEndian" else "<"
        self._header = np.dtype(self._order + _TYPES[root.get("header_type", "UInt32")])
        compressor = root.get("compressor")
        if compressor and compressor not in _COMPRESSORS:
            raise ValueError(f"compressed with {compressor}; only zlib and LZMA are read")
        self._inflate = _COMPRESSORS[compressor] if compressor else None
        self._appended, self._encoding = appended, encoding

    def __call__(self, source: _Source) -> Array:
        a = source.attributes
        if a.get("type") not in _TYPES:
            raise ValueError(f"array {a.get('Name', '')!r} is of type {a.get('type')}, which is not read")
        kind = np.dtype(self._order + _TYPES[a["type"]])
        form = a.get("format", "ascii")
        if form == "ascii":
            values = np.array("".join(source.text).split(), dtype=kind)
        elif form == "binary":
            values = np.frombuffer(self._base64("".join(source.text).encode()), dtype=kind)
        else:
            rest = self._appended[int(a["offset"]) :]
            values = np.frombuffer(self._raw(rest) if self._encoding == "raw" else self._base64(rest), dtype=kind)
        components = int(a.get("NumberOfComponents", "1"))
        return values.reshape(-1, components) if components > 1 else values

    def _base64(self, text: bytes) -> bytes:
        """Decode base64: head and body are coded apart where they are compressed, together where not."""
        text = text.strip()
        size = self._header.itemsize
        if self._inflate is None:
            length = int(np.frombuffer(_decoded(text, size), self._header)[0])
            return _decoded(text, size + length)[size:]
        blocks = int(np.frombuffer(_decoded(text, size), self._header)[0])
        head = np.frombuffer(_decoded(text, size * (3 + blocks)), self._header)
        body = text[_coded_length(size * (3 + blocks)) :]
        return self._inflated(head[3:], _decoded(body, int(head[3:].sum())))

    def _raw(self, data: bytes) -> bytes:
        size = self._header.itemsize
        first = int(np.frombuffer(data[:size], self._header)[0])
        if self._inflate is None:
            return data[size : size + first]
        head = np.frombuffer(data[: size * (3 + first)], self._header)
        return self._inflated(head[3:], data[size * (3 + first) :])

    def _inflated(self, lengths: Array, data: bytes) -> bytes:
        assert self._inflate is not None
        ends = np.cumsum(lengths, dtype=np.int64)
        return b"".join(
            self._inflate(data[end - length : end]) for length, end in zip(lengths.tolist(), ends, strict=True)
        )


def _coded_length(count: int) -> int:
    return -(-count // 3) * 4


def _decoded(text: bytes, count: int) -> bytes:
    """Return the first `count` bytes that the text codes."""
    return base64.b64decode(text[: _coded_length(count)])[:count]


def _grid(reader: _Reader, decode: _Decoder) -> Grid:
    """Put the arrays of all pieces together."""
    values: dict[str, list[Array]] = {}
    geometry: dict[str, list[Array]] = {}
    at_points = {}
    names = {s.attributes.get("Name", "") for s in reader.arrays if s.where == "PointData"}
    for source in reader.arrays:
        name = source.attributes.get("Name", source.where)
        if name.startswith("vtk"):  # such as vtkGhostType
            continue
        if source.where in _VALUES:
            if source.where == "PointData":
                at_points[name] = True
            elif name in names:
                name += " (cells)"
            values.setdefault(name, []).append(decode(source))
        elif source.where != "FieldData":
            geometry.setdefault(source.where if source.where == "Points" else name, []).append(decode(source))
    whole = {name: np.concatenate(parts) for name, parts in geometry.items()}
    for tag, attributes in reader.elements:
        found = [f"{tag}.{key}" for key in _SHAPES if key in attributes]
        whole |= {key: np.array(attributes[key.partition(".")[2]].split(), dtype=float) for key in found}
    data = {name: np.concatenate(parts) for name, parts in values.items() if name != "Rank"}
    return Grid(data, tuple(n for n in at_points if n in data), whole.get("Points"), whole)
