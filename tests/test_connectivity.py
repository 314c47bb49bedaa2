"""Points that a participant connects are interpolated between, on the engine under test."""

from __future__ import annotations

import csv

import numpy as np
from coupled import participant, run

from adapters.coupling import Coupling
from scalebridge.fields import Field

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
TRIANGLES = np.array([[0, 1, 2], [1, 3, 2]])
INSIDE = np.array([[0.25, 0.25], [0.7, 0.8]])
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > info" enabled="true" /></log>
  <profiling mode="off" />
  <data:scalar name="Heat" />
  <mesh name="One-Mesh" dimensions="2"><use-data name="Heat" /></mesh>
  <mesh name="Two-Mesh" dimensions="2"><use-data name="Heat" /></mesh>
  <participant name="One">
    <provide-mesh name="One-Mesh" /><write-data name="Heat" mesh="One-Mesh" />
  </participant>
  <participant name="Two">
    <provide-mesh name="Two-Mesh" /><receive-mesh name="One-Mesh" from="One" />
    <read-data name="Heat" mesh="Two-Mesh" />
    <mapping:linear-cell-interpolation direction="read" from="One-Mesh" to="Two-Mesh" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="One" connector="Two" exchange-directory=".." />
  <coupling-scheme:serial-explicit>
    <participants first="One" second="Two" />
    <max-time-windows value="1" /><time-window-size value="1" />
    <exchange data="Heat" mesh="One-Mesh" from="One" to="Two" />
  </coupling-scheme:serial-explicit>
</precice-configuration>
"""


@participant(reads={}, writes={"Heat": Field("1")})
def one(case):
    with Coupling(case) as coupling:
        mesh = coupling.provide("One-Mesh", CORNERS, triangles=TRIANGLES)
        mesh.write("Heat", 1.0 + CORNERS @ [2.0, 3.0])
        for _ in coupling.steps():
            pass


@participant(reads={"Heat": Field("1")}, writes={})
def two(case):
    with Coupling(case) as coupling:
        heat = coupling.provide("Two-Mesh", INSIDE).read("Heat")
        for _ in coupling.steps():
            coupling.record(**{f"p{i}": value for i, value in enumerate(heat.values)})


def test_a_linear_field_is_interpolated_exactly_on_the_triangles_of_a_plane(tmp_path):
    """Linear cell interpolation keeps linear fields; of unconnected points it would take the nearest."""
    results = run(tmp_path, XML, {"One": one, "Two": two})
    assert [r.status for r in results.values()] == [0, 0], results
    with (results["Two"].folder / "series.csv").open() as file:
        row = next(csv.DictReader(file))
    found = [float(row["p0"]), float(row["p1"])]
    np.testing.assert_allclose(found, 1.0 + INSIDE @ [2.0, 3.0], rtol=1e-14)
