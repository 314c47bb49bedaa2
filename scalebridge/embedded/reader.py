"""From a checked XML tree to the dataclasses of `config`; values that contradict themselves become findings here."""

from __future__ import annotations

import math

from scalebridge.embedded import config
from scalebridge.embedded.acceleration import settings as acceleration
from scalebridge.embedded.config import Access
from scalebridge.embedded.elements import Node
from scalebridge.embedded.mapping import settings as mapping
from scalebridge.findings import Findings

UNKNOWN_DIMENSIONS = 0  # of a mesh whose dimensions could not be read
MANY = 10**9  # iterations or time windows, where their number could not be read


def build(root: Node, file: str, findings: Findings) -> config.Configuration:
    """Return the configuration that `root` describes; mistakes inside one tag go to `findings`."""
    log = root.one("log")
    profiling = root.one("profiling")
    meshes = tuple(_mesh(node) for node in root.all("mesh"))
    dimensions = {m.name: m.dimensions for m in meshes}
    return config.Configuration(
        file=file,
        experimental=root["experimental"],
        allow_remeshing=root["allow-remeshing"],
        wait_in_finalize=root["wait-in-finalize"],
        sinks=_sinks(log),
        profiling=profiling["mode"] if profiling else "fundamental",
        data=tuple(_data(node, findings) for node in root.all("data:")),
        meshes=meshes,
        connections=tuple(_connection(node) for node in root.all("m2n:")),
        participants=tuple(_participant(node, dimensions, findings) for node in root.all("participant")),
        schemes=tuple(_scheme(node, findings) for node in root.all("coupling-scheme:")),
    )


def _sinks(log: Node | None) -> tuple[config.LogSink, ...] | None:
    """Return the configured sinks; None where the default sink applies."""
    if log is None or (log["enabled"] and not log.children):
        return None
    if not log["enabled"]:
        return ()
    return tuple(config.LogSink(s["type"], s["output"], s["filter"]) for s in log.all("sink") if s["enabled"])


def _data(node: Node, findings: Findings) -> config.DataConfig:
    place = f'<{node.tag} name="{node["name"]}">'
    if node["waveform-degree"] < 0:
        message = f"waveform-degree is {node['waveform-degree']}"
        findings.add(node.line, place, message, expected="0 or larger")
    ends = [f"-{axis}" for axis in "xyz"] if node.kind == "vector" else [""]
    lower = tuple(node[f"lower-bound{end}"] for end in ends)
    upper = tuple(node[f"upper-bound{end}"] for end in ends)
    for end, low, high in zip(ends, lower, upper, strict=True):
        if low > high:
            findings.add(node.line, place, f"lower-bound{end} {low} is larger than upper-bound{end} {high}")
    return config.DataConfig(node["name"], node.kind == "vector", node["waveform-degree"], lower, upper, node.line)


def _mesh(node: Node) -> config.MeshConfig:
    data = tuple(use["name"] for use in node.all("use-data"))
    dimensions = UNKNOWN_DIMENSIONS if "dimensions" in node.unread else node["dimensions"]
    return config.MeshConfig(node["name"], dimensions, data, node.line)


def _connection(node: Node) -> config.ConnectionConfig:
    return config.ConnectionConfig(
        node.kind, node["acceptor"], node["connector"], node["exchange-directory"], node.line
    )


def _participant(node: Node, dimensions: dict[str, int], findings: Findings) -> config.ParticipantConfig:
    return config.ParticipantConfig(
        name=node["name"],
        provides=tuple(n["name"] for n in node.all("provide-mesh")),
        receives=tuple(_received(n, findings) for n in node.all("receive-mesh")),
        writes=tuple(Access(n["mesh"], n["name"], n.line) for n in node.all("write-data")),
        reads=tuple(Access(n["mesh"], n["name"], n.line) for n in node.all("read-data")),
        mappings=tuple(_mapping(n, dimensions, findings) for n in node.all("mapping:") if not n.unread),
        actions=tuple(_action(n) for n in node.all("action:")),
        exports=tuple(_export(n) for n in node.all("export:")),
        watch_points=tuple(
            config.WatchPointConfig(n["name"], n["mesh"], n["coordinate"], n.line) for n in node.all("watch-point")
        ),
        watch_integrals=tuple(
            config.WatchIntegralConfig(n["name"], n["mesh"], n["scale-with-connectivity"], n.line)
            for n in node.all("watch-integral")
        ),
        line=node.line,
    )


def _received(node: Node, findings: Findings) -> config.ReceivedMesh:
    if not node["safety-factor"] >= 0.0:
        message = f"safety-factor is {node['safety-factor']}"
        findings.add(node.line, f'<receive-mesh name="{node["name"]}">', message, expected="0 or larger")
    return config.ReceivedMesh(
        node["name"],
        node["from"],
        node["api-access"] or node["direct-access"] or "api-access" in node.unread,
        node["geometric-filter"],
        node["safety-factor"],
        node.line,
    )


def _mapping(node: Node, dimensions: dict[str, int], findings: Findings) -> config.ConfiguredMapping:
    place = f"<{node.tag}>"
    bases = list(node.all("basis-function:"))
    if len(bases) > 1:
        findings.add(bases[1].line, f"<{bases[1].tag}>", f"<{node.tag}> may have only one basis-function")
    executors = list(node.all("executor:"))
    if len(executors) > 1:
        findings.add(executors[1].line, f"<{executors[1].tag}>", f"<{node.tag}> may have only one executor")
    made = mapping.MappingConfig(
        kind=node.kind,
        direction=node["direction"],
        from_mesh=node["from"] or None,
        to_mesh=node["to"] or None,
        constraint=node["constraint"],
        basis_function=_basis(bases[0]) if bases else None,
        polynomial=node.get("polynomial", "separate"),
        dead_axes=(node.get("x-dead", False), node.get("y-dead", False), node.get("z-dead", False)),
        vertices_per_cluster=node.get("vertices-per-cluster", 50),
        relative_overlap=node.get("relative-overlap", 0.15),
        project_to_input=node.get("project-to-input", True),
        radius=node.get("radius", 0.0),
        multiscale=_multiscale(node) if "multiscale-type" in node.values else None,
    )
    sides = [dimensions[m] for m in (made.from_mesh, made.to_mesh) if m is not None and dimensions.get(m)]
    if len(set(sides)) == 1:
        for problem in mapping.problems(made, sides[0]):
            findings.add(node.line, place, problem)
    elif made.from_mesh is None and made.to_mesh is None:
        findings.add(node.line, place, "neither a from nor a to mesh is given")
    return config.ConfiguredMapping(made, executors[0].kind if executors else "cpu", node.line)


def _basis(node: Node) -> mapping.BasisFunctionConfig:
    return mapping.BasisFunctionConfig(node.kind, node.get("support-radius"), node.get("shape-parameter"))


def _multiscale(node: Node) -> mapping.MultiscaleConfig:
    return mapping.MultiscaleConfig(
        type=node["multiscale-type"],
        axis=node["multiscale-axis"],
        radius=node["multiscale-radius"],
        dimension=node.get("multiscale-dimension", "1d-3d"),
        profile=node.get("multiscale-cross-section-profile", "uniform"),
        cross_section=node.get("multiscale-cross-section", "circle"),
    )


def _action(node: Node) -> config.ActionConfig:
    target, module, path = node.one("target-data"), node.one("module"), node.one("path")
    return config.ActionConfig(
        kind=node.kind,
        mesh=node["mesh"],
        timing=node["timing"],
        sources=tuple(s["name"] for s in node.all("source-data")),
        target=target["name"] if target else None,
        module=module["name"] if module else "",
        path=path["name"] if path else "",
        line=node.line,
    )


def _export(node: Node) -> config.ExportConfig:
    return config.ExportConfig(
        node.kind,
        node["directory"],
        node["every-n-time-windows"],
        node["every-iteration"],
        node["update-series"],
        node.line,
    )


def _scheme(node: Node, findings: Findings) -> config.SchemeConfig:
    pair = node.one("participants")
    members = [pair["first"], pair["second"]] if pair else [p["name"] for p in node.all("participant")]
    accelerated = node.one("acceleration:")
    return config.SchemeConfig(
        kind=node.kind,
        participants=tuple(members),
        controller=_controller(node, members, findings),
        max_time=_limit(node, "max-time", findings, unread=math.nan),
        max_time_windows=_limit(node, "max-time-windows", findings, unread=MANY),
        time_window_size=_window_size(node, findings),
        exchanges=tuple(
            config.ExchangeConfig(e["data"], e["mesh"], e["from"], e["to"], e["initialize"], e["substeps"], e.line)
            for e in node.all("exchange")
        ),
        min_iterations=_limit(node, "min-iterations", findings, unread=2) or 1,
        max_iterations=_limit(node, "max-iterations", findings, unread=MANY),
        measures=tuple(_measure(m, findings) for m in node.children if m.tag.endswith("convergence-measure")),
        acceleration=_acceleration(accelerated, findings) if accelerated else None,
        acceleration_line=accelerated.line if accelerated else node.line,
        line=node.line,
    )


def _controller(node: Node, members: list[str], findings: Findings) -> str:
    if node.kind != "multi":
        return str(members[-1]) if members else ""
    controllers = [p for p in node.all("participant") if p["control"]]
    if not controllers:
        message = 'no participant controls the scheme: write control="true" at one of them'
        findings.add(node.line, f"<{node.tag}>", message)
        return ""
    for extra in controllers[1:]:
        message = "a second participant with control; only one may have it"
        findings.add(extra.line, f'<participant name="{extra["name"]}">', message)
    return str(controllers[0]["name"])


def _limit[T: (int, float)](node: Node, tag: str, findings: Findings, unread: T | None = None) -> T | None:
    """Return the value of a tag, None where there is none, or `unread` where it could not be read."""
    limit = node.one(tag)
    if limit is None:
        return unread if tag in node.misspelt else None
    if "value" in limit.unread:
        return unread
    value: T = limit["value"]
    if not value > 0:
        findings.add(limit.line, f"<{tag}>", f"value is {value}", expected="more than 0")
    return value


def _window_size(node: Node, findings: Findings) -> float | None:
    size = node.one("time-window-size")
    if size is None:
        return 1.0
    if size.get("method") == "first-participant":
        return None
    value: float = size["value"]
    if "value" in size.unread:
        return math.nan
    if not (1e-14 <= value < math.inf):
        message = f"value is {value:g}" if "value" in size.given else "attribute value is missing"
        findings.add(size.line, "<time-window-size>", message, expected="more than 1e-14")
    return value


def _measure(node: Node, findings: Findings) -> config.MeasureConfig:
    kind = node.tag.removesuffix("-convergence-measure")
    absolute = node["abs-limit"] if kind == "absolute-or-relative" else node["limit"]
    relative = node.get("rel-limit", math.inf)
    if not absolute > 1e-14:
        findings.add(node.line, f"<{node.tag}>", f"the limit is {absolute:g}", expected="more than 0")
    for limit in {"absolute": (), "absolute-or-relative": (relative,)}.get(kind, (absolute,)):
        if not limit <= 1.0 + 1e-14:
            findings.add(node.line, f"<{node.tag}>", f"the relative limit is {limit:g}", expected="at most 1")
    if kind == "absolute-or-relative" and not relative > 1e-14:
        findings.add(node.line, f"<{node.tag}>", f"the relative limit is {relative:g}", expected="more than 0")
    return config.MeasureConfig(
        kind, node["data"], node["mesh"], absolute, relative, node["suffices"], node["strict"], node.line
    )


def _acceleration(node: Node, findings: Findings) -> acceleration.AccelerationConfig:
    relaxation = node.one("relaxation", "initial-relaxation")
    columns, windows = node.one("max-used-iterations"), node.one("time-windows-reused")
    chosen, weights, restart = node.one("filter"), node.one("preconditioner"), node.one("imvj-restart-mode")
    made = acceleration.AccelerationConfig(
        kind=node.kind,
        data=tuple(acceleration.DataConfig(d["mesh"], d["name"], d["scaling"]) for d in node.all("data")),
        relaxation=relaxation["value"] if relaxation else None,
        enforce_initial_relaxation=bool(relaxation and relaxation.get("enforce")),
        max_used_iterations=columns["value"] if columns else None,
        time_windows_reused=windows["value"] if windows else None,
        filter=acceleration.FilterConfig(chosen["type"], chosen["limit"]) if chosen else acceleration.FilterConfig(),
        preconditioner=acceleration.PreconditionerConfig(
            weights["type"], weights["freeze-after"], weights.get("update-on-threshold", True)
        )
        if weights
        else acceleration.PreconditionerConfig(),
        reduced_time_grid=node.get("reduced-time-grid", True),
        on_bound_violation=node.get("on-bound-violation", "ignore"),
        always_build_jacobian=node.get("always-build-jacobian", False),
        restart=acceleration.RestartConfig(
            restart["type"],
            restart["chunk-size"],
            restart["reused-time-windows-at-restart"],
            restart["truncation-threshold"],
        )
        if restart
        else None,
    )
    for problem in acceleration.problems(made):
        findings.add(node.line, f"<{node.tag}>", problem)
    return made
