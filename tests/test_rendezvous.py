"""Notes by which participants find each other: only those that this user has written are believed."""

import json
import os
import socket
import threading

import pytest

from scalebridge.embedded import rendezvous


@pytest.fixture
def note(tmp_path):
    """A note of somebody who listens."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    path = tmp_path / "note"
    path.write_text(json.dumps({"socket": str(tmp_path / "socket"), "word": "secret", "process": os.getpid()}))

    def accept():
        try:
            with listener.accept()[0] as connection:
                connection.recv(1024)  # who comes could not say its word to one that has gone
        except OSError:
            return  # closed below

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def answers(path):
    connection = rendezvous._answering(path)
    if connection is not None:
        connection.close()
    return connection is not None


def test_a_note_of_this_user_is_believed(note):
    assert answers(note)


def test_a_link_in_the_place_of_a_note_is_not(note):
    link = note.with_name("link")
    link.symlink_to(note)
    assert not answers(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_note_of_another_user_is_not(note):
    os.chown(note, 12345, 12345)
    assert not answers(note)


def test_the_folder_of_the_notes_is_private(tmp_path):
    assert rendezvous._leave(tmp_path / "precice-run" / "note", "{}") is None
    assert (tmp_path / "precice-run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "precice-run" / "note").stat().st_mode & 0o777 == 0o600
