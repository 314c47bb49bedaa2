"""Logs of iterations; the samples are of preCICE 3.4.1."""

from pathlib import Path

import pytest

from scalebridge.embedded import config
from scalebridge.runs import history

ITERATIONS = """\
  TimeWindow  TotalIterations  Iterations  Convergence
     1      11      11       1
     2      20       9       1
     3      50      30       0
"""
CONVERGENCE = """\
  TimeWindow  Iteration  ResRel(Left-Mesh:Alpha)  ResRel(Right-Mesh:Beta)
     1       1   1.00000000e+00   1.00000000e+00
     1       2   4.45412971e-01   7.22286688e-01
"""


def test_iterations(tmp_path):
    (tmp_path / "log").write_text(ITERATIONS)
    assert history.iterations(tmp_path / "log") == history.Iterations((11, 9, 30), 1, (True, True, False))


def test_no_iterations(tmp_path):
    assert history.iterations(tmp_path / "none") is None
    (tmp_path / "log").write_text("nonsense\n1 2\n")
    assert history.iterations(tmp_path / "log") is None


def test_residuals_follow_the_file(tmp_path):
    reader = history.ResidualReader(tmp_path / "log")
    assert reader.latest() is None
    (tmp_path / "log").write_text(CONVERGENCE)
    assert reader.latest() == history.Residuals(1, 2, {"Alpha": 0.445412971, "Beta": 0.722286688})
    with (tmp_path / "log").open("a") as file:
        file.write("     2       1   1.00000000e-03   2.00000000e-03")
        file.flush()
        assert reader.latest() == history.Residuals(2, 1, {"Alpha": 1e-3, "Beta": 2e-3})
        file.write("\n     2       2   1.00000000e-04   1.0")
        file.flush()
        assert reader.latest() == history.Residuals(2, 1, {"Alpha": 1e-3, "Beta": 2e-3})


def test_a_file_that_is_no_log_has_no_residuals(tmp_path):
    (tmp_path / "log").write_text("a b c\nx y z\n")
    assert history.ResidualReader(tmp_path / "log").latest() is None


def test_a_whole_convergence_log(tmp_path):
    (tmp_path / "log").write_text(CONVERGENCE + "     2       1   1.0000")
    read = history.convergence(tmp_path / "log")
    assert read == history.Convergence((1, 1), (1, 2), {"Alpha": (1.0, 0.445412971), "Beta": (1.0, 0.722286688)})
    assert history.convergence(tmp_path / "none") is None
    (tmp_path / "log").write_text("a b c\nx y z\n")
    assert history.convergence(tmp_path / "log") is None


def test_measures_of_the_same_data_keep_apart():
    columns = ["ResRel(Left-Mesh:Alpha)", "ResAbs(Left-Mesh:Alpha)", "ResRel(Left-Mesh:Beta)"]
    assert history.labels(columns) == ["Alpha (ResRel, Left-Mesh)", "Alpha (ResAbs, Left-Mesh)", "Beta"]


def test_limits_by_the_label_of_the_column():
    configuration = config.load(Path(__file__).parent / "hub" / "coupling.xml")
    assert history.limits(configuration, "Right") == {"Beta": 1e-6}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (  # as preCICE 3.4.1 prints it
            "---[precice]  iterating\n---[precice]  it 2 (max: 30), time-window 3 (max: 20), t 0.2 (max: 2), Dt 0.1, "
            "max-dt 0.1\nmore\n",
            history.Where(2, 3, 0.2),
        ),
        ("time-window 1, t 0, Dt 0.1\nprecice (Left): time-window 12, t 1.1, Dt 0.1\n", history.Where(0, 12, 1.1)),
        ("time-window 3, t 1.2.3\n", None),
        ("nothing\n", None),
    ],
)
def test_where_a_program_stands_by_the_lines_of_precice(tmp_path, text, where):
    (tmp_path / "log").write_text(text)
    assert history.where(tmp_path / "log") == where


def test_no_output_tells_nothing(tmp_path):
    assert history.where(tmp_path / "none") is None
