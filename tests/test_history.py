"""Logs of iterations; the samples are of preCICE 3.4.1."""

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
    assert history.iterations(tmp_path / "log") == history.Iterations((11, 9, 30), 1)


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
