"""A case of two plain Python programs, started by hand in two terminals: `scalebridge exec -- python program.py`.

Each runs in a folder of its own and knows nothing of scalebridge; all that it does is `import precice`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine_server import REAL

ROOT = Path(__file__).resolve().parent.parent

CONFIG = """<?xml version="1.0"?>
<precice-configuration>
  <data:scalar name="Current" waveform-degree="2" />
  <data:scalar name="Voltage" waveform-degree="2" />
  <mesh name="Coil-Mesh" dimensions="2"><use-data name="Current" /><use-data name="Voltage" /></mesh>
  <mesh name="Capacitor-Mesh" dimensions="2"><use-data name="Current" /><use-data name="Voltage" /></mesh>
  <participant name="Coil">
    <provide-mesh name="Coil-Mesh" />
    <write-data name="Current" mesh="Coil-Mesh" />
    <read-data name="Voltage" mesh="Coil-Mesh" />
  </participant>
  <participant name="Capacitor">
    <receive-mesh name="Coil-Mesh" from="Coil" />
    <provide-mesh name="Capacitor-Mesh" />
    <write-data name="Voltage" mesh="Capacitor-Mesh" />
    <read-data name="Current" mesh="Capacitor-Mesh" />
    <mapping:nearest-neighbor direction="read" from="Coil-Mesh" to="Capacitor-Mesh" constraint="consistent" />
    <mapping:nearest-neighbor direction="write" from="Capacitor-Mesh" to="Coil-Mesh" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="Coil" connector="Capacitor" exchange-directory=".." />
  <coupling-scheme:serial-implicit>
    <participants first="Coil" second="Capacitor" />
    <max-time value="6.0" />
    <time-window-size value="0.2" />
    <max-iterations value="50" />
    <exchange data="Current" mesh="Coil-Mesh" from="Coil" to="Capacitor" initialize="true" />
    <exchange data="Voltage" mesh="Coil-Mesh" from="Capacitor" to="Coil" initialize="true" />
    <relative-convergence-measure limit="1e-10" data="Current" mesh="Coil-Mesh" />
    <relative-convergence-measure limit="1e-10" data="Voltage" mesh="Coil-Mesh" />
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""

# L dI/dt = V and C dV/dt = -I with L = 1, C = 2, each by the trapezoidal rule in two steps per time window.
PROGRAM = """
import sys
import precice

name, mine, theirs, value, factor = sys.argv[1], *sys.argv[2:4], float(sys.argv[4]), float(sys.argv[5])
participant = precice.Participant(name, "../precice-config.xml", 0, 1)
mesh = name + "-Mesh"
vertices = participant.set_mesh_vertices(mesh, [[0.0, 0.0]])
if participant.requires_initial_data():
    participant.write_data(mesh, mine, vertices, [value])
participant.initialize()
while participant.is_coupling_ongoing():
    if participant.requires_writing_checkpoint():
        saved = value
    for _ in range(2):
        dt = min(0.1, participant.get_max_time_step_size())
        slope = sum(participant.read_data(mesh, theirs, vertices, at)[0] for at in (0.0, dt)) / 2
        value += dt * factor * slope
        participant.write_data(mesh, mine, vertices, [value])
        participant.advance(dt)
    if participant.requires_reading_checkpoint():
        value = saved
participant.finalize()
print("value", value)
"""

ARGUMENTS = {"Coil": ["Current", "Voltage", "1.0", "1.0"], "Capacitor": ["Voltage", "Current", "0.0", "-0.5"]}


def trapezoidal(steps: int, dt: float) -> tuple[float, float]:
    """Return current and voltage after so many steps of both equations at once, which is what the iteration solves."""
    current, voltage = 1.0, 0.0
    determinant = 1.0 + dt * dt / 8.0
    for _ in range(steps):
        a, b = current + dt * voltage / 2.0, voltage - dt * current / 4.0
        current, voltage = (a + dt * b / 2.0) / determinant, (b - dt * a / 4.0) / determinant
    return current, voltage


@pytest.mark.parametrize("first", ["Coil", "Capacitor"])
def test_two_programs_started_by_hand(tmp_path: Path, first: str) -> None:
    (tmp_path / "precice-config.xml").write_text(CONFIG)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(ROOT)}
    engine = "precice" if REAL else "embedded"
    processes = {}
    for name in sorted(ARGUMENTS, key=lambda n: n != first):
        (tmp_path / name.lower()).mkdir()
        (tmp_path / name.lower() / "program.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "scalebridge", "exec", "--engine", engine, "--", sys.executable, "program.py"]
        with (tmp_path / f"{name}.out").open("w") as output:
            processes[name] = subprocess.Popen(
                [*command, name, *ARGUMENTS[name]],
                cwd=tmp_path / name.lower(),
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
    statuses = [p.wait(timeout=60) for p in processes.values()]
    outputs = {name: (tmp_path / f"{name}.out").read_text() for name in processes}
    assert statuses == [0, 0], outputs
    values = [float(outputs[name].split("value ")[-1].split()[0]) for name in ("Coil", "Capacitor")]
    assert values == pytest.approx(trapezoidal(60, 0.1), abs=1e-8)
    written = {f.name for f in tmp_path.rglob("*.log")}
    assert written == {
        "precice-Coil-iterations.log",
        "precice-Capacitor-iterations.log",
        "precice-Capacitor-convergence.log",
    }
    assert not list(tmp_path.glob("precice-run/*"))
