"""A channel between two processes on one machine: numbers through shared memory, wake-ups through a Unix socket.

A message is a few bytes and an array of floats. Small arrays travel in the socket with the bytes; large ones are
copied into anonymous shared memory, whose file descriptor was sent over the socket, and copied out by the receiver.
There are two slots, so that a sender is held up only when it is two large messages ahead. Nothing has a name in any
file system, so nothing is left behind however a process ends, and a closed socket wakes whoever waits for it.

Whoever waits looks a few times for what comes before it lets the system put it to sleep, as waking up takes longer
than an idle partner takes to answer. Where looking does not help (the partner computes, or has no processor of its own)
it is tried less and less often.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INLINE = 32 * 1024  # bytes of floats up to which a message goes through the socket alone
_SLOTS = 2
_FRAME = struct.Struct("<IQb3x")  # bytes of the head, number of floats, slot (-1: inline, -2: new segment, slot 0)
_NEW_SEGMENT = -2
_INLINE = -1
_DESCRIPTORS = b"fd"
_LOOKING = 300e-6 if (os.cpu_count() or 1) > 1 else 0.0  # seconds of looking before going to sleep
_SELDOM = 63  # messages without looking, at most


class PartnerError(RuntimeError):
    """The other end of a channel ended or closed it."""


class Channel:
    """One end of a connection to another participant.

    Attributes
    ----------
    partner : what to call the other end in messages.
    seconds_waited : wall seconds spent waiting for the other end.
    """

    def __init__(self, connection: socket.socket, me: str, partner: str, process: int) -> None:
        connection.setblocking(True)
        self.me = me
        self.partner = partner
        self.process = process
        self.seconds_waited = 0.0
        self._pause = self._skip = 0  # messages without looking: how many, and how many are left
        self._socket = connection
        self._buffer = memoryview(bytearray(2 * INLINE))
        self._out: _Segment | None = None
        self._in: _Segment | None = None

    # --- sending -------------------------------------------------------------------------------------------------

    def send(self, head: bytes, arrays: Sequence[Floats] = (), doing: str = "sending data to it") -> None:
        """Send `head` and all floats of `arrays`, one after the other; `doing` as for `receive`."""
        count = 0
        for array in arrays:
            count += array.size
        try:
            if count * 8 <= INLINE:
                frame = [_FRAME.pack(len(head), count, _INLINE), *[a.tobytes() for a in arrays], head]
                self._socket.sendall(b"".join(frame))
            else:
                self._send_shared(head, arrays, count)
        except (BrokenPipeError, ConnectionResetError):
            raise self._ended(lambda: doing) from None

    def _send_shared(self, head: bytes, arrays: Sequence[Floats], count: int) -> None:
        theirs: list[int] = []
        slot = _NEW_SEGMENT
        if self._out is None or self._out.floats < count:
            if self._out is not None:
                self._out.close()
            self._out, theirs = _Segment.create(count)
        else:
            before = time.perf_counter()
            slot = self._out.take_slot()
            self.seconds_waited += time.perf_counter() - before
        target = self._out.slot(max(slot, 0))
        position = 0
        for array in arrays:
            target[position : position + array.size] = array.reshape(-1)
            position += array.size
        self._socket.sendall(_FRAME.pack(len(head), count, slot) + head)
        if theirs:
            self._socket.sendall(struct.pack("<Q", self._out.floats))
            socket.send_fds(self._socket, [_DESCRIPTORS], theirs)
            for descriptor in theirs:
                os.close(descriptor)

    # --- receiving -----------------------------------------------------------------------------------------------

    def receive(self, doing: Callable[[], str]) -> tuple[bytes, Floats]:
        """Wait for the next message and return its head and its floats (an array of its own).

        `doing` says what this end is doing, should the other one end meanwhile.
        """
        try:
            return self._receive()
        except (EOFError, ConnectionResetError):
            raise self._ended(doing) from None

    def _receive(self) -> tuple[bytes, Floats]:
        before = time.perf_counter()
        frame = self._read(_FRAME.size, 0.0 if self._skip else before + _LOOKING)
        self._learn(time.perf_counter() - before)
        head_size, count, slot = _FRAME.unpack(frame)
        if slot == _INLINE:
            body = bytes(self._read(8 * count + head_size))
            return body[8 * count :], np.frombuffer(body, np.float64, count)
        head = bytes(self._read(head_size))
        if slot == _NEW_SEGMENT:
            self._accept_segment()
            slot = 0
        assert self._in is not None
        values = self._in.slot(slot)[:count].copy()
        self._in.give_back(slot)
        return head, values

    def _learn(self, waited: float) -> None:
        """Count the seconds, and decide whether looking for the next message is worth it."""
        self.seconds_waited += waited
        if self._skip:
            self._skip -= 1
        elif waited < _LOOKING:
            self._pause = 0
        else:
            self._pause = self._skip = min(2 * self._pause + 1, _SELDOM)

    def _accept_segment(self) -> None:
        (floats,) = struct.unpack("<Q", self._read(8))
        _, descriptors, _, _ = socket.recv_fds(self._socket, len(_DESCRIPTORS), 2)
        if len(descriptors) != 2:
            raise EOFError
        if self._in is not None:
            self._in.close()
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._in = _Segment(descriptors[0], socket.socket(fileno=descriptors[1]), floats)

    def _read(self, size: int, looking: float = 0.0) -> memoryview:
        """Return the next `size` bytes, valid until the next call; until the time `looking` do not go to sleep."""
        view = self._buffer[:size] if size <= len(self._buffer) else memoryview(bytearray(size))
        got = 0
        while got < size:
            try:
                n = self._socket.recv_into(view[got:] if got else view, 0, socket.MSG_DONTWAIT if looking else 0)
            except BlockingIOError:
                if time.perf_counter() > looking:
                    looking = 0.0
                continue
            if n == 0:
                raise EOFError
            got += n
        return view

    def _ended(self, doing: Callable[[], str]) -> PartnerError:
        return PartnerError(f"participant {self.partner} ended (process {self.process}) while {self.me} was {doing()}")

    def close(self) -> None:
        """Close this end; whoever waits at the other end notices at once."""
        self._socket.close()
        for segment in (self._in, self._out):
            if segment is not None:
                segment.close()
        self._in = self._out = None


class _Segment:
    """Shared memory of two slots, and the socket over which used slots come back."""

    def __init__(self, descriptor: int, returns: socket.socket, floats: int) -> None:
        self.floats = floats
        self._memory = mmap.mmap(descriptor, _SLOTS * floats * 8)
        os.close(descriptor)
        self._slots = [np.frombuffer(self._memory, np.float64, floats, i * floats * 8) for i in range(_SLOTS)]
        self._returns = returns
        self._free: list[int] = []

    @classmethod
    def create(cls, floats: int) -> tuple[_Segment, list[int]]:
        """Return a segment whose first slot is taken, and the two descriptors for the other end."""
        floats = floats + floats // 8  # some room for a few more samples
        descriptor = _anonymous_file(_SLOTS * floats * 8)
        mine, theirs = socket.socketpair()
        mine_descriptor = os.dup(descriptor)
        segment = cls(mine_descriptor, mine, floats)
        segment._free = list(range(1, _SLOTS))
        return segment, [descriptor, theirs.detach()]

    def slot(self, i: int) -> Floats:
        return self._slots[i]

    def take_slot(self) -> int:
        """Return a free slot, waiting for one if need be; the first where possible, so that one is often enough."""
        with contextlib.suppress(BlockingIOError):
            self._free.extend(self._returns.recv(_SLOTS, socket.MSG_DONTWAIT if self._free else 0))
        if not self._free:
            raise ConnectionResetError
        self._free.sort()
        return self._free.pop(0)

    def give_back(self, slot: int) -> None:
        try:
            self._returns.send(bytes([slot]))
        except (BrokenPipeError, ConnectionResetError):
            return  # the sender has gone; what it sent has arrived

    def close(self) -> None:
        self._returns.close()
        self._slots = []
        try:
            self._memory.close()
        except BufferError:
            return  # a view is still in use; the memory goes with it


def _anonymous_file(size: int) -> int:
    """Return the descriptor of a file of `size` bytes that has no name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("scalebridge")
    else:
        descriptor, name = tempfile.mkstemp(prefix="scalebridge-")
        os.unlink(name)
    os.ftruncate(descriptor, size)
    return descriptor
