"""The diagnosis of micro models: does the path matter, how long do they remember, what would a table cost?"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from coupled import ROOT
from known_laws import Brittle, Region
from standard_linear_solid import Settings, Solid
from test_box import snapshots
from test_coupling import xml
from test_onfailure import CORD

from adapters.micro import MicroError
from adapters.scaling.config import load
from adapters.scaling.model import ScaledModel
from adapters.strategies import box as boxes
from adapters.strategies.box import BoxError, Recorded
from adapters.strategies.diagnosis.answer import Asked, diagnose
from adapters.strategies.diagnosis.asking import asking
from adapters.strategies.diagnosis.costs import Costs, nodes_for
from adapters.strategies.diagnosis.memory import memory, standard_linear_solid, ways_of
from adapters.strategies.diagnosis.paths import partners, path_test
from adapters.strategies.diagnosis.places import distinct, others, rest
from adapters.strategies.diagnosis.responses import DiagnosisError, Probe, growing
from adapters.wiring import CouplingError
from participants.micro.brine import Brine, Volumes
from participants.micro.elastoplastic import Composite, Elastoplastic
from participants.micro.lever_rule import LeverRule
from scalebridge import settings as typed
from scalebridge.fields import Field

W = 3.0  # 1/s
TIME = math.pi / W


def probe(model, *texts, dimensions=2):
    box = boxes.parse(texts or ["Strain=-0.02..0.01"], model.controls, dimensions, "--box")
    return Probe(model, box, np.zeros(dimensions))


def solid(**settings):
    return Solid(Settings(**settings))


class Law:
    """A vector that follows from a vector at once: by a potential, and with a part that has none."""

    controls = {"Gradient": Field("1", rank=1)}  # noqa: RUF012
    observables = {"Flux": Field("1", rank=1), "Energy": Field("1"), "Same": Field("1")}  # noqa: RUF012

    def __init__(self, swirl=0.0):
        self.swirl = swirl

    def start(self, points, controls):
        return {"g": np.asarray(controls["Gradient"])}

    def solve(self, state, controls, dt):
        g = np.asarray(controls["Gradient"])
        turned = np.stack([-g[:, 1], g[:, 0]], axis=1)
        flux = g * (1 + (g**2).sum(axis=1))[:, None] + self.swirl * turned
        return {"g": g}, {"Flux": flux, "Energy": (g**2).sum(axis=1), "Same": np.full(len(g), 7.0)}


# Memory ---------------------------------------------------------------------------------------------------------------

ERRORS = {1e-3: 0.0010000, 1e-2: 0.0099980, 0.1: 0.098058, 1.0: 0.44721, 10.0: 0.49938}


@pytest.mark.parametrize("deborah", ERRORS)
def test_the_error_of_a_table_for_a_standard_linear_solid(deborah):
    """E* = Einf + E1 i De / (1 + i De) with E1 = Einf; the numbers by that formula, to five digits."""
    assert standard_linear_solid(deborah) == pytest.approx(ERRORS[deborah], rel=1e-4)
    coarse, fine = (
        memory(probe(solid(tau=deborah / W)), W, 0, samples=n).error / standard_linear_solid(deborah) - 1
        for n in (24, 96)
    )
    assert abs(coarse) < 1e-2
    assert abs(fine) < 1e-3


@pytest.mark.parametrize("deborah", [0.1, 1.0, 10.0])
def test_the_relaxation_time_after_a_jump(deborah):
    found = memory(probe(solid(tau=deborah / W, fades=0.5)), W, 0)
    assert found.deborah == pytest.approx(deborah, rel=0.03)
    assert found.fading[0].share == pytest.approx(0.5, rel=1e-3)  # E1 / Einf
    assert found.fading[1].share == found.fading[1].time == 0.0
    assert found.slowest.observable == "Stress"
    assert found.slowest.error == pytest.approx(standard_linear_solid(deborah, 0.5), rel=0.01)


def test_the_rule_of_thumb():
    """A table is good to a tolerance if De is below it times Einf / E1."""
    for share in (0.1, 1.0, 10.0):
        assert standard_linear_solid(1e-3 / share, share) == pytest.approx(1e-3, rel=1e-2)


def test_on_a_ramp_a_memory_hides():
    """At one rate the stress follows from the strain: a table of ramps is right for ramps, and for them alone."""
    model, rate, dt = solid(tau=1 / W), 0.02 * W / 16, 0.04 / W

    def stress(strain):
        driven = probe(model, "Strain=0.02")
        return driven.follow(np.asarray(strain)[None, :, None], np.full(len(strain) - 1, dt))[1]["Stress"][0]

    ramp = np.arange(-0.01, 0.01, rate * dt)
    table, other = stress(ramp), np.arange(-0.012, 0.01, rate * dt)
    late = other > 0  # 8 relaxation times later
    right = np.interp(other[late], ramp, table)
    assert np.abs(stress(other)[late] - right).max() < 1e-3 * table.max()
    wave = 0.01 * np.sin(W * dt * np.arange(ramp.size))
    assert np.abs(stress(wave) - np.interp(wave, ramp, table)).max() > 0.3 * table.max()
    assert memory(probe(model, "Strain=0.01"), W, 0).error == pytest.approx(0.44721, rel=1e-2)


def test_what_fades_longer_than_anybody_waits():
    found = memory(probe(solid(tau=1e4 / W)), W, 0)
    assert found.deborah == math.inf


def test_what_has_no_memory():
    found = memory(probe(Law(), "Gradient=1"), W, 0)
    assert (found.time, found.deborah) == (0.0, 0.0)
    assert found.error < 1e-9
    assert len(found.curvature) == 2


def test_the_curvature_of_what_is_seen_at_rest():
    """Energy x^2 on an axis from -1 to 1: its second derivative 2 times the square of the edge, over its range 1."""
    assert memory(probe(Law(), "Gradient=1"), W, 0).curvature == pytest.approx((8.0, 8.0))


def test_directions_drawn_at_random_are_the_same_again():
    one, same, other = (memory(probe(Law(), "Gradient=1"), W, seed, 2).curvature for seed in (1, 1, 2))
    assert one == same != other


def test_growing_steps():
    steps = growing(0.1, 100.0, 1.5)
    assert steps[0] == pytest.approx(0.1)
    assert 100.0 <= steps.sum() < 1.6 * 100.0


# Paths ----------------------------------------------------------------------------------------------------------------


def test_what_follows_from_the_controls_does_not_know_the_path():
    found = path_test(probe(Law(), "Gradient=-1..2"), TIME, 0)
    flux, energy, same = found.differences
    assert found.arrival < 1e-12
    assert found.rest < 1e-12
    assert flux.hysteresis < 1e-12
    assert flux.circulation < 1e-6  # Simpson's rule is exact for the cubic
    assert (flux.partner, energy.partner, energy.hysteresis) == ("Gradient", "", None)
    assert (same.arrival, same.rest) == (0.0, 0.0)


def test_work_round_a_triangle_tells_whether_there_is_a_potential():
    """swirl (-y, x) does the work 2 swirl A round an area A: no potential, and yet no memory."""
    for swirl in (0.1, 1.0):
        found = path_test(probe(Law(swirl), "Gradient=-1..2"), TIME, 0)
        assert found.rest < 1e-12
        assert found.differences[0].hysteresis < 1e-12
        assert found.differences[0].circulation > 0.05 * swirl


def test_a_memory_that_fades_is_gone_after_a_rest():
    found = path_test(probe(solid(tau=1 / W)), TIME, 0)
    assert found.arrival > 0.1
    assert found.rest < 1e-6
    assert found.differences[0].hysteresis > 0.05


@pytest.mark.parametrize("texts", [("Strain=0.02",), ("Strain=-0.02..0.01",), ("Strain=0..0.02",)])
def test_friction_stays(texts):
    """A Coulomb element of 1 Pa that slips at s: what two paths differ by is at most 2 s, and stays."""
    found = path_test(probe(solid(tau=1e-6, slip=0.002), *texts), TIME, 0)
    assert found.rest == pytest.approx(found.arrival, rel=1e-3)
    assert found.rest > 0.05
    assert found.differences[1].rest < 1e-12


def test_paths_are_drawn_by_the_seed():
    one, same, other = (path_test(probe(solid(tau=1 / W)), TIME, seed) for seed in (1, 1, 2))
    assert one == same != other


def test_who_does_work_on_whom():
    assert partners(probe(Law(), "Gradient=1")) == {"Flux": "Gradient"}
    assert partners(probe(solid(), "Strain=1")) == {"Stress": "Strain", "Strain-Seen": "Strain"}


def test_plastic_cells_remember_and_elastic_ones_do_not():
    """Beyond the yield strain of the phases there is plastic strain, which stays; the tangent then is no function."""
    settings = typed.build(
        Composite, {"arrangement": "laminate", "cells": 4, "tangent": False, "kinematic_hardening": ["10e9 Pa", "0 Pa"]}
    )
    for strain, remembers in (("1e-5..3e-5", False), ("1e-3..8e-3", True)):
        found = path_test(probe(Elastoplastic(settings, 0), f"strain={strain}"), 1.0, 0, 2)
        rest = {one.observable: one.rest for one in found.differences}
        assert (rest["stress"] > 0.05) is remembers, rest
        stress = next(one for one in found.differences if one.observable == "stress")
        assert (stress.hysteresis > 0.02) is remembers
        assert (stress.circulation < 1e-8) is not remembers  # elastic work is stored


def test_brine_remembers_and_the_lever_rule_does_not():
    """Held long enough, the liquid fraction follows the lever rule; where the ice is depends on the path."""
    texts = ["temperature=-20 degC..-3 degC"]
    lever = path_test(probe(LeverRule(LeverRule.Settings(), 0), *texts), 3600.0, 0)
    assert lever.rest < 1e-12
    brine = path_test(probe(Brine(typed.build(Volumes, {"cells": 12}), 0), *texts), 3600.0, 0)
    assert brine.rest > 0.0


# Places ---------------------------------------------------------------------------------------------------------------

HALVES = {"low": ((1.0, 0.0), (1.49, 1.0), "Heat = 1"), "high": ((1.51, 0.0), (2.0, 1.0), "Heat = 2")}


def brittle(low, high, *texts, tau=1 / W, **more):
    return found(Brittle(Region(low=low, high=high, time=tau)), *(texts or ["Heat=1..2", "Damp=0..0"]), **more)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("directions", [0, 1])
def test_a_memory_in_one_half_of_the_box_is_found(half, directions):
    """From the middle there is none; at the end it is that of a standard linear solid, E1 = Einf, with De = 1."""
    low, high, place = HALVES[half]
    told = brittle(low, high, ends=2, directions=directions, corners=2)
    blind = brittle(low, high, ends=2, directions=directions, corners=0)
    assert (blind.memory.deborah, blind.fades) == (0.0, False)
    assert told.memory.deborah == pytest.approx(1.0, rel=0.03)
    assert told.memory.error == pytest.approx(standard_linear_solid(1.0), rel=0.01)
    assert (told.memory.lasting.time_from, told.memory.slowest.error_from, told.begin) == (place, place, place)
    assert told.paths.worst.begin == place
    assert told.paths.arrival > 0.02
    assert not told.stays
    assert advised(told)[0] == "adaptive"
    text = "\n".join(told.lines())
    assert f"Deborah number {told.memory.deborah:.3g}: relaxation time {told.memory.time:.3g} s, from {place}" in text
    assert f"\n  most from {place}\n" in text
    assert set(told.memory.places) == {"the middle of the box", "Heat = 1", "Heat = 2"}
    assert "begun at the middle of the box; Heat = " in told.lines()[-1]


@pytest.mark.parametrize(
    ("low", "high", "place"),
    [((0.0, 0.9), (0.1, 1.0), "Heat = 0, Damp = 1"), ((0.0, 0.0), (0.1, 0.1), "the origin")],
)
def test_a_memory_in_a_corner_of_two_controls(low, high, place):
    """A tenth of each range: harmonic loading leaves that at first, and goes less far then."""
    texts = ["Heat=0..1", "Damp=0..1"]
    told = brittle(low, high, *texts, ends=1)
    assert told.memory.deborah == pytest.approx(1.0, rel=0.03)
    assert told.begin == place
    assert told.fades
    assert "begun at 5 places" in told.lines()[-1]


def test_a_memory_that_shows_from_no_place_is_not_found():
    """A diagnosis can find a memory, and cannot prove that there is none: here is one on an island in the box."""
    missed = brittle((0.2, 0.2), (0.3, 0.3), "Heat=0..1", "Damp=0..1", ends=1)
    assert (missed.memory.deborah, missed.fades, missed.stays, missed.begin) == (0.0, False, False, "")
    begun = Recorded(1, 2, np.ones(2), 0.0, np.array([0.25, 0.25]))
    seen = brittle((0.2, 0.2), (0.3, 0.3), "Heat=0..1", "Damp=0..1", ends=1, recorded=begun)
    assert seen.memory.deborah == pytest.approx(1.0, rel=0.03)  # unless a run is recorded that begins there
    assert seen.begin == "Heat = 0.25, Damp = 0.25, where the recorded run began"
    assert seen.fades


def phase_change(model, high):
    """A model with the maps of the tutorial, from -12 degC to an end."""
    seen = {"Liquid-Fraction", "Liquid-Fraction-Slope", "Conductivity"}
    scaling = load(ROOT / "precice-config/phase-change.scaling.xml").of({"Temperature"}, seen)
    return found(ScaledModel(model, scaling), f"Temperature=-12 degC..{high} degC", time=3600.0)


def test_brine_that_is_frozen_in_a_part_of_the_box_remembers():
    """Begun molten it is uniform; begun frozen it remembers about as much as in a box below melting, -2.1 degC."""
    frozen, both = (phase_change(Brine(typed.build(Volumes, {"cells": 12}), 0), high) for high in (-3, 5))
    conductivity = next(one for one in both.memory.fading if one.observable == "Conductivity")
    for told in (frozen, both):
        assert told.stays
        assert 0.1 < told.memory.deborah < 1.0
        assert 0.02 < told.paths.rest < 0.1
    assert both.paths.rest == pytest.approx(frozen.paths.rest, rel=0.5)
    assert conductivity.error_from == "Temperature = 261.1 K"
    assert conductivity.error > 0.1
    assert advised(both)[0] == "adaptive"
    lever = phase_change(LeverRule(LeverRule.Settings(), 0), 5)
    assert (lever.memory.deborah, lever.stays, lever.fades, lever.begin) == (0.0, False, False, "")
    assert lever.paths.arrival < 1e-6
    assert advised(lever)[0] == "tabulated"


def test_a_linear_law_needs_one_place():
    """What jumps elsewhere do is known from those in the middle: so only single ones are made."""
    one, all_of_them = (found(solid(tau=1 / W), "Strain=0.5..1", corners=n) for n in (0, 2))
    assert (one.memory.places, one.memory.linear) == (("the middle of the box",), True)
    assert all_of_them.memory.places == ("the middle of the box", "Strain = 0.5", "Strain = 1")
    assert all_of_them.memory.fading == one.memory.fading
    assert all_of_them.paths == one.paths
    assert all_of_them.solves < 1.2 * one.solves
    assert all_of_them.lines()[-1].endswith("begun at the middle of the box; Strain = 0.5; Strain = 1: one linear law")
    for other in (solid(tau=1e-6, slip=0.002), Brittle(Region(low=(0.0, 0.0), high=(0.3, 0.3), time=1 / W))):
        texts = ["Heat=0..1", "Damp=0..1"] if isinstance(other, Brittle) else ["Strain=0.5..1"]
        assert not found(other, *texts, ends=1).memory.linear


def test_where_to_begin():
    fields = {"T": Field("K"), "E": Field("1", rank=2)}
    box = boxes.parse(["T=1 K..3 K", "E=-0.2..0.1", "E-01=0..0", "E-11=0..0.1"], fields, 2, "the box")
    told = [rest(box), *others(box, 0)]
    assert [place.at.tolist() for place in told] == [[2, 0, 0, 0], [1, 0, 0, 0], [3, 0, 0, 0]]
    assert [place.near.tolist() for place in told] == [[False] * 4, *[[True, False, False, False]] * 2]
    assert told[1].name == "T = 1 K, E-00 = 0, E-11 = 0"
    middles, ways = told[2].excursions(box, ways_of(box, 0, 0))
    np.testing.assert_allclose(middles, [[2.75, 0, 0, 0], [3, -0.05, 0, 0], [3, 0, 0, 0.05]])
    np.testing.assert_allclose(ways, [[0.25, 0, 0, 0], [0, 0.15, 0, 0], [0, 0, 0, 0.05]])
    assert others(box, 0, corners=0) == []
    assert rest(boxes.parse(["T=0 K..0 K", "E=0.1"], fields, 2, "the box")).name == "the middle of the box"
    assert rest(boxes.parse(["T=0 K..0 K", "E=0..1"], fields, 2, "the box")).name == "the origin"


@pytest.mark.parametrize(("count", "corners"), [(1, 2), (2, 4), (3, 6), (5, 6)])
def test_corners_of_the_box(count, corners):
    fields = {f"T{i}": Field("K") for i in range(count)}
    box = boxes.parse([f"{name}=1 K..3 K" for name in fields], fields, 2, "the box")
    sides = np.array([place.at - 2 for place in distinct(box, others(box, 0))])
    assert sides[:2].tolist() == [[-1] * count, [1] * count]
    assert 2 < len(sides) <= corners or len(sides) == corners
    one = ways_of(box, 3, 1)
    ends = [place.at - 2 for place in others(box, 3, 2, one)]
    np.testing.assert_array_equal(ends, [-np.sign(one[0]), np.sign(one[0])])
    begun = others(box, 0, begun=np.full(count, 2.5))[0]
    assert (begun.name.split(", ")[-1], begun.at.tolist()) == ("where the recorded run began", [2.5] * count)


def test_places_from_which_a_model_cannot_be_followed_are_told():
    model = solid(tau=1 / W)
    start = model.start

    def cold(points, controls):
        if (np.asarray(controls["Strain"]) < 0.55).any():
            raise MicroError([0], "too cold")
        return start(points, controls)

    model.start = cold
    told = found(model, "Strain=0.5..0.9")
    assert told.memory.error == pytest.approx(0.44721, rel=1e-2)
    assert (
        "not followed from Strain = 0.5: the micro model cannot be started for a diagnosis: MicroError: too cold"
        in (told.lines())
    )
    assert told.memory.places == ("the middle of the box", "Strain = 0.9")


# Costs ----------------------------------------------------------------------------------------------------------------


def test_a_table_against_a_run():
    """E, Principles of Multiscale Modeling, ch. 1: h^-m nodes of m arguments against h^-d points in d dimensions."""
    assert Costs(1000, (17,), 2).table == 17
    assert Costs(1000, (17,), 2).pays
    assert not Costs(17, (17,), 2).pays
    assert Costs(None, (17,), 2).pays is None
    assert not Costs(None, (9, 9), 2).loses
    assert Costs(None, (9, 9, 9), 2).loses
    three = Costs(None, (17, 17, 17), 3)
    assert three.full == 17**3
    assert three.sparse == 17 * 4**2 // 2  # |log h|^(m - 1) / h / (m - 1)!
    assert Costs(None, (2,) * 6, 3).table <= 64


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_how_many_nodes_linear_interpolation_needs(tolerance):
    """Of x^2 on [0, 1], whose range is 1 and second derivative 2, the error is measured."""
    n = nodes_for(2.0, tolerance)
    x = np.linspace(0, 1, 10001)
    error = [np.abs(np.interp(x, (nodes := np.linspace(0, 1, k)), nodes**2) - x**2).max() for k in (n, n - 1)]
    assert error[0] <= tolerance * (1 + 1e-9) < error[1]


# The answer -----------------------------------------------------------------------------------------------------------


def asked(box, **more):
    return replace(Asked(box, TIME, 0.01, 0, 10**6, 2), **more)


def found(model, *texts, **more):
    one = probe(model, *texts)
    return diagnose(model, asked(one.box, **more), np.zeros(2), "Micro")


def advised(diagnosis):
    return [one.strategy for one in diagnosis.advice()]


def test_what_is_right_where():
    law = found(Law(), "Gradient=1")
    assert advised(law) == ["tabulated", "surrogate", "concurrent"]
    assert advised(found(Law(), "Gradient=1", solves=10)) == ["concurrent"]
    slow = found(solid(tau=1 / W))
    assert (slow.stays, slow.fades) == (False, True)
    assert advised(slow) == ["adaptive", "surrogate", "concurrent"]
    assert advised(found(solid(tau=1e4 / W)))[0] == "adaptive"
    assert advised(found(solid(tau=1e-4 / W))) == ["tabulated", "surrogate", "concurrent"]
    stuck = found(solid(tau=1e-6, slip=0.002))
    assert (stuck.stays, stuck.fades) == (True, False)
    alike = Recorded(100, 5, np.ones(1), 0.9)
    assert advised(found(solid(slip=0.002), recorded=alike)) == ["adaptive", "surrogate", "clustered", "concurrent"]
    many = replace(law, costs=Costs(10**9, (33,) * 9, 3))
    assert advised(many)[0] == "surrogate"
    assert law.solves == law.paths.solves + law.memory.solves


def test_the_tolerance_decides():
    slow = found(solid(tau=0.02 / W))  # misses 2 %
    assert slow.fades
    assert not replace(slow, asked=replace(slow.asked, tolerance=0.05)).fades


def test_the_answer_in_words():
    text = "\n".join(found(solid(tau=1 / W)).lines())
    assert "Strain: -0.02 to 0.01" in text
    assert "w = 3 1/s" in text
    assert "no memory that stays" in text
    assert "Deborah number 1.0" in text
    assert "a table misses 45 % of the variation" in text
    assert "right here: adaptive, because a memory that fades too slowly is followed by the full model" in text
    law = "\n".join(found(Law(0.5), "Gradient=1", dimensions=1).lines())
    assert "no potential in Gradient" in law
    assert "more arguments than the macro side has dimensions, 1: a full table of" in law
    assert "right here: tabulated, because what is seen follows from the controls, and a table takes about" in law
    assert "or concurrent: it needs nothing else" in law
    short = "\n".join(found(Law(), "Gradient=1", solves=10).lines())
    assert "right here: concurrent, because the run is short: a table takes about" in short
    forever = "\n".join(found(solid(tau=1e4 / W)).lines())
    assert "Deborah number infinite: something still fades" in forever


def test_a_model_that_says_it_has_no_history_and_has():
    model = solid(tau=1 / W)
    assert found(model).says is None
    model.history = False
    assert "though the micro model says of itself that it has no history" in "\n".join(found(model).lines())


def test_what_cannot_be_diagnosed():
    with pytest.raises(BoxError, match="no control varies in this box: there is nothing to diagnose"):
        found(solid(), "Strain=0..0")
    with pytest.raises(
        DiagnosisError, match=r"cannot be followed in steps of .* s: MicroError: torn. Give another box"
    ):
        found(solid(limit=0.01), "Strain=0.02")
    broken = solid()
    broken.start = lambda points, controls: 1 / 0
    with pytest.raises(DiagnosisError, match="cannot be started for a diagnosis: ZeroDivisionError"):
        found(broken)
    empty = solid(stiff=np.nan)
    with pytest.raises(DiagnosisError, match="cannot be followed in steps of 0 s: NaN in Stress"):
        found(empty)


def test_steps_that_are_too_long_for_a_model_are_made_in_parts():
    """Grains dissolve within a fraction of the time for which a diagnosis waits."""

    class Hasty(Solid):
        longest = 1.0

        def solve(self, state, controls, dt):
            if dt > self.longest:
                raise MicroError([0], f"a step of {dt:g} s is too large")
            return super().solve(state, controls, dt)

    here = probe(Hasty(Settings(tau=0.01)))
    rest, ends = np.zeros((1, here.box.centre.size)), np.full((1, here.box.centre.size), 0.01)
    state, _ = here.start(rest)
    for here.model.longest, solves in ((1.0, 1), (0.3, 1 + 4), (0.02, 1 + 1 + 1 + 64)):
        before = here.solves
        _, seen = here.step(state, ends, 1.0)
        assert here.solves - before == solves
        assert seen["Stress"][0] == pytest.approx(0.01, rel=0.02)
    here.model.longest = 0.01
    with pytest.raises(DiagnosisError, match=r"in steps of 1 s: MicroError: a step of 1 s is too large"):
        here.step(state, ends, 1.0)


def test_how_fast_the_controls_change():
    box = boxes.parse(["Strain=0.01"], Solid.controls, 2, "--box")
    given = {"tolerance": 0.01, "seed": 0, "dimensions": 2, "iterations": 1}
    plain = {**given, "points": 0}
    assert asking(box, None, horizon=(5.0, 10, 0.5), time=0.0, **plain).time == 5.0
    assert asking(box, None, horizon=(5.0, 10, 0.5), time=2.0, **plain).time == 2.0
    assert asking(box, None, horizon=(math.inf, 10, 0.5), time=0.0, **plain).time == 5.0
    seen = Recorded(7, 3, np.array([0.04]), 0.0)
    whole = asking(box, seen, horizon=(5.0, 10, 0.5), time=0.0, **plain)
    assert (whole.time, whole.solves) == (0.5, 70)
    assert asking(box, seen, horizon=(5.0, None, None), time=0.0, **plain).solves is None
    assert asking(box, None, horizon=(5.0, 10, 0.5), time=0.0, **{**given, "points": 3, "iterations": 4}).solves == 120
    with pytest.raises(CouplingError, match="nobody knows how fast the controls change: the run has no end"):
        asking(box, None, horizon=(math.inf, None, None), time=0.0, **plain)


# The command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "solid"
    folder.mkdir()
    shutil.copy(ROOT / "tests/standard_linear_solid.py", folder)
    (folder / "cord.py").write_text(CORD)
    coupling = xml().replace('<data:scalar name="Stress" />', '<data:scalar name="Stress" />')
    (folder / "coupling.xml").write_text(coupling)
    text = (folder / "standard_linear_solid.py").read_text()
    text = text.replace(', "Strain-Seen": Field("1")}', "}").replace(', "Strain-Seen": eps}', "}")
    (folder / "standard_linear_solid.py").write_text(text)
    (folder / "case.yaml").write_text(
        "case: solid\ncoupling: coupling.xml\nparticipants:\n  Macro: {run: cord}\n"
        "  Micro: {run: standard_linear_solid, settings: {tau: 0.05 s}, strategy: {tabulated: {file: none.npz}}}\n"
    )
    return folder


def command(case, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "scalebridge", "diagnose", str(case), *arguments],
        cwd=case.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_command_tells_what_is_right(case):
    """The run takes 1 s, so De = pi 0.05; files of strategies need not be there."""
    done = command(case, "--box", "Strain=0.02", "--points", "1000")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Micro: Solid of standard_linear_solid"
    assert "Deborah number 0.16" in done.stdout
    assert "right here: adaptive" in done.stdout
    told = json.loads((case.parent / "runs/diagnosis-solid/diagnosis.json").read_text())
    assert told["memory"]["deborah"] == pytest.approx(math.pi * 0.05, rel=0.03)
    assert told["advice"][0]["strategy"] == "adaptive"
    fast = command(case, "--box", "Strain=0.02", "--time", "1000", "--tolerance", "0.02")
    assert "right here: tabulated" in fast.stdout
    forever = command(case, "--box", "Strain=0.02", "--time", "1e-4")
    assert json.loads((case.parent / "runs/diagnosis-solid/diagnosis.json").read_text())["memory"]["deborah"] == "inf"
    assert forever.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "scalebridge: --box: 'Strain' has no range; expected Strain=LOW..HIGH"),
        (["--box", "Stran=1"], 2, "scalebridge: --box: 'Stran' is no control; expected Strain. Did you mean 'Strain'?"),
        (["--recorded", "nowhere"], 2, "/nowhere: has no snapshots of Micro; expected two or more"),
        (["--tolerance", "0"], 2, "argument --tolerance: invalid share value: '0'"),
        (["--participant", "Macro"], 2, "scalebridge: --participant: 'Macro' is no micro participant; expected Micro"),
        (["--box", "Strain=2e9", "--set", "Micro.settings.limit=1"], 3, "scalebridge: the micro model cannot be"),
    ],
)
def test_what_the_command_refuses(case, arguments, status, message):
    done = command(case, *arguments)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


def test_the_command_looks_at_a_recorded_run(case):
    run = case.parent / "recorded"
    snapshots(run)
    for file in (run / "Micro/snapshots").glob("*.npz"):
        with np.load(file) as arrays:
            kept = {"time": arrays["time"], "Strain": arrays["Strain"][:, 0, 0]}
        np.savez(file, **kept)
    done = command(case, "--recorded", str(run))
    assert done.returncode == 0, done.stderr
    assert "Strain: 0 to 0.004" in done.stdout
    assert "cross this box in 1.333 s" in done.stdout
