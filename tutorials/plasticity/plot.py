"""Draw both scales and where the energy went: plate, some of its cells, load and energy over time.   python plot.py RUN

Writes RUN/plasticity.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import energies
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.tri import Triangulation

HEAT = LinearSegmentedColormap.from_list("heat", ["#fff7ec", "#fdd49e", "#fc8d59", "#d7301f", "#7f0000"])
FLOW = LinearSegmentedColormap.from_list("flow", ["#f7fbff", "#9ecae1", "#4292c6", "#08519c", "#08224d"])
FIBRE, RED = "#4a4a4a", "#c8102e"
PARTS = {  # of the energy, from below
    "stored: misfit of fibres and matrix": "#08519c",
    "stored: hardening": "#4292c6",
    "stored: elastic, of the load or held by the plate": "#c6dbef",
    "dissipated": "#fc8d59",
}
MAGNIFIED = 0.08  # largest displacement in the picture, as a share of the length
CELLS = 20  # cells that are drawn on the plate


def main(run):
    macro, micro = energies.settings(run)
    rows, shots = energies.read(run)
    if len(shots) != len(rows) + 1:
        raise SystemExit("the picture takes snapshots of all windows, see Micro.settings.snapshots")
    peak = max(range(len(rows)), key=lambda i: rows[i]["load"])
    plate = energies.Plate(run, shots[0]["points"], peak)
    figure = plt.figure(figsize=(12, 10.2), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.6, 1])
    left = upper
    if len(energies.pictured(shots[peak + 1], shots[-1])) >= 3:
        left, right = upper.subfigures(1, 2, width_ratios=[1.5, 1])
        draw_cells(right, shots[peak + 1], shots[-1], rows[peak])
    draw_plate(left, macro, plate, shots[peak + 1], rows[peak])
    if energies.exact(run) and energies.complete(shots) and micro["dimensions"] == 2:
        left, right = lower.subfigures(1, 2, width_ratios=[1, 1.3])
        draw_energy(right, micro, plate, rows, shots)
    else:
        left = lower
    draw_load(left, rows)
    figure.savefig(run / "plasticity.png", dpi=105)


def draw_plate(figure, macro, plate, shot, row):
    """Draw what has been dissipated in the plate, whose shape is exaggerated, and the plastic strain of some cells."""
    title = f"Under {row['load'] / 1e6:.3g} MPa: the plate, and some of its cells"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    axes = figure.subplots()
    times = MAGNIFIED * macro["length"] / np.abs(plate.displacement).max()
    nodes = 1e3 * (plate.nodes + times * plate.displacement)
    image = draw_dissipation(axes, plate, nodes, shot["Dissipation"] / 1e6)
    figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01).set_label("dissipated since the start [MJ/m³]")
    at = np.empty_like(shot["points"][:, :2])
    at[plate.rows] = np.einsum("qa,maj->mqj", energies.shapes(energies.CORNERS), nodes)
    half = 0.031e3 * macro["length"]
    known = energies.pictured(shot)
    for volume in known[spread(shot["points"][shot["volumes"][known]], CELLS)]:
        x, y = at[shot["volumes"][volume]]
        axes.imshow(cell(shot, volume), extent=(x - half, x + half, y - half, y + half), origin="lower", zorder=3)
        axes.add_patch(Rectangle((x - half, y - half), 2 * half, 2 * half, fill=False, linewidth=0.6, zorder=4))
    axes.set(aspect="equal", xlabel="x [mm]", ylabel="y [mm]", xlim=(0, None), ylim=(0, None))
    axes.text(0.02, 0.02, f"displacements {times:.0f} times as large", transform=axes.transAxes, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    axes.relim()
    axes.set(xlim=(0, 1.04 * nodes[..., 0].max()), ylim=(0, 1.04 * nodes[..., 1].max()))


def draw_dissipation(axes, plate, nodes, values):
    """Draw values (n,) of the points on triangles with curved edges, linear in each triangle."""
    n = 6
    lattice = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)]) / n
    flat = Triangulation(lattice[:, 0], lattice[:, 1]).triangles
    place = np.einsum("ka,maj->mkj", energies.shapes(lattice), nodes)
    value = np.einsum("kc,cq,mq->mk", lattice, np.linalg.inv(energies.CORNERS), values[plate.rows])
    triangles = (flat + len(lattice) * np.arange(len(place))[:, None, None]).reshape(-1, 3)
    shown = Triangulation(*place.reshape(-1, 2).T, triangles)
    rim = np.einsum("ka,maj->mkj", energies.shapes(lattice[(lattice == 0).any(axis=1)]), nodes)
    middle = rim.mean(axis=1, keepdims=True)
    order = np.argsort(np.arctan2(*np.moveaxis(rim - middle, -1, 0)[::-1]), axis=1)
    for points, around in zip(rim, order, strict=True):
        axes.plot(*points[[*around, around[0]]].T, color="#b08968", linewidth=0.4, zorder=2)
    top = values.max()
    return axes.tripcolor(shown, value.clip(0, top).ravel(), shading="gouraud", cmap=HEAT, vmin=0, vmax=top)


def cell(shot, volume, name="plastic-strain", colours=FLOW, norm=None):
    """Return a picture (cells, cells, 4) of a field in a cell, fibres dark, rows along y; plastic strain as a rule."""
    phase, field = shot["fields/phase"][volume], shot[f"fields/{name}"][volume]
    if phase.ndim == 3:
        phase, field = phase[..., 0], field[..., 0]
    picture = colours((norm or strains(shot))(field))
    picture[phase > 0] = matplotlib.colors.to_rgba(FIBRE)
    return picture.swapaxes(0, 1)


def strains(shot):
    """Return how colours tell plastic strain: the same in all pictures of a snapshot."""
    return Normalize(0, np.nanquantile(shot["fields/plastic-strain"], 0.99))


def spread(points, most):
    """Return which of the points (n, dim) to draw: each as far as can be from those before."""
    if not len(points):
        return []
    chosen = [int(np.linalg.norm(points, axis=1).argmin())]
    while len(chosen) < min(most, len(points)):
        apart = np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(axis=1)
        chosen.append(int(apart.argmax()))
    return chosen


def draw_cells(figure, peak, end, row):
    """Draw three cells: where most, half of that, and least is dissipated; under load, and the stress that is left."""
    volumes, known = end["volumes"], energies.pictured(peak, end)
    dissipated = peak["Dissipation"][volumes[known]]
    chosen = [known[np.abs(dissipated - share * dissipated.max()).argmin()] for share in (1, 0.3, 0.0)]
    loaded = f"under {row['load'] / 1e6:.3g} MPa"
    stress = Normalize(0, np.quantile(end["fields/von-mises-stress"][chosen], 0.995))
    panels = figure.subplots(3, 2)
    figure.suptitle("Three of the cells", x=0.01, ha="left", fontweight="bold")
    for (left, right), volume in zip(panels, chosen, strict=True):
        left.imshow(cell(peak, volume), origin="lower")
        field = end["fields/von-mises-stress"][volume]
        right.imshow((field[..., 0] if field.ndim == 3 else field).T, origin="lower", norm=stress, cmap="magma")
        x, y = 1e3 * end["points"][volumes[volume], :2]
        left.set_ylabel(f"at ({x:.0f}, {y:.0f}) mm")
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
    panels[0, 0].set_title(f"plastic strain [%]\n{loaded}", fontsize="medium")
    panels[0, 1].set_title("von Mises stress [MPa]\nin the end", fontsize="medium")
    most = 100 * strains(peak).vmax
    for column, colours, norm in (
        (0, FLOW, Normalize(0, most)),
        (1, "magma", Normalize(0, stress.vmax / 1e6)),
    ):
        figure.colorbar(plt.cm.ScalarMappable(norm, colours), ax=panels[:, column], location="bottom", shrink=0.8)


def draw_load(figure, rows):
    """Draw the load against the displacement of the loaded face, and the work that is not given back."""
    figure.suptitle("What the plate is pulled with", x=0.01, ha="left", fontweight="bold")
    axes = figure.subplots()
    d = 1e3 * np.array([0.0, *(row["displacement"] for row in rows)])
    p = np.array([0.0, *(row["load"] for row in rows)]) / 1e6
    axes.fill(d, p, color="#fee8c8")
    axes.plot(d, p, "o-", color=RED, markersize=4)
    axes.set(xlabel="displacement of the loaded face [mm]", ylabel="load [MPa]", xlim=(0, None), ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)


def draw_energy(figure, micro, plate, rows, shots):
    """Draw the parts of the energy over time, and the work."""
    figure.suptitle("Where the work went", x=0.01, ha="left", fontweight="bold")
    axes = figure.subplots()
    time = [0.0, *(row["time"] for row in rows)]
    told = [[plate.integral(x) for x in energies.parts(micro, shot, shots[0]["Tangent"])] for shot in shots]
    elastic, hardening, misfit = np.transpose(told)
    dissipated = [0.0, *(row["dissipated"] for row in rows)]
    axes.stackplot(time, misfit, hardening, elastic, dissipated, labels=PARTS, colors=PARTS.values())
    axes.plot(time, [0.0, *(row["work"] for row in rows)], "k--", linewidth=1, label="work, by the trapezoidal rule")
    axes.set(xlabel="t [s]", ylabel="energy [J per metre of thickness]", xlim=(0, time[-1]), ylim=(0, None))
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, fontsize="small", loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
