"""How long does it take to set up a mapping between two meshes of n vertices each, and to apply it?

For the embedded engine both are measured by themselves. For comparison with libprecice, which offers no such calls, a
coupled run is measured on both: initialize() and the first time window, which bring the meshes and set the mapping up,
and the median of all further windows.
"""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import PairError, run, seconds, table
from scalebridge.embedded import mapping
from scalebridge.embedded.mapping import MeshGeometry, connectivity
from scalebridge.embedded.mapping.settings import BasisFunctionConfig, MappingConfig

Floats = NDArray[np.float64]

BASIS = '<basis-function:compact-polynomial-c6 support-radius="{radius}" />'
# Kind, dimensions, and the largest meshes: here, and in coupled runs.
MAPPINGS = (
    ("nearest-neighbor", 3, 1_000_000, 1_000_000),
    ("nearest-neighbor-gradient", 3, 1_000_000, 10_000),
    ("nearest-projection", 3, 1_000_000, 100_000),
    ("linear-cell-interpolation", 2, 1_000_000, 100_000),
    ("rbf-pum-direct", 3, 100_000, 100_000),
    ("rbf-global-direct", 3, 3_000, 3_000),
)
SIZES = (1_000, 3_000, 10_000, 100_000, 1_000_000)
SHOWN = {"rbf-global-direct": (1_000, 3_000)}

CONFIG = """<precice-configuration experimental="true">
  <log enabled="false" /><profiling mode="off" />
  <data:scalar name="A" />
  <mesh name="M" dimensions="{dimensions}"><use-data name="A" /></mesh>
  <mesh name="N" dimensions="{dimensions}"><use-data name="A" /></mesh>
  <participant name="One"><provide-mesh name="M" /><write-data name="A" mesh="M" /></participant>
  <participant name="Two"><provide-mesh name="N" /><receive-mesh name="M" from="One" />
    <read-data name="A" mesh="N" />
    <mapping:{kind} direction="read" from="M" to="N" constraint="consistent">{basis}</mapping:{kind}>
  </participant>
  <m2n:sockets acceptor="One" connector="Two" />
  <coupling-scheme:serial-explicit>
    <participants first="One" second="Two" />
    <max-time-windows value="6" /><time-window-size value="1" />
    <exchange data="A" mesh="M" from="One" to="Two" substeps="false" />
  </coupling-scheme:serial-explicit>
</precice-configuration>
"""

PROGRAM = """
import json, sys, time
import numpy as np
import precice
name, file = sys.argv[1], sys.argv[2]
p = precice.Participant(name, "case.xml", 0, 1)
mesh = "M" if name == "One" else "N"
meshes = np.load(file)
ids = p.set_mesh_vertices(mesh, meshes[mesh])
if p.requires_mesh_connectivity_for(mesh):
    if meshes[mesh].shape[1] == 3:
        p.set_mesh_triangles(mesh, meshes["triangles"])
    else:  # pyprecice 3.4.0 wants as many columns as there are dimensions
        for corners in meshes["triangles"].tolist():
            p.set_mesh_triangle(mesh, *corners)
values, times = np.ones(len(ids)), []
began = time.perf_counter()
p.initialize()
while p.is_coupling_ongoing():
    if name == "One":
        p.write_data(mesh, "A", ids, values)
        if p.requires_gradient_data_for(mesh, "A"):
            p.write_gradient_data(mesh, "A", ids, np.ones((len(ids), meshes[mesh].shape[1])))
    p.advance(1.0)
    now = time.perf_counter()
    times.append(now - began)
    began = now
p.finalize()
json.dump([times[0], float(np.median(times[1:]))], open(name + ".json", "w"))
"""


def meshes(dimensions: int, n: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return a triangulated surface of about n vertices, the triangles, and as many random points near it."""
    side = math.isqrt(n)
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    first = np.stack([x.ravel(), y.ravel()], axis=1)
    second = np.random.default_rng(1).random((len(first), 2))
    if dimensions == 3:
        first, second = (np.column_stack([p, 0.1 * np.sin(3 * p[:, 0])]) for p in (first, second))
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + side], axis=1)
    upper = np.stack([corner + 1, corner + side, corner + side + 1], axis=1)
    return first, second, np.concatenate([lower, upper])


def alone(kind: str, dimensions: int, n: int) -> tuple[float, float]:
    """Return the seconds of set-up and of an application in this process."""
    first, second, triangles = meshes(dimensions, n)
    source = MeshGeometry(first)
    if kind in ("nearest-projection", "linear-cell-interpolation"):
        source = connectivity.complete(MeshGeometry(first, triangles=triangles))
    basis = BasisFunctionConfig("compact-polynomial-c6", support_radius=radius(n))
    config = MappingConfig(kind, "read", "M", "N", "consistent", basis_function=basis if "rbf" in kind else None)
    began = time.perf_counter()
    operator = mapping.prepare(config, source, MeshGeometry(second))
    set_up = time.perf_counter() - began
    values = np.ones((len(first), 1))
    slopes = np.ones((len(first), 1, dimensions)) if config.needs_gradients else None
    times = [time.perf_counter()]
    for _ in range(5):
        operator.apply(values, slopes)
        times.append(time.perf_counter())
    return set_up, min(b - a for a, b in pairwise(times))


def radius(n: int) -> float:
    """Return a support radius of about five vertex distances."""
    return 5.0 / math.sqrt(n)


def coupled(engine: str, kind: str, dimensions: int, n: int, file: str) -> tuple[float, float] | None:
    """Return the seconds of initialize() with the first window, and of a further one, where data are mapped."""
    basis = BASIS.format(radius=radius(n)) if "rbf" in kind else ""
    try:
        result = run(engine, CONFIG.format(kind=kind, dimensions=dimensions, basis=basis), PROGRAM, file)
    except PairError:
        return None
    return result["Two"][0], result["Two"][1]


def report(engines: list[str], folder: str) -> str:
    """Measure and return a table."""
    rows = []
    for kind, dimensions, largest, largest_coupled in MAPPINGS:
        alone(kind, dimensions, SIZES[0])  # imports are not part of a set-up
        for n in SIZES:
            if n > largest or n not in SHOWN.get(kind, (1_000, 10_000, 100_000, 1_000_000)):
                continue
            row = [kind, f"{n:,}", *map(seconds, alone(kind, dimensions, n))]
            first, second, triangles = meshes(dimensions, n)
            file = f"{folder}/meshes.npz"
            np.savez(file, M=first, N=second, triangles=triangles)
            for engine in engines:
                pair = coupled(engine, kind, dimensions, n, file) if n <= largest_coupled else None
                row.extend(map(seconds, pair or (None, None)))
            rows.append(row)
    columns = ["mapping", "vertices", "set-up", "application"]
    columns.extend(f"{what} {engine}" for engine in engines for what in ("first window", "further window"))
    return table("Mappings: embedded by themselves, and in coupled runs", columns, rows)
