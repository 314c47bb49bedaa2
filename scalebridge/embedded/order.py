"""Can the first time window begin? The second participant of a serial scheme waits for the first one."""

from __future__ import annotations

from itertools import pairwise

from scalebridge.embedded.config import Configuration, SchemeConfig
from scalebridge.findings import Findings


def check(configuration: Configuration, findings: Findings) -> None:
    """Note serial schemes in which participants wait for each other in a circle; libprecice would wait for ever."""
    waits: dict[str, dict[str, SchemeConfig]] = {}
    for scheme in configuration.schemes:
        if scheme.serial and len(set(scheme.participants)) == 2:
            first, second = scheme.participants
            waits.setdefault(second, {})[first] = scheme
    while ready := [first for edges in waits.values() for first in edges if first not in waits]:
        waits = {second: {f: s for f, s in edges.items() if f not in ready} for second, edges in waits.items()}
        waits = {second: edges for second, edges in waits.items() if edges}
    if not waits:
        return
    path = [next(iter(waits))]
    while path.count(path[-1]) == 1:
        path.append(next(iter(waits[path[-1]])))
    circle = path[path.index(path[-1]) :]
    last = max((waits[second][first] for second, first in pairwise(circle)), key=lambda s: s.line)
    findings.add(
        last.line,
        f"<coupling-scheme:{last.kind}>",
        f"nobody can begin: {' waits for '.join(circle)}, as the second one of a serial scheme does for the first one",
        expected="first and second exchanged, or a parallel scheme, in one of them",
    )
