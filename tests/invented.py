"""Folders of runs that never ran: as many participants as one likes, with all files that a run leaves."""

import json
import math
import time
from pathlib import Path

import numpy as np

from scalebridge.runs import status

WINDOWS = 12
SECONDS = 60.0


def names(count):
    known = ("Macro", "Micro", "Fluid", "Solid", "Heart-Left", "Heart-Right", "Lung", "Blood", "Nerve", "Bone")
    return [known[i] if i < len(known) else f"Participant-{i}" for i in range(count)]


def xml(count, *, implicit=True):
    """Return a configuration: two are coupled by an implicit scheme, more around the first one by a multi scheme."""
    who = names(count)
    text = ['<?xml version="1.0"?>', "<precice-configuration>"]
    text += [f'<data:scalar name="Force-{i}" /><data:scalar name="Velocity-{i}" />' for i in range(1, count)]
    for i in range(1, count):
        use = f'<use-data name="Force-{i}" /><use-data name="Velocity-{i}" />'
        text += [
            f'<mesh name="Hub-Mesh-{i}" dimensions="2">{use}</mesh><mesh name="Mesh-{i}" dimensions="2">{use}</mesh>'
        ]
    text += [f'<participant name="{who[0]}">']
    for i in range(1, count):
        text += [f'<provide-mesh name="Hub-Mesh-{i}" /><receive-mesh name="Mesh-{i}" from="{who[i]}" />']
        text += [
            f'<write-data name="Force-{i}" mesh="Hub-Mesh-{i}" /><read-data name="Velocity-{i}" mesh="Hub-Mesh-{i}" />'
        ]
        text += [
            f'<mapping:nearest-neighbor direction="write" from="Hub-Mesh-{i}" to="Mesh-{i}" '
            'constraint="conservative" />'
        ]
        text += [
            f'<mapping:nearest-neighbor direction="read" from="Mesh-{i}" to="Hub-Mesh-{i}" constraint="consistent" />'
        ]
    text += ["</participant>"]
    for i in range(1, count):
        text += [f'<participant name="{who[i]}"><provide-mesh name="Mesh-{i}" />']
        text += [
            f'<write-data name="Velocity-{i}" mesh="Mesh-{i}" />',
            f'<read-data name="Force-{i}" mesh="Mesh-{i}" /></participant>',
        ]
        text += [f'<m2n:sockets acceptor="{who[0]}" connector="{who[i]}" />']
    kind = ("serial-implicit" if implicit else "serial-explicit") if count == 2 else "multi"
    text += [f"<coupling-scheme:{kind}>"]
    if count == 2:
        text += [f'<participants first="{who[0]}" second="{who[1]}" />']
    else:
        text += [
            f'<participant name="{w}"{" control=" + chr(34) + "yes" + chr(34) if i == 0 else ""} />'
            for i, w in enumerate(who)
        ]
    text += [f'<max-time-windows value="{WINDOWS}" /><time-window-size value="0.5" />']
    for i in range(1, count):
        text += [f'<exchange data="Force-{i}" mesh="Mesh-{i}" from="{who[0]}" to="{who[i]}" />']
        text += [f'<exchange data="Velocity-{i}" mesh="Mesh-{i}" from="{who[i]}" to="{who[0]}" />']
    if kind != "serial-explicit":
        text += ['<max-iterations value="20" />']
        for i in range(1, min(count, 4)):
            text += [f'<relative-convergence-measure data="Velocity-{i}" mesh="Mesh-{i}" limit="1e-{3 + i}" />']
        text += ['<acceleration:IQN-ILS><data name="Velocity-1" mesh="Mesh-1" /></acceleration:IQN-ILS>']
    return "\n".join([*text, f"</coupling-scheme:{kind}>", "</precice-configuration>"])


def run(folder, count=2, *, implicit=True, foreign=False, fails="", title="", checks=(), begun=None):
    """Make the folder of a run with `count` participants; return it.

    Parameters
    ----------
    foreign : nobody reports progress.
    fails : the participant that fails.
    """
    who = names(count)
    begun = time.time() - SECONDS if begun is None else begun
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.xml").write_text(xml(count, implicit=implicit))
    entries = [_entry(w, foreign) for w in who]
    case = {"name": "invented", "variant": "", "title": title or "An invented run", "coupling": "/x/case.xml"}
    (folder / "case.json").write_text(json.dumps(case | {"participants": entries}))
    processes = {}
    for i, name in enumerate(who):
        (folder / name).mkdir(exist_ok=True)
        start, end = begun + 0.2 * i, begun + SECONDS - (20.0 if fails else 0.0)
        code = (1 if name == fails else -15) if fails else 0
        processes[name] = {
            "pid": 2**22 + 1 + i,
            "begun": start,
            "ended": end,
            "status": code,
            "stopped": bool(fails) and name != fails,
        }
        (folder / name / "output.log").write_text(f"{name} says hello\nand a second line\n")
        if not foreign:
            _progress(folder / name, i, count, start, end)
            (folder / name / "handout.json").write_text("{}")
    hub = {"pid": 2**22 + 1, "started": 1, "host": "elsewhere"}
    (folder / status.FILE_NAME).write_text(json.dumps({"hub": hub, "begun": begun, "participants": processes}))
    _usage(folder, who, begun)
    if implicit or count > 2:
        _logs(folder, who, count)
    told = "well"
    if fails:
        told = f"{fails} failed first in time window 8, iteration 2 (t = 3.5 s): exit status 1: ValueError: it boiled\n"
        told += f"  its output: {folder}/{fails}/output.log\n  | Traceback (most recent call last):\n"
        told += "  | ValueError: it boiled\n"
    record = {
        **{k: case[k] for k in ("title", "variant")},
        "case": "invented",
        "status": 3 if fails else 0,
        "ended": told,
        "begun": "2026-01-02T03:04:05+0000",
        "wall": SECONDS,
        "engine": {"name": "embedded", "version": "embedded 0.1.0"},
        "versions": {"python": "3.12.1", "numpy": "2.3"},
        "platform": {"system": "Linux", "machine": "x86_64", "cores": 2},
        "seed": 1,
        "overrides": ["Micro.settings.cells=64"],
        "participants": {e["name"]: e | _outcome(processes[e["name"]]) for e in entries},
        "checks": list(checks),
    }
    (folder / "summary.json").write_text(json.dumps(record))
    return folder


def _entry(name, foreign):
    if foreign:
        return {"name": name, "module": "", "command": ["./solver", "--name", name], "directory": None, "ranks": 1}
    settings = {"cells": 32, "length": 0.12}
    return {
        "name": name,
        "module": f"participants.{name.lower()}",
        "command": [],
        "settings": settings,
        "units": {"length": "m"},
    }


def _outcome(process):
    wall = process["ended"] - process["begun"]
    return {
        "status": process["status"],
        "stopped": process["stopped"],
        "wall": wall,
        "cpu": wall / 2,
        "memory": 123456789,
    }


def _progress(folder, i, count, start, end):
    """Participants take turns: the first for half of a step, the others together for the rest."""
    steps = 40 * WINDOWS // 10
    length = (end - start - 3.0) / steps
    mine = 0.45 if i == 0 else 0.5 * (1.0 - 0.6 * i / count)
    wall, solving, waiting = 2.0, 0.0, 1.5
    lines = [
        {"event": "wait", "wall": 0.5, "begun": start, "window": 0},
        {"event": "start", "wall": wall, "waiting": waiting},
    ]
    rows = ["time,force,energy_of_everything"]
    for k in range(steps):
        window = 1 + k * WINDOWS // steps
        now = {"time": 0.5 * (window - 1), "end": 6.0, "window": window, "windows": WINDOWS, "iteration": 1 + k % 4}
        late = 0.0 if i == 0 else 0.45 * length
        lines.append(now | {"event": "step", "wall": wall + late, "solving": solving, "waiting": waiting + late})
        solving, waiting = solving + mine * length, waiting + late
        lines.append(
            now | {"event": "wait", "wall": wall + late + mine * length, "solving": solving, "waiting": waiting}
        )
        waiting += length - late - mine * length
        wall += length
        if k % 4 == 3:
            rows.append(f"{0.5 * window},{math.sin(window)},{1e6 * window}")
    lines.append({"event": "end", "wall": wall, "solving": solving, "waiting": waiting, "window": WINDOWS, "time": 6.0})
    (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "series.csv").write_text("\n".join(rows) + "\n")


def _usage(folder, who, begun):
    rows = [status.USAGE_HEADER]
    for second in range(1, int(SECONDS)):
        share = [0.5 + 0.5 * math.sin(0.3 * second + i) for i in range(len(who))]
        rows += [
            f"{begun + second},{w},{int(1e8 + 1e6 * second)},{second * s / 2}\n"
            for w, s in zip(who, share, strict=True)
        ]
    (folder / status.USAGE_FILE).write_text("".join(rows))


def _logs(folder, who, count):
    head = "  TimeWindow  Iteration" + "".join(f"  ResRel(Mesh-{i}:Velocity-{i})" for i in range(1, min(count, 4)))
    lines, windows, total = [head], ["  TimeWindow  TotalIterations  Iterations  Convergence"], 0
    for window in range(1, WINDOWS + 1):
        most = 20 if window == 7 else 4 + window % 3
        for k in range(1, most + 1):
            values = [10.0 ** (-1.2 * k * (0.2 if window == 7 else 1.0) - 0.3 * i) for i in range(1, min(count, 4))]
            lines.append(f"{window:6d}  {k:6d}" + "".join(f"  {v:15.8e}" for v in values))
        total += most
        windows.append(f"{window:6d}  {total:6d}  {most:6d}  {int(window != 7):6d}")
    decides = who[0] if count > 2 else who[1]
    (folder / decides / f"precice-{decides}-convergence.log").write_text("\n".join(lines))
    for name in who:
        (folder / name / f"precice-{name}-iterations.log").write_text("\n".join(windows))


def snapshots(folder, name="Micro"):
    """Add snapshots of micro volumes to a run."""
    (folder / name / "snapshots").mkdir(exist_ok=True)
    points = np.stack([np.linspace(0.0, 0.1, 20), np.zeros(20)], axis=1)
    for k in range(3):
        cells = np.random.default_rng(k).random((5, 8, 6))
        values = {
            "points": points,
            "Temperature": 270.0 + k * points[:, 0],
            "volumes": np.arange(0, 20, 4),
            "fields/phase": cells,
        }
        np.savez(folder / name / "snapshots" / f"{k:06d}.npz", allow_pickle=False, time=np.array(10.0 * k), **values)


if __name__ == "__main__":
    import sys

    run(Path(sys.argv[1]), int(sys.argv[2]), fails=sys.argv[3] if len(sys.argv) > 3 else "")
