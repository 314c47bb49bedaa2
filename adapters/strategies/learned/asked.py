"""What is to be trained: the handout and the arguments, with their names and units checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.alone import Alone
from adapters.micro import Array, MicroModel
from adapters.strategies import box as boxes
from adapters.strategies.learned.space import Space
from adapters.strategies.surrogate import SurrogateSettings
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.handout import Handout


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes
    ----------
    model : with its scaling maps.
    box : (2, s), nothing where recorded runs have one.
    bounds : lowest and highest of scalar observables, in their units.
    dt : length of a time window [s].
    told : the model in words.
    """

    model: MicroModel
    space: Space
    box: Array
    bounds: Mapping[str, tuple[float, float]]
    dt: float
    told: str

    @classmethod
    def of(cls, handout: Handout, name: str, settings: SurrogateSettings, recorded: bool) -> Asked:
        """Return what is asked. Raises ConfigurationError, ModelError."""
        alone = Alone.of(handout, name)
        columns = boxes.columns_of(alone.model.controls, alone.dimensions)
        space = Space(columns.fields, alone.dimensions)
        findings = Findings("--bounds")
        scalars = {n: field.unit for n, field in alone.model.observables.items() if not field.rank}
        bounds = dict(boxes.ranges(settings.bounds, scalars, "scalar observable", findings, both=True))
        given = boxes.Box(columns, *np.zeros((2, len(columns.names))))
        if not recorded:
            try:
                given = boxes.parse(settings.box, columns.fields, alone.dimensions, "--box")
            except ConfigurationError as error:
                findings.found += error.findings
        findings.raise_if_any()
        return cls(alone.model, space, space.ends(given), bounds, settings.dt or alone.window or 1.0, alone.name)
