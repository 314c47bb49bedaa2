"""What a run runs on: the machine, and the versions of what is installed."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import scalebridge

# What takes part in runs of ours; everything else that is installed stands in the record of a run only.
PACKAGES = ("numpy", "scipy", "pint", "pyyaml", "fenics-dolfinx", "dolfinx-solver-real", "mpi4py", "pyprecice")
_SEPARATORS = re.compile(r"[-_.]+")


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Return the machine: system, processor, cores that may be used, memory in bytes (None where nobody tells)."""
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "memory": _memory(),
    }


@cache
def installed() -> Mapping[str, str]:
    """Return the version of every installed distribution by its normalised name, such as 'mpi4py'."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions(path=sys.path):
        about = distribution.metadata  # read and parsed each time that it is asked for
        if name := about["Name"]:  # a broken installation has none
            found.setdefault(_SEPARATORS.sub("-", name).lower(), about["Version"])
    return MappingProxyType(dict(sorted(found.items())))


def versions(packages: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the versions of what takes part, out of `packages` or of what is installed."""
    packages = installed() if packages is None else packages
    result = {"python": platform.python_version(), "scalebridge": scalebridge.__version__}
    return result | {name: packages[name] for name in PACKAGES if name in packages}


def _processor() -> str:
    """Return the model of the processor; empty where nobody tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass  # another system than Linux
    return platform.processor()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None
