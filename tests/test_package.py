"""What somebody gets who installs the package: a wheel is built and used from outside of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("scalebridge", "adapters", "participants")
BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in `folder` and return what it printed to stdout."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | dict(environment or {})
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the packages and unpack it where it would be installed."""
    source = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    wheel = run([sys.executable, "-c", BUILD], source).splitlines()[-1]
    site = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(source / wheel) as archive:
        archive.extractall(site)
    return site


def test_every_file_of_the_packages_is_in_the_wheel(installed: Path) -> None:
    def files(folder: Path) -> set[Path]:
        found = (f for name in PACKAGES for f in (folder / name).rglob("*") if f.is_file())
        return {f.relative_to(folder) for f in found if "__pycache__" not in f.parts}

    assert files(installed) == files(ROOT)
    assert Path("scalebridge/embedded/module/precice/__init__.py") in files(installed)
    (metadata,) = installed.glob("scalebridge-*.dist-info")
    assert (metadata / "licenses/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "scalebridge = scalebridge.__main__:main" in (metadata / "entry_points.txt").read_text()


def test_the_commands_work_outside_of_the_repository(installed: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-m", "scalebridge"]
    assert "usage: scalebridge" in run([*command, "--help"], tmp_path, environment)
    assert run([*command, "list"], tmp_path, environment) == ""
    program = [sys.executable, "-c", "import precice, scalebridge; print(precice.__file__, scalebridge.__file__)"]
    said = run([*command, "exec", "--engine", "embedded", "--", *program], tmp_path, environment)
    assert said.split() == [
        str(installed / "scalebridge/embedded/module/precice/__init__.py"),
        str(installed / "scalebridge/__init__.py"),
    ]


def test_the_schema_of_scaling_files_can_be_had(installed: Path, tmp_path: Path) -> None:
    text = run([sys.executable, "-P", "-m", "adapters.scaling.schema"], tmp_path, {"PYTHONPATH": str(installed)})
    assert text == (ROOT / "precice-config/scaling.xsd").read_text()
