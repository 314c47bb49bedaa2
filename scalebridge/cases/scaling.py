"""Asks the adapters, which know the maps, about the scaling file of a case: `python -m adapters.scaling.check`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scalebridge.findings import Finding

CHECK = "adapters.scaling.check"
SECONDS = 60.0


class ScalingCheck:
    """A process that is ready to check scaling files: it loads the maps while the participants describe themselves."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._ready: subprocess.Popen[str] | None = self._start()

    def __call__(
        self,
        scaling: Path,
        coupling: Path | None,
        descriptions: Mapping[str, Mapping[str, Any]],
        unknown: Iterable[str] = (),
    ) -> list[Finding]:
        """Return what is wrong with a scaling file.

        Parameters
        ----------
        coupling : the preCICE configuration, or None where it is too broken to be compared with.
        descriptions : participant -> what it said of itself.
        unknown : participants of ours that could not say it; nothing is missed that they may give or take.
        """
        question = {
            "scaling": str(scaling),
            "precice": str(coupling) if coupling else None,
            "descriptions": descriptions,
            "unknown": list(unknown),
        }
        process, self._ready = self._ready or self._start(), None
        try:
            out, err = process.communicate(json.dumps(question), timeout=SECONDS)
            return [Finding(**finding) for finding in json.loads(out)]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            problem = f"no answer within {SECONDS:g} s"
        except (OSError, ValueError, TypeError):
            problem = (err.strip().splitlines()[-1:] or [f"exit status {process.returncode}"])[0]
        return [Finding(str(scaling), None, "", f"could not be checked by {CHECK}: {problem}", rule="scaling")]

    def cancel(self) -> None:
        """End the process if nothing was asked."""
        if self._ready is not None:
            self._ready.kill()
            self._ready.communicate()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", CHECK],
            env=dict(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
