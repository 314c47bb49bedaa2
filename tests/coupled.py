"""Run several participants as processes, each one a function of a test module.

    @participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
    def macro(case): ...

    results = run(tmp_path, XML, {"Macro": macro, "Micro": (micro, {"gain": 0.5})})

The environment variable ENGINE (embedded or precice) says what `import precice` means to them.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENGINE = os.environ.get("ENGINE", "embedded")
sys.path.insert(0, str(ROOT))

import forks  # noqa: E402

from adapters.case import Case  # noqa: E402
from adapters.participant import serve  # noqa: E402
from scalebridge.fallbacks import Policy  # noqa: E402
from scalebridge.fields import Field  # noqa: E402
from scalebridge.handout import Handout  # noqa: E402
from scalebridge.strategies import Strategy  # noqa: E402

# What takes long to import, where there is such a thing. Only Linux says that its libraries may be forked.
EARLY = ["pytest", "adapters.ensemble", *(["precice"] if ENGINE == "embedded" else [])]
EARLY += ["scipy.linalg", "scipy.sparse", "scipy.spatial", "ufl", "ffcx.codegeneration.jit"]
FORKS = sys.platform == "linux"

type Main = Callable[[Case[Any]], None]


@dataclass(frozen=True)
class Nothing:
    """Settings of a participant that has none."""


@dataclass(frozen=True)
class Result:
    """How a participant ended: exit status, what it printed, and the folder with its files."""

    status: int
    text: str
    folder: Path


def participant(settings: type = Nothing, *, reads: Mapping[str, Field], writes: Mapping[str, Field]) -> Any:
    """Make a function of a test module a participant that `run` can start."""

    def mark(main: Main) -> Main:
        main.__dict__.update(settings=settings, reads=reads, writes=writes)
        return main

    return mark


def environment() -> dict[str, str]:
    """Return the environment in which `import precice` gives the engine under test."""
    path = [str(ROOT), str(ROOT / "tests")]
    if ENGINE == "embedded":
        path.insert(0, str(ROOT / "scalebridge" / "embedded" / "module"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}


def start(
    folder: Path,
    xml: str,
    name: str,
    main: Main,
    settings: Mapping[str, Any] | None = None,
    *,
    ranks: int = 1,
    scaling: str | None = None,
    on_failure: Sequence[Policy] = (),
    strategy: Sequence[Strategy] = (),
) -> forks.Process | subprocess.Popen[str]:
    """Start one participant of the case `xml` in `folder`/`name`; with checkpoints if there is a folder for them."""
    output = folder / name
    output.mkdir(exist_ok=True)
    (folder / "precice-config.xml").write_text(xml)
    if scaling is not None:
        (folder / "scaling.xml").write_text(scaling)
    Handout(
        case="test",
        participant=name,
        module=main.__module__,
        precice_config=str(folder / "precice-config.xml"),
        run=str(folder),
        output=str(output),
        progress=str(output / "progress.jsonl"),
        settings=dict(settings or {}),
        on_failure=list(on_failure),
        strategy=list(strategy),
        folder=str(folder),
        scaling=str(folder / "scaling.xml") if scaling is not None else None,
        engine=ENGINE,
        checkpoints=str(folder / "checkpoints") if (folder / "checkpoints").is_dir() else "",
    ).save(output / "handout.json")
    words = [main.__module__, main.__name__, str(output / "handout.json")]
    if ranks == 1 and FORKS:
        return _server().start(words, output, output / "output.log", environment())
    command = [sys.executable, __file__, *words]
    if ranks > 1:
        command = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks), *command]
    with (output / "output.log").open("w") as log:
        return subprocess.Popen(command, env=environment(), cwd=output, stdout=log, stderr=log, text=True)


@cache
def _server() -> forks.Server:
    return forks.Server(Path(__file__), environment())


def run(
    folder: Path,
    xml: str,
    mains: Mapping[str, Main | tuple[Main, Mapping[str, Any]]],
    *,
    ranks: Mapping[str, int] | None = None,
    scaling: str | None = None,
    on_failure: Mapping[str, Sequence[Policy]] | None = None,
    strategy: Mapping[str, Sequence[Strategy]] | None = None,
    limit: float = 60.0,
    fails: bool = False,
) -> dict[str, Result]:
    """Run the participants until all have ended, or one has failed, or `limit` seconds have passed.

    Unless `fails` is set, a failure of any of them fails the test, with what it printed.
    """
    processes = {}
    for name, main in mains.items():
        function, settings = main if isinstance(main, tuple) else (main, {})
        more = {"ranks": (ranks or {}).get(name, 1), "on_failure": (on_failure or {}).get(name, ())}
        more["strategy"] = (strategy or {}).get(name, ())
        processes[name] = start(folder, xml, name, function, settings, scaling=scaling, **more)
    deadline = time.monotonic() + limit
    try:
        while any(p.poll() is None for p in processes.values()) and time.monotonic() < deadline:
            begun = all((folder / n / "progress.jsonl").exists() for n, p in processes.items() if p.poll() is None)
            if begun and any(p.poll() for p in processes.values()):
                deadline = min(deadline, time.monotonic() + 1.0)  # the others may wait for it
            time.sleep(0.01)
    finally:
        for process in processes.values():
            process.kill()
    results = {
        name: Result(process.wait(), (folder / name / "output.log").read_text(), folder / name)
        for name, process in processes.items()
    }
    if not fails:
        for name, result in results.items():
            assert result.status == 0, f"{name} ended with {result.status}:\n{result.text}"
    return results


def _child(module: str, function: str, handout: str) -> None:
    main = getattr(importlib.import_module(module), function)
    serve(main, main.settings, main.reads, main.writes, Handout.load(handout))


if __name__ == "__main__":
    _child(*(sys.argv[1:] or forks.serve(EARLY)))
