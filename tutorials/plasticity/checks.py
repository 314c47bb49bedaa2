"""Compare a run with bounds, with the limit load, and its energies with each other.   python checks.py RUN

The balances of energy in each window and cell are checks of the participants. Here the whole run is looked at: what
unloading gave back, what stays locked in and where, how fast Newton's method converged on the macro scale.
"""

import sys
from pathlib import Path

import energies
import numpy as np

from scalebridge import checks

MATRIX, FIBRES = 0, 1
STRAIGHT = np.pi / 8  # fraction of fibres up to which straight bands of shear at 45 degrees pass between them
ROUNDING = 1e-12  # of shares, and of changes of the strain, which tell nothing of convergence then


def main(run):
    macro, micro = energies.settings(run)
    rows, shots = energies.read(run)
    found = convergence(run) if energies.exact(run) else []
    if len(energies.pictured(shots[0])):
        found += bounds(micro, shots[0])
    parted = energies.exact(run) and energies.complete(shots)
    if parted and micro["dimensions"] == 2 and not micro["kinematic_hardening"][MATRIX]:
        found += stored(micro, energies.Plate(run, shots[0]["points"]), rows, shots)
    else:
        print("stored energy is not taken apart: that takes all cells, and their pictures, see Micro.settings.volumes")
    if abs(rows[-1]["load"]) < 0.01 * max(row["load"] for row in rows):
        found += unloaded(rows, energies.exact(run))
    elif flows_freely(macro, micro):
        found.append(limit_load(macro, micro, rows))
    checks.save(run / "checks" / "plasticity.json", found)


def bounds(micro, start):
    """Return that the elastic stiffness of the cells lies within its bounds: of Voigt and Reuss, and tighter ones.

    In plane strain these hold for stiffness in the plane. All strains are met by the generalised eigenvalues.
    """
    image = start["fields/phase"][0]
    f, E, nu = np.mean(image == FIBRES), np.array(micro["youngs_modulus"]), np.array(micro["poissons_ratio"])
    G, k = E / (2 * (1 + nu)), E / (2 * (1 + nu) * (1 - 2 * nu))  # shear, and bulk modulus in the plane
    phases = [np.array([[k + G, k - G, 0], [k - G, k + G, 0], [0, 0, 2 * G]]) for k, G in zip(k, G, strict=True)]
    voigt = (1 - f) * phases[MATRIX] + f * phases[FIBRES]
    reuss = np.linalg.inv((1 - f) * np.linalg.inv(phases[MATRIX]) + f * np.linalg.inv(phases[FIBRES]))
    C = energies.matrix(start["Tangent"])[0]
    softest, stiffest = (np.linalg.eigvals(np.linalg.solve(bound, C)).real for bound in (reuss, voigt))
    bulk = (C[0, 0] + C[1, 1] + 2 * C[0, 1]) / 4
    low, high = (
        k[a] + share / (1 / (k[b] - k[a]) + (1 - share) / (k[a] + G[a]))
        for a, b, share in ((MATRIX, FIBRES, f), (FIBRES, MATRIX, 1 - f))
    )
    low_energy, high_energy = "minimum complementary energy, uniform stress", "minimum energy, uniform strain"
    tight = "Z. Hashin, J. Mech. Phys. Solids 13, 119 (1965)"
    return [
        checks.at_most(
            "Reuss over the stiffness of the cells", 1 / softest.min(), 1, tolerance=1e-9, source=low_energy
        ),
        checks.at_most("stiffness of the cells over Voigt", stiffest.max(), 1, tolerance=1e-9, source=high_energy),
        checks.between(
            "bulk modulus of the cells in the plane",
            bulk,
            *sorted((low, high)),
            tolerance=1e-9 * bulk,
            source=tight,
            unit="Pa",
        ),
    ]


def convergence(run):
    """Return the check of the order in which changes of the strain fall at the end of the iterations, if it is seen.

    It takes tangents that are exact; those of a table or of copies have kinks.

    It is log(c2 / c1) / log(c1 / c0) of the last three changes that are not yet round-off.
    """
    lines = [line.split() for line in (run / "Micro" / "precice-Micro-convergence.log").read_text().splitlines()]
    measured = [i for i, name in enumerate(lines[0]) if "Strain" in name]
    windows = {}
    for line in lines[1:]:
        change = np.linalg.norm([float(line[i]) for i in measured])
        windows.setdefault(line[0], []).append(change)
    orders = []
    for changes in windows.values():
        *_, a, b, c = [0.0, 0.0, 0.0, *(x for x in changes[1:] if x > ROUNDING)]
        if a > 0:
            orders.append(np.log(c / b) / np.log(b / a))
    if not orders:  # nothing flows
        return []
    source = f"Newton's method is quadratic; median of {len(orders)} windows, in which cells may begin or cease to flow"
    return [checks.between("order of convergence of the plate", np.median(orders), 1.6, 4, source=source)]


def stored(micro, plate, rows, shots):
    """Return that the stored energies of both scales agree, and that the misfit in the cells has stored some of it."""
    last, C = shots[-1], shots[0]["Tangent"]
    by_cell = plate.integral(last["fields/stored-energy"].mean(axis=(1, 2)))
    shares = [energies.parts(micro, shot, C) for shot in shots[1:]]
    least = min((misfit / elastic).min() for elastic, _, misfit in shares)
    allowed = 10 * micro["tangent_tolerance"]
    told = "stress without load is orthogonal to that of the load, so the energy of the misfit is a square"
    sums = "integral over the plate of the means over the cells"
    misfit = plate.integral(shares[-1][2]) / rows[-1]["stored"]
    return [
        checks.relative("stored in all cells", by_cell, rows[-1]["stored"], 1e-9, source=sums, unit="J/m"),
        checks.at_most("misfit below zero, share of the elastic energy", -least, 0, tolerance=allowed, source=told),
        checks.between("share of the misfit in what is stored", misfit, 0, 1, source="it is a part, and is not lost"),
    ]


def unloaded(rows, exact):
    """Return that unloading gave back what the area under its line says, and that some energy is left.

    Where no cell flows back the area is exact; where one does, it is off by no more than what that dissipates. Where
    another model stands in for cells it is as far off as that.
    """
    peak, end = max(rows, key=lambda row: row["load"]), rows[-1]
    returned = peak["work"] - end["work"]
    flowed = end["dissipated"] - peak["dissipated"]
    locked = peak["stored"] - returned - flowed
    stays = end["stored"] / (end["stored"] + end["dissipated"])
    area = "stored at the peak, less the area under the line of unloading and what cells dissipate that flow back"
    heat = "first law: the rest is heat"
    found = [checks.between("share of the work left that is stored", stays, 0, 1, source=heat)]
    if exact:
        allowed = flowed + 1e-9 * locked
        found.append(checks.absolute("locked in", end["stored"], locked, allowed, source=area, unit="J/m"))
    return found


def flows_freely(macro, micro):
    """Return whether a run ends at a limit load that is known."""
    plastic = not micro["isotropic_hardening"][MATRIX] and not micro["kinematic_hardening"][MATRIX]
    fibres = micro["fraction"] == 0 or (micro["arrangement"] == "array" and micro["fraction"] < STRAIGHT)
    pulled = macro["body"] == "plate" and macro["control"] == "displacement" and macro["length"] >= macro["height"]
    return plastic and fibres and pulled and micro["inclusions"] == 1


def limit_load(macro, micro, rows):
    """Return the check of the last load: exactly 2 Y / sqrt(3) on what the hole leaves of the height.

    It cannot be less, as that stress in a strip beside the hole is in balance, and cannot be more, as a band at 45
    degrees from the hole to the edge lets the plate slip. Fibres that such a band misses change neither. On a mesh that
    band is as wide as an element, so the load is too high, in first order.
    """
    exact = 2 / np.sqrt(3) * micro["yield_stress"][MATRIX] * (1 - macro["inner_radius"] / macro["height"])
    allowed = exact / (4 * macro["elements"][0])
    source = "limit analysis, statically admissible strip and slip at 45 degrees; a band as wide as an element"
    return checks.between("limit load", rows[-1]["load"], exact, exact + allowed, source=source, unit="Pa")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
