"""What all tests need of the process that they run in."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from scalebridge.interruption import SIGNALS

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start; some of them
# are about Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests start some thousand processes. Where no bytecode may be kept, as in many containers, each of them compiles
# all that it imports, and that is most of what it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give back how signals are answered, for tests in which one ends a command."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
