"""A report script: leaves a check, and fails if the run is told to."""

import sys
from pathlib import Path

from scalebridge import checks

run = Path(sys.argv[1])
checks.save(run / "checks" / "report.json", [checks.absolute("answer", 42, 42, 0, source="the test")])
(run / "picture.png").touch()
