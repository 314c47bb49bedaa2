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


# Files that take longest, from the longest.
LONGEST = ["tutorials", "heat", "clustered_runs", "run", "tabulated", "micro_manager", "dolfinx", "solid", "surrogate"]
LONGEST += ["sweep", "spiking", "signals", "darcy", "restart", "guarded", "resume", "adaptive_coupled", "watch", "tvb"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with them: of two processes that share the files, none is left alone with a long one at the end."""
    place = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
