"""What a case may choose about an acceleration: the content of `<acceleration:...>` in plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = ("constant", "aitken", "IQN-ILS", "IQN-IMVJ")
FILTERS = ("QR1", "QR1-absolute", "QR2", "QR3")
PRECONDITIONERS = ("constant", "value", "residual", "residual-sum")
RESTART_MODES = ("no-restart", "RS-0", "RS-LS", "RS-SVD", "RS-SLIDE")
ON_BOUND_VIOLATION = ("ignore", "clamp", "discard", "scale")


@dataclass(frozen=True)
class DataConfig:
    """One `<data>`: a primary data of the acceleration, in the order of the file."""

    mesh: str
    data: str
    scaling: float = 1.0


@dataclass(frozen=True)
class FilterConfig:
    """`<filter>`. Where a file has the tag without the attribute, `limit` is 1e-16; without the tag it is 1e-2."""

    kind: str = "QR3"
    limit: float = 1e-2


@dataclass(frozen=True)
class PreconditionerConfig:
    """`<preconditioner>`: weights of the data against each other."""

    kind: str = "residual-sum"
    freeze_after: int = -1
    update_on_threshold: bool = True


@dataclass(frozen=True)
class RestartConfig:
    """`<imvj-restart-mode>`: how the multi-vector Jacobian forgets."""

    kind: str = "RS-SVD"
    chunk_size: int = 8
    reused_time_windows_at_restart: int = 8
    truncation_threshold: float = 1e-4


@dataclass(frozen=True)
class AccelerationConfig:
    """`<acceleration:KIND>`. None means that the tag is absent; the defaults then depend on the kind.

    Attributes
    ----------
    kind : one of KINDS.
    data : the primary data; empty for "constant".
    relaxation : `<relaxation value>` of "constant", `<initial-relaxation value>` of all others.
    enforce_initial_relaxation : `<initial-relaxation enforce>`.
    """

    kind: str
    data: tuple[DataConfig, ...] = ()
    relaxation: float | None = None
    enforce_initial_relaxation: bool = False
    max_used_iterations: int | None = None
    time_windows_reused: int | None = None
    filter: FilterConfig = field(default_factory=FilterConfig)
    preconditioner: PreconditionerConfig = field(default_factory=PreconditionerConfig)
    reduced_time_grid: bool = True
    on_bound_violation: str = "ignore"
    always_build_jacobian: bool = False
    restart: RestartConfig | None = None

    @property
    def relaxation_or_default(self) -> float:
        """Return the (initial) relaxation factor that applies."""
        if self.relaxation is not None:
            return self.relaxation
        return 0.5 if self.kind == "aitken" else 0.1

    @property
    def max_used_iterations_or_default(self) -> int:
        """Return the largest number of columns that a quasi-Newton method keeps."""
        if self.max_used_iterations is not None:
            return self.max_used_iterations
        return 20 if self.kind == "IQN-IMVJ" else 100

    @property
    def time_windows_reused_or_default(self) -> int:
        """Return the number of past time windows whose columns are kept."""
        if self.time_windows_reused is not None:
            return self.time_windows_reused
        return 0 if self.kind == "IQN-IMVJ" else 10

    @property
    def restart_or_default(self) -> RestartConfig:
        """Return the restart mode of IQN-IMVJ that applies."""
        if self.restart is not None:
            return self.restart
        return RestartConfig("no-restart") if self.always_build_jacobian else RestartConfig()


def problems(config: AccelerationConfig) -> list[str]:
    """Return what is wrong with the values of an acceleration, one sentence each."""
    found = []
    if not 0.0 < config.relaxation_or_default <= 1.0:
        name = "relaxation" if config.kind == "constant" else "initial-relaxation"
        found.append(
            f"{name} of the {config.kind} acceleration is {config.relaxation_or_default}, "
            "but must be larger than 0 and at most 1"
        )
    if config.kind in ("IQN-ILS", "IQN-IMVJ"):
        if config.max_used_iterations_or_default < 1:
            found.append(f"max-used-iterations is {config.max_used_iterations}, but must be at least 1")
        if config.time_windows_reused_or_default < 0:
            found.append(f"time-windows-reused is {config.time_windows_reused}, but must not be negative")
    if config.always_build_jacobian and config.restart is not None and config.restart.kind != "no-restart":
        found.append(
            f"always-build-jacobian cannot be combined with the restart mode {config.restart.kind}; "
            'remove one of them or set the restart mode to "no-restart"'
        )
    if config.restart is not None and config.restart.kind != "no-restart" and config.restart.chunk_size < 1:
        found.append(f"chunk-size of the restart mode is {config.restart.chunk_size}, but must be at least 1")
    seen = set()
    for entry in config.data:
        if (entry.mesh, entry.data) in seen:
            found.append(f'<data name="{entry.data}" mesh="{entry.mesh}"/> is given more than once')
        seen.add((entry.mesh, entry.data))
    if config.preconditioner.kind == "constant":
        zero = [entry for entry in config.data if entry.scaling == 0.0]
        found.extend(f'the scaling of <data name="{e.data}" mesh="{e.mesh}"/> must not be 0' for e in zero)
    return found
