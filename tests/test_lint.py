"""Rules that a preCICE configuration keeps: each is broken once here, and names line, severity and remedy."""

# ruff: noqa: E501 -- a mistake per line reads best as a table

import re
from pathlib import Path

import pytest

from scalebridge.cases.lint import RULES, lint, name
from scalebridge.cases.lint.view import View
from scalebridge.cases.timescales import Scale, Separation
from scalebridge.embedded import config

CASES = Path(__file__).parents[1] / "precice-config"

BASE = """<precice-configuration experimental="true">
  <data:scalar name="Alpha" />
  <data:vector name="Beta" />
  <mesh name="Left-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <mesh name="Right-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <receive-mesh name="Right-Mesh" from="Right" />
    <write-data name="Alpha" mesh="Left-Mesh" />
    <read-data name="Beta" mesh="Left-Mesh" />
    <mapping:nearest-neighbor direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />
    <mapping:nearest-neighbor direction="write" from="Left-Mesh" to="Right-Mesh" constraint="conservative" />
  </participant>
  <participant name="Right">
    <provide-mesh name="Right-Mesh" />
    <write-data name="Beta" mesh="Right-Mesh" />
    <read-data name="Alpha" mesh="Right-Mesh" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:serial-implicit>
    <participants first="Left" second="Right" />
    <max-time value="3" />
    <time-window-size value="0.5" />
    <max-iterations value="30" />
    <exchange data="Alpha" mesh="Right-Mesh" from="Left" to="Right" />
    <exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left" initialize="true" />
    <relative-convergence-measure limit="1e-6" data="Beta" mesh="Right-Mesh" />
    <acceleration:IQN-ILS><data name="Beta" mesh="Right-Mesh" /></acceleration:IQN-ILS>
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""
READ_MAPPING = '<mapping:nearest-neighbor direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />'
WRITE_MAPPING = (
    '<mapping:nearest-neighbor direction="write" from="Left-Mesh" to="Right-Mesh" constraint="conservative" />'
)
BETA = '<exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left" initialize="true" />'
MEASURE = '<relative-convergence-measure limit="1e-6" data="Beta" mesh="Right-Mesh" />'
ACCELERATION = '<acceleration:IQN-ILS><data name="Beta" mesh="Right-Mesh" /></acceleration:IQN-ILS>'
USES_DATA = '<use-data name="Alpha" /><use-data name="Beta" />'


def look(folder, text, **known):
    path = folder / "case.xml"
    path.write_text(text)
    return lint(View(config.load(path), **known))


def swap(*pairs, text=BASE):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def explicit(text=BASE):
    text = swap(("serial-implicit", "serial-explicit"), (MEASURE, ""), (ACCELERATION, ""), text=text)
    return text.replace('<max-iterations value="30" />', "")


# What to change in BASE; line, severity and rule of the finding; what it says; what to do about it.
BROKEN = [
    # the way of data
    ([('<data:vector name="Beta" />', '<data:vector name="Beta" /><data:scalar name="Gamma" />')], 3, "warning", "data-are-used", '<data:scalar name="Gamma">: no mesh uses it', "Remove it, or add a <use-data> to a mesh"),
    ([('<data:vector name="Beta" />', '<data:vector name="Beta" /><data:scalar name="Gamma" />'), (USES_DATA, USES_DATA + '<use-data name="Gamma" />')], 3, "warning", "data-are-used", "nobody writes, reads or exchanges it", "Remove it"),
    ([(READ_MAPPING, "")], 10, "error", "read-data-are-delivered", "Left reads it on Left-Mesh, but it arrives on Right-Mesh, and nothing maps it from there", f"such as {READ_MAPPING} to Left"),
    ([('<read-data name="Alpha" mesh="Right-Mesh" />', '<receive-mesh name="Left-Mesh" from="Left" api-access="true" /><read-data name="Alpha" mesh="Left-Mesh" />')], 17, "error", "read-data-are-delivered", "Right reads it on Left-Mesh, but it arrives on Right-Mesh", 'Read it with mesh="Right-Mesh"'),
    ([('<write-data name="Beta" mesh="Right-Mesh" />', ""), (BETA, ""), (MEASURE, ""), (ACCELERATION, ""), ("serial-implicit", "serial-explicit"), ('<max-iterations value="30" />', "")], 10, "error", "read-data-are-delivered", "Left reads it, but nobody writes it", "Let a participant write Beta, or remove the <read-data>"),
    ([(BETA, ""), (MEASURE, ""), (ACCELERATION, ""), ("serial-implicit", "serial-explicit"), ('<max-iterations value="30" />', "")], 10, "error", "read-data-are-delivered", "Left reads it and Right writes it, but it is not exchanged", 'Add <exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left" /> to the coupling scheme of Right and Left'),
    ([(WRITE_MAPPING, "")], 9, "error", "written-data-are-taken", "Left writes it on Left-Mesh, but it is sent on Right-Mesh, and nothing maps it there: zeros would be sent", f"such as {WRITE_MAPPING} to Left"),
    ([('<write-data name="Beta" mesh="Right-Mesh" />', '<write-data name="Beta" mesh="Right-Mesh" /><write-data name="Gamma" mesh="Right-Mesh" />'), ('<data:scalar name="Alpha" />', '<data:scalar name="Alpha" /><data:scalar name="Gamma" />'), (USES_DATA, USES_DATA + '<use-data name="Gamma" />')], 16, "warning", "written-data-are-taken", "Right writes it, but it is never exchanged, exported or watched", "Remove it, or add an <exchange> to somebody"),
    ([('<write-data name="Beta" mesh="Right-Mesh" />', "")], 26, "error", "exchanged-data-are-written", "Right does not write it: zeros would be sent", 'Add <write-data name="Beta" mesh="Right-Mesh" /> to Right'),
    ([('<write-data name="Beta" mesh="Right-Mesh" />', ""), ('<read-data name="Beta" mesh="Left-Mesh" />', '<write-data name="Beta" mesh="Left-Mesh" />'), (READ_MAPPING, "")], 26, "error", "exchanged-data-are-written", "Right does not write it", 'Left writes it: make it from="Left" to="Right"'),
    ([('<read-data name="Beta" mesh="Left-Mesh" />', ""), (READ_MAPPING, "")], 26, "warning", "exchanged-data-are-read", "Left receives it but does not read it", "Add a <read-data> to Left, or remove the <exchange>"),
    ([('<read-data name="Beta" mesh="Left-Mesh" />', "<export:vtu />"), (READ_MAPPING, "")], 26, "hint", "exchanged-data-are-read", "Left receives it but does not read it", ""),
    # meshes and mappings
    ([('<mesh name="Left-Mesh"', '<mesh name="Idle-Mesh" dimensions="2"><use-data name="Alpha" /></mesh><mesh name="Left-Mesh"')], 4, "warning", "meshes-are-provided-once", '<mesh name="Idle-Mesh">: nobody provides it', 'Add <provide-mesh name="Idle-Mesh" /> to a participant'),
    ([('<provide-mesh name="Right-Mesh" />', '<provide-mesh name="Right-Mesh" /><provide-mesh name="Left-Mesh" />')], 4, "warning", "meshes-are-provided-once", "Left and Right provide it: each has vertices of its own under one name", "Give each participant a mesh of its own"),
    ([('<mesh name="Left-Mesh"', '<mesh name="Idle-Mesh" dimensions="2"><use-data name="Alpha" /></mesh><mesh name="Left-Mesh"'), ('<provide-mesh name="Left-Mesh" />', '<provide-mesh name="Left-Mesh" /><provide-mesh name="Idle-Mesh" />')], 6, "warning", "provided-meshes-are-used", "provides Idle-Mesh, which nobody receives, and on which it neither reads nor writes", 'Remove <provide-mesh name="Idle-Mesh" />'),
    ([('<provide-mesh name="Right-Mesh" />', '<provide-mesh name="Right-Mesh" /><receive-mesh name="Left-Mesh" from="Left" />')], 15, "warning", "received-meshes-are-used", "Right receives it but uses it for nothing", "Remove it, or add a <mapping:...>"),
    ([('<provide-mesh name="Right-Mesh" />', '<provide-mesh name="Right-Mesh" /><receive-mesh name="Left-Mesh" from="Left" api-access="true" />')], 15, "hint", "received-meshes-are-used", "Right receives it but uses it for nothing", "if the points alone are of no use"),
    # schemes
    ([(MEASURE, "")], 20, "warning", "implicit-schemes-have-a-measure", "no convergence measure: every window takes 30 iterations, converged or not", 'Add <relative-convergence-measure data="Alpha" mesh="Right-Mesh" limit="1e-4" />'),
    ([('<max-iterations value="30" />', "")], 20, "warning", "implicit-schemes-have-a-limit", "no <max-iterations>: a window that does not converge is repeated for ever", 'Add <max-iterations value="50" />'),
    ([('<max-iterations value="30" />', '<max-iterations value="1" />')], 20, "warning", "implicit-schemes-have-a-limit", "max-iterations is 1: nothing is ever iterated", "Use <coupling-scheme:serial-explicit>"),
    ([('<max-time value="3" />', '<max-time value="0.1" />')], 20, "warning", "windows-fit-the-end", "the time window of 0.5 is longer than the whole run of 0.1", "Make time-window-size smaller or max-time larger"),
    ([('<max-time value="3" />', '<max-time value="3.2" />')], 20, "hint", "windows-fit-the-end", "max-time 3.2 is not a multiple of time-window-size 0.5: the last window is shorter", "Change one of them"),
    ([('<max-time value="3" />', '<max-time value="3" /><max-time-windows value="4" />')], 20, "hint", "schemes-end-once", "max-time 3 and max-time-windows 4 (2) differ: max-time-windows comes first", "Remove the one that is not meant"),
    ([('<max-time value="3" />', '<max-time value="3" /><max-time-windows value="9" />')], 20, "hint", "schemes-end-once", "max-time comes first", ""),
    ([(' initialize="true"', "")], 26, "hint", "data-have-a-value-at-the-start", "Left computes its first window with zeros for it", 'Add initialize="true" and let Right write initial values'),
    ([(MEASURE, MEASURE.replace("1e-6", "1e-13"))], 27, "warning", "relative-limits-can-be-reached", "the relative limit 1e-13 is at the resolution of numbers", "Make it larger, such as 1e-8"),
    # accelerations
    ([("serial-implicit", "parallel-implicit"), (ACCELERATION, ACCELERATION.replace("IQN-ILS", "aitken"))], 28, "warning", "aitken-is-serial", "Aitken's relaxation performs badly in a parallel-implicit scheme", "Use <acceleration:IQN-ILS>, or a serial-implicit scheme"),
    ([("serial-implicit", "parallel-implicit")], 28, "hint", "both-directions-are-accelerated", "only data that Right sends are accelerated, though both participants compute at once", 'Add <data name="Alpha" mesh="Right-Mesh" />'),
    ([("serial-implicit", "multi"), ('<participants first="Left" second="Right" />', '<participant name="Left" /><participant name="Right" control="true" />')], 28, "warning", "both-directions-are-accelerated", "1 data are few for quasi-Newton in a multi scheme", "at least 3"),
    ([(ACCELERATION, ACCELERATION.replace("<data", '<max-used-iterations value="40" /><time-windows-reused value="0" /><data'))], 28, "warning", "columns-can-be-filled", "max-used-iterations is 40, but without reused windows there are at most 30", 'Write <max-used-iterations value="30" />'),
    ([(READ_MAPPING, READ_MAPPING.replace("neighbor", "neighbor-gradient"))], 28, "warning", "gradients-are-not-accelerated", "gradients are not accelerated with the data", "Use another mapping, or <acceleration:aitken>"),
]  # fmt: skip


def test_a_configuration_in_order(tmp_path):
    assert look(tmp_path, BASE) == []


@pytest.mark.parametrize(
    "file", sorted(p for p in CASES.glob("*.xml") if not p.name.endswith(".scaling.xml")), ids=lambda p: p.stem
)
def test_configurations_of_the_tutorials(file):
    """Our own configurations break no rule; whether they suit their participants is checked with the cases."""
    assert [str(f) for f in lint(View(config.load(file))) if f.severity != "hint"] == []


@pytest.mark.parametrize(
    ("changes", "line", "severity", "rule", "message", "remedy"),
    BROKEN,
    ids=[f"{b[3]}-{i}" for i, b in enumerate(BROKEN)],
)
def test_broken_rule(tmp_path, changes, line, severity, rule, message, remedy):
    found = look(tmp_path, swap(*changes))
    wanted = [f for f in found if f.rule == rule]
    assert len(wanted) == 1, [str(f) for f in found]
    (finding,) = wanted
    assert (finding.line, finding.severity) == (line, severity)
    assert message in str(finding)
    assert remedy in finding.remedy


def test_one_mistake_is_one_error(tmp_path):
    """A mapping that is missing is told where it is missed, not also as data that are not taken or read."""
    for missing in (READ_MAPPING, WRITE_MAPPING):
        found = look(tmp_path, swap((missing, "")))
        assert len([f for f in found if f.severity == "error"]) == 1


def test_the_nearest_name(tmp_path):
    changes = [
        ('<data:vector name="Beta" />', '<data:vector name="Beta" /><data:vector name="Betta" />'),
        (USES_DATA, USES_DATA + '<use-data name="Betta" />'),
        ('<read-data name="Beta"', '<read-data name="Betta"'),
        (READ_MAPPING, ""),
    ]
    found = look(tmp_path, swap(*changes))
    assert [(f.rule, f.nearest) for f in found if f.severity == "warning"] == [("exchanged-data-are-read", "Betta")]
    assert [f.rule for f in found if f.severity == "error"] == ["read-data-are-delivered"]


def test_what_is_shown_need_not_be_exchanged(tmp_path):
    """The Micro Manager writes data for its export alone."""
    changes = [
        ('<data:scalar name="Alpha" />', '<data:scalar name="Alpha" /><data:scalar name="Active" />'),
        (USES_DATA, USES_DATA + '<use-data name="Active" />'),
        ('<write-data name="Beta" mesh="Right-Mesh" />', '<write-data name="Beta" mesh="Right-Mesh" /><write-data name="Active" mesh="Right-Mesh" /><export:vtu />'),
    ]  # fmt: skip
    assert look(tmp_path, swap(*changes)) == []


def test_actions_make_and_use_data(tmp_path):
    """A sum of what arrives is read, though nobody writes it."""
    changes = [
        ('<data:scalar name="Alpha" />', '<data:scalar name="Alpha" /><data:scalar name="Sum" />'),
        (USES_DATA, USES_DATA + '<use-data name="Sum" />'),
        ('<read-data name="Alpha" mesh="Right-Mesh" />', '<read-data name="Sum" mesh="Right-Mesh" /><action:summation timing="read-mapping-post" mesh="Right-Mesh"><source-data name="Alpha" /><target-data name="Sum" /></action:summation>'),
    ]  # fmt: skip
    assert look(tmp_path, swap(*changes)) == []


THIRD = """  <participant name="Third">
    <receive-mesh name="Right-Mesh" from="Right" api-access="true" />
    <read-data name="Beta" mesh="Right-Mesh" />
    <write-data name="Alpha" mesh="Right-Mesh" />
  </participant>
  <m2n:sockets acceptor="Third" connector="Right" />
  <m2n:sockets acceptor="Third" connector="Left" />
"""


def third(
    first, second, size="0.5", kind="serial-explicit", exchange='data="Beta" mesh="Right-Mesh" from="Right" to="Third"'
):
    return f"""  <coupling-scheme:{kind}>
    <participants first="{first}" second="{second}" />
    <max-time value="3" />
    <time-window-size value="{size}" />
    <exchange {exchange} initialize="true" />
  </coupling-scheme:{kind}>
"""


def with_third(*schemes, text=None):
    text = swap(("  <m2n:sockets", THIRD + "  <m2n:sockets"), text=text or explicit())
    return text.replace("</precice-configuration>", "".join(schemes) + "</precice-configuration>")


def test_schemes_in_a_row_are_no_circle(tmp_path):
    onto = 'data="Beta" mesh="Right-Mesh" from="Right" to="Third"'
    found = look(tmp_path, with_third(third("Right", "Third", exchange=onto)))
    assert [f.rule for f in found if f.severity == "error"] == []


def test_windows_of_explicit_and_implicit_schemes(tmp_path):
    for size, rules in (("0.5", []), ("1.5", []), ("0.7", ["explicit-windows-hold-implicit-ones"])):
        found = look(tmp_path, with_third(third("Right", "Third", size=size), text=BASE))
        assert [f.rule for f in found if f.rule.startswith("explicit")] == rules
    found = next(f for f in found if f.rule.startswith("explicit"))
    assert "the window of 0.7 is not a multiple of 0.5, that of Right's implicit scheme; expected a multiple" in str(
        found
    )


def test_substeps_that_nobody_uses(tmp_path):
    text = explicit().replace('initialize="true" />', 'initialize="true" substeps="true" />')
    (found,) = [f for f in look(tmp_path, text) if f.rule == "substeps-are-of-use"]
    assert (found.severity, found.fix) == ("hint", 'Write substeps="false"')
    assert "the sub-steps that are exchanged here are never used" in str(found)


def test_connections_without_a_scheme(tmp_path):
    found = look(tmp_path, with_third(third("Right", "Third")))
    (unused,) = [f for f in found if f.rule == "connections-are-used"]
    assert unused.severity == "warning"
    assert "<m2n:sockets>: Third and Left are connected, but no coupling scheme has both" in str(unused)


def test_simulations_side_by_side(tmp_path):
    again = re.sub(r'"(Left|Right|Left-Mesh|Right-Mesh|Alpha|Beta)"', r'"Other-\1"', BASE.split("\n", 1)[1])
    parts = BASE.replace("</precice-configuration>", again)
    (found,) = look(tmp_path, parts)
    assert (found.rule, found.severity) == ("everybody-is-coupled", "hint")
    assert "2 simulations that have nothing to do with each other: Left and Right; Other-Left and Other-Right" in str(
        found
    )


def test_mappings_on_ranks(tmp_path):
    text = swap((READ_MAPPING, READ_MAPPING.replace("consistent", "conservative")))
    assert look(tmp_path, text) == []
    assert look(tmp_path, text, ranks={"Left": 1, "Right": 4}) == []
    (found,) = look(tmp_path, text, ranks={"Left": 2})
    assert (found.rule, found.severity, found.line) == ("mappings-fit-ranks", "error", 11)
    assert "a read mapping that is conservative is not possible on the 2 ranks of Left" in str(found)


# Participants of ours -------------------------------------------------------------------------------------------------

MICRO = [
    ('<write-data name="Beta" mesh="Right-Mesh" />', '<write-data name="Beta" mesh="Left-Mesh" />'),
    ('<read-data name="Alpha" mesh="Right-Mesh" />', '<read-data name="Alpha" mesh="Left-Mesh" />'),
    ('<provide-mesh name="Right-Mesh" />', '<receive-mesh name="Left-Mesh" from="Left" api-access="true" />'),
    ('<receive-mesh name="Right-Mesh" from="Right" />', ""),
    (READ_MAPPING, ""),
    (WRITE_MAPPING, ""),
    ('  <mesh name="Right-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>', ""),
    ('mesh="Right-Mesh"', 'mesh="Left-Mesh"'),
    (' initialize="true"', ""),
    ('from="Left" to="Right" />', 'from="Left" to="Right" initialize="true" />'),
    ('<max-iterations value="30" />', '<min-iterations value="2" /><max-iterations value="30" />'),
]  # fmt: skip
KINDS = {"Left": "solver", "Right": "micro"}


def test_a_micro_participant_in_order(tmp_path):
    assert look(tmp_path, swap(*MICRO), kinds=KINDS) == []


def test_the_first_iteration_is_repeated(tmp_path):
    text = swap(*MICRO, ('<min-iterations value="2" />', ""))
    assert look(tmp_path, text) == []  # other programs may do without
    (found,) = look(tmp_path, text, kinds=KINDS)
    assert (found.rule, found.severity, found.line) == ("first-iterations-are-repeated", "error", 20)
    assert "Right writes on Left-Mesh, which it receives, so the first iteration of the run carries its values" in str(
        found
    )
    assert found.fix == 'Add <min-iterations value="2" />'
    (found,) = look(tmp_path, text, kinds={"Left": "solver"})
    assert found.severity == "warning"


def test_micro_simulations_need_a_start(tmp_path):
    text = swap(*MICRO, (' initialize="true"', ""))
    (found,) = look(tmp_path, text, kinds=KINDS)
    assert (found.rule, found.severity, found.line) == ("micro-simulations-have-a-start", "error", 25)
    assert "the micro simulations of Right start from it, and without initial values from zeros" in str(found)
    assert found.fix == 'Add initialize="true"'


def test_micro_simulations_need_one_mesh(tmp_path):
    (found, *_) = look(tmp_path, BASE.replace('to="Right" />', 'to="Right" initialize="true" />'), kinds=KINDS)
    assert (found.rule, found.severity, found.line) == ("micro-simulations-stand-behind-one-mesh", "error", 14)
    assert "runs one micro simulation for each point of a mesh, but receives no mesh with api-access" in str(found)


def test_a_window_longer_than_a_delay(tmp_path):
    before = look(tmp_path, explicit())
    for delay in (0.5, 0.6, 0.5 * (1 + 1e-14)):
        assert look(tmp_path, explicit(), delays={"Left": delay}) == before
    assert look(tmp_path, BASE, delays={"Left": 0.4}) == []  # in iterations it acts in the window itself
    (found,) = [f for f in look(tmp_path, explicit(), delays={"Left": 0.4}) if f not in before]
    assert (found.rule, found.severity, found.line) == ("windows-are-not-longer-than-delays", "error", 20)
    assert "the window of 0.5 s is longer than the shortest delay of Left, 0.4 s; expected at most 0.4" in str(found)


def test_a_window_that_cannot_be_compared_with_a_delay(tmp_path):
    text = explicit().replace('<time-window-size value="0.5" />', '<time-window-size method="first-participant" />')
    (found,) = [f for f in look(tmp_path, text, delays={"Right": 0.4}) if "delay" in f.rule]
    assert found.severity == "hint"
    assert "the first participant sets the window, which must not exceed the delay 0.4 s of Right" in str(found)


def test_a_simulator_that_cannot_go_back(tmp_path):
    assert look(tmp_path, explicit(), forward={"Right"}) == look(tmp_path, explicit())
    (found,) = look(tmp_path, BASE, forward={"Right"})
    assert (found.rule, found.severity, found.line) == ("simulators-can-repeat-windows", "error", 20)
    assert "Right cannot go back to the start of a window, so none can be iterated" in str(found)


def test_exchange_that_is_slower_than_what_happens(tmp_path):
    fast = Scale("Left", "tau", 0.5)
    assert (
        look(tmp_path, BASE, separations=[Separation(0.5, fast), Separation(5.0, fast, Scale("Left", "dt", 0.1))]) == []
    )
    (found,) = look(tmp_path, BASE, separations=[Separation(0.6, fast)])
    assert (found.rule, found.severity) == ("exchange-is-faster-than-what-happens", "warning")
    assert "what happens is not resolved: time window 600 ms = 1.2 of the shortest time scale" in str(found)


def test_every_rule_says_what_it_asks_for_is_documented_and_tested():
    text = Path(__file__).read_text()
    documented = (Path(lint.__code__.co_filename).parents[1] / "README.md").read_text()
    for rule in RULES:
        assert rule.__doc__, rule
        assert f"| `{name(rule)}` |" in documented
        assert f'"{name(rule)}"' in text, f"no test breaks {name(rule)}"


@pytest.mark.parametrize(("end", "size"), [("1e400", "0.5"), ("1e300", "1e-14"), ("3", "1e-14"), ("3", "1e308")])
def test_extreme_times(tmp_path, end, size):
    text = swap(('<max-time value="3" />', f'<max-time value="{end}" />'), ('size value="0.5"', f'size value="{size}"'))
    for found in look(tmp_path, text + " "):
        assert found.rule == "windows-fit-the-end"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<max-time value="3" />', '<max-time value="all" />'),
        ('<max-time value="3" />', '<max-time value="3" /><max-time-windows value="all" />'),
        ('size value="0.5"', 'size value="half"'),
        ('<max-iterations value="30" />', '<max-iterations value="many" />'),
        ('<max-iterations value="30" />', '<max-iterations value="30" /><min-iterations value="few" />'),
        ('limit="1e-6"', 'limit="tiny"'),
    ],
)
def test_nothing_is_concluded_from_numbers_that_cannot_be_read(tmp_path, old, new):
    """The rules still apply to everything else: a mapping that is missing is told beside the number."""
    path = tmp_path / "case.xml"
    for extra, rules in (([], []), ([(READ_MAPPING, "")], ["read-data-are-delivered"])):
        path.write_text(swap((old, new), *extra))
        configuration, found = config.read(path)
        assert [f.rule for f in found] == ["value"]
        assert [f.rule for f in lint(View(configuration, delays={"Left": 0.6}))] == rules
