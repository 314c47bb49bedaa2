"""What the fields of a micro model are to each other: which is derived from which, and so which form a law may have.

Units say most: stress times strain is an energy per volume, stress over strain a stiffness. What they leave open names
say: of two energies the one that is called dissipation, of two slopes that of the observable which it is named after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.micro import Array
from adapters.strategies.box import required
from scalebridge.fields import Field
from scalebridge.units import UnitError, compatible

CONJUGATE, TANGENT, STORED, DISSIPATED, ECHO = "conjugate", "tangent", "stored", "dissipated", "echo"
LAW, SLOPE = "law", "slope"
FORMS = ("potential", "internal", "monotone")
SAME = 1e-9  # relative: an observable that is a control


class RoleError(ValueError):
    """No form fits the fields; says why."""


@dataclass(frozen=True)
class Roles:
    """Roles of the observables by name.

    Attributes
    ----------
    energetic : whether one observable is conjugate to the one control, so that their product is an energy.
    of : observable -> role.
    base : slope -> (observable, control) of which it is the derivative.
    """

    energetic: bool
    of: Mapping[str, str]
    base: Mapping[str, tuple[str, str]]

    def named(self, role: str) -> str:
        """Return the observable that has this role; empty where none has."""
        return next((name for name, one in self.of.items() if one == role), "")


def find(controls: Mapping[str, Field], observables: Mapping[str, Field], samples: Mapping[str, Array]) -> Roles:
    """Return the roles.

    Parameters
    ----------
    samples : some values of controls and observables (n, ...) by name, by which an echo of a control is known.

    Raises
    ------
    RoleError
        If no form fits, or several do.
    """
    if odd := [name for name, f in (*controls.items(), *observables.items()) if f.per != "point"]:
        raise RoleError(f"'{odd[0]}' is not one value per point: map it in a scaling file")
    driving = required(controls)
    if all(f.rank == 0 for f in driving.values()):
        return _scalars(driving, observables)
    if len(driving) > 1:
        raise RoleError(f"an energy of several controls, {', '.join(driving)}, cannot be learned: only of one")
    ((name, control),) = driving.items()
    return _energetic(name, control, observables, samples)


def _energetic(name: str, control: Field, observables: Mapping[str, Field], samples: Mapping[str, Array]) -> Roles:
    of: dict[str, str] = {}
    for one, field in observables.items():
        if field.rank == control.rank:
            of[one] = ECHO if _same(field, control, samples, one, name) else CONJUGATE
    conjugates = [one for one, role in of.items() if role == CONJUGATE]
    if len(conjugates) != 1:
        found = ", ".join(conjugates) or "none"
        raise RoleError(f"one observable of the rank of '{name}' has to be conjugate to it; found {found}")
    unit, per = observables[conjugates[0]].unit, control.unit
    for one, field in observables.items():
        if one in of:
            continue
        if field.rank == 2 * control.rank and _alike(field.unit, f"({unit})/({per})"):
            of[one] = TANGENT
        elif field.rank == 0 and _alike(field.unit, f"({unit})*({per})"):
            of[one] = DISSIPATED if "dissip" in one.lower() else STORED
        else:
            raise RoleError(
                f"'{one}' [{field.unit}] is neither an energy of '{name}' and '{conjugates[0]}' nor a derivative, so "
                "no form fits it"
            )
    for role in (TANGENT, STORED, DISSIPATED):
        if len(several := [one for one, r in of.items() if r == role]) > 1:
            raise RoleError(f"{' and '.join(several)} cannot both be the {role} of one law")
    return Roles(True, of, {})


def _scalars(controls: Mapping[str, Field], observables: Mapping[str, Field]) -> Roles:
    of: dict[str, str] = {}
    base: dict[str, tuple[str, str]] = {}
    for one, field in observables.items():
        if field.rank not in (0, 2) or not field.symmetric:
            raise RoleError(f"'{one}' is a {field.kind}: a monotone law is of scalars and symmetric tensors")
        owner = next((o for o in observables if o != one and one.lower() == f"{o.lower()}-slope"), "")
        if not owner:
            of[one] = LAW
            continue
        driver = [c for c, f in controls.items() if _alike(field.unit, f"({observables[owner].unit})/({f.unit})")]
        if len(driver) != 1 or field.rank != observables[owner].rank:
            raise RoleError(f"'{one}' [{field.unit}] is not the slope of '{owner}' by one of {', '.join(controls)}")
        of[one], base[one] = SLOPE, (owner, driver[0])
    return Roles(False, of, base)


def _same(field: Field, control: Field, samples: Mapping[str, Array], one: str, name: str) -> bool:
    if field.unit != control.unit or one not in samples:
        return False
    values, given = samples[one], samples[name]
    return bool(np.abs(values - given).max(initial=0) <= SAME * np.abs(given).max(initial=0))


def _alike(first: str, second: str) -> bool:
    try:
        return compatible(first, second)
    except UnitError:
        return False
