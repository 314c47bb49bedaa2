"""The solid, coupled to material points, against exact solutions of elasticity and plasticity."""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
from coupled import participant, run
from material_points import MaterialPoints, Metal, radial_return
from test_restart import only_embedded, resume

from adapters import ensemble
from adapters.wiring import CouplingError
from participants.macro import bodies, loads, solid
from scalebridge.checks import load

YOUNG, POISSON, YIELD = 70e9, 0.3, 100e6
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > warning" enabled="true" /></log>
  <profiling mode="off" />
  {data}
  <mesh name="Macro-Mesh" dimensions="{d}">
    {used}
  </mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    {macro}
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    {micro}
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:serial-implicit>
    <participants first="Macro" second="Micro" />
    <max-time-windows value="{windows}" />
    <time-window-size value="{window!r}" />
    <min-iterations value="2" />
    <max-iterations value="{most}" />
    {exchanged}
    {measured}
    {acceleration}
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""
NEWTON = ("Stress", "Tangent", "Stored-Energy", "Dissipation")
ELASTIC = ("Stress", "Mean-Strain", "Stored-Energy", "Dissipation")


def configuration(d, windows, up, acceleration="", most=30, limit=1e-10):
    """Return a configuration for a body of d dimensions and a run of 1 s in which Micro sends the fields `up`."""
    measured = "Mean-Strain" if "Mean-Strain" in up else "Strain"  # what an acceleration has changed must come back
    fields = {"Macro": solid.WRITES, "Micro": {name: solid.READS[name] for name in up}}
    sent = {who: [n for name, f in some.items() for n in f.data_names(name, d)] for who, some in fields.items()}
    access = '<{}-data name="{}" mesh="Macro-Mesh" />'
    exchange = '<exchange data="{}" mesh="Macro-Mesh" from="{}" to="{}" initialize="{}" />'
    measure = '<absolute-convergence-measure data="{}" mesh="Macro-Mesh" limit="{}" strict="true" />'
    both = sent["Macro"] + sent["Micro"]
    lines = {
        "data": [f'<data:scalar name="{n}" />' for n in both],
        "used": [f'<use-data name="{n}" />' for n in both],
        "macro": [access.format("write", n) for n in sent["Macro"]] + [access.format("read", n) for n in sent["Micro"]],
        "micro": [access.format("write", n) for n in sent["Micro"]] + [access.format("read", n) for n in sent["Macro"]],
        "exchanged": [exchange.format(n, "Macro", "Micro", "true") for n in sent["Macro"]]
        + [exchange.format(n, "Micro", "Macro", "false") for n in sent["Micro"]],
        "measured": [measure.format(n, limit) for n in both if n.startswith(measured)],
    }
    texts = {key: "\n    ".join(value) for key, value in lines.items()}
    return XML.format(d=d, windows=windows, window=1 / windows, most=most, acceleration=acceleration, **texts)


@participant(solid.Settings, reads=solid.READS, writes=solid.WRITES)
def macro(case):
    solid.main(case)


@participant(Metal, reads=MaterialPoints.controls, writes=MaterialPoints.observables)
def micro(case):
    _, writes = ensemble.coupled(case)
    ensemble.run(case, MaterialPoints(case.settings, writes))


def solve(folder, body, metal, windows=1, d=2, ranks=1, accepted=(), **more):
    """Return the rows of series.csv and the last snapshot of the micro side."""
    up = ELASTIC if body.get("tangent") == "elastic" else NEWTON
    xml = configuration(d, windows, up, **more)
    if ranks > 1:
        xml = xml.replace("</participant>", '<intra-comm:sockets exchange-directory="." /></participant>', 1)
    folder.mkdir(exist_ok=True)
    run(folder, xml, {"Macro": (macro, body), "Micro": (micro, metal)}, ranks={"Macro": ranks}, limit=300.0)
    for name in ("Macro", "Micro"):
        failed = [str(c) for c in load(folder / name / "checks.json") if not c.passed and c.name not in accepted]
        assert failed == []
    with (folder / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return rows, np.load(max((folder / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)


def convergence(folder):
    """Return for each window how far the strain went in each of its iterations."""
    lines = [line.split() for line in (folder / "Micro" / "precice-Micro-convergence.log").read_text().splitlines()[1:]]
    windows: dict[str, list[float]] = {}
    for line in lines:
        windows.setdefault(line[0], []).append(np.linalg.norm([float(x) for x in line[2:]]))
    return list(windows.values())


def orders(errors):
    """Return the observed orders of convergence between meshes that are each refined by 2."""
    return [np.log2(coarse / fine) for coarse, fine in pairwise(errors)]


A, B = 0.5, 1.0  # inner and outer radius [m]
YIELDING = {"yield_stress": YIELD, "poissons_ratio": 0.4999}
G = YOUNG / (2 * 1.4999)
SHEAR = YIELD / np.sqrt(3)  # yield stress in shear
LIMIT = 2 * SHEAR * np.log(B / A)  # of the pressure in the cylinder


def test_consistent_tangent_of_the_material_points():
    """The derivative of the stress, by central differences, elastic and flowing."""
    rng = np.random.default_rng(1)
    strain, plastic = rng.normal(size=(2, 6, 3, 3)) * np.array([1e-3, 3e-4])[:, None, None, None]
    strain, plastic = strain + strain.transpose(0, 2, 1), plastic + plastic.transpose(0, 2, 1)
    strain[0] *= 0.1
    plastic[0] = 0
    plastic -= np.trace(plastic, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    metal, h = Metal(yield_stress=YIELD, hardening=2e9), 1e-9
    _, C, _, p = radial_return(metal, strain, plastic, np.zeros(6))
    assert p[0] == 0 < p[1:].min()
    for k, m in ((0, 0), (0, 1), (1, 2), (2, 2)):
        d = np.zeros((3, 3))
        d[k, m] += h / 2
        d[m, k] += h / 2
        stresses = [radial_return(metal, strain + way * d, plastic, np.zeros(6))[0] for way in (1, -1)]
        assert (stresses[0] - stresses[1]) / (2 * h) == pytest.approx(C[..., k, m], abs=1e-5 * YOUNG)


@pytest.mark.parametrize("d", [2, 3])
def test_one_element_under_tension(tmp_path, d):
    """Plane strain: Sigma = E / (1 - nu^2) d / L; in three dimensions E d / L: a constant strain, to round-off."""
    body = {"length": 2.0, "height": 0.5, "thickness": 0.3 * (d == 3), "elements": (1,) * d}
    rows, last = solve(tmp_path, body | {"displacement": (0.0, 1e-3)}, {}, 2, d=d)
    stiffness = YOUNG / (1 - POISSON**2) if d == 2 else YOUNG
    stress = np.zeros((d, d))
    stress[0, 0] = stiffness * 1e-3 / 2
    assert np.abs(last["Stress"] - stress).max() < 1e-12 * stiffness
    volume = 2 * 0.5 * (0.3 if d == 3 else 1)
    assert rows[-1]["load"] == pytest.approx(stress[0, 0], rel=1e-12)
    assert rows[-1]["work"] == pytest.approx(stress[0, 0] * 1e-3 / 2 / 2 * volume, rel=1e-12)
    assert rows[-1]["stored"] == pytest.approx(rows[-1]["work"], rel=1e-12)
    assert rows[-1]["dissipated"] == 0


def test_a_beam_bends_into_a_parabola(tmp_path):
    """Pure bending: Sigma_xx = E / (1 - nu^2) kappa y from the middle; u is quadratic, so exact on any mesh of P2."""
    body = {"body": "beam", "length": 0.3, "height": 0.1, "elements": (2, 1), "displacement": (0.0, 1e-4)}
    rows, last = solve(tmp_path, body, {})
    stiffness = YOUNG / (1 - POISSON**2)
    along = stiffness * 1e-4 / 0.3 * (1 - 2 * last["points"][:, 1] / 0.1)
    assert np.abs(last["Stress"][:, 0, 0] - along).max() < 1e-12 * stiffness
    assert np.abs(last["Stress"][:, 1]).max() < 1e-12 * stiffness
    assert rows[-1]["load"] == pytest.approx(stiffness * 1e-4 / 0.3, rel=1e-12)


def test_pressure_in_an_elastic_cylinder(tmp_path):
    """Lame: Sigma_rr = p a^2 / (b^2 - a^2) (1 - b^2 / r^2); P2 has the work of the load to order 4, the stress to 2."""
    p, errors = 50e6, []
    core = p * A**2 / (B**2 - A**2)
    u = (core * (1 - 2 * POISSON) * A + core * B**2 / A) * (1 + POISSON) / YOUNG
    for n in (2, 4):
        body = {"body": "cylinder", "elements": (n, n), "control": "traction", "traction": (0.0, p)}
        rows, last = solve(tmp_path / str(n), body, {})
        r = np.linalg.norm(last["points"], axis=1)
        ray = last["points"] / r[:, None]
        radial = np.einsum("ni,nij,nj->n", ray, last["Stress"], ray)
        stress = np.sqrt(np.mean((radial / (core * (1 - B**2 / r**2)) - 1) ** 2 * (r < 0.9 * B)))
        errors.append([abs(rows[-1]["displacement"] / u - 1), stress])
        assert rows[-1]["load"] == pytest.approx(p, rel=1e-12)
    of_displacement, of_stress = map(orders, zip(*errors, strict=True))
    assert of_displacement == pytest.approx([4], abs=0.3)
    assert min(of_stress) > 1.8
    assert errors[-1][0] < 3e-5


def incompressible(d):
    """Return the pressure for a displacement d of the inner wall: Sigma_rr has flowed up to the radius c.

    R. Hill, The Mathematical Theory of Plasticity (1950), chapter V, for an incompressible cylinder: u = d a / r, the
    shear 2 d a / r^2 reaches SHEAR / G at c, and p = SHEAR (1 - c^2 / b^2 + 2 ln(c / a)).
    """
    c = np.clip(np.sqrt(2 * G * A * d / SHEAR), 0, B)
    return np.where(
        c < A, 2 * G * d / A * (1 - A**2 / B**2), SHEAR * (1 - c**2 / B**2 + 2 * np.log(np.maximum(c, A) / A))
    )


def test_a_cylinder_flows_from_the_inner_wall_outwards(tmp_path):
    full = SHEAR * B**2 / (2 * G * A)  # flows to the outer radius
    for n, error in ((2, 1e-2), (4, 3e-3)):
        body = {"body": "cylinder", "elements": (n, n), "displacement": (0.0, 1.25 * full)}
        rows, _ = solve(tmp_path / str(n), body, YIELDING, 10)
        displacement, pressure = np.transpose([(row["displacement"], row["load"]) for row in rows])
        assert np.abs(pressure - incompressible(displacement)).max() < error * LIMIT
        assert pressure[-1] == pytest.approx(LIMIT, rel=1e-4)
    # stored and dissipated energy add up to the work, up to what the steps in time leave
    assert rows[-1]["stored"] + rows[-1]["dissipated"] == pytest.approx(rows[-1]["work"], rel=5e-3)
    assert rows[-1]["dissipated"] > rows[-1]["stored"]
    for steps in convergence(tmp_path / "4")[2:8]:
        # Newton: when it is near, a step is as small as the square of the one before, measured by the strain at yield
        near = [(one, two) for one, two in pairwise(steps) if one < 4e-4 and two > 1e-11]
        assert near
        assert all(two < 30 * one**2 / 1e-3 for one, two in near), steps


@pytest.mark.long
def test_a_sphere_carries_its_limit_pressure_and_no_more(tmp_path):
    """2 YIELD ln(b / a), with three tetrahedra from wall to wall in P2; P1 knows no limit at all."""
    limit = 2 * YIELD * np.log(B / A)
    full = YIELD * B**3 / (6 * G * A**2)
    found = {}
    for degree, n in ((2, 1), (1, 2)):
        body = {"body": "sphere", "elements": (n, n, n), "degree": degree, "displacement": (0.0, 1.5 * full)}
        rows, last = solve(tmp_path / str(degree), body, YIELDING, 3, d=3)
        found[degree] = [row["load"] / limit for row in rows], len(last["points"])
    p2, p1 = found[2], found[1]
    assert p2[0][-2:] == pytest.approx([1, 1], abs=0.015)
    assert p2[1] < p1[1]
    assert p1[0][-1] > 1.2 * p1[0][-2] > 5


PLATE = {"body": "plate", "inner_radius": 0.3, "elements": (4, 4), "times": (0.0, 0.5, 1.0)}
PLATE |= {"displacement": (0.0, 3e-3, 2.4e-3)}


def test_a_plate_with_a_hole_is_loaded_and_unloaded(tmp_path):
    """2 SHEAR (1 - a / w) is the limit load: of strips beside the hole, and of 45 degree bands through them.

    The former are in balance and the latter a mechanism, so it is the lower bound and the upper. The plate unloads
    elastically, as stiff as it was, and keeps some of the stored energy. Newton's method without going back fails at
    the limit load.
    """
    rows, _ = solve(tmp_path, PLATE, {"yield_stress": YIELD}, 10)
    load, displacement = (np.array([row[name] for row in rows]) for name in ("load", "displacement"))
    assert load[4] / (2 * SHEAR * 0.7) == pytest.approx(1.005, abs=0.005)
    first, back = load[0] / displacement[0], np.diff(load)[5:] / np.diff(displacement)[5:]
    assert back == pytest.approx(np.full(4, first), rel=1e-9)
    assert all(len(steps) == 2 for steps in convergence(tmp_path)[5:])
    assert rows[-1]["dissipated"] == pytest.approx(rows[4]["dissipated"], rel=1e-12)
    stored = np.array([row["stored"] for row in rows])
    work = np.array([row["work"] for row in rows])
    assert np.diff(stored)[5:] == pytest.approx(np.diff(work)[5:], rel=1e-8)
    unloaded = rows[-1]["stored"] - load[-1] ** 2 / (2 * first)  # where the load is zero
    assert unloaded > 0.02 * rows[-1]["stored"]


ELASTICALLY = {"tangent": "elastic"}


@pytest.mark.long
def test_without_the_tangent_the_coupling_accelerates(tmp_path):
    """The elastic stiffness leads to the same end; quasi-Newton acceleration gets there in fewer iterations.

    It takes the first iteration of the run, with the values at the start, for one of the first window: without load in
    that window it is.
    """
    full = SHEAR * B**2 / (2 * G * A)
    body = {"body": "cylinder", "elements": (2, 2), "times": (0.25, 1.0), "displacement": (0.0, full)}
    metal = {"yield_stress": YIELD, "hardening": 1e9}
    parts = "".join(f'<data name="Mean-Strain-{ij}" mesh="Macro-Mesh" />' for ij in ("00", "01", "11"))
    more = '<initial-relaxation value="1" /><max-used-iterations value="50" /><time-windows-reused value="0" />'
    iqn = f'<acceleration:IQN-ILS>{parts}<preconditioner type="residual-sum" />{more}<filter type="QR2" limit="1e-3" />'
    iqn += "</acceleration:IQN-ILS>"
    ends, steps = [], []
    for name, how, acceleration in (("newton", {}, ""), ("modified", ELASTICALLY, ""), ("iqn", ELASTICALLY, iqn)):
        rows, _ = solve(tmp_path / name, body | how, metal, 4, acceleration=acceleration, most=150)
        ends.append([rows[-1][what] for what in ("load", "stored", "dissipated")])
        steps.append(sum(len(window) for window in convergence(tmp_path / name)))
    assert ends[1] == pytest.approx(ends[0], rel=1e-7)
    assert ends[2] == pytest.approx(ends[0], rel=1e-7)
    newton, modified, quasi = steps
    assert newton < quasi < 0.6 * modified


def test_energy_that_gets_lost_is_told(tmp_path):
    """A micro model that hides a tenth of what it dissipates, and iterations that end early."""
    body = {"body": "cylinder", "elements": (2, 2), "displacement": (0.0, 4e-3)}
    first_law = "first law, worst window"
    solve(tmp_path / "lost", body, YIELDING | {"lost": 0.1}, 8, accepted=[first_law])
    checks = {check.name: check for check in load(tmp_path / "lost/Macro/checks.json")}
    assert checks[first_law].value == pytest.approx(0.1, abs=0.05)
    virtual_work = "virtual work, worst window"
    assert checks[virtual_work].passed
    solve(tmp_path / "early", body, YIELDING, 8, accepted=[virtual_work], limit=1e-3)
    assert not {check.name: check for check in load(tmp_path / "early/Macro/checks.json")}[virtual_work].passed


def test_ranks_share_the_body(tmp_path):
    ends = []
    for ranks in (1, 2):
        rows, last = solve(tmp_path / str(ranks), PLATE | {"elements": (2, 2)}, {"yield_stress": YIELD}, 4, ranks=ranks)
        order = np.lexsort(last["points"].round(9).T)
        ends.append([*rows[-1].values(), *last["Stress"][order].ravel() / YIELD])
    assert ends[1] == pytest.approx(ends[0], rel=1e-7, abs=1e-7)


@only_embedded
def test_a_run_goes_on_bit_for_bit(tmp_path):
    """From the checkpoint before the load turns, which takes the tangent of the start."""
    mains = {"Macro": (macro, PLATE | {"elements": (1, 1)}), "Micro": (micro, {"yield_stress": YIELD})}
    before, after = resume(tmp_path, configuration(2, 4, NEWTON), mains)
    assert before.keys() == after.keys() > {"Macro/series.csv", "Macro/checks.json", "Micro/checks.json"}
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"elements": (4,)}, "elements: 1 numbers; expected 2, as the body has 2 dimensions"),
        ({"thickness": 1.0}, "elements: 2 numbers; expected 3, as the body has 3 dimensions"),
        ({"body": "sphere"}, "elements: 2 numbers; expected 3, as the body has 3 dimensions"),
        (
            {"body": "plate", "height": 0.4},
            r"inner_radius: 0.5 m; expected less than the 0.4 m of the plate",
        ),
        ({"body": "cylinder", "inner_radius": 2.0}, "inner_radius: 2 m; expected less than the 1 m of the cylinder"),
    ],
)
def test_bodies_that_are_none(settings, message):
    with pytest.raises(CouplingError, match=message):
        bodies.build(bodies.Shape(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"times": (0.0, 1.0, 1.0)}, "displacement: 2 values at the times 0 s, 1 s, 1 s; expected one for each time"),
        ({"times": (1.0, 1.0)}, "displacement: 2 values at the times 1 s, 1 s; .* times that increase"),
        ({"control": "traction", "traction": (), "times": ()}, "traction: 0 values at the times none"),
    ],
)
def test_loads_that_are_none(settings, message):
    with pytest.raises(CouplingError, match=message):
        loads.values(loads.History(**settings))
