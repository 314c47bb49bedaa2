"""Common units are known without pint, and agree with it."""

import math

import pint
import pytest

from scalebridge import commonunits
from scalebridge.commonunits import NAMES, conversion, size

REGISTRY = pint.UnitRegistry()
BASE = ("meter", "kilogram", "second", "ampere", "kelvin", "mole")


def by_pint(text):
    quantity = (1 * REGISTRY.parse_units(text)).to_base_units()
    return quantity.magnitude, tuple(quantity.unit_items() and dict(quantity.unit_items()).get(b, 0) for b in BASE)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_means_what_pint_means_by_it(name):
    factor, exponents = by_pint(name)
    assert size(name).exponents == exponents
    assert math.isclose(size(name).factor, factor, rel_tol=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "W/(m*K)",
        "W/m/K",
        "W/m*K",
        "kg/m^3",
        "kg / m**3",
        "J/(kg*K)",
        "1/K",
        "(1/s)**2",
        "m^2/s",
        "kg*m**-3",
        "((m))",
        "mm*kPa^-2",
        "1",
    ],
)
def test_products_and_powers(text):
    factor, exponents = by_pint(text) if text != "1" else (1.0, (0,) * 6)
    assert size(text).exponents == exponents
    assert math.isclose(size(text).factor, factor, rel_tol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "K)",
            "(K",
            "()",
            "m m",
            "m**",
            "**2",
            "2*m",
            "m**2**3",
            "m^10",
            "furlong",
            "m.s",
            "m*",
            "/m",
            "1.5",
            "*",
        ),
        *("°C", "degC/m", "(" * 60 + "m" + ")" * 60, "((Gm^9)^9)^9", "((nm^9)^9)^9", "((nm^9)^9)^-9"),
    ],
)
def test_of_everything_else_pint_is_asked(text):
    assert size(text) is None


def test_conversions():
    assert conversion("mm", "m") == (1e-3, 0.0)
    assert conversion("g/kg", "kg/kg") == (1e-3, 0.0)
    assert conversion("degC", "K") == (1.0, 273.15)
    assert conversion("h", "s") == (3600.0, 0.0)
    assert conversion("m", "s") is None
    assert conversion("m", "ell") is None
    assert commonunits.CELSIUS not in NAMES
