"""Units: numbers with units, and conversions between them; reference: the SI brochure (BIPM, 9th edition)."""

import numpy as np
import pytest

from scalebridge import units
from scalebridge.units import UnitError, convert, converter, parse_quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100 mm", (100.0, "mm")),
        ("100mm", (100.0, "mm")),
        ("-10 degC", (-10.0, "degC")),
        ("2.5e-3 1/K", (2.5e-3, "1/K")),
        ("5%", (5.0, "%")),
        (".5", (0.5, "1")),
        ("1e-9 m**2/s", (1e-9, "m**2/s")),
    ],
)
def test_quantities(text, expected):
    assert parse_quantity(text) == expected


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("100 mm", "m", 0.1),
        ("-10 degC", "K", 263.15),
        ("14 degF", "K", 263.15),
        ("2 h", "s", 7200.0),
        ("35 g/kg", "1", 0.035),
        ("5 %", "1", 0.05),
        ("20 degC/m", "K/m", 20.0),
        ("1 W/m/K", "W/(m*K)", 1.0),
        ("-65 mV", "V", -0.065),
    ],
)
def test_conversions(text, unit, value):
    assert convert(text, unit) == pytest.approx(value, rel=1e-14)


def test_conversion_of_arrays_keeps_the_shape_and_copies_nothing_where_nothing_changes():
    values = np.array([[0.0, 100.0]])
    assert converter("K", "K")(values) is values
    assert converter("W/(m*K)", "W/m/K")(values) is values
    assert converter("degC", "K")(values) == pytest.approx(np.array([[273.15, 373.15]]), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mm", "does not begin with a number"),
        ("nan m", "does not begin with a number"),
        ("1e400 m", "is too large a number"),
        ("3 foo", "'foo' is not a known unit"),
        ("2 s", r"'s' \(\[time\]\) cannot be converted to 'm' \(\[length\]\)"),
        ("2", r"'1' \(a pure number\) cannot be converted to 'm'"),
        ("2 m 3", "is not a unit such as"),
        ("2 (m", "is not a unit such as"),
        ("1 " + "m*" * 60 + "m", "is too long for a unit"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(UnitError, match=message):
        convert(text, "m")


@pytest.mark.parametrize("text", ["9**9**9 m", "1 m**9**9", "1 m**(9**9)", "1 m**999999999", "1 __import__('os')"])
def test_arithmetic_is_not_evaluated(text):
    with pytest.raises(UnitError, match="is not a unit such as"):
        convert(text, "m")


def test_logarithmic_scales_are_refused():
    with pytest.raises(UnitError, match="'dBm' and 'W' differ by a logarithm"):
        converter("dBm", "W")


def test_compatible():
    assert units.compatible("J", "N*m")
    assert not units.compatible("J", "W")
