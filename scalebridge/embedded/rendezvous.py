"""How two participants find each other: the acceptor leaves a note in the exchange directory, the connector reads it.

The note names a Unix socket and a random word that only readers of the note know. On Linux the socket lives in the
abstract namespace, elsewhere in a private folder. Notes of dead processes do no harm: nobody answers there. Notes of
other users, and links in the place of a note, are not believed: whoever answers there could be anybody. Two places
are tried: the exchange directory as seen from the working folder, as in preCICE, and as seen from the folder of the
configuration file, so that participants may be started in different folders.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scalebridge.embedded.config import Configuration, ConnectionConfig
from scalebridge.embedded.transport import Channel

WAIT_LIMIT = "SCALEBRIDGE_WAIT_LIMIT"
_FOLDER = "precice-run"
_FIRST_NOTICE = 5.0  # seconds of waiting before saying so; each further notice waits twice as long
_GRACE = 0.5  # seconds in which only notes beside the working folder count: another run may use the same file
_SIZE = struct.Struct("<Q")


class RendezvousError(RuntimeError):
    """A partner did not come, or came with a different configuration."""


@dataclass(frozen=True)
class _Place:
    """A note: its path, and for how long it is not to be looked at."""

    path: Path
    grace: float


def _places(configuration: Configuration, connection: ConnectionConfig) -> list[_Place]:
    file = Path(configuration.file).resolve()
    pair = f"{connection.acceptor}-{connection.connector}"
    here = Path.cwd() / connection.exchange_directory
    there = file.parent / connection.exchange_directory
    key = hashlib.sha256(str(file).encode()).hexdigest()[:16]
    name = hashlib.sha256(pair.encode()).hexdigest()[:16]
    grace = 0.0 if here.resolve() == there.resolve() else _GRACE
    return [
        _Place(here / _FOLDER / f"{name}.scalebridge", 0.0),
        _Place(there / _FOLDER / f"{name}-{key}.scalebridge", grace),
    ]


class Rendezvous:
    """The meeting of one participant with one partner; `open` first for all partners, then `meet` each."""

    def __init__(self, configuration: Configuration, connection: ConnectionConfig, me: str) -> None:
        self.configuration = configuration
        self.connection = connection
        self.me = me
        self.accepting = me == connection.acceptor
        self.partner = connection.connector if self.accepting else connection.acceptor
        self._places = _places(configuration, connection)
        self._listener: socket.socket | None = None
        self._private: str | None = None
        self._word = secrets.token_hex(16)
        self._patience = _Patience(me, self.partner, connection.exchange_directory)

    # --- the acceptor --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """As acceptor, listen and leave the notes; as connector, do nothing yet."""
        if not self.accepting:
            return
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if sys.platform == "linux":
            address = f"\0scalebridge-{secrets.token_hex(16)}"
        else:
            self._private = tempfile.mkdtemp(prefix="scalebridge-")
            address = str(Path(self._private) / "s")
        self._listener.bind(address)
        self._listener.listen(8)
        note = json.dumps({"socket": address, "word": self._word, "process": os.getpid()})
        problems = [problem for place in self._places if (problem := _leave(place.path, note)) is not None]
        if len(problems) == len(self._places):
            raise RendezvousError(
                f"participant {self.me} cannot write to the exchange directory "
                f'"{self.connection.exchange_directory}": {problems[0]}'
            )

    def _accept(self) -> socket.socket:
        assert self._listener is not None
        while True:
            self._listener.settimeout(self._patience.next_wait())
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                self._patience.check()
                continue
            connection.settimeout(10.0)
            try:
                word = _receive(connection)
            except (OSError, EOFError):
                connection.close()
                continue
            if secrets.compare_digest(word, self._word.encode()):
                return connection
            connection.close()

    # --- the connector -------------------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        began = time.monotonic()
        pause = 0.001
        while True:
            for place in self._places:
                if time.monotonic() - began >= place.grace:
                    connection = _answering(place.path)
                    if connection is not None:
                        return connection
            self._patience.check()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    # --- both ----------------------------------------------------------------------------------------------------

    def meet(self) -> Channel:
        """Wait for the partner, compare configurations, and return the channel to it."""
        before = time.perf_counter()
        try:
            connection = self._accept() if self.accepting else self._connect()
        finally:
            self.close()
        canonical = self.configuration.canonical()
        try:
            connection.settimeout(60.0)
            mine = {"name": self.me, "process": os.getpid(), "configuration": canonical}
            _send(connection, json.dumps(mine).encode())
            theirs = json.loads(_receive(connection))
        except (OSError, EOFError) as error:
            raise RendezvousError(f"participant {self.partner} ended while {self.me} was connecting to it") from error
        difference = _difference(json.loads(canonical), json.loads(theirs["configuration"]))
        if difference:
            raise RendezvousError(
                f"participants {self.me} and {self.partner} have different configurations: {difference} "
                f"({self.me} reads {self.configuration.file})"
            )
        channel = Channel(connection, self.me, self.partner, int(theirs["process"]))
        channel.seconds_waited += time.perf_counter() - before
        return channel

    def close(self) -> None:
        """Stop listening and take the notes away."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
        for place in self._places:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if json.loads(place.path.read_text())["word"] == self._word:
                    place.path.unlink()
                place.path.parent.rmdir()


class _Patience:
    """Says that somebody is being waited for, and ends the wait where a limit is set."""

    def __init__(self, me: str, partner: str, directory: str) -> None:
        self.text = f"participant {me} waits for participant {partner} (exchange directory {directory})"
        limit = os.environ.get(WAIT_LIMIT)
        try:
            self.limit = float(limit) if limit else None
        except ValueError:
            raise RendezvousError(f"{WAIT_LIMIT}={limit} is not a number of seconds") from None
        self.began: float | None = None
        self.notice = _FIRST_NOTICE

    def next_wait(self) -> float:
        """Return how long to wait before the next `check`."""
        return 0.25 if self.limit is None else max(0.01, min(0.25, self.limit / 4))

    def check(self) -> None:
        """Say so after a while, and raise when the limit is reached."""
        if self.began is None:
            self.began = time.monotonic()
        waited = time.monotonic() - self.began
        if self.limit is not None and waited >= self.limit:
            raise RendezvousError(f"{self.text}, which has not come within {self.limit:g} s ({WAIT_LIMIT})")
        if waited >= self.notice:
            self.notice *= 2
            print(f"scalebridge: {self.text}, which has not come yet", file=sys.stderr, flush=True)


def _leave(path: Path, note: str) -> str | None:
    """Write a note that only this user can read; return what went wrong, if anything."""
    problem = ""
    for _ in range(5):  # the folder may be taken away by another pair that has just met
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".note-", dir=path.parent)
            with os.fdopen(descriptor, "w") as file:
                file.write(note)
            os.replace(temporary, path)
        except OSError as error:
            problem = str(error)
        else:
            return None
    return problem


def _answering(path: Path) -> socket.socket | None:
    """Return a connection to whoever left the note at `path`, or None if there is no note or nobody answers."""
    try:
        note = json.loads(_own(path))
        address, word = note["socket"], note["word"].encode()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # no note, or one that is just being taken away
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10.0)
    try:
        connection.connect(address)
        _send(connection, word)
    except (OSError, TypeError):
        connection.close()
        return None  # the note is of a process that has ended
    return connection


def _own(path: Path) -> str:
    """Return the text of a file that this user has written. Raises OSError where it is another's, or a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, encoding="utf-8") as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user")
        return file.read()


def _send(connection: socket.socket, text: bytes) -> None:
    connection.sendall(_SIZE.pack(len(text)) + text)


def _receive(connection: socket.socket) -> bytes:
    (size,) = _SIZE.unpack(_exactly(connection, _SIZE.size))
    if size > 1 << 26:
        raise EOFError
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _difference(mine: object, theirs: object, where: str = "") -> str:
    """Return the first place where two configurations differ, or an empty text."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        where = f"{where} {mine['name']}" if mine.get("name") and mine.get("name") == theirs.get("name") else where
        for key in mine:
            if text := _difference(mine[key], theirs.get(key), f"{where}.{key}" if where else key):
                return text
        return ""
    if isinstance(mine, list) and isinstance(theirs, list):
        for i, (a, b) in enumerate(zip(mine, theirs, strict=False)):
            if text := _difference(a, b, f"{where}[{i}]"):
                return text
        if len(mine) != len(theirs):
            return f"{where}: {len(mine)} here, {len(theirs)} there"
        return ""
    return "" if mine == theirs else f"{where}: {mine!r} here, {theirs!r} there"
