"""Meshes travel once, from the participant that provides them to those that receive them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from scalebridge.embedded.config import Configuration, ParticipantConfig
from scalebridge.embedded.meshes import CORNERS, Mesh
from scalebridge.embedded.transport import Channel

_COUNTS = struct.Struct("<4Q")


def exchange_meshes(
    configuration: Configuration, me: ParticipantConfig, meshes: Mapping[str, Mesh], channels: Mapping[str, Channel]
) -> None:
    """Send what `me` provides and receive what it receives, mesh by mesh in the order of their names.

    The order is the same for everybody, so nobody waits for somebody who waits for him.
    """
    for name in sorted(meshes):
        received = me.received(name)
        if received is not None:
            _receive(channels[received.provider], meshes[name])
            continue
        for other in configuration.participants:
            theirs = other.received(name)
            if theirs is not None and theirs.provider == me.name:
                _send(channels[other.name], meshes[name])


def _send(channel: Channel, mesh: Mesh) -> None:
    cells = [mesh.cells(kind) for kind in CORNERS]
    counts = _COUNTS.pack(mesh.size, *(len(c) for c in cells))
    channel.send(counts + b"".join(c.tobytes() for c in cells), [mesh.vertices])


def _receive(channel: Channel, mesh: Mesh) -> None:
    head, floats = channel.receive(lambda: f'waiting for its mesh "{mesh.name}"')
    size, *counts = _COUNTS.unpack_from(head)
    mesh.add_vertices(floats.reshape(size, mesh.dimensions))
    position = _COUNTS.size
    for (kind, corners), count in zip(CORNERS.items(), counts, strict=True):
        cells = np.frombuffer(head, np.int64, count * corners, position)
        position += cells.nbytes
        if count:
            mesh.add_cells(kind, cells)
