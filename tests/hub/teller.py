"""A participant of ours, scripted: it describes itself, couples, and leaves progress and a check."""

import json
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

from scalebridge import checks, settings
from scalebridge.handout import Handout
from scalebridge.progress import ProgressWriter
from scalebridge.settings import setting


@dataclass(frozen=True)
class Settings:
    length: float = setting("0.1 m", "length of the bar", above=0)
    limit: float = setting(1.0, "limit of the check")


if sys.argv[1] == "--describe":
    told = {
        "module": "teller",
        "title": "Teller",
        "kind": "solver",
        "settings": settings.schema(Settings),
        "reads": {"Beta": {"unit": "K"}},
        "writes": {"Alpha": {"unit": "K"}},
    }
    print(json.dumps(told | json.loads(os.environ.get("TELLER", "{}"))))
elif sys.argv[1] == "--delay":
    length = json.load(sys.stdin)["length"]
    print("no delay\nfor such a length", file=sys.stderr) if length > 1 else print(os.environ.get("TOLD", length))
    sys.exit(length > 1)
else:
    handout = Handout.load(sys.argv[2])
    made = settings.build(Settings, handout.settings, plain=True)
    with ProgressWriter(handout.progress) as progress:
        progress.write("start", end=2.0, windows=20)
        sys.argv = ["partner.py", "none", "0"]
        runpy.run_path(str(Path(__file__).parent / "partner.py"))
        progress.write("end", time=2.0, end=2.0, window=20, windows=20, solving=0.25, waiting=0.5, exchanging=0.125)
    check = checks.at_most("length", made.length, made.limit, source="the test", unit="m")
    checks.save(Path(handout.output) / "checks.json", [check])
