"""The time loop, against scripted partners, on the engine under test."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass

import numpy as np
import pytest
from coupled import participant, run

from adapters.coupling import Coupling
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.settings import setting

POINTS = np.array([[0.0, 0.0], [1.0, 0.5], [2.0, 1.0]])
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > info" enabled="true" /></log>
  <profiling mode="off" />
  <data:scalar name="Strain" waveform-degree="DEGREE" />
  <data:scalar name="Stress" waveform-degree="DEGREE" />
  <mesh name="Macro-Mesh" dimensions="2"><use-data name="Strain" /><use-data name="Stress" /></mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    <write-data name="Strain" mesh="Macro-Mesh" />
    <read-data name="Stress" mesh="Macro-Mesh" />
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    <read-data name="Strain" mesh="Macro-Mesh" />
    <write-data name="Stress" mesh="Macro-Mesh" />
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:KIND>
    <participants first="FIRST" second="SECOND" />
    <max-time-windows value="4" />
    <time-window-size value="0.25" />
    <exchange data="Strain" mesh="Macro-Mesh" from="Macro" to="Micro" initialize="true" />
    <exchange data="Stress" mesh="Macro-Mesh" from="Micro" to="Macro" />
    IMPLICIT
  </coupling-scheme:KIND>
</precice-configuration>
"""
IMPLICIT = """<relative-convergence-measure limit="1e-10" data="Strain" mesh="Macro-Mesh" />
    <relative-convergence-measure limit="1e-10" data="Stress" mesh="Macro-Mesh" />
    <max-iterations value="60" />"""


def xml(kind="serial-implicit", first="Micro", degree=1):
    second = {"Macro": "Micro", "Micro": "Macro"}[first]
    implicit = IMPLICIT if "implicit" in kind else ""
    names = {"DEGREE": str(degree), "KIND": kind, "FIRST": first, "SECOND": second, "IMPLICIT": implicit}
    text = XML
    for name, value in names.items():
        text = text.replace(name, value)
    return text


@dataclass(frozen=True)
class Settings:
    substeps: int = setting(1)
    spoil: float = setting(0.0, "time after which NaN is written, if above 0")


@participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u) by backward Euler, u(0) = 1 + x, changed in place."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS)
        u = 1.0 + POINTS[:, 0]
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        seen = []
        for step in coupling.steps(keep=(u,)):
            seen.append([step.t, step.dt, step.window, step.iteration, step.substep, stress.old[0], stress.values[0]])
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(strain=u[0], iterations=step.iteration)
        coupling.check(checks.at_most("strain", u.max(), 10.0, source="it decays"))
        np.save("seen.npy", seen)
        np.save("u.npy", u)


@participant(Settings, reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def micro(case):
    """dm/dt = strain - m by backward Euler, stress = m / 2 + strain / 4, as a functional state."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        strain = mesh.read("Strain")
        stress = mesh.write("Stress", lambda: 0.5 * m + 0.25 * strain.values)
        coupling.start()
        m = strain.old
        seen = [mesh.points]
        for step in coupling.steps(m):
            m = step.state = (step.state + step.dt * strain.values) / (1.0 + step.dt)
            if 0.0 < case.settings.spoil < step.end:
                m = np.where(mesh.points[:, 0] == 1.0, np.nan, m)
        np.save("m.npy", m)
        np.save("points.npy", seen[0])
        np.testing.assert_allclose(stress.values, 0.5 * m + 0.25 * strain.values, rtol=1e-8)


def monolithic(windows=4, substeps=1, dt=0.25):
    """The converged solution: both equations solved together in every step."""
    u, m = 1.0 + POINTS[:, 0], 1.0 + POINTS[:, 0]
    h = dt / substeps
    for _ in range(windows * substeps):
        # (1 + h + h/4) u + h/2 m = u0,   -h u + (1 + h) m = m0
        matrix = np.array([[1 + 1.25 * h, 0.5 * h], [-h, 1 + h]])
        u, m = np.linalg.solve(matrix, np.stack([u, m]))
    return u, m


@pytest.mark.parametrize("first", ["Macro", "Micro"])
def test_implicit_iterations_end_at_the_monolithic_solution(tmp_path, first):
    results = run(tmp_path, xml(first=first), {"Macro": macro, "Micro": micro})
    u, m = monolithic()
    np.testing.assert_allclose(np.load(tmp_path / "Macro/u.npy"), u, rtol=1e-9)
    np.testing.assert_allclose(np.load(tmp_path / "Micro/m.npy"), m, rtol=1e-9)
    np.testing.assert_array_equal(np.load(tmp_path / "Micro/points.npy"), POINTS)
