"""Asks the adapters, which know the maps, about the scaling file of a case: `python -m adapters.scaling.check`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scalebridge.findings import Finding

CHECK = "adapters.scaling.check"
_SECONDS = 60.0


def check(
    scaling: Path,
    coupling: Path | None,
    descriptions: Mapping[str, Mapping[str, Any]],
    unknown: Iterable[str],
    environment: Mapping[str, str],
) -> list[Finding]:
    """Return what is wrong with a scaling file.

    Parameters
    ----------
    coupling : the preCICE configuration, or None where it is too broken to be compared with.
    descriptions : participant -> what it said of itself.
    unknown : participants of ours that could not say it; nothing is missed that they may give or take.
    environment : of the process that checks.
    """
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        command = [sys.executable, "-P", "-m", CHECK, "--scaling", str(scaling)]
        command += ["--precice", str(coupling)] if coupling else []
        for name in unknown:
            command += ["--unknown", name]
        for name, description in descriptions.items():
            file = Path(folder) / f"{name}.json"
            file.write_text(json.dumps(description), encoding="utf-8")
            command += ["--describe", f"{name}={file}"]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
            )
            return [Finding(**finding) for finding in json.loads(done.stdout)]
        except subprocess.TimeoutExpired:
            problem = f"no answer within {_SECONDS:g} s"
        except (ValueError, TypeError):
            problem = (done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"])[0]
    return [Finding(str(scaling), None, "", f"could not be checked by {CHECK}: {problem}", rule="scaling")]
