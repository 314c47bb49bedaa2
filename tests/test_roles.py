"""What fields are to each other, from their units and names."""

import numpy as np
import pytest
from known_laws import Bars, Melting

from adapters.strategies.learned import roles
from adapters.strategies.learned.roles import RoleError
from scalebridge.fields import Field


def fields(**given):
    return {name.replace("_", "-"): field for name, field in given.items()}


def test_fields_get_their_roles_from_units_and_names():
    found = roles.find(Bars.controls, Bars.observables, {"Strain": np.ones((2, 1)), "Mean-Strain": np.ones((2, 1))})
    assert found.energetic
    assert found.of == {
        "Stress": "conjugate",
        "Stiffness": "tangent",
        "Mean-Strain": "echo",
        "Stored-Energy": "stored",
        "Dissipation": "dissipated",
    }
    found = roles.find(Melting.controls, Melting.observables, {})
    assert found.of == {"Fraction": "law", "Fraction-Slope": "slope", "Conductivity": "law"}
    assert found.base == {"Fraction-Slope": ("Fraction", "Temperature")}
    assert found.named("law") == "Fraction"
    assert found.named("stored") == ""


STRAIN = fields(Strain=Field("1", rank=2))
STRESS = Field("Pa", rank=2)


@pytest.mark.parametrize(
    ("controls", "observables", "message"),
    [
        (STRAIN, fields(Stress=Field("Pa", rank=2, per="grid")), "'Stress' is not one value per point: map it"),
        (STRAIN | fields(T=Field("K")), fields(Stress=STRESS), "an energy of several controls, Strain, T, cannot be"),
        (
            STRAIN,
            fields(Stress=STRESS, Other=STRESS),
            "of the rank of 'Strain' has to be conjugate.*found Stress, Other",
        ),
        (STRAIN, fields(Energy=Field("J/m^3")), "has to be conjugate to it; found none"),
        (STRAIN, fields(Stress=STRESS, Porosity=Field("K")), r"'Porosity' \[K\] is neither an energy of 'Strain' and"),
        (
            STRAIN,
            fields(Stress=STRESS, Energy=Field("Pa"), Other=Field("J/m^3")),
            "Energy and Other cannot both be the stored of one law",
        ),
        (fields(T=Field("K")), fields(Flux=Field("W/m^2", rank=1)), "'Flux' is a vector: a monotone law is of scalars"),
        (
            fields(T=Field("K")),
            fields(I=Field("1"), I_Slope=Field("1/s")),
            r"'I-Slope' \[1/s\] is not the slope of 'I' by one of T",
        ),
    ],
)
def test_fields_for_which_there_is_no_form(controls, observables, message):
    with pytest.raises(RoleError, match=message):
        roles.find(controls, observables, {})
