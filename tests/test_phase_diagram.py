"""Liquidus curves against tabulated freezing points."""

from __future__ import annotations

import numpy as np
import pytest

from participants.micro.phase_diagram import MELTING_POINT, OutsidePhaseDiagram, SeaWater, SodiumChloride, Straight

DIAGRAMS = [SodiumChloride(), SeaWater(), Straight()]

# Lange's Handbook of Chemistry, 15th ed. (1999), table 5.13: wt% NaCl -> freezing point depression [K].
NACL = {1: 0.58, 2: 1.13, 3: 1.72, 4: 2.35, 5: 2.97, 6: 3.63, 7: 4.32, 8: 5.03, 9: 5.77, 15: 10.88, 16: 11.90}
NACL |= {17: 12.93, 18: 14.03, 19: 15.21, 20: 16.46, 21: 17.78, 22: 19.19, 23: 20.69}


def test_sodium_chloride_freezing_points():
    """An older and independent table: it and Bodnar (1993) agree within 0.2 wt%."""
    salinity = np.array(list(NACL)) / 100
    temperature = MELTING_POINT - np.array(list(NACL.values()))
    assert SodiumChloride().salinity(temperature) == pytest.approx(salinity, abs=0.002)
    assert SodiumChloride().melting_point(salinity) == pytest.approx(temperature, abs=0.3)


def test_sodium_chloride_in_dilute_solution():
    """Two ions per formula unit lower the freezing point by 2 x 1.86 K kg/mol; S = molality x 58.44 g/mol."""
    salinity = float(SodiumChloride().salinity(MELTING_POINT - 0.01))
    assert salinity == pytest.approx(0.01 / (2 * 1.86) * 0.05844, rel=0.15)  # 13 %: ions are not quite independent


def test_sodium_chloride_eutectic():
    """-21.2 degC, 23.2 wt% (Bodnar 1993)."""
    assert float(SodiumChloride().salinity(MELTING_POINT - 21.2)) == pytest.approx(0.232, abs=5e-4)


def test_sea_water_by_notz():
    """Lever rule for S = 10 g/kg with the cubic of Notz (2005), evaluated by hand."""
    temperature = MELTING_POINT - np.array([2, 5, 10, 20])
    assert 0.01 / SeaWater().salinity(temperature) == pytest.approx([0.2573, 0.1149, 0.0701, 0.0477], abs=5e-5)


def test_sea_water_near_its_melting_point():
    """Above -2 degC: within 10 % of 1/S = 0.001 - 0.05411/T [g/kg] of Assur's data (Notz 2005, eq. 3.6)."""
    T = -np.linspace(0.1, 1.9, 10)
    assert SeaWater().salinity(MELTING_POINT + T) == pytest.approx(1e-3 / (0.001 - 0.05411 / T), rel=0.12)


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda d: d.name)
def test_liquidus_is_smooth_and_falls(diagram):
    """The slope is the derivative, also across the joint of the sea-water curve; S = 0 at the melting point of ice."""
    T = MELTING_POINT - np.append(np.linspace(0.001, diagram.lowest - 0.001, 500), [1.999999, 2.000001])
    d = 1e-5
    _, slope = diagram.liquidus(T)
    differences = (diagram.salinity(T + d) - diagram.salinity(T - d)) / (2 * d)
    assert slope == pytest.approx(differences, rel=1e-5)
    assert (slope < 0).all()
    assert float(diagram.salinity(MELTING_POINT - 1e-9)) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda d: d.name)
def test_melting_point_is_the_inverse(diagram):
    T = MELTING_POINT - np.linspace(0, diagram.lowest, 40).reshape(5, 8)
    assert diagram.melting_point(diagram.salinity(T)) == pytest.approx(T, abs=1e-11)


def test_no_ice_above_its_melting_point():
    S, slope = SodiumChloride().liquidus([MELTING_POINT, MELTING_POINT + 20])
    assert (S == 0).all()
    assert (slope == 0).all()


@pytest.mark.parametrize(
    ("temperature", "named", "rows"),
    [(251.9, "251.9 K", []), ([260.0, 100.0], "100 K", [1]), ([[260.0], [-5.0]], "-5 K", [1]), (np.nan, "nan K", [])],
)
def test_below_the_eutectic(temperature, named, rows):
    with pytest.raises(OutsidePhaseDiagram) as error:
        SodiumChloride().liquidus(temperature)
    assert error.value.message == (
        f"{named} is no temperature for NaCl brine: its liquidus ends in the eutectic at 251.95 K, below which the "
        "salt is solid too"
    )
    assert error.value.rows.tolist() == rows


@pytest.mark.parametrize("salinity", [0.3, -0.01, np.nan])
def test_beyond_the_eutectic(salinity):
    with pytest.raises(OutsidePhaseDiagram) as error:
        SodiumChloride().melting_point(salinity)
    assert str(error.value) == (
        f"{salinity:g} kg/kg is no salinity of NaCl brine beside ice: it is from 0 to 0.2318 kg/kg, that of the "
        "eutectic at 251.95 K"
    )
