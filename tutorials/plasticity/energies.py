"""Where the energy of a run is: sums over the plate, and the parts of what its cells have stored.

    stored = 1/2 Sigma : C^-1 : Sigma  +  1/2 <H_i alpha^2>  +  misfit

The first is what unloading a cell gives back: C is its elastic stiffness, and by Hill-Mandel the stress under load and
what is left without it do no work on each other. The second is that of isotropic hardening, alpha the equivalent
plastic strain. The rest, never negative, is elastic energy that stays when the load on the cell goes: matrix and
inclusions no longer fit together. A material law without a cell has no place for it.
"""

import csv

import numpy as np

from scalebridge.compare import vtk
from scalebridge.handout import Handout

CORNERS = np.array([[1, 1, 4], [1, 4, 1], [4, 1, 1]]) / 6  # barycentric coordinates of the points in a triangle


def settings(run):
    """Return the settings of both participants, in SI units."""
    return [Handout.load(run / name / "handout.json").settings for name in ("Macro", "Micro")]


def exact(run):
    """Return whether every cell was solved for itself: no strategy let another answer stand in for it."""
    return not Handout.load(run / "Micro" / "handout.json").strategy


def read(run):
    """Return the rows of series.csv as dictionaries of numbers, and all pictures of the cells, the start first."""
    with (run / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return rows, [np.load(f, allow_pickle=False) for f in sorted((run / "Micro" / "snapshots").glob("*.npz"))]


class Plate:
    """The triangles of the plate, with curved edges, at the end of a window.

    Attributes
    ----------
    nodes, displacement : (m, 6, 2) [m] of the corners and middles of edges of each triangle.
    rows : (m, 3) which point of the coupling mesh is which of the triangle's.
    weights : (n,) [m^2] of the points: a sum over them is an integral.
    """

    def __init__(self, run, points, window=-1):
        grid = vtk.read(sorted((run / "Macro" / "fields").glob("*.vtu"))[window])
        corners = grid.geometry["connectivity"].reshape(-1, 6)
        self.nodes = grid.points[corners][..., :2]
        self.displacement = grid.values["Displacement"][corners][..., :2]
        places = np.einsum("qa,maj->mqj", shapes(CORNERS), self.nodes)
        apart = np.linalg.norm(places[:, :, None] - points[:, :2], axis=-1)
        self.rows = apart.argmin(axis=-1)
        if not apart.min(axis=-1).max() < 1e-9 * np.abs(points).max():
            raise SystemExit("the cells do not lie at the quadrature points of the plate")
        gradients = (shapes(CORNERS + step) - shapes(CORNERS - step) for step in (np.array(s) / 2 for s in EDGES))
        a, b = (np.einsum("qa,maj->mqj", g, self.nodes) for g in gradients)
        self.weights = np.zeros(len(points))
        self.weights[self.rows] = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]) / 6

    def integral(self, values):
        """Return the integral of values (n,) at the points."""
        return float(self.weights @ values)


EDGES = (-1, 1, 0), (-1, 0, 1)  # in barycentric coordinates; shape functions are quadratic, so differences are exact


def shapes(at):
    """Return the six quadratic shape functions (k, 6) at barycentric coordinates (k, 3)."""
    a, b, c = at.T
    return np.stack([a * (2 * a - 1), b * (2 * b - 1), c * (2 * c - 1), 4 * a * b, 4 * b * c, 4 * c * a], axis=1)


def matrix(C):
    """Return stiffnesses (n, 2, 2, 2, 2) as (n, 3, 3), for strains as xx, yy, sqrt(2) xy."""
    i, j, root = [0, 1, 0], [0, 1, 1], np.array([1, 1, np.sqrt(2)])
    return C[:, i, j][..., i, j] * root[:, None] * root


def parts(micro, shot, C):
    """Return what is stored in each cell (n,) [J/m^3]: what unloading it gives back, hardening, misfit.

    C : (n, 2, 2, 2, 2) [Pa] elastic stiffness.
    """
    Sigma = np.stack([shot["Stress"][:, 0, 0], shot["Stress"][:, 1, 1], np.sqrt(2) * shot["Stress"][:, 0, 1]], axis=1)
    elastic = np.einsum("ni,nij,nj->n", Sigma, np.linalg.inv(matrix(C)), Sigma) / 2
    H = np.array(micro["isotropic_hardening"])[shot["fields/phase"].astype(int)]
    hardening = (H / 2 * shot["fields/plastic-strain"] ** 2).mean(axis=(1, 2))
    return elastic, hardening, shot["Stored-Energy"] - elastic - hardening


def pictured(*shots):
    """Return the cells of which there are pictures in all of these snapshots: where a cheap model answers are none."""
    if any("fields/phase" not in shot for shot in shots):
        return np.zeros(0, dtype=int)
    known = [np.isfinite(shot["fields/phase"]).reshape(len(shot["volumes"]), -1).all(axis=1) for shot in shots]
    return np.flatnonzero(np.all(known, axis=0))


def complete(shots):
    """Return whether there are pictures of all cells; only then can their energies be added up."""
    return len(pictured(*shots)) == len(shots[0]["points"])
