"""The scaling maps by name. A new map is one small class (`protocol`) and its place in one of these two rows."""

from __future__ import annotations

from adapters.scaling.averages import Uniform, VolumeAverage
from adapters.scaling.drive import FilteredSpikes, PoissonSpikes, SynapticCurrent
from adapters.scaling.homogenisation import EffectiveTensor, HashinShtrikman, Reuss, Voigt
from adapters.scaling.permeability import Permeability
from adapters.scaling.protocol import Downscale, Upscale
from adapters.scaling.rates import PopulationRate

DOWNSCALE: dict[str, type[Downscale]] = {m.name: m for m in (Uniform, PoissonSpikes, SynapticCurrent, FilteredSpikes)}
UPSCALE: dict[str, type[Upscale]] = {
    m.name: m for m in (VolumeAverage, Voigt, Reuss, HashinShtrikman, EffectiveTensor, Permeability, PopulationRate)
}
