"""Compare a run with the exact solution of the melting mush.   python checks.py RUN

While the heat has not felt the far end, the block is a half-space with a similarity solution (exact.py), if salt
diffuses fast in the micro volumes. Its one unknown is the conductivity of the mixture: for layers that of the laminate,
for pockets between the bounds of Hashin and Shtrikman, which leave little room. The run has to lie between the two
solutions, give or take the error of discretisation; the front may lag by the time that salt needs in a volume.
"""

import csv
import sys
from functools import partial
from pathlib import Path

import exact
import numpy as np

from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material
from scalebridge import checks
from scalebridge.handout import Handout
from scalebridge.settings import build


def main(run):
    macro, micro = settings(run)
    solutions = similarity_solutions(run)
    series = read_series(run / "Macro" / "series.csv")
    last, steps = series[-1], len(series)
    t, dx = last["time"], macro["length"] / macro["elements"]
    heats = sorted(s.heat * np.sqrt(t) for s in solutions)
    # ice is at most about a quarter of a volume away from the brine that dissolves it
    delay = (micro["size"] / 4) ** 2 / micro["diffusivity"] if "size" in micro else 0.0
    fronts = sorted(s.front * np.sqrt(t) for s in solutions)
    slowest = fronts[0] * np.sqrt(max(0.0, 1 - delay / t))
    snapshot = np.load(max((run / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)
    front = snapshot["points"][snapshot["Liquid-Fraction"] > 1 - 1e-9, 0].max(initial=0.0)
    # Of first order in n steps: backward Euler after a jump of the wall takes up 1 / (8 n) too little, and K of the
    # start of the step, which does not yet know where the step will melt, about 7 / (8 n) too much. The mesh is of
    # second order where it resolves the molten layer.
    error = (3 / (4 * steps) + (dx / fronts[0]) ** 2 / 16) * heats[1]
    heat = last["energy_inflow"] / (macro["width"] or 1.0)  # in two dimensions the solver counts the whole wall
    source = "similarity solution of the mushy zone, with bounds of the conductivity"
    lagging = f"{source}; at most {delay:.0f} s behind it"
    found = [
        checks.between("heat through the wall", heat, *heats, tolerance=error, source=source, unit="J/m^2"),
        checks.between("front of complete melting", front, slowest, fronts[1], tolerance=dx, source=lagging, unit="m"),
    ]
    checks.save(run / "checks" / "similarity.json", found)


def settings(run):
    """Return the settings of both participants, in SI units."""
    return [Handout.load(run / name / "handout.json").settings for name in ("Macro", "Micro")]


def similarity_solutions(run):
    """Return the exact solutions with the least and the largest conductivity, for the settings of a run."""
    macro, micro = settings(run)
    material = build(Material, {k: v for k, v in micro.items() if k in Material.__dataclass_fields__}, plain=True)
    rho = macro["density"]
    return [
        exact.mushy_zone(
            macro["wall_temperature"],
            macro["initial_temperature"],
            material.phase_diagram.melting_point(material.salinity),
            LeverRule(material, seed=0).liquid_fraction,
            partial(conductivity, ice=material.ice_conductivity, brine=material.brine_conductivity),
            rho * macro["heat_capacity"],
            rho * macro["latent_heat"],
        )
        for conductivity in CONDUCTIVITIES[material.geometry]
    ]


def lower_bound(phi, ice, brine):
    """Return the least conductivity of ice with a fraction phi of worse conducting brine, in two dimensions.

    Z. Hashin and S. Shtrikman, J. Appl. Phys. 33, 3125 (1962), with the 3 k of their three dimensions as 2 k.
    """
    return brine + (1 - phi) / (1 / (ice - brine) + phi / (2 * brine))


def upper_bound(phi, ice, brine):
    """Return the largest conductivity of the same mixture."""
    return ice + phi / (1 / (brine - ice) + (1 - phi) / (2 * ice))


def along(phi, ice, brine):
    """Return the conductivity along layers."""
    return (1 - phi) * ice + phi * brine


def across(phi, ice, brine):
    """Return the conductivity across layers."""
    return 1 / ((1 - phi) / ice + phi / brine)


CONDUCTIVITIES = {"pockets": (lower_bound, upper_bound), "layers-x": (along, along), "layers-y": (across, across)}


def read_series(path):
    """Return the rows of series.csv as dictionaries of numbers."""
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
