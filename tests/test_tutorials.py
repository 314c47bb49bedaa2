"""Every tutorial runs, on the engine under test, meets its checks, and gives what it gave when it was recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = os.environ.get("ENGINE", "embedded")
SMALL = ["Macro.settings.elements=40", "Micro.settings.cells=12"]


def run(case, folder, *, variant=None, overrides=()):
    """Run a tutorial; return its summary."""
    command = [sys.executable, "-m", "scalebridge", "run", case, "--engine", ENGINE, "--plain", "--out", str(folder)]
    command += ["--variant", variant] if variant else []
    command += [word for override in overrides for word in ("--set", override)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "summary.json").read_text())


def values(summary):
    return {check["name"]: check["value"] for check in summary["checks"]}


def test_phase_change_in_equilibrium_repeats_the_record(tmp_path):
    summary = run("phase-change", tmp_path / "run", variant="lever-rule")
    recorded = json.loads((ROOT / "tutorials" / "phase-change" / "reference" / "lever-rule.json").read_text())
    assert summary["engine"]["name"] == ENGINE
    assert values(summary).keys() == recorded.keys()
    for name in ("heat through the wall", "front of complete melting"):
        assert values(summary)[name] == pytest.approx(recorded[name], rel=1e-7)
    assert (tmp_path / "run" / "phase-change.png").stat().st_size > 10_000


def test_phase_change_with_resolved_salt(tmp_path):
    summary = run("phase-change", tmp_path / "run", overrides=SMALL)
    found = values(summary)
    assert {"energy balance, worst window", "salt gained or lost in a volume", "heat through the wall"} <= found.keys()
    assert all(check["passed"] for check in summary["checks"])

    pyvista = pytest.importorskip("pyvista")
    fields = pyvista.get_reader(tmp_path / "run" / "Macro" / "fields" / "fields.pvd")
    fields.set_active_time_value(fields.time_values[-1])
    temperature = fields.read()[0]["Temperature"]
    assert temperature.min() == pytest.approx(263.15, abs=0.1)
    assert temperature.max() == pytest.approx(283.15)
    volumes = pyvista.read(max((tmp_path / "run" / "Micro" / "snapshots").glob("*.vti")))
    assert 0.0 <= volumes["liquid-indicator"].min() <= volumes["liquid-indicator"].max() == 1.0


def test_two_scale_heat_conduction_repeats_the_record(tmp_path):
    summary = run("two-scale-heat-conduction", tmp_path / "run")
    recorded = json.loads((ROOT / "tutorials" / "two-scale-heat-conduction" / "reference" / "checks.json").read_text())
    assert values(summary).keys() == recorded.keys()
    for name, value in values(summary).items():
        if name.startswith(("K00", "porosity", "rate")):
            assert value == pytest.approx(recorded[name], rel=1e-6)
    assert summary["participants"]["Macro"]["windows_not_converged"] == 0
    assert (tmp_path / "run" / "two-scale-heat-conduction.png").stat().st_size > 10_000


@pytest.mark.parametrize(("variant", "elements"), [(None, (6, 4)), ("column", (6, 1))])
def test_porous_flow_clogs_and_its_books_close(tmp_path, variant, elements):
    overrides = [f"Macro.settings.elements_{axis}={n}" for axis, n in zip("xy", elements, strict=True)]
    summary = run("porous-flow", tmp_path / "run", variant=variant, overrides=[*overrides, "Micro.settings.cells=24"])
    recorded = json.loads((ROOT / "tutorials" / "porous-flow" / "reference" / "checks.json").read_text())
    assert values(summary).keys() == recorded.keys()
    assert all(check["passed"] for check in summary["checks"])
    for name in ("fluid balance, worst window", "solute balance, worst window"):
        assert values(summary)[name] < 1e-11
    assert summary["participants"]["Macro"]["windows_not_converged"] == 0
    assert (tmp_path / "run" / "porous-flow.png").stat().st_size > 10_000


@pytest.mark.parametrize(("variant", "cells"), [(None, 12), ("limit-load", 8)])
def test_plasticity_loads_and_unloads_and_its_energies_agree(tmp_path, variant, cells):
    overrides = ["Macro.settings.elements=[2, 1]", f"Micro.settings.cells={cells}"]
    summary = run("plasticity", tmp_path / "run", variant=variant, overrides=overrides)
    found = values(summary)
    recorded = json.loads((ROOT / "tutorials" / "plasticity" / "reference" / "checks.json").read_text())
    unloaded = {"locked in", "share of the work left that is stored"}
    assert found.keys() == (recorded.keys() if variant is None else recorded.keys() - unloaded | {"limit load"})
    assert [check["name"] for check in summary["checks"] if not check["passed"]] == []
    assert found["Hill-Mandel, relative to the work"] < 1e-10
    if variant is None:
        assert found["locked in"] > 1.0  # J/m
        assert found["share of the misfit in what is stored"] > 0.01
    assert summary["participants"]["Macro"]["windows_not_converged"] == 0
    assert (tmp_path / "run" / "plasticity.png").stat().st_size > 50_000


def test_a_brain_with_a_spiking_column(tmp_path):
    summary = run("brain", tmp_path / "run")
    found = values(summary)
    assert all(check["passed"] for check in summary["checks"])
    assert {"lag of recruitment", "rate of the column under the pulse", "regions recruited"} <= found.keys()
    (separation,) = summary["time_scales"]
    assert separation["window"] == 1e-3
    assert separation["sampled"]["setting"] == "dt"
    assert (tmp_path / "run" / "brain.png").stat().st_size > 50_000
    spikes = (tmp_path / "run" / "Column" / "raster.csv").read_text().splitlines()
    assert len(spikes) > 1000


def test_a_brain_whose_column_is_a_mass_is_the_brain_in_one_piece(tmp_path):
    summary = run("brain", tmp_path / "run", variant="mass")
    assert values(summary) == {"difference of all rates to the brain in one piece": pytest.approx(0, abs=1e-12)}


@pytest.mark.parametrize(
    ("variant", "regions"), [("mean-field", "AB"), pytest.param("split", "AB", marks=pytest.mark.long)]
)
def test_a_spiking_population_and_its_mean_field(tmp_path, variant, regions):
    """The published fixed points: rates in 1 / tau, so Hz at tau = 10 ms are a hundred times as large."""
    summary = run("brain", tmp_path / "run", variant=variant)
    checks = {check["name"]: check for check in summary["checks"]}
    published = {"at rest": 8.1134, "under the pulse": 137.3244, "after the pulse": 103.0597}
    for region in regions:
        for when, rate in published.items():
            check = checks[f"rate of {region} {when}"]
            assert check["reference"] == pytest.approx(rate, rel=1e-5)
            assert check["passed"]
    if variant == "mean-field":
        assert checks["frequency of B after the pulse"]["reference"] == pytest.approx(52.8, abs=0.05)
        assert checks["frequency of B after the pulse"]["passed"]


def test_windows_longer_than_the_delays_of_the_brain_are_refused(tmp_path):
    file = tmp_path / "brain.xml"
    text = (ROOT / "precice-config" / "brain.xml").read_text()
    file.write_text(text.replace('<time-window-size value="1e-3" />', '<time-window-size value="0.02" />'))
    command = [sys.executable, "-m", "scalebridge", "check", "brain", "--set", f"coupling={file}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "the window of 0.02 s is longer than the shortest delay of Brain, 0.0" in done.stdout + done.stderr
