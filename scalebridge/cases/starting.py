"""How a participant is started: by which launcher its MPI ranks, after whom, and how much later.

    Macro: {run: participants.macro.heat}
    Micro: {run: participants.micro.brine, ranks: 4, launcher: srun, start-after: Macro, start-delay: 2 s}

`launcher:` is one of `auto`, `direct`, `mpiexec` and `srun`, or a command of its own in which `{ranks}` stands for the
number of ranks, such as `mpirun --bind-to none -np {ranks}`. `direct` (scalebridge.runs.direct) starts ranks of MPICH
on this machine and needs nobody else; nothing listens on a network then, and which rank failed is known for certain.
`auto` takes it for Python programs where the interpreter has MPICH beside it, outside of batch systems. Otherwise it
takes the mpiexec beside the interpreter, which fits its MPI; else srun inside a SLURM allocation; else the mpiexec on
the PATH.

Participants are started in the order of the file, at once. One that starts after another waits until that one's
process has been started; a delay counts from there, without `start-after` from the start of the run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from scalebridge.cases.case import Participant
from scalebridge.engines import ROOT
from scalebridge.findings import Findings
from scalebridge.units import UnitError, convert

KEYS = ("launcher", "start-after", "start-delay")
NAMED = ("auto", "direct", "mpiexec", "srun")
DIRECT = ROOT / "scalebridge" / "runs" / "direct.py"
MOST_SECONDS = 24 * 3600.0
PLACE = "{ranks}"
_BATCH = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "COBALT_JOBID", "FLUX_URI")


class LauncherError(Exception):
    """There is no such launcher."""


def launcher(participant: Participant, environment: Mapping[str, str]) -> tuple[str, Path]:
    """Return which launcher is meant, "direct", "mpiexec", "srun" or "own", and the program. Raises LauncherError."""
    given = participant.launcher
    if given not in NAMED:
        program = shutil.which(shlex.split(given)[0], path=environment.get("PATH"))
        if program is None:
            raise LauncherError(f"there is no program {shlex.split(given)[0]}")
        return "own", Path(program)
    if given == "direct" or (given == "auto" and _direct(participant, environment)):
        return "direct", DIRECT
    beside = Path(sys.executable).parent / "mpiexec"
    srun = shutil.which("srun", path=environment.get("PATH"))
    if given == "srun" or (given == "auto" and not beside.is_file() and "SLURM_JOB_ID" in environment and srun):
        if srun is None:
            raise LauncherError("srun is not on the PATH")
        return "srun", Path(srun)
    found = str(beside) if beside.is_file() else shutil.which("mpiexec", path=environment.get("PATH"))
    if found is None:
        raise LauncherError(f"mpiexec is neither beside {sys.executable} nor on the PATH")
    return "mpiexec", Path(found)


def _direct(participant: Participant, environment: Mapping[str, str]) -> bool:
    """Return whether the ranks are surely those of the MPICH beside the interpreter, and all on this machine."""
    ours = participant.module or Path(participant.command[0]).name.startswith("python")
    mpich = (Path(sys.executable).parent / "hydra_pmi_proxy").is_file()
    return bool(ours) and mpich and sys.platform == "linux" and not any(name in environment for name in _BATCH)


def launching(participant: Participant, environment: Mapping[str, str], threads: int, ranks: int) -> list[str]:
    """Return the words in front of the command of one rank: none for a single one.

    Parameters
    ----------
    threads : processor cores for each rank.
    ranks : how many ranks the whole run has: steps of one SLURM allocation share its cores where they are too few.
    """
    if participant.ranks == 1:
        return []
    kind, program = launcher(participant, environment)
    if kind == "own":
        words = [word.replace(PLACE, str(participant.ranks)) for word in shlex.split(participant.launcher)]
        return [str(program), *words[1:]]
    if kind == "direct":
        return [sys.executable, "-I", "-S", str(program), str(participant.ranks)]
    if kind == "mpiexec":
        return [str(program), "-n", str(participant.ranks)]
    room = int(environment.get("SLURM_NTASKS", "0") or 0)
    return [
        str(program),
        f"--ntasks={participant.ranks}",
        f"--cpus-per-task={threads}",
        "--kill-on-bad-exit=1",  # one rank that fails ends the others
        "--unbuffered",
        "--exact" if ranks <= room else "--overlap",
    ]


def seconds(text: object) -> float:
    """Return a delay such as "2 s" in seconds. Raises UnitError where it is none."""
    if not isinstance(text, str):
        raise UnitError(f"{text} has no unit")
    value = convert(text, "s")
    if not 0.0 <= value <= MOST_SECONDS:
        raise UnitError(f"{text} is not between 0 s and {MOST_SECONDS / 3600:g} h")
    return value


def order(participants: Iterable[Participant], findings: Findings) -> None:
    """Add to `findings` who starts after somebody that is not there, or after himself, be it by way of others."""
    after = {p.name: p.start_after for p in participants if p.start_after}
    names = {p.name: p for p in participants}
    for name, other in after.items():
        key = f"participants.{name}.start-after"
        line = names[name].lines["start-after"]
        seen = [name]
        while other in after and other not in seen:
            seen.append(other)
            other = after[other]
        if other == name:
            findings.add(line, key, f"{' after '.join([*seen, name])}: nobody of them could ever start")
        elif after[name] not in names:
            findings.add(line, key, f"no participant '{after[name]}'", got=after[name], candidates=names)


def found(participant: Participant, findings: Findings) -> None:
    """Add to `findings` that the ranks of a participant cannot be started."""
    if participant.ranks == 1:
        return
    try:
        launcher(participant, os.environ)
    except LauncherError as error:
        key = "launcher" if "launcher" in participant.lines else "ranks"
        place = f"participants.{participant.name}.{key}"
        message = f"{participant.ranks} ranks need a launcher, and {error}"
        line = participant.lines.get(key, participant.line)
        expected = "an MPI, as the extra 'fem' brings it"
        findings.add(line, place, message, expected=expected, rule="program")
