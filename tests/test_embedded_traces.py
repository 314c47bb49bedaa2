"""The embedded engine against recorded traces of preCICE 3.4.1 (tests/reference): the same values to 1e-8.

With the environment variable ENGINE=precice the same cases run on the libprecice that is installed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_server import REAL, REFERENCE, Server, running

CASES = sorted((REFERENCE / "cases").glob("*.json"))
RTOL, ATOL = 1e-8, 1e-10  # of values; the logs have nine digits
LOG_RTOL, LOG_ATOL = 1e-4, 1e-7


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


def run(server: Server, case_file: Path, folder: Path) -> dict[str, object]:
    """Run a case and return what its participants saw and the logs that were written."""
    case = json.loads(case_file.read_text())
    (folder / "precice-config.xml").write_text(case["config"])
    names = list(case["participants"])
    programs = {n: [REFERENCE / "participant.py", case_file, n, f"{n}.json"] for n in names}
    ended = server.run(folder, programs)
    assert all(e.status == 0 for e in ended.values()), "\n".join(f"--- {n}\n{e}" for n, e in ended.items())
    traces: dict[str, object] = {n: json.loads((folder / f"{n}.json").read_text()) for n in names}
    traces["logs"] = {f.name: f.read_text() for f in sorted(folder.glob("precice-*.log"))}
    return traces


def differences(want: object, got: object, path: str = "") -> Iterator[str]:
    """Yield a line for each place where two traces differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in want.keys() | got.keys():
            if key in want and key in got:
                yield from differences(want[key], got[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}: only in the {'reference' if key in want else 'run'}"
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            yield f"{path}: {len(want)} entries in the reference, {len(got)} in the run"
        for i, (a, b) in enumerate(zip(want, got, strict=False)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(want, str) and isinstance(got, str):
        yield from text_differences(want, got, path)
    elif isinstance(want, float) and isinstance(got, int | float) and not isinstance(got, bool):
        if not math.isclose(want, got, rel_tol=RTOL, abs_tol=ATOL):
            yield f"{path}: {want!r} in the reference, {got!r} in the run"
    elif want != got:
        yield f"{path}: {want!r} in the reference, {got!r} in the run"


def text_differences(want: str, got: str, path: str) -> Iterator[str]:
    """Compare logs word by word, numbers as numbers."""
    if len(want.split()) != len(got.split()):
        yield f"{path}: {len(want.split())} words in the reference, {len(got.split())} in the run"
    for a, b in zip(want.split(), got.split(), strict=False):
        try:
            same = math.isclose(float(a), float(b), rel_tol=LOG_RTOL, abs_tol=LOG_ATOL)
        except ValueError:
            same = a == b
        if not same:
            yield f"{path}: {a!r} in the reference, {b!r} in the run"
            return


@pytest.mark.parametrize("case_file", CASES, ids=[c.stem for c in CASES])
def test_same_values_as_precice(case_file: Path, server: Server, tmp_path: Path) -> None:
    if REAL and "imvj" in case_file.stem:
        pytest.skip("IQN-IMVJ of libprecice needs a build with MPI, which is not known here")
    want = json.loads((REFERENCE / "traces" / case_file.name).read_text())
    found = list(differences(want, run(server, case_file, tmp_path)))
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:5])


def test_comparison_sees_a_wrong_value_a_missing_step_and_a_wrong_log() -> None:
    """The comparison itself: a trace that differs in one place only is told apart."""
    want = {"A": {"steps": [{"t": 0.5, "read": [1.0, 2.0]}]}, "logs": {"x.log": "  TimeWindow\n     1  1.00000000e+00"}}
    assert not list(differences(want, json.loads(json.dumps(want))))
    for change in (
        lambda d: d["A"]["steps"][0]["read"].__setitem__(1, 2.0 + 1e-6),
        lambda d: d["A"]["steps"].pop(),
        lambda d: d["logs"].__setitem__("x.log", "  TimeWindow\n     1  1.01000000e+00"),
        lambda d: d["logs"].pop("x.log"),
    ):
        other = json.loads(json.dumps(want))
        change(other)
        assert len(list(differences(want, other))) == 1
