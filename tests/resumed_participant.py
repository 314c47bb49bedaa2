"""A participant of a reference case (tests/reference) that saves its state after a window, or goes on from it.

    python resumed_participant.py CASE.json NAME TRACE.json SAVE RESUME

SAVE and RESUME are numbers of time windows, 0 for never. The trace holds what was seen, bit for bit, after the window
SAVE or RESUME.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import precice
from participant import written

from scalebridge import treefile


class Program:
    """The loop of tests/reference/participant.py, with its variables in one place."""

    def __init__(self, spec: dict[str, Any], name: str, resume: int) -> None:
        self.spec, self.name = spec, name
        self.ids: dict[str, Any] = {}
        self.points: dict[str, Any] = {}
        self.t, self.state, self.step, self.windows = 0.0, 0.0, 0, 0
        self.read: dict[str, Any] = {}
        known = treefile.load(f"{name}-{resume}.npz") if resume else None
        if known:
            self.t, self.state, self.step, self.windows, self.read = known["program"]
        self.p = precice.Participant(name, "precice-config.xml", 0, 1, state=known and known["coupling"])

    def start(self) -> None:
        p = self.p
        for mesh, m in self.spec.get("meshes", {}).items():
            self.points[mesh] = np.array(m["points"], dtype=float)
            self.ids[mesh] = np.asarray(p.set_mesh_vertices(mesh, self.points[mesh]))
            if p.requires_mesh_connectivity_for(mesh):
                for kind in ("edges", "triangles", "tetrahedra"):
                    if m.get(kind):
                        getattr(p, f"set_mesh_{kind}")(mesh, self.ids[mesh][np.array(m[kind])])
        for mesh, region in self.spec.get("regions", {}).items():
            p.set_mesh_access_region(mesh, region)
        if p.requires_initial_data():
            self.write()
        p.initialize()
        for mesh in self.spec.get("regions", {}):
            ids, points = p.get_mesh_vertex_ids_and_coordinates(mesh)
            self.ids[mesh], self.points[mesh] = np.asarray(ids), np.asarray(points)

    def write(self) -> None:
        p, spec = self.p, self.spec
        for mesh, data in spec.get("writes", []):
            shape = len(self.points[mesh]), p.get_data_dimensions(mesh, data)
            values = written(spec, self.points[mesh], self.t, self.state, self.read, shape)
            p.write_data(mesh, data, self.ids[mesh], values)
            if p.requires_gradient_data_for(mesh, data):
                g = np.tile(
                    0.1 * np.cos(3.0 * self.t + self.points[mesh].sum(axis=1))[:, None], (1, np.prod(shape[1:]))
                )
                p.write_gradient_data(mesh, data, self.ids[mesh], np.tile(g, (1, self.points[mesh].shape[1])))

    def run(self, save: int) -> list[Any]:
        p, spec, trace, window, kept = self.p, self.spec, [], None, None
        while p.is_coupling_ongoing():
            if p.requires_writing_checkpoint():
                kept = self.t, self.state, self.step
            max_dt = p.get_max_time_step_size()
            if window is None or p.is_time_window_complete():
                window = max_dt
            dt = min(max_dt, window / spec.get("substeps", 1))
            dt = min(max_dt, spec["dts"][self.step % len(spec["dts"])]) if "dts" in spec else dt
            dt = max_dt if "dts" not in spec and max_dt - dt < 1e-9 else dt
            seen = self.look(dt)
            mean = np.mean([r.mean() for r in self.read.values()]) if self.read else math.sin(self.t)
            self.state = float(self.state + dt * (-self.state + mean))
            self.t, self.step = self.t + dt, self.step + 1
            self.write()
            for mesh, data, at in spec.get("map_writes", []):
                shape = len(at), p.get_data_dimensions(mesh, data)
                values = written(spec, np.array(at, dtype=float), self.t, self.state, self.read, shape)
                p.write_and_map_data(mesh, data, np.array(at, dtype=float), values)
            p.advance(dt)
            again = p.requires_reading_checkpoint()
            trace.append([self.t, max_dt, dt, again, seen])
            if again:
                assert kept is not None
                self.t, self.state, self.step = kept
            elif p.is_time_window_complete():
                self.windows += 1
                if self.windows == save:
                    program = (self.t, self.state, self.step, self.windows, self.read)
                    treefile.save(f"{self.name}-{save}.npz", {"program": program, "coupling": p.save_state()})
                    trace.clear()
        p.finalize()
        return trace

    def look(self, dt: float) -> dict[str, Any]:
        """Return what can be read at the start, in the middle and at the end of a step."""
        seen = {}
        for mesh, data in self.spec.get("reads", []):
            for f in self.spec.get("read_at", [0.0, 0.5, 1.0]):
                values = np.asarray(self.p.read_data(mesh, data, self.ids[mesh], f * dt))
                seen[f"{mesh}/{data}@{f}"] = values.tolist()
            self.read[mesh + data] = values
        for mesh, data, at in self.spec.get("map_reads", []):
            values = np.asarray(self.p.map_and_read_data(mesh, data, np.array(at, dtype=float), dt))
            seen[f"{mesh}/{data}@points"] = values.tolist()
            self.read[mesh + data] = values
        return seen


def main(case: str, name: str, trace: str, save: str, resume: str) -> None:
    program = Program(json.loads(Path(case).read_text())["participants"][name], name, int(resume))
    program.start()
    Path(trace).write_text(json.dumps(program.run(int(save))))


if __name__ == "__main__":
    main(*sys.argv[1:])
