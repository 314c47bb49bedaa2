"""Bars with a memory behind a coupling mesh, most of them answered by a cheap law: iterations, ranks, restart."""

from __future__ import annotations

from dataclasses import dataclass

import laws
import numpy as np
import pytest
from coupled import ENGINE, Nothing, participant, run
from laws import BARS, CUBES, Bars, Cubes
from test_coupling import xml

from adapters import ensemble
from adapters.coupling import Coupling
from scalebridge import checks
from scalebridge.checkpoints import Plan
from scalebridge.fields import Field
from scalebridge.settings import setting
from scalebridge.strategies import FILE_NAME, Account

N, WINDOWS = 60, 8
XML = xml().replace('<max-time-windows value="4" />', f'<max-time-windows value="{WINDOWS}" />')
HARDER = {"model": {"run": "laws", "model": "Bar", "settings": {**BARS, "hardening": 11.0}}}


@dataclass(frozen=True)
class Loads:
    amplitude: float = setting(0.02, "largest strain")


@participant(Loads, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """strain = load(t) - 0.003 stress, at points of which some are loaded much more than others."""
    amplitude = case.settings.amplitude * np.random.default_rng(2).exponential(size=N)
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", np.stack([0.1 * np.arange(N), np.zeros(N)], axis=1))
        strain = np.zeros(N)
        stress = mesh.read("Stress")
        mesh.write("Strain", strain)
        for step in coupling.steps(keep=(strain,)):
            strain[:] = amplitude * np.sin(1.6 * step.end) - 0.003 * stress.values
            norm = float(np.abs(strain).sum())
            coupling.record(strain=norm, stress=float(np.abs(stress.values).sum()), iterations=step.iteration)
        np.save("strain.npy", strain)


class Counting(laws.Bar):
    """It writes down how many rows it solves in each call."""

    def solve(self, state, controls, dt):
        with open("calls.txt", "a") as file:
            file.write(f"{len(state['p']) if dt else 0}\n")
        return super().solve(state, controls, dt)


@participant(Nothing, reads={}, writes={})
def bars(case):
    ensemble.run(case, Counting(Bars(), case.seed))


@participant(Nothing, reads={}, writes={})
def cubes(case):
    ensemble.run(case, laws.Cubic(Cubes(limit=0.03), case.seed))


def given(**settings):
    return {"Micro": [{"adaptive": {"tolerance": 1e-2, "audit": 0.1, "cheap": HARDER, **settings}}]}


def strain(folder):
    return np.load(folder / "Macro/strain.npy")


def told(folder):
    """Return what the strategy tells, but for the seconds."""
    account = Account.load(folder / "Micro" / FILE_NAME)
    (layer,) = account.layers
    report = {name: value for name, value in layer.report.items() if "seconds" not in name and "speed-up" not in name}
    return report, account.work.asked, account.work.solved


def test_most_rows_are_cheap_and_the_bound_is_kept(tmp_path):
    run(tmp_path, XML, {"Macro": macro, "Micro": bars}, strategy=given())
    (tmp_path / "whole").mkdir()
    run(tmp_path / "whole", XML, {"Macro": macro, "Micro": bars})
    error = np.abs(strain(tmp_path) - strain(tmp_path / "whole")).max()
    report, asked, solved = told(tmp_path)
    assert 0 < error < 1e-2 * 0.1  # the tolerance, of the largest strain
    assert solved < 0.6 * asked
    assert report["cheap evaluations"] == asked
    assert report["effectivity of the bound of Stress"] > 1.0
    found = {check.name: check for check in checks.load(tmp_path / "Micro/checks.json")}
    assert found["error of Stress as measured, and its bound"].passed
    assert found["bound of the error in the worst window"].reference == 1e-2
    assert found["answers without a bound"].passed
    assert found["step"].passed  # the model's own, on rows that it has solved over one step


def test_where_nothing_may_be_wrong_it_is_the_model_itself(tmp_path):
    wrong = {"model": {"run": "laws", "model": "Elastic", "settings": {**BARS, "modulus": 90.0}}}
    run(tmp_path, XML, {"Macro": macro, "Micro": bars}, strategy=given(tolerance=1e-15, cheap=wrong))
    (tmp_path / "whole").mkdir()
    run(tmp_path / "whole", XML, {"Macro": macro, "Micro": bars})
    np.testing.assert_array_equal(strain(tmp_path), strain(tmp_path / "whole"))
    _, asked, solved = told(tmp_path)
    assert asked == solved  # everywhere


def test_nothing_switches_within_the_iterations_of_a_window(tmp_path):
    """In every window the full model is asked for the same number of rows again and again; what they have to make up
    for is made up for once, before that."""
    run(tmp_path, XML, {"Macro": macro, "Micro": bars}, strategy=given(stay=1))
    calls = [int(line) for line in (tmp_path / "Micro/calls.txt").read_text().split()]
    calls = [count for count in calls if count]
    table = np.genfromtxt(tmp_path / "Macro/series.csv", delimiter=",", names=True)
    counts, made_up_for = [], 0
    for window, last in enumerate(table["iterations"].astype(int)):
        iterations = last - 1 if window == 0 else last  # the first one of all tells of the start
        assert iterations > 2
        at = next(i for i in range(len(calls)) if len(set(calls[i : i + iterations])) == 1)
        counts.append(calls[at])
        made_up_for += sum(calls[:at])
        calls = calls[at + iterations :]
    assert calls == []
    assert len(set(counts)) > 3
    report, _, _ = told(tmp_path)
    assert report["full solves to make up for history"] == made_up_for > 0


def test_two_ranks_choose_what_one_does(tmp_path):
    mains = {"Macro": macro, "Micro": bars}
    (tmp_path / "one").mkdir()
    run(tmp_path / "one", XML, mains, strategy=given())
    run(tmp_path, XML, mains, strategy=given(), ranks={"Micro": 2})
    np.testing.assert_array_equal(strain(tmp_path), strain(tmp_path / "one"))
    one, two = told(tmp_path / "one"), told(tmp_path)
    assert one[1:] == two[1:]
    assert one[0].keys() == two[0].keys()
    for name, value in one[0].items():
        assert two[0][name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name
    first, second = (
        {check.name: check.value for check in checks.load(folder / "Micro/checks.json")}
        for folder in (tmp_path, tmp_path / "one")
    )
    assert first == pytest.approx(second, rel=1e-12)


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_a_run_goes_on_from_a_checkpoint_to_the_last_bit(tmp_path):
    mains = {"Macro": macro, "Micro": bars}
    plan = Plan("this", 4, {"Macro": 1, "Micro": 1}, "inputs")
    (tmp_path / "checkpoints").mkdir()
    plan.save(tmp_path / "checkpoints")
    run(tmp_path, XML, mains, strategy=given())
    truth, report = (tmp_path / "Macro/series.csv").read_text(), told(tmp_path)
    saved = (tmp_path / "Micro/checks.json").read_text()
    Plan(plan.run, plan.every, plan.ranks, plan.inputs, 4).save(tmp_path / "checkpoints")
    run(tmp_path, XML, mains, strategy=given())
    assert (tmp_path / "Macro/series.csv").read_text() == truth
    assert told(tmp_path) == report
    assert (tmp_path / "Micro/checks.json").read_text() == saved


def test_rows_that_fail_are_found_and_stood_in_for(tmp_path):
    """The full law breaks beyond a strain; neighbours stand in, and the books of those rows stay what they were."""
    linear = {"model": {"run": "laws", "model": "Silent", "settings": CUBES}}
    mains = {"Macro": (macro, {"amplitude": 0.015}), "Micro": cubes}
    strategy, last = given(cheap=linear, tolerance=1e-9), {"Micro": [{"neighbours": {"count": 2}}]}
    found = run(tmp_path, XML, mains, strategy=strategy, on_failure=last)
    assert "micro simulations failed" in found["Micro"].text
    assert "replaced by the mean of their neighbours" in found["Micro"].text
    (tmp_path / "stop").mkdir()
    stopped = run(tmp_path / "stop", XML, mains, strategy=strategy, fails=True)
    assert stopped["Micro"].status != 0
    assert "MicroError: no root" in stopped["Micro"].text
