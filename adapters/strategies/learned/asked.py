"""What is to be trained: the handout and the arguments, with their names and units checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters import tensors
from adapters.failing import models
from adapters.micro import Array, MicroModel
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.strategies import box
from adapters.strategies.learned.space import Space
from adapters.strategies.surrogate import SurrogateSettings
from scalebridge import settings as typed
from scalebridge.embedded import config as coupling_config
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.handout import Handout
from scalebridge.units import UnitError, convert


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
        kind = models.find(handout.module, name)
        configuration = coupling_config.load(handout.precice_config)
        own = configuration.participant(handout.participant)
        dimensions = {mesh.name: mesh.dimensions for mesh in configuration.meshes}[(*own.reads, *own.writes)[0].mesh]
        reads, writes = ({n for a in some for n in tensors.whole(a.data)} for some in (own.reads, own.writes))
        model: MicroModel = kind(typed.build(kind.Settings, handout.settings, plain=True), handout.seed)
        if handout.scaling:
            model = ScaledModel(model, scaling_config.load(handout.scaling).of(reads, writes), handout.seed)
        space = Space({n: f for n, f in model.controls.items() if not f.optional}, dimensions)
        findings = Findings("scalebridge train")
        bounds = _bounds(model, settings.bounds, findings)
        windows = [s.time_window_size for s in configuration.schemes if handout.participant in s.participants]
        given = box.of_fields(space.fields, dimensions)
        if not recorded:
            try:
                given = box.parse(settings.box, space.fields, dimensions, "--box")
            except ConfigurationError as error:
                findings.found += error.findings
        findings.raise_if_any()
        dt = settings.dt or next((size for size in windows if size), 1.0)
        return cls(model, space, space.ends(given), bounds, dt, f"{kind.__name__} of {kind.__module__}")


def _bounds(model: MicroModel, texts: Sequence[str], findings: Findings) -> dict[str, tuple[float, float]]:
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        low, two, high = value.partition("..")
        field = model.observables.get(name)
        if field is None or field.rank:
            candidates = [n for n, f in model.observables.items() if not f.rank]
            findings.add(None, "--bounds", f"'{name}' is no scalar observable", got=name, candidates=candidates)
        elif not two:
            findings.add(None, "--bounds", f"'{text}' has no range", expected="NAME=LOW..HIGH")
        else:
            try:
                found[name] = convert(low.strip(), field.unit), convert(high.strip(), field.unit)
            except UnitError as error:
                findings.add(None, "--bounds", f"{name}: {error}")
    return found
