"""Pictures on a page: the PNG files of a run as they are, and arrays of numbers as PNG that we write ourselves."""

from __future__ import annotations

import base64
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scalebridge.report.html import Markup, tag
from scalebridge.report.source import Array, Source

MOST_PICTURES = 24
MOST_BYTES = 8_000_000  # of one picture
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Viridis (S. van der Walt and N. Smith, matplotlib; CC0) at nine places: as bright as large, also in grey.
_COLORS = np.array(
    [
        (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141),
        (39, 173, 129), (92, 200, 99), (170, 220, 50), (253, 231, 37),
    ],
    dtype=np.float64,
)  # fmt: skip


def section(source: Source) -> list[Markup]:
    """Return the pictures of the run, those of the report first."""
    files = [f for pattern in ("*.png", "*/*.png") for f in source.files(pattern)]
    parts = []
    for file in files[:MOST_PICTURES]:
        data = file.read_bytes() if file.stat().st_size <= MOST_BYTES else b""
        if not data.startswith(SIGNATURE):
            continue
        name = str(file.relative_to(source.path))
        image = tag("img", src=uri(data), alt=f"picture {name}", loading="lazy")
        button = tag("button", image, class_="zoom", type="button", title="show it large")
        parts.append(tag("figure", button, tag("figcaption", name), class_="picture"))
    return parts


def uri(data: bytes) -> str:
    """Return a PNG as an address that contains it."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def colors(values: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """Return values (h, w) as colours (h, w, 4); what is not finite is transparent."""
    scale = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    place = np.clip(np.nan_to_num(scale), 0.0, 1.0) * (len(_COLORS) - 1)
    below = np.minimum(place.astype(int), len(_COLORS) - 2)
    part = (place - below)[..., None]
    image = np.empty((*values.shape, 4), dtype=np.uint8)
    image[..., :3] = np.rint((1 - part) * _COLORS[below] + part * _COLORS[below + 1])
    image[..., 3] = np.where(np.isfinite(values), 255, 0)
    return image


def png(image: NDArray[np.uint8]) -> bytes:
    """Return an image (h, w, 4) as a PNG file (ISO/IEC 15948): 8 bits, colour with alpha, rows unfiltered."""
    height, width, _ = image.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, 4 * width)], axis=1)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def side_by_side(cells: Array, between: int = 2) -> Array:
    """Return images (m, h, w) next to each other, NaN between them."""
    m, height, width = cells.shape
    result = np.full((height, m * (width + between) - between), np.nan)
    for i, one in enumerate(cells):
        result[:, i * (width + between) : i * (width + between) + width] = one
    return result


def colorbar(low: str, high: str) -> Markup:
    """Return what the colours mean, from the least to the largest value."""
    bar = colors(np.linspace(0.0, 1.0, 128)[None, :], 0.0, 1.0)
    image = tag("img", src=uri(png(bar)), alt="colours from the least to the largest value")
    return tag("div", tag("span", low), image, tag("span", high), class_="colorbar")


def unpacked(file: Path) -> int:
    """Return how many bytes an .npz file unpacks to; 0 for a file that is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return 0


def load(file: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of numbers of an .npz file; none of a file that is none. Nothing is unpickled."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:  # else it stays open
            return {n: archive[n] for n in archive.files if names is None or n in names}
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, MemoryError):
        return {}  # such a file is none
