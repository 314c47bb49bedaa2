"""Build the strategies around the micro model of a case, to find what is wrong with them before anything runs.

    python -m adapters.strategies.check MODULE < question.json

imports MODULE, which has the micro model, and then reads an object with "handout", what the hub hands out to the
participant (scalebridge.handout), and "model", the class of the micro model. It prints a JSON list of objects: each has
"strategy", the number of the strategy, or null where it is the model itself that cannot be built, "setting" of it,
"message", "expected", "nearest" and "fix" as in scalebridge.findings.Finding.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.alone import Alone
from adapters.micro import innermost
from adapters.strategies import registry
from adapters.strategies.full import Full
from adapters.strategies.protocol import Context
from scalebridge.findings import ConfigurationError, Finding
from scalebridge.handout import Handout

type Mistake = tuple[int | None, Finding]


def check(handout: Handout, name: str) -> list[Mistake]:
    """Return what is wrong with the strategies of a participant, each with the number of the strategy.

    Parameters
    ----------
    name : of the class of its micro model.
    """
    try:
        micro = Alone.of(handout, name)
        model, context = micro.model, _context(micro)
    except ConfigurationError as error:
        return [(None, finding) for finding in error.findings]
    except Exception as error:  # whatever a model may raise: it would in the run as well
        return [(None, Finding(handout.module, None, "", f"{type(error).__name__}: {error}"))]
    return [*registry.mistakes(handout.strategy, Full(model), context)]


def _context(micro: Alone) -> Context:
    """Return where the strategies will work, as far as it is known before a run."""
    handout, wiring = micro.handout, micro.wiring
    end, windows, _ = wiring.horizon()
    return Context(
        seed=handout.seed,
        folder=Path(handout.folder),
        dimensions=micro.dimensions,
        explicit=wiring.explicit,
        windows=windows,
        end=end if math.isfinite(end) else None,
        plain=innermost(micro.model),
        scaled=micro.scaled,
    )


def _as_json(mistake: Mistake) -> dict[str, Any]:
    strategy, found = mistake
    told = {"message": found.message, "expected": found.expected, "nearest": found.nearest, "fix": found.fix}
    return {"strategy": strategy, "setting": found.key, **told}


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer the question on standard input."""
    (module,) = sys.argv[1:] if arguments is None else arguments
    answer = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what a model prints is no part of the answer
        importlib.import_module(module)
        question = json.load(sys.stdin)
        found = check(Handout(**question["handout"]), question["model"])
    print(json.dumps([_as_json(mistake) for mistake in found]), file=answer)


if __name__ == "__main__":
    main()
