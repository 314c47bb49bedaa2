"""Which engine is behind `import precice`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import scipy

from scalebridge import engines
from scalebridge.engines import MODULE_FOLDER, ROOT, Engine, EngineError

REAL = "preCICE 3.4.1 with pyprecice 3.4.0"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Pretend that a module precice with this text is installed; without a text, that there is none."""

    def make(text):
        folder = tmp_path / "site"
        folder.mkdir()
        if text is None:  # in front of a real one that may be there
            text = "raise ImportError('none')"
        (folder / "precice.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(MODULE_FOLDER), str(folder)]))
        return folder

    return make


GOOD = "__version__ = '3.4.0'\ndef get_version_information(): return b'3.4.1;revision;options'\n"


def test_auto_takes_the_real_one_where_it_can_be_imported(installed):
    folder = installed(GOOD)
    engine = engines.choose("auto")
    assert (engine.name, engine.version, engine.origin) == ("precice", REAL, str(folder / "precice.py"))
    assert str(engine) == f"engine {REAL} from {folder}/precice.py"
    assert engines.choose("precice") == engine
    assert engines.choose("embedded").name == "embedded"


def test_auto_says_why_it_does_not_take_one_that_is_broken(installed):
    installed("raise OSError('libprecice.so.3: cannot open shared object file')")
    engine = engines.choose("auto")
    assert engine.name == "embedded"
    assert "is installed but cannot be imported: OSError: libprecice.so.3: cannot open" in str(engine)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise OSError('no library')", "its import fails with OSError: no library"),
        ("import os; os._exit(3)", "its import fails with exit status 3"),
        ("print('{'); raise SystemExit(0)", "its import fails with JSONDecodeError"),
    ],
)
def test_the_real_one_is_asked_for_and_cannot_be_had(installed, text, message):
    installed(text)
    with pytest.raises(EngineError, match=message) as caught:
        engines.choose("precice")
    assert "conda install -c conda-forge pyprecice" in str(caught.value)
    assert "environment.yml" in str(caught.value)


def test_unknown_engines():
    with pytest.raises(EngineError, match="there is no engine 'steam'; expected one of auto, embedded, precice"):
        engines.choose("steam")


def test_environment():
    base = {"PYTHONPATH": os.pathsep.join([str(MODULE_FOLDER), "/a"]), "HOME": "/h"}
    real = Engine("precice", "", "").environment(base)
    assert real == {"HOME": "/h", "PYTHONPATH": os.pathsep.join(["/a", str(ROOT)])}
    parts = engines.embedded().environment(base)["PYTHONPATH"].split(os.pathsep)
    assert parts == [str(MODULE_FOLDER), "/a", str(ROOT)]


def test_exec_runs_a_command_on_the_embedded_engine(installed):
    installed(GOOD)
    script = "import precice; print(precice.__file__)"
    for engine, where in (("embedded", str(MODULE_FOLDER)), ("auto", "site")):
        done = subprocess.run(
            [sys.executable, "-m", "scalebridge", "exec", "--engine", engine, "--", sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        assert where in done.stdout
        assert done.stderr.startswith("scalebridge 0.1.0: engine ")


def imports_precice(folder, before):
    """Run a program in a Python that has nothing installed, after the statements `before`."""
    command = [sys.executable, "-S", "-c", f"import pathlib, sys; {before}; import precice; print(precice.Participant)"]
    environment = {"PYTHONPATH": str(MODULE_FOLDER), "PATH": os.environ["PATH"]}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_the_embedded_engine_in_a_python_without_scalebridge(tmp_path):
    """A program has a Python of its own, with NumPy and SciPy: the engine is found beside its module."""
    (tmp_path / "site").mkdir()
    for package in (numpy, scipy):
        for folder in Path(package.__file__).parents[1].glob(f"{package.__name__}*"):
            (tmp_path / "site" / folder.name).symlink_to(folder)
    done = imports_precice(tmp_path, f"sys.path.append({str(tmp_path / 'site')!r})")
    assert done.stdout == "<class 'scalebridge.embedded.participant.Participant'>\n", done.stderr


def test_the_embedded_engine_in_a_python_that_is_too_old_or_too_bare(tmp_path):
    old = imports_precice(tmp_path, "sys.version_info = (3, 11, 7)")
    assert "ImportError: scalebridge's embedded engine needs Python 3.12 or newer; " in old.stderr
    bare = imports_precice(tmp_path, "pass")
    assert "ImportError: scalebridge's embedded engine needs NumPy and SciPy, and " in bare.stderr
    assert bare.stderr.endswith("has no numpy: " + f"{sys.executable} -m pip install numpy scipy\n")
