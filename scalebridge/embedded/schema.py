"""The tags and attributes of preCICE 3.4 configurations as one table: names, types, defaults, choices, how often.

What the names refer to is checked in `references`, what the embedded engine supports in `refusals`.
"""

from __future__ import annotations

import math
from typing import Any

from scalebridge.embedded.elements import REQUIRED, Attribute, Tag


def _text(name: str, default: Any = REQUIRED, *choices: str) -> Attribute:
    return Attribute(name, "text", default, choices)


def _flag(name: str, default: Any = False) -> Attribute:
    return Attribute(name, "truth", default)


def _real(name: str, default: Any = REQUIRED) -> Attribute:
    return Attribute(name, "number", default)


def _int(name: str, default: Any = REQUIRED, *choices: int) -> Attribute:
    return Attribute(name, "integer", default, choices)


_NAME = _text("name")
_MESH = _text("mesh")
_INF = math.inf

_DATA = (
    Tag(
        "data:scalar",
        "*",
        (_NAME, _int("waveform-degree", 1), _real("lower-bound", -_INF), _real("upper-bound", _INF)),
    ),
    Tag(
        "data:vector",
        "*",
        (
            _NAME,
            _int("waveform-degree", 1),
            *(_real(f"lower-bound-{axis}", -_INF) for axis in "xyz"),
            *(_real(f"upper-bound-{axis}", _INF) for axis in "xyz"),
        ),
    ),
)

_FROM_TO = (
    _text("from", ""),
    _text("to", ""),
    _text("direction", REQUIRED, "read", "write"),
    _text(
        "constraint",
        REQUIRED,
        "consistent",
        "conservative",
        "scaled-consistent-surface",
        "scaled-consistent-volume",
    ),
)
_DEAD = tuple(_flag(f"{axis}-dead") for axis in "xyz")
_POLYNOMIAL = _text("polynomial", "separate", "on", "off", "separate")
_RADIUS = _real("support-radius")
_SHAPE = _real("shape-parameter")
_BASIS = tuple(
    Tag(f"basis-function:{name}", "?", attributes)
    for names, attributes in (
        (("compact-polynomial-c0", "compact-polynomial-c2", "compact-polynomial-c4"), (_RADIUS,)),
        (("compact-polynomial-c6", "compact-polynomial-c8", "compact-tps-c2"), (_RADIUS,)),
        (("multiquadrics", "inverse-multiquadrics"), (_SHAPE,)),
        (("gaussian",), (_real("shape-parameter", None), _real("support-radius", None))),
        (("thin-plate-splines", "volume-splines"), ()),
    )
    for name in names
)
_DEVICE = _text("gpu-device-id", "0")
_THREADS = _int("n-threads", 0)
_MODE = _text("execution-mode", "minimal-memory", "minimal-memory", "minimal-compute")


def _executors(*names: str, extra: tuple[Attribute, ...] = ()) -> tuple[Tag, ...]:
    own: dict[str, tuple[Attribute, ...]] = {"cpu": (), "openmp": (_THREADS, *extra)}
    return tuple(Tag(f"executor:{n}", "?", own.get(n, (_DEVICE, *extra))) for n in names)


_AXIAL = (
    _text("multiscale-type", REQUIRED, "spread", "collect"),
    _text("multiscale-axis", REQUIRED, "x", "y", "z"),
    _real("multiscale-radius"),
)
_MAPPINGS = (
    *(
        Tag(f"mapping:{name}", "*", _FROM_TO)
        for name in (
            "nearest-neighbor",
            "nearest-projection",
            "nearest-neighbor-gradient",
            "linear-cell-interpolation",
        )
    ),
    Tag(
        "mapping:rbf-global-iterative",
        "*",
        (*_FROM_TO, _POLYNOMIAL, *_DEAD, _real("solver-rtol", 1e-9)),
        (*_executors("cpu", "cuda", "hip", "openmp"), *_BASIS),
    ),
    Tag(
        "mapping:rbf-global-direct",
        "*",
        (*_FROM_TO, _POLYNOMIAL, *_DEAD),
        (*_executors("cpu", "cuda", "hip"), *_BASIS),
    ),
    Tag(
        "mapping:rbf-pum-direct",
        "*",
        (
            *_FROM_TO,
            _text("polynomial", "separate", "off", "separate"),
            _int("vertices-per-cluster", 50),
            _real("relative-overlap", 0.15),
            _flag("project-to-input", True),
        ),
        (*_executors("cpu", "cuda", "hip", "sycl", "openmp", extra=(_MODE,)), *_BASIS),
    ),
    Tag("mapping:rbf", "*", (*_FROM_TO, *_DEAD), _BASIS),
    Tag("mapping:coarse-graining", "*", (*_FROM_TO, _real("radius", 0.0))),
    Tag(
        "mapping:axial-geometric-multiscale",
        "*",
        (
            *_FROM_TO,
            _text("multiscale-dimension", REQUIRED, "1d-3d", "1d-2d", "2d-3d"),
            *_AXIAL,
            _text("multiscale-cross-section-profile", "uniform", "uniform", "parabolic"),
            _text("multiscale-cross-section", "circle", "circle", "square"),
        ),
    ),
    Tag("mapping:radial-geometric-multiscale", "*", (*_FROM_TO, *_AXIAL)),
)

_TIMING = (_text("timing", REQUIRED, "write-mapping-post", "read-mapping-post"), _MESH)
_ACTIONS = (
    Tag("action:multiply-by-area", "*", _TIMING, (Tag("target-data", "1", (_NAME,)),)),
    Tag("action:divide-by-area", "*", _TIMING, (Tag("target-data", "1", (_NAME,)),)),
    Tag(
        "action:summation",
        "*",
        _TIMING,
        (Tag("source-data", "+", (_NAME,)), Tag("target-data", "1", (_NAME,))),
    ),
    Tag("action:recorder", "*", _TIMING),
    Tag(
        "action:python",
        "*",
        _TIMING,
        (
            Tag("path", "?", (_text("name", ""),)),
            Tag("module", "1", (_NAME,)),
            Tag("source-data", "?", (_NAME,)),
            Tag("target-data", "?", (_NAME,)),
        ),
    ),
)
_EXPORT = (
    _text("directory", "."),
    _int("every-n-time-windows", 1),
    _flag("every-iteration"),
    _flag("update-series"),
)
_DIRECTORY = _text("exchange-directory", ".")
_SOCKETS = (_int("port", 0), _text("network", "lo"), _DIRECTORY)
_FILTERS = ("no-filter", "on-primary-rank", "on-secondary-ranks")

_PARTICIPANT = Tag(
    "participant",
    "+",
    (_NAME,),
    (
        Tag("provide-mesh", "*", (_NAME,)),
        Tag(
            "receive-mesh",
            "*",
            (
                _NAME,
                _text("from"),
                _flag("api-access"),
                _flag("direct-access"),
                _text("geometric-filter", "on-secondary-ranks", *_FILTERS),
                _real("safety-factor", 0.5),
            ),
        ),
        Tag("write-data", "*", (_NAME, _MESH)),
        Tag("read-data", "*", (_NAME, _MESH)),
        *_MAPPINGS,
        *_ACTIONS,
        *(Tag(f"export:{name}", "*", _EXPORT) for name in ("vtk", "vtu", "vtp", "csv")),
        Tag("watch-point", "*", (_NAME, _MESH, Attribute("coordinate", "vector"))),
        Tag("watch-integral", "*", (_NAME, _MESH, _flag("scale-with-connectivity", REQUIRED))),
        Tag("intra-comm:sockets", "?", _SOCKETS),
        Tag("intra-comm:mpi", "?", (_DIRECTORY,)),
    ),
)

_M2N = (
    _text("acceptor"),
    _text("connector"),
    _flag("enforce-gather-scatter"),
    _flag("use-two-level-initialization"),
)

_MEASURE = (_text("data"), _MESH, _flag("suffices"), _flag("strict"))
_MEASURES = (
    *(
        Tag(f"{name}-convergence-measure", "*", (*_MEASURE, _real("limit")))
        for name in ("absolute", "relative", "residual-relative")
    ),
    Tag(
        "absolute-or-relative-convergence-measure",
        "*",
        (*_MEASURE, _real("abs-limit"), _real("rel-limit")),
    ),
)

_ACCELERATED = Tag("data", "+", (_NAME, _MESH, _real("scaling", 1.0)))
_VALUE = _int("value")
_TYPES = _text("type", REQUIRED, "constant", "value", "residual", "residual-sum")
_FREEZE = _int("freeze-after", -1)
_QUASI_NEWTON = (
    Tag("initial-relaxation", "?", (_real("value"), _flag("enforce"))),
    Tag("max-used-iterations", "?", (_VALUE,)),
    Tag("time-windows-reused", "?", (_VALUE,)),
    _ACCELERATED,
    Tag("filter", "?", (_real("limit", 1e-16), _text("type", "QR3", "QR1", "QR1-absolute", "QR2", "QR3"))),
    Tag("preconditioner", "?", (_TYPES, _flag("update-on-threshold", True), _FREEZE)),
)
_QN_ATTRIBUTES = (
    _flag("reduced-time-grid", True),
    _text("on-bound-violation", "ignore", "ignore", "clamp", "discard", "scale"),
)
_RESTART = Tag(
    "imvj-restart-mode",
    "?",
    (
        _text("type", "RS-SVD", "no-restart", "RS-0", "RS-LS", "RS-SVD", "RS-SLIDE"),
        _int("chunk-size", 8),
        _int("reused-time-windows-at-restart", 8),
        _real("truncation-threshold", 1e-4),
    ),
)
_ACCELERATIONS = (
    Tag("acceleration:constant", "?", (), (Tag("relaxation", "1", (_real("value"),)),)),
    Tag(
        "acceleration:aitken",
        "?",
        (),
        (
            Tag("initial-relaxation", "?", (_real("value"),)),
            _ACCELERATED,
            Tag("preconditioner", "?", (_TYPES, _FREEZE)),
        ),
    ),
    Tag("acceleration:IQN-ILS", "?", _QN_ATTRIBUTES, _QUASI_NEWTON),
    Tag(
        "acceleration:IQN-IMVJ",
        "?",
        (_flag("always-build-jacobian"), *_QN_ATTRIBUTES),
        (*_QUASI_NEWTON, _RESTART),
    ),
)


def _scheme(name: str) -> Tag:
    implicit = name in ("serial-implicit", "parallel-implicit", "multi")
    serial = name.startswith("serial")
    only_serial = (("method", "only serial coupling schemes have it"),)
    window: tuple[Attribute, ...] = (_real("value", -1.0),)
    if serial:
        window = (*window, _text("method", "fixed", "fixed", "first-participant"))
    if name == "multi":
        who = Tag("participant", "+", (_NAME, _flag("control")))
    else:
        who = Tag("participants", "1", (_text("first"), _text("second")))
    exchange = (_text("data"), _MESH, _text("from"), _text("to"), _flag("initialize"), _flag("substeps", implicit))
    return Tag(
        f"coupling-scheme:{name}",
        "*",
        (),
        (
            who,
            Tag("max-time", "?", (_real("value"),)),
            Tag("max-time-windows", "?", (_VALUE,)),
            Tag("time-window-size", "1", window, (), () if serial else only_serial),
            Tag("exchange", "+", exchange),
            *((Tag("min-iterations", "?", (_VALUE,)), Tag("max-iterations", "?", (_VALUE,))) if implicit else ()),
            *(_MEASURES if implicit else ()),
            *(_ACCELERATIONS if implicit else ()),
        ),
    )


SCHEMES = ("serial-explicit", "parallel-explicit", "serial-implicit", "parallel-implicit", "multi")

_LOG_FORMAT = '(%Rank%) %TimeStamp(format="%H:%M:%S")% [%Module%]:%Line% in %Function%: %ColorizedSeverity%%Message%'
_LOG_FILTER = "(%Severity% > debug) and not ((%Severity% = info) and (%Rank% != 0))"
_SINK = (
    _text("type", "stream", "stream", "file"),
    _text("output", "stdout"),
    _text("format", _LOG_FORMAT),
    _text("filter", _LOG_FILTER),
    _flag("enabled", True),
)

CONFIGURATION = Tag(
    "precice-configuration",
    "1",
    (_flag("experimental"), _flag("allow-remeshing"), _flag("wait-in-finalize")),
    (
        Tag("log", "?", (_flag("enabled", True),), (Tag("sink", "*", _SINK),)),
        Tag(
            "profiling",
            "?",
            (
                _text("mode", "fundamental", "all", "api", "fundamental", "off"),
                _int("flush-every", 50),
                _text("directory", "."),
                _flag("synchronize"),
            ),
        ),
        *_DATA,
        Tag(
            "mesh",
            "+",
            (_NAME, _int("dimensions", REQUIRED, 2, 3)),
            (Tag("use-data", "*", (_NAME,)),),
        ),
        Tag("m2n:sockets", "*", (*_M2N, *_SOCKETS)),
        Tag("m2n:mpi-multiple-ports", "*", (*_M2N, _DIRECTORY)),
        Tag("m2n:mpi", "*", (*_M2N, _DIRECTORY)),
        _PARTICIPANT,
        *(_scheme(name) for name in SCHEMES),
    ),
)
