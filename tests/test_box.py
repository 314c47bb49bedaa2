"""The box of controls: as given, as recorded, as controls of many rows."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.strategies.box import BoxError, columns_of, parse, participant_in, recorded
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

FIELDS = {
    "Temperature": Field("K"),
    "Strain": Field("1", rank=2),
    "Gradient": Field("K/m", rank=1),
    "Spin": Field("1/s", rank=2, symmetric=False),
    "Extra": Field("1", optional=True),
}
TEXTS = ["Temperature=-10 degC..0 degC", "Strain=1e-3", "Strain-01=0..0", "Gradient=2 K/mm", "Spin=-1 1/s..3 1/s"]


def test_a_range_for_each_component():
    box = parse(TEXTS, FIELDS, 2, "--box")
    assert list(box.columns.names) == [
        *("Temperature", "Strain-00", "Strain-01", "Strain-11", "Gradient-0", "Gradient-1"),
        *("Spin-00", "Spin-01", "Spin-10", "Spin-11"),
    ]
    np.testing.assert_allclose(box.low, [263.15, -1e-3, 0, -1e-3, -2000, -2000, -1, -1, -1, -1])
    np.testing.assert_allclose(box.high, [273.15, 1e-3, 0, 1e-3, 2000, 2000, 3, 3, 3, 3])
    assert box.free.tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(box.rest[:2], [268.15, 0.0])
    assert box.told()[:3] == ["Temperature: 263.1 K to 273.1 K", "Strain-00: -0.001 to 0.001", "Strain-01: 0"]


def test_controls_and_their_components():
    box = parse([*TEXTS, "Strain-01=2e-3"], FIELDS, 2, "--box")
    values = np.random.default_rng(1).random((3, 4, len(box.low)))
    controls = box.columns.unflatten(values)
    assert {name: array.shape for name, array in controls.items()} == {
        "Temperature": (3, 4),
        "Strain": (3, 4, 2, 2),
        "Gradient": (3, 4, 2),
        "Spin": (3, 4, 2, 2),
    }
    np.testing.assert_array_equal(controls["Strain"], controls["Strain"].swapaxes(-1, -2))
    assert (controls["Spin"][..., 0, 1] != controls["Spin"][..., 1, 0]).all()
    rows = {name: array.reshape(12, *array.shape[2:]) for name, array in controls.items()}
    np.testing.assert_array_equal(box.columns.flatten(rows), values.reshape(12, -1))


def test_a_box_is_the_unit_cube():
    fields = {"T": Field("K"), "E": Field("1", rank=2)}
    box = parse(["T=-10 degC..10 degC", "E=-0.1..0.3", "E-01=0.2..0.2"], fields, 2, "the box")
    assert box.columns.names == ("T", "E-00", "E-01", "E-11")
    assert box.varies.tolist() == [True, True, False, True]
    corners = np.array([[0, 0, 0.5, 0], [1, 1, 0.5, 1], [0.5, 0.25, 0.5, 0.75]])
    driven = box.at(corners)
    np.testing.assert_allclose(driven[:2], [[263.15, -0.1, 0.2, -0.1], [283.15, 0.3, 0.2, 0.3]], rtol=1e-12)
    assert (driven[1] == box.high).all()
    np.testing.assert_allclose(box.unit(driven), corners, atol=1e-12)
    assert not box.outside(driven).any()
    beyond = driven + np.array([[1e-7, -1e-3, 0, 0], [1e-7, 0, 0, 0], [0, 0, 1e-6, np.nan]])
    assert box.outside(beyond).tolist() == [
        [False, True, False, False],
        [True, False, False, False],
        [False, False, True, True],
    ]
    assert not box.outside(driven + 1e-12).any()  # round-off


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Temperature", "--box: 'Temperature' has no range; expected NAME=LOW..HIGH"),
        ("Temprature=1 K", "--box: 'Temprature' is no control; .*Did you mean 'Temperature'"),
        ("Temperature=1..2", "--box: Temperature: .*; expected LOW..HIGH in a unit like 'K'"),
        ("Temperature=3 K..2 K", "--box: Temperature: '3 K..2 K' is no range; expected LOW..HIGH, the lower end first"),
        ("Temperature=1 K..2 K..3 K", "Temperature: '1 K..2 K..3 K' is no range"),
        ("Strain-02=1", "--box: 'Strain-02' is no control"),
    ],
)
def test_what_is_no_range(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse([*TEXTS, text], FIELDS, 2, "--box")


def test_every_control_needs_a_range():
    with pytest.raises(ConfigurationError) as caught:
        parse(["Strain-00=1e-3"], FIELDS, 2, "--box")
    assert [str(finding) for finding in caught.value.findings] == [
        "--box: 'Temperature' has no range; expected Temperature=LOW..HIGH, in a unit like 'K'",
        "--box: 'Strain' has no range; expected Strain=LOW..HIGH",
        "--box: 'Gradient' has no range; expected Gradient=LOW..HIGH, in a unit like 'K/m'",
        "--box: 'Spin' has no range; expected Spin=LOW..HIGH, in a unit like '1/s'",
    ]


def test_signals_have_no_box():
    with pytest.raises(BoxError, match="Rate is a signal over the time window: there is no box of such controls"):
        columns_of({"Rate": Field("Hz", per="window")}, 2)


def snapshots(folder, points=4):
    """Points in pairs that see the same, over 2 s; Strain-01 stays."""
    (folder / "Micro/snapshots").mkdir(parents=True)
    for number, time in enumerate((0.0, 1.0, 2.0)):
        x = np.repeat(np.arange(points / 2), 2)
        strain = np.zeros((points, 2, 2))
        strain[:, 0, 0], strain[:, 1, 1] = 1e-3 * x * time**2, -1e-3 * time
        np.savez(folder / f"Micro/snapshots/{number:06d}.npz", time=time, Strain=strain, Temperature=260.0 + x * time)
    return {"Strain": Field("1", rank=2), "Temperature": Field("K")}


def test_the_box_of_a_recorded_run(tmp_path):
    fields = snapshots(tmp_path)
    assert participant_in(tmp_path, fields) == "Micro"
    box, seen = recorded(tmp_path, "Micro", fields)
    np.testing.assert_allclose(box.low, [0, 0, -2e-3, 260])
    np.testing.assert_allclose(box.high, [4e-3, 0, 0, 262])
    assert box.free.tolist() == [0, 2, 3]
    np.testing.assert_allclose(seen.rate, [3e-3, 0, 1e-3, 1.0])
    assert (seen.points, seen.times, seen.alike) == (4, 3, 0.5)


def test_runs_that_recorded_nothing(tmp_path):
    with pytest.raises(BoxError, match=r"has no snapshots of Micro; expected two or more in its"):
        recorded(tmp_path, "Micro", FIELDS)
    with pytest.raises(BoxError, match=r"has no snapshots of Temperature: it is no run, or one of another case"):
        participant_in(tmp_path, {"Temperature": Field("K")})
    snapshots(tmp_path)
    with pytest.raises(BoxError, match=r"000000\.npz: has no Gradient, Spin, Extra: it is of another case"):
        recorded(tmp_path, "Micro", FIELDS)
    (tmp_path / "Micro/snapshots/000000.npz").write_text("x")
    with pytest.raises(BoxError, match=r"000000\.npz: is no snapshot: "):
        recorded(tmp_path, "Micro", FIELDS)
