"""The record of what went into a run: written first, completed at the end, compared later."""

import copy
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import finished
import pytest

from scalebridge.cases import reader
from scalebridge.cases.inspection import inspect
from scalebridge.findings import ConfigurationError
from scalebridge.runs import inputs, record
from scalebridge.runs.folder import RunFolder, resolved

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return finished.decay(tmp_path_factory.mktemp("case"))


def inspection(case, *overrides, variant=""):
    return inspect(reader.load(case, variant, overrides), "embedded")


@pytest.fixture(scope="module")
def run(case):
    """A run that has begun; its folder."""
    folder = RunFolder(case.parent / "run", inspection(case, "Left.settings.steps=8"))
    folder.close()
    return folder.path


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_every_input_is_recorded_before_anything_starts(case, run):
    data = record.load(run)
    assert data["ended"] is None
    files = {"case.yaml", "decay.py", "../hub/coupling.xml", "../hub/partner.py"}
    assert files < data["files"].keys()
    for name in files:
        assert data["files"][name] == {
            "path": str((case / name).resolve()),
            "sha256": sha(case / name),
            "bytes": (case / name).stat().st_size,
            **({"copy": data["files"][name]["copy"]} if "copy" in data["files"][name] else {}),
        }
    (python,) = data["files"].keys() - files
    assert data["files"][python]["sha256"] == sha(shutil.which("python", path=str(Path(sys.executable).parent)))
    assert data["packages"]["scalebridge"]["files"]["runs/record.py"] == sha(record.__file__)
    assert data["packages"].keys() == {"scalebridge", "adapters"}  # decay.py is beside the case
    assert data["versions"]["python"] == data["versions"]["python"].strip()
    assert data["installed"]["numpy"] == data["versions"]["numpy"]
    assert data["machine"]["cores"] >= 1
    assert data["machine"]["memory"] > 10**6
    assert data["command"] == sys.argv
    assert data["seed"] == 0
    left = data["case"]["participants"][0]
    assert left["settings"] == {"steps": 8, "method": "euler", "limit": 1.0}


def test_the_copies_are_a_case_that_can_be_run(case, run):
    data = record.load(run)
    copied = run / data["files"]["case.yaml"]["copy"]
    assert copied.read_bytes() == (case / "case.yaml").read_bytes()
    assert inspection(copied.parent).case.coupling == copied.parents[1] / "hub" / "coupling.xml"


def test_modules_of_ours_are_recorded_with_their_package():
    found = inputs.packages(inspection(ROOT / "tutorials" / "phase-change", variant="lever-rule"))
    assert found == {name: ROOT / name for name in ("scalebridge", "adapters", "participants")}


def test_the_hash_of_a_package_is_that_of_its_names_and_contents(tmp_path):
    (tmp_path / "p" / "sub").mkdir(parents=True)
    (tmp_path / "p" / "__pycache__").mkdir()
    for name in ("a.py", "sub/b.py", "__pycache__/a.pyc"):
        (tmp_path / "p" / name).write_text(name)
    tree = inputs.tree(tmp_path / "p")
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.py", "sub/b.py")}
    assert tree["files"] == digests
    text = "".join(f"{name}\0{digest}\n" for name, digest in sorted(digests.items()))
    assert tree["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "p" / "a.py").rename(tmp_path / "p" / "c.py")
    assert inputs.tree(tmp_path / "p")["sha256"] != tree["sha256"]


def test_a_program_that_may_not_be_read_is_recorded_as_such(tmp_path, monkeypatch):
    def refuse(self, *arguments):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "solver").write_text("")
    monkeypatch.setattr(Path, "open", refuse)  # chmod would not stop root
    assert inputs.described(tmp_path / "solver")["sha256"] == inputs.UNREADABLE


def test_how_it_ended_and_what_changed_meanwhile(tmp_path):
    (tmp_path / "new.py").write_text("")
    data = finished.record(files={"new.py": inputs.described(tmp_path / "new.py")})
    (tmp_path / "new.py").write_text("x = 1")
    record.complete(tmp_path, data, status=3, ended="Left failed first", wall=1.5)
    ended = record.load(tmp_path)["ended"]
    assert (ended["status"], ended["message"], ended["wall"]) == (3, "Left failed first", 1.5)
    assert ended["changed"] == ["new.py"]


def changes(then, now):
    return [str(change) for change in record.changes(then, now)]


def test_nothing_has_changed(case, run):
    then = record.load(run)
    again = inspection(case, "Left.settings.steps=8")
    now = record.of(again, resolved(again))
    assert changes(then, now) == []
    assert record.surroundings(then, now) == []
    later = copy.deepcopy(now)
    later["installed"]["new-package"] = "1.0"
    assert changes(now, later) == []


def test_every_change_is_told():
    file = {"path": "/a", "sha256": "a" * 64, "bytes": 7}
    package = {"path": "/p", "sha256": "1", "files": {"a.py": "a" * 64, "b.py": "b" * 64}}
    left = {"name": "Left", "settings": {"steps": 4}, "ranks": 1}
    then = finished.record(
        files={"case.yaml": file, "old.py": file},
        packages={"participants": package},
        case={"participants": [left], "seed": 0, "file": "/here/case.yaml"},
        installed={"numpy": "2.0", "scipy": "1.0"},
    )
    other = {"path": "/p", "sha256": "2", "files": {"a.py": "c" * 64, "c.py": "d" * 64}}
    now = finished.record(
        files={"case.yaml": {**file, "sha256": "b" * 64, "bytes": 8}, "new.py": file},
        packages={"participants": other},
        case={"participants": [{**left, "settings": {"steps": 8}}], "seed": 1, "file": "/there/case.yaml"},
        engine={"name": "precice", "version": "2"},
        versions={"python": "3.13.0"},
        installed={"numpy": "2.1"},
        machine={"processor": "sliderule"},
    )
    assert changes(then, now) == [
        "case.yaml: was aaaaaaaaaaaa (7 bytes), is bbbbbbbbbbbb (8 bytes)",
        "new.py: was not there, is aaaaaaaaaaaa (7 bytes)",
        "old.py: was aaaaaaaaaaaa (7 bytes), is gone",
        "participants/a.py: was aaaaaaaaaaaa, is cccccccccccc",
        "participants/b.py: was bbbbbbbbbbbb, is gone",
        "participants/c.py: was not there, is dddddddddddd",
        "Left.settings.steps: was 4, is 8",
        "seed: was 0, is 1",
        "engine name: was embedded, is precice",
        "engine version: was 1, is 2",
        "python: was 3.12.1, is 3.13.0",
        "package numpy: was 2.0, is 2.1",
        "package scipy: was 1.0, is gone",
    ]
    assert "processor: was abacus, is sliderule" in [str(c) for c in record.surroundings(then, now)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "run: has no record.json: it is not a run folder"),
        ("{", "record.json: is not JSON: Expecting"),
        ("[]", "record.json: is a record of format None, and only format 1 is read; run the case again"),
        ('{"format": 0}', "record.json: is a record of format 0, and only format 1 is read; run the case again"),
        ('{"format": 1, "case": {}}', "record.json: is no whole record, it lacks engine, versions, installed, machine"),
    ],
)
def test_records_that_cannot_be_used(tmp_path, text, message):
    folder = tmp_path / "run"
    with pytest.raises(ConfigurationError, match="run: there is no such run folder"):
        record.load(folder)
    folder.mkdir()
    if text is not None:
        (folder / "record.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        record.load(folder)
    assert message in str(caught.value)


def test_a_run_of_a_version_that_kept_no_record(tmp_path):
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"has no record.json: it is a run of a version that kept none; run"):
        record.load(tmp_path)


def test_a_hub_that_is_killed_leaves_the_record(case, tmp_path):
    command = [sys.executable, "-m", "scalebridge", "run", str(case), "--engine", "embedded", "--plain", "--out", "run"]
    long = "Right.command=[python, ../hub/partner.py, sleep, 3]"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen([*command, "--set", long], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        while not (tmp_path / "run" / "record.json").exists():
            assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    data = json.loads((tmp_path / "run" / "record.json").read_text())
    assert data["ended"] is None
    assert data["case"]["name"] == "decay"
