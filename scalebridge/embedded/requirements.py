"""What mappings and actions need of a mesh: its connectivity, or gradients of its data."""

from __future__ import annotations

from scalebridge.embedded.config import Configuration, Key


def meshes_with_connectivity(configuration: Configuration) -> set[str]:
    """Return the meshes whose edges, triangles and tetrahedra somebody needs."""
    needed: set[str] = set()
    for participant in configuration.participants:
        for configured in participant.mappings:
            config = configured.config
            for mesh, needs in zip((config.from_mesh, config.to_mesh), config.needs_connectivity, strict=True):
                if mesh is not None and needs:
                    needed.add(mesh)
        needed.update(a.mesh for a in participant.actions if a.kind.endswith("by-area"))
    return needed


def gradient_keys(configuration: Configuration) -> set[Key]:
    """Return the data whose gradients a mapping needs, on the mesh from which it maps."""
    needed: set[Key] = set()
    for participant in configuration.participants:
        for configured in participant.mappings:
            config = configured.config
            if config.needs_gradients and config.from_mesh is not None:
                accesses = participant.reads if config.direction == "read" else participant.writes
                mine = config.to_mesh if config.direction == "read" else config.from_mesh
                carried = configuration.mesh(config.from_mesh).data
                needed.update((config.from_mesh, a.data) for a in accesses if a.mesh == mine and a.data in carried)
    return needed
