"""A participant describes itself without the libraries it computes with."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from adapters import standins
standins.when_describing("sqlite3", "no_such_library")
import sqlite3
from sqlite3 import Connection, dbapi2
from sqlite3.dbapi2 import anything

class Mine(Connection): pass
def function(x: Connection[int] | None = None, y: "int" = anything.COMM_WORLD(3)[2]) -> dbapi2.Row: ...
print(type(sqlite3).__name__, Mine.__name__, int | Connection)
try:
    import no_such_library
except ImportError as error:
    print(error)
print(hasattr(sqlite3, "__wrapped__"), hasattr(Connection, "__wrapped__"))
"""


def run(*arguments):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def test_libraries_are_stood_in_for_where_a_participant_is_described():
    status, lines = run("--describe")
    assert status == 0
    assert lines[0].startswith("_StandIn Mine ")
    assert lines[1] == "No module named 'no_such_library'"
    assert lines[2] == "False False"


def test_libraries_are_themselves_otherwise():
    status, _ = run("--handout", "file")
    assert status == 1  # what the real library does not have


@pytest.mark.parametrize("module", ["participants.macro.heat"])
def test_dolfinx_is_not_loaded_for_a_description(module):
    code = (
        "import runpy, sys; sys.argv = ['x', '--describe']\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "names = 'petsc4py.PETSc', 'mpi4py.MPI'\n"
        "print([m for m in names if hasattr(sys.modules.get(m), '__file__')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kind"] == "solver"
    assert done.stderr.strip() == "[]"
