"""Nothing that a configuration names is written outside of the run.

What a case reads may lie anywhere, as it is the user who says so: programs, XML, scripts. What it writes stays in the
folder of the run, which is new and this user's alone; a participant with a `directory:` of its own writes in that, or
beside it. So a configuration from a stranger cannot overwrite what it names.
"""

from __future__ import annotations

import os

from scalebridge.embedded.config import Configuration
from scalebridge.findings import Findings


def check(configuration: Configuration, findings: Findings) -> None:
    """Note exports and logs that would leave the folder of the run. Paths are as seen from that of a participant."""
    own = Findings(configuration.file, "outputs-stay")
    for participant in configuration.participants:
        for export in participant.exports:
            if leaves(export.directory):
                place = f'<export:{export.kind} directory="{export.directory}">'
                own.add(export.line, place, *_WRONG, expected='a folder inside it, such as directory="exports"')
    for sink in configuration.sinks or ():
        if sink.type == "file" and leaves(sink.output):
            expected = 'a file inside it, such as output="precice.log"'
            own.add(None, f'<sink type="file" output="{sink.output}">', *_WRONG, expected=expected)
    findings.found += own.found


def leaves(path: str) -> bool:
    """Return whether a path leads out of the folder of the run, in which each participant has a folder."""
    normal = os.path.normpath(path)
    return os.path.isabs(normal) or normal.startswith("~") or normal.split(os.sep)[:2] == [os.pardir] * 2


_WRONG = ("leads out of the folder of the run",)
