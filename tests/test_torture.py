"""A few runs that are broken on purpose, and every promise about the end of a run. `make torture` breaks a hundred."""

import os
import sys
from dataclasses import replace

import pytest

from torture.faults import KINDS, plans
from torture.table import table
from torture.trial import Result, Trial

ENGINE = os.environ.get("ENGINE", "embedded")
FEW = ("killed (SIGKILL)", "stopped (SIGSTOP)", "writes NaN")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is left")


def test_every_kind_has_its_turn():
    made = plans(100, seed=1)
    assert {plan.kind for plan in made} == set(KINDS)
    assert made == plans(100, seed=1) != plans(100, seed=2)
    assert {plan.variant for plan in made} == {"", "explicit"}
    assert {plan.rank for plan in made} == {0, 1, 2}


@pytest.mark.parametrize("name", FEW)
def test_a_broken_run(tmp_path, name):
    plan = next(p for p in plans(400, seed=3, variants=("alone",)) if p.kind.name == name)
    result = Trial(tmp_path, ENGINE)(replace(plan, early=False, resume=False), 0)
    assert result.problems == [], f"{plan}\n{result.message}"
    assert result.seconds is not None


def test_the_table():
    made = plans(32, seed=1)
    results = [Result(plan, seconds=0.25) for plan in made]
    results[0].problems.append("named another one: x")
    results[1].rank_told, results[1].resumed = True, "same"
    results[2].seconds = None
    lines = table(results, "a machine").splitlines()
    assert lines[0].startswith("| what happened | runs | kept all promises |")
    assert len(lines) == 2 + len(KINDS) + 1 + 2
    assert lines[-3].startswith("| all | 31 | 30 of 31 |")
    assert lines[-3].endswith("| 1 of 1 | 0.2 s | 1 of 1 |")
    assert lines[-1] == "(a machine) 1 runs were over before their fault came."
