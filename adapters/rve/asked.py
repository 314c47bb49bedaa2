"""What is asked about which medium: the handout and the arguments, with their names and units checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.alone import Alone
from adapters.micro import Array, MicroModel
from adapters.rve.medium import Conditions, Medium
from adapters.rve.statistics import Key, Property
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.handout import Handout
from scalebridge.units import UnitError, convert


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes
    ----------
    medium : whose volumes.
    data : which of their effective properties, with unit and shape on the wire.
    conditions : under which controls, and for how long.
    told : the conditions in words.
    """

    medium: Medium
    data: Mapping[str, Field]
    conditions: Conditions
    told: tuple[str, ...]

    @classmethod
    def of(
        cls, handout: Handout, model: str, data: Sequence[str], controls: Sequence[str], time: float, steps: int
    ) -> Asked:
        """Return what is asked. Raises ConfigurationError, ModelError, SizeError."""
        alone = Alone.of(handout, model)
        medium = Medium(alone.kind, alone.settings, handout.seed, alone.scaling, alone.dimensions)
        first = medium.model(1, 1)
        findings = Findings("scalebridge rve")
        chosen = _chosen(first, data, findings)
        values, told = _controls(first, medium, controls, findings)
        findings.raise_if_any()
        if time > 0:
            told.append(f"held for {time:g} s in {steps} step{'s' * (steps > 1)}")
        return cls(medium, chosen, Conditions(values, time, steps), (*told, f"seed {handout.seed}"))


def properties(drawn: Mapping[Key, Mapping[str, Array]], asked: Asked, dimensions: int) -> tuple[Property, ...]:
    """Return the effective properties that are asked for, from what was drawn."""
    return tuple(
        Property(name, field.unit, dimensions, {key: values[name] for key, values in drawn.items()})
        for name, field in asked.data.items()
    )


def _chosen(model: MicroModel, names: Sequence[str], findings: Findings) -> dict[str, Field]:
    for name in names:
        if name not in model.observables:
            message = f"'{name}' is nothing that the micro volumes give"
            findings.add(None, "--data", message, got=name, candidates=model.observables)
    return {name: one for name, one in model.observables.items() if not names or name in names}


def _controls(
    model: MicroModel, medium: Medium, given: Sequence[str], findings: Findings
) -> tuple[dict[str, Array], list[str]]:
    """Return the controls in wire units, those that are given or else those that the model refers to, and both told."""
    texts: dict[str, str] = {}
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals:
            findings.add(None, "--control", f"'{argument}' has no value", expected="NAME=VALUE")
        elif name not in model.controls:
            message = f"'{name}' is no control of the micro volumes"
            findings.add(None, "--control", message, got=name, candidates=model.controls)
        else:
            texts[name] = text
    values, told = {}, []
    for name, field in model.controls.items():
        if name in texts:
            value, how = _parsed(name, texts[name], field, model, findings), ""
        else:
            value, how = _reference(name, field, model, medium), ", the model's reference"
        if value is None and name not in texts:
            findings.add(
                None, "--control", f"'{name}' needs a value", expected=f"{name}=VALUE, in a unit like '{field.unit}'"
            )
        if value is not None:
            values[name] = value
            unit = "" if field.unit == "1" else f" {field.unit}"
            told.append(f"{name} {', '.join(f'{v:g}' for v in value.flat)}{unit}{how}")
    return values, told


def _parsed(name: str, text: str, field: Field, model: MicroModel, findings: Findings) -> Array | None:
    """Return the value of a control: one quantity, or for all components one each, row by row, with commas between."""
    shape = (len(getattr(model, "cell_shape", ())),) * field.rank
    try:
        parts = [convert(part, field.unit) for part in text.split(",")]
    except UnitError as error:
        findings.add(None, "--control", f"{name}: {error}")
        return None
    if len(parts) != int(np.prod(shape)):
        findings.add(None, "--control", f"{name} has {len(parts)} values", expected=f"{int(np.prod(shape))}")
        return None
    return np.array(parts).reshape(shape)


def _reference(name: str, field: Field, model: MicroModel, medium: Medium) -> Array | None:
    """Return the control that the class refers to, if it does, in the unit of the wire."""
    references: Mapping[str, str] = getattr(medium.kind, "reference_controls", {})
    down = {} if medium.scaling is None else {entry.data: entry.field for entry in medium.scaling.down}
    text = references.get(down.get(name, name))
    return None if text is None or field.rank else np.array(convert(text, field.unit))
