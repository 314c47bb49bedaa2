"""What all tests need of the process that they run in."""

import signal
from collections.abc import Iterator

import pytest

from scalebridge.interruption import SIGNALS

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start; some of them
# are about Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give back how signals are answered, for tests in which one ends a command."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
