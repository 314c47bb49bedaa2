"""The module `precice` of programs that run on the embedded engine: put the folder above on PYTHONPATH.

A program may run in a Python that has no scalebridge (`scalebridge exec -- /its/own/python solver.py`): the engine is
taken from where this file lies, and everything else, NumPy and SciPy too, from the program's own Python.
"""

import importlib.util
import sys
from pathlib import Path


def _load_package() -> None:
    """Import the package `scalebridge` that this file belongs to, whatever else is installed or not."""
    folder = Path(__file__).resolve().parents[3]
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)


if sys.version_info < (3, 12):  # noqa: UP036  (the program chooses the Python, not scalebridge)
    raise ImportError(f"scalebridge's embedded engine needs Python 3.12 or newer; {sys.executable} is {sys.version}")
if "scalebridge" not in sys.modules:
    _load_package()
try:
    from scalebridge.embedded.participant import Participant, get_version_information
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in ("numpy", "scipy"):
        raise
    raise ImportError(
        f"scalebridge's embedded engine needs NumPy and SciPy, and {sys.executable} has no {error.name}: "
        f"{sys.executable} -m pip install numpy scipy"
    ) from error

__version__ = "3.4.0"

__all__ = ["Participant", "get_version_information"]
