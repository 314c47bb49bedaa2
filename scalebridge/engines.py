"""Which engine stands behind `import precice`: the embedded one or libprecice, and the environment that makes it so.

The embedded engine is a folder in front of PYTHONPATH, for the processes that are started and for nobody else; for
the real one nothing is put in front, and it is what the interpreter has installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import scalebridge

CHOICES = ("auto", "embedded", "precice")
ROOT = Path(scalebridge.__file__).resolve().parents[1]  # the folder that holds our packages
MODULE_FOLDER = ROOT / "scalebridge" / "embedded" / "module"
INTERFACE = "3.4"  # of preCICE, which the embedded engine follows
_PROBE_SECONDS = 60.0
_PROBE = """
import importlib.util, json
found = importlib.util.find_spec("precice") is not None
answer = {"found": found}
if found:
    try:
        import precice
        answer["file"] = str(precice.__file__)
        answer["bindings"] = str(getattr(precice, "__version__", "of unknown version"))
        version = precice.get_version_information()
        answer["version"] = (version.decode() if isinstance(version, bytes) else str(version)).split(";")[0]
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(answer))
"""


class EngineError(Exception):
    """The engine that was asked for cannot be used."""


@dataclass(frozen=True)
class Engine:
    """An engine in use.

    Attributes
    ----------
    name : "embedded" or "precice".
    version : what it is, with versions.
    origin : where it comes from.
    note : why not the other one, where that may surprise.
    """

    name: str
    version: str
    origin: str
    note: str = ""

    def __str__(self) -> str:
        return f"engine {self.version} from {self.origin}" + (f" ({self.note})" if self.note else "")

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return `base` with a PYTHONPATH that makes `import precice` this engine, and our packages importable."""
        result = dict(base)
        path = _without_module(base)
        if self.name == "embedded":
            path.insert(0, str(MODULE_FOLDER))
        if "site-packages" not in ROOT.parts and str(ROOT) not in path:
            path.append(str(ROOT))
        result.pop("PYTHONPATH", None)
        if path:
            result["PYTHONPATH"] = os.pathsep.join(path)
        return result


def embedded(note: str = "") -> Engine:
    """Return the embedded engine."""
    version = f"embedded {scalebridge.__version__} (preCICE {INTERFACE} interface)"
    return Engine("embedded", version, str(MODULE_FOLDER), note)


def choose(requested: str, command: Sequence[str] = ()) -> Engine:
    """Return the engine to use.

    Parameters
    ----------
    requested : one of CHOICES; "auto" takes the real one where it can be imported.
    command : what will be started, where that may be another Python than this one.

    Raises
    ------
    EngineError
        If the real one is asked for and cannot be imported.
    """
    if requested not in CHOICES:
        raise EngineError(f"there is no engine '{requested}'; expected one of {', '.join(CHOICES)}")
    if requested == "embedded":
        return embedded()
    python = _interpreter(command)
    answer = _probe(python)
    if answer.get("file"):
        version = f"preCICE {answer['version']} with pyprecice {answer['bindings']}"
        return Engine("precice", version, answer["file"])
    problem = answer.get("error", "")
    if requested == "auto":
        return embedded(f"a module precice is installed but cannot be imported: {problem}" if problem else "")
    reason = f"its import fails with {problem}" if problem else "it is not installed"
    raise EngineError(
        f"--engine precice: {python} cannot import precice, {reason}. libprecice and its bindings come from "
        "conda-forge (conda install -c conda-forge pyprecice, or conda env create -f environment.yml), or from "
        "preCICE's own packages followed by pip install pyprecice. Without them use --engine embedded"
    )


def _interpreter(command: Sequence[str]) -> str:
    """Return the Python that `command` starts, or this one where it starts none that can be seen."""
    if command and Path(command[0]).name.startswith("python"):
        return shutil.which(command[0]) or sys.executable
    return sys.executable


def _probe(python: str) -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if path := _without_module(os.environ):
        environment["PYTHONPATH"] = os.pathsep.join(path)
    command = [python, "-P", "-c", _PROBE]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PROBE_SECONDS, stdin=subprocess.DEVNULL
        )
        answer = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {_PROBE_SECONDS:g} s"}
    except (OSError, ValueError, IndexError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    if not isinstance(answer, dict):
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return {"error": last[0]}
    return answer


def _without_module(environment: Mapping[str, str]) -> list[str]:
    """Return the parts of PYTHONPATH that are not the embedded engine: this process may itself run under `exec`."""
    parts = [os.path.abspath(part) for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    return [part for part in parts if Path(part).resolve() != MODULE_FOLDER]
