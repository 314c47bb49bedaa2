"""How participants are started: launchers of MPI ranks, order and delays; every mistake told."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scalebridge.cases import reader, starting
from scalebridge.cases.case import Participant
from scalebridge.cases.starting import LauncherError, launcher, launching
from scalebridge.findings import ConfigurationError

HUB = Path(__file__).parent / "hub"
ROOT = Path(__file__).resolve().parents[1]
# Starts tasks as srun does, as far as it matters here, and says what it was asked for.
SRUN = """#!{python}
import os, subprocess, sys
options = [word for word in sys.argv[1:] if word.startswith("--")]
count = int(next(o for o in options if o.startswith("--ntasks=")).partition("=")[2])
print("srun", *options, flush=True)
command = sys.argv[1 + len(options):]
tasks = [subprocess.Popen(command, env=dict(os.environ, SLURM_PROCID=str(i), SLURM_NTASKS=str(count)))
         for i in range(count)]
failed = [(i, status) for i, task in enumerate(tasks) if (status := task.wait())]
for i, status in failed:
    print(f"srun: error: node1: task {{i}}: Exited with exit code {{status}}", file=sys.stderr)
sys.exit(max((status for _, status in failed), default=0))
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of programs on the PATH, and an interpreter with no MPI beside it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setenv("PATH", str(folder))
    for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "COBALT_JOBID", "FLUX_URI", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)

    def add(name, text="#!/bin/sh\n", where=folder):
        where.mkdir(exist_ok=True)
        (where / name).write_text(text)
        (where / name).chmod(0o755)
        return where / name

    add.beside = tmp_path / "nowhere"
    return add


def ranked(command=("./solver",), launcher="auto", ranks=4):
    return Participant("Micro", 1, command=command, ranks=ranks, launcher=launcher)


def test_one_rank_needs_no_launcher(tools):
    assert launching(ranked(ranks=1), os.environ, 2, 1) == []


def test_auto_takes_what_fits(tools, monkeypatch):
    with pytest.raises(LauncherError, match=r"mpiexec is neither beside .* nor on the PATH"):
        launcher(ranked(), os.environ)
    path = tools("mpiexec")
    assert launcher(ranked(), os.environ) == ("mpiexec", path)
    srun = tools("srun")
    assert launcher(ranked(), os.environ) == ("mpiexec", path)  # not inside an allocation
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert launcher(ranked(), os.environ) == ("srun", srun)
    beside = tools("mpiexec", where=tools.beside)
    assert launcher(ranked(), os.environ) == ("mpiexec", beside)  # fits the MPI of the interpreter
    assert launching(ranked(), os.environ, 2, 4) == [str(beside), "-n", "4"]


@pytest.mark.skipif(sys.platform != "linux", reason="for Linux alone")
def test_auto_starts_ranks_of_mpich_itself(tools, monkeypatch):
    tools("mpiexec", where=tools.beside)
    python = ranked(("python3", "solver.py"))
    assert launcher(python, os.environ)[0] == "mpiexec"  # of another MPI
    tools("hydra_pmi_proxy", where=tools.beside)
    assert launcher(python, os.environ) == ("direct", starting.DIRECT)
    assert launcher(Participant("M", 1, module="m", ranks=2), os.environ)[0] == "direct"
    assert launcher(ranked(), os.environ)[0] == "mpiexec"  # a program that may have any MPI
    monkeypatch.setenv("PBS_JOBID", "7")
    assert launcher(python, os.environ)[0] == "mpiexec"  # ranks may go to other machines
    words = launching(ranked(launcher="direct"), os.environ, 2, 4)
    assert words == [sys.executable, "-I", "-S", str(starting.DIRECT), "4"]


def test_srun_shares_an_allocation(tools, monkeypatch):
    with pytest.raises(LauncherError, match="srun is not on the PATH"):
        launcher(ranked(launcher="srun"), os.environ)
    srun = tools("srun")
    words = launching(ranked(launcher="srun"), os.environ, 3, 6)
    assert words[:4] == [str(srun), "--ntasks=4", "--cpus-per-task=3", "--kill-on-bad-exit=1"]
    assert words[-1] == "--overlap"
    monkeypatch.setenv("SLURM_NTASKS", "6")
    assert launching(ranked(launcher="srun"), os.environ, 3, 6)[-1] == "--exact"


def test_a_launcher_of_ones_own(tools):
    own = ranked(launcher="mpirun --bind-to none -np {ranks}")
    with pytest.raises(LauncherError, match="there is no program mpirun"):
        launcher(own, os.environ)
    path = tools("mpirun")
    assert launching(own, os.environ, 1, 4) == [str(path), "--bind-to", "none", "-np", "4"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("Left.launcher=mpirn", "Left.launcher: 'mpirn' is no launcher of MPI ranks; expected auto, direct, mpiexec"),
        ("Left.launcher=[a]", "Left.launcher: ['a'] is no launcher of MPI ranks"),
        ("Left.start-delay=2", "Left.start-delay: 2 has no unit; expected a time, such as '2 s'"),
        ("Left.start-delay=2 kg", "Left.start-delay: "),
        ("Left.start-delay=-2 s", "Left.start-delay: -2 s is not between 0 s and 24 h"),
        ("Left.start-after=Rihgt", "Left.start-after: no participant 'Rihgt'"),
        ("Left.start-after=Left", "Left.start-after: Left after Left: nobody of them could ever start"),
        ("strict-convergence=maybe", "strict-convergence: 'maybe' is not true or false"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(ConfigurationError) as caught:
        reader.load(HUB, "", [change])
    (found,) = caught.value.findings
    assert message in str(found)


def test_a_circle_is_told_of_each(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        reader.load(HUB, "", ["Left.start-after=Right", "Right.start-after=Left"])
    assert [f.message.partition(":")[0] for f in caught.value.findings] == [
        "Left after Right after Left",
        "Right after Left after Right",
    ]


def test_delays_have_units():
    case = reader.load(HUB, "", ["Left.start-delay=1500 ms", "Left.start-after=Right"])
    assert (case.participants[0].start_delay, case.participants[0].start_after) == (1.5, "Right")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is left")
def test_a_rank_that_fails_under_slurm(tmp_path):
    shutil.copytree(HUB, tmp_path / "pair")
    srun = tmp_path / "tools" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN.format(python=sys.executable))
    srun.chmod(0o755)
    (tmp_path / "pair" / "ranked.py").write_text(
        "import os, sys, time\ntime.sleep(1)\n"
        "if os.environ['SLURM_PROCID'] == '1':\n    print('ValueError: too salty')\n    sys.exit(3)\n"
    )
    given = ["--set", "Right.command=python ranked.py", "--set", "Right.ranks=2", "--set", "Right.launcher=srun"]
    done = subprocess.run(
        [sys.executable, "-m", "scalebridge", "run", "pair", "--engine", "embedded", *given],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{srun.parent}{os.pathsep}{os.environ['PATH']}",
            "SLURM_JOB_ID": "7",
            "SLURM_PROCID": "0",  # of the hub, which is a task itself
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    first = done.stderr.splitlines()[0]
    assert first == "scalebridge: Right failed first: rank 1: exit status 3: ValueError: too salty"
    said = (tmp_path / "runs" / "pair" / "Right" / "output.log").read_text()
    assert said.startswith("srun --ntasks=2 --cpus-per-task=")
    told = json.loads((tmp_path / "runs" / "pair" / "summary.json").read_text())
    assert told["participants"]["Right"]["status"] == 3
