"""What a file of the Micro Manager says about data and points, beside the preCICE configuration that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from adapters.micro import Array
from adapters.wiring import CouplingError
from scalebridge.cases.foreign import micro_manager
from scalebridge.cases.foreign.micro_manager import MicroManagerFile
from scalebridge.embedded import config as coupling_config
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Findings

ACTIVE = ("Active-State", "Active-Steps")  # what the Micro Manager writes by itself where it is adaptive


def fields(file: MicroManagerFile, units: Mapping[str, str]) -> tuple[dict[str, Field], dict[str, Field]]:
    """Return what is read and written, scalars and vectors as the preCICE configuration has them.

    Parameters
    ----------
    units : of data by name; what is not named is a pure number.

    Raises
    ------
    ConfigurationError
        If the file names data, a mesh or units that are not there.
    """
    configuration, misread = coupling_config.read(file.precice_config)
    if configuration is None:
        raise ConfigurationError(misread)
    findings = Findings(file.file, micro_manager.RULE)
    vectors = {datum.name: datum.vector for datum in configuration.data}
    own = next((p for p in configuration.participants if p.name == file.participant), None)
    written = [access.data for access in own.writes] if own is not None else []
    active = [name for name in ACTIVE if file.adaptive and name in written]
    writes = list(dict.fromkeys([*file.writes, *active]))
    for name in (*file.reads, *writes):
        if name not in vectors:
            message = f"'{name}' is no data of {file.precice_config}"
            findings.add(None, "interfaces[0]", message, got=name, candidates=vectors)
    for name in units.keys() - {*file.reads, *writes}:
        findings.add(
            None, "units", f"'{name}' is neither read nor written", got=name, candidates=[*file.reads, *writes]
        )
    meshes = [received.name for received in own.receives] if own is not None else [file.mesh]
    if file.mesh not in meshes:
        message = f"{file.participant} does not receive '{file.mesh}' in {file.precice_config}"
        findings.add(None, "interfaces[0].mesh_name", message, got=file.mesh, candidates=meshes)
    findings.raise_if_any()

    def chosen(names: Iterable[str]) -> dict[str, Field]:
        return {name: Field(units.get(name, "1"), rank=int(vectors[name])) for name in names}

    return chosen(file.reads), chosen(writes)


def require_inside(file: MicroManagerFile, points: Array) -> None:
    """Raise CouplingError where points lie outside the bounds: the Micro Manager would leave them out."""
    low, high = np.array(file.bounds[::2]), np.array(file.bounds[1::2])
    dimensions = points.shape[1]
    if len(low) != dimensions:
        raise CouplingError(
            f"{file.file}: macro_domain_bounds has {len(file.bounds)} numbers; {file.mesh} has {dimensions} "
            f"dimensions, so {2 * dimensions} are expected"
        )
    slack = 1e-9 * (high - low)
    outside = np.flatnonzero(((points < low - slack) | (points > high + slack)).any(axis=1))
    if outside.size:
        point = ", ".join(f"{x:g}" for x in points[outside[0]])
        raise CouplingError(
            f"{file.file}: macro_domain_bounds {list(file.bounds)} leaves out {outside.size} of {len(points)} points "
            f"of {file.mesh}, the first at ({point}): nobody would compute there. Widen it"
        )
