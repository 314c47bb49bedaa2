"""Reading preCICE configurations: every mistake is found, with its line and the nearest name, all at once."""

# ruff: noqa: E501 -- a mistake per line reads best as a table
from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from scalebridge.embedded import config
from scalebridge.findings import ConfigurationError
from tests.mutations import mutate

CASES = Path(__file__).parent / "reference" / "cases"

BASE = """<precice-configuration experimental="true">
  <data:scalar name="Alpha" />
  <data:vector name="Beta" waveform-degree="2" />
  <mesh name="Left-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <mesh name="Right-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <receive-mesh name="Right-Mesh" from="Right" />
    <write-data name="Alpha" mesh="Left-Mesh" />
    <read-data name="Beta" mesh="Left-Mesh" />
    <mapping:nearest-neighbor direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />
    <watch-point name="tip" mesh="Left-Mesh" coordinate="0.5;0.5" />
  </participant>
  <participant name="Right">
    <provide-mesh name="Right-Mesh" />
    <receive-mesh name="Left-Mesh" from="Left" api-access="true" />
    <write-data name="Beta" mesh="Right-Mesh" />
    <read-data name="Alpha" mesh="Left-Mesh" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:serial-implicit>
    <participants first="Left" second="Right" />
    <max-time-windows value="3" />
    <time-window-size value="0.5" />
    <exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />
    <exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left" initialize="true" />
    <max-iterations value="30" />
    <relative-convergence-measure limit="1e-6" data="Beta" mesh="Right-Mesh" />
    <acceleration:IQN-ILS><data name="Beta" mesh="Right-Mesh" /></acceleration:IQN-ILS>
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""


def load(folder: Path, text: str) -> config.Configuration:
    path = folder / "case.xml"
    path.write_text(text)
    return config.load(path)


def findings(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    return [str(f).removeprefix(str(folder)) for f in caught.value.findings]


def test_content_of_a_configuration(tmp_path: Path) -> None:
    got = load(tmp_path, BASE)
    assert [p.name for p in got.participants] == ["Left", "Right"]
    left, right = got.participants
    assert left.provides == ("Left-Mesh",)
    assert left.received("Right-Mesh").provider == "Right"
    assert right.received("Left-Mesh").api_access
    assert [a.key for a in left.writes] == [("Left-Mesh", "Alpha")]
    assert [a.key for a in right.reads] == [("Left-Mesh", "Alpha")]
    assert got.components("Left-Mesh", "Alpha") == 1
    assert got.components("Left-Mesh", "Beta") == 2
    assert got.datum("Beta").waveform_degree == 2
    assert left.watch_points[0].coordinate == (0.5, 0.5)
    (scheme,) = got.schemes
    assert (scheme.kind, scheme.controller) == ("serial-implicit", "Right")
    assert (scheme.max_time, scheme.max_time_windows, scheme.time_window_size) == (None, 3, 0.5)
    assert [e.initialize for e in scheme.exchanges] == [False, True]
    assert [e.substeps for e in scheme.exchanges] == [True, True]  # preCICE's default in implicit schemes
    assert scheme.measures[0].limit == 1e-6
    assert scheme.acceleration.kind == "IQN-ILS"
    assert got.connection("Right", "Left").acceptor == "Left"
    assert not config.refusals(got)


def test_every_reference_case_is_read() -> None:
    for path in CASES.glob("*.json"):
        text = json.loads(path.read_text())["config"]
        assert config.refusals(_from_text(text)) == []


def _from_text(text: str) -> config.Configuration:
    from scalebridge import xmlfile
    from scalebridge.embedded import elements, reader, references, schema
    from scalebridge.findings import Findings

    found = Findings("case.xml")
    made = reader.build(elements.read(xmlfile.parse(text.encode(), "case.xml"), schema.CONFIGURATION, found), "", found)
    references.check(made, found)
    found.raise_if_any()
    return made


# Each row: what to replace in BASE, by what, the line of the finding, and what it says.
MISTAKES = [
    # the table of tags and attributes
    ('<data:scalar name="Alpha" />', '<data:skalar name="Alpha" />', 2, "<data:skalar>: unknown tag in <precice-conf"),
    ('<data:scalar name="Alpha" />', '<data:skalar name="Alpha" />', 2, "Did you mean 'data:scalar'?"),
    ("<max-time-windows", "<max-time-window", 23, "Did you mean 'max-time-windows'?"),
    ('from="Right" />\n    <write', 'form="Right" />\n    <write', 8, "unknown attribute form; expected one of api-access"),
    ('dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <mesh', 'dimensions="4"><use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <mesh', 4, 'dimensions="4" is not valid; expected one of 2, 3'),
    ('waveform-degree="2"', 'waveform-degree="two"', 3, 'waveform-degree="two" is not valid; expected an integer'),
    ('waveform-degree="2"', 'waveform-degree="-1"', 3, "waveform-degree is -1; expected 0 or larger"),
    ('limit="1e-6"', 'limit="tiny"', 28, 'limit="tiny" is not valid; expected a number'),
    ('limit="1e-6"', 'limit="nan"', 28, 'limit="nan" is not valid; expected a number'),
    ('limit="1e-6"', 'limit="0"', 28, "the limit is 0; expected more than 0"),
    ('limit="1e-6"', 'limit="2"', 28, "the relative limit is 2; expected at most 1"),
    ('initialize="true"', 'initialize="maybe"', 26, "expected true or false"),
    ('coordinate="0.5;0.5"', 'coordinate="0.5,1"', 12, "numbers with semicolons between them"),
    ('coordinate="0.5;0.5"', 'coordinate="0.5;1/2"', 12, "numbers with semicolons between them"),
    ('constraint="consistent"', 'constraint="consistant"', 11, "Did you mean 'consistent'?"),
    ('<time-window-size value="0.5" />', "", 21, "has no <time-window-size>, which is required"),
    ('<max-iterations value="30" />', '<max-iterations value="30" /><max-iterations value="3" />', 27, "may occur only once"),
    ('<provide-mesh name="Left-Mesh" />', '<provide-mesh name="" />', 7, "attribute name is empty; expected a name"),
    ('<use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <participant', "<use-data name=\"Alpha\"><x /></use-data></mesh>\n  <participant", 5, "unknown tag in <use-data>; expected no tags inside it"),
    ('<time-window-size value="0.5" />', '<time-window-size value="0.5" method="first" />', 24, "expected one of first-participant, fixed"),
    # values that cannot be
    ('<time-window-size value="0.5" />', '<time-window-size value="0" />', 24, "value is 0; expected more than 1e-14"),
    ('<time-window-size value="0.5" />', "<time-window-size />", 24, "attribute value is missing"),
    ('<max-time-windows value="3" />', '<max-time-windows value="0" />', 23, "value is 0; expected more than 0"),
    ('<max-time-windows value="3" />', "", 21, "never ends; expected <max-time> or <max-time-windows>"),
    ('<max-iterations value="30" />', '<max-iterations value="3" /><min-iterations value="5" />', 21, "min-iterations is larger than max-iterations"),
    ('from="Left" api-access', 'from="Left" safety-factor="-1" api-access', 16, "safety-factor is -1"),
    ('name="Beta" waveform-degree="2"', 'name="Beta" lower-bound-x="2" upper-bound-x="1"', 3, "lower-bound-x 2.0 is larger than upper-bound-x 1.0"),
    # names
    ('<use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <participant', '<use-data name="Alfa" /><use-data name="Beta" /></mesh>\n  <participant', 5, "there is no data \"Alfa\"; expected one of Alpha, Beta. Did you mean 'Alpha'?"),
    ('<use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <participant', '<use-data name="Alpha" /><use-data name="Alpha" /><use-data name="Beta" /></mesh>\n  <participant', 5, 'uses data "Alpha" twice'),
    ('<data:vector name="Beta"', '<data:vector name="Alpha" /><data:vector name="Beta"', 3, "is already defined in line 2"),
    ('<provide-mesh name="Left-Mesh" />', '<provide-mesh name="Left-Mesch" />', 6, "Did you mean 'Left-Mesh'?"),
    ('<provide-mesh name="Left-Mesh" />', '<provide-mesh name="Left-Mesh" /><provide-mesh name="Left-Mesh" />', 6, "is provided or received twice"),
    ('from="Right" />\n    <write', 'from="Rihgt" />\n    <write', 8, "there is no participant \"Rihgt\"; expected one of Left, Right. Did you mean 'Right'?"),
    ('from="Right" />\n    <write', 'from="Left" />\n    <write', 8, "is received from itself"),
    ('<provide-mesh name="Right-Mesh" />', "", 8, 'participant "Right" does not provide mesh "Right-Mesh"'),
    ('<write-data name="Alpha" mesh="Left-Mesh" />', '<write-data name="Alpha" mesh="Left" />', 9, 'there is no mesh "Left"'),
    ('<write-data name="Alpha" mesh="Left-Mesh" />', '<write-data name="Gamma" mesh="Left-Mesh" />', 9, 'mesh "Left-Mesh" does not use data "Gamma"'),
    ('<write-data name="Alpha" mesh="Left-Mesh" />', '<write-data name="Alpha" mesh="Right-Mesh" />', 9, "the mesh is received without api-access"),
    ('<write-data name="Alpha" mesh="Left-Mesh" />', '<write-data name="Alpha" mesh="Left-Mesh" />' * 2, 9, "only once"),
    ('<receive-mesh name="Left-Mesh" from="Left" api-access="true" />', "", 18, 'participant "Right" neither provides nor receives mesh "Left-Mesh"'),
    ('mesh="Left-Mesh" coordinate="0.5;0.5"', 'mesh="Right-Mesh" coordinate="0.5;0.5"', 12, 'participant "Left" does not provide mesh "Right-Mesh"'),
    ('coordinate="0.5;0.5"', 'coordinate="0.5;1;2"', 12, "the coordinate has 3 components; expected 2, as the mesh has"),
    ('connector="Right"', 'connector="Rigth"', 20, "Did you mean 'Right'?"),
    ('connector="Right"', 'connector="Left"', 20, "acceptor and connector are the same participant"),
    ('<m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />', '<m2n:sockets acceptor="Left" connector="Right" />' * 2, 20, "are connected twice"),
    ('<m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />', "", 8, 'there is no <m2n:...> between "Left" and "Right"'),
    ('second="Right"', 'second="Wright"', 21, "Did you mean 'Right'?"),
    ('second="Right"', 'second="Left"', 21, "a participant occurs twice"),
    # mappings
    ('from="Right-Mesh" to="Left-Mesh"', 'from="Left-Mesh" to="Right-Mesh"', 11, 'a read mapping to mesh "Right-Mesh", which is not provided'),
    ('from="Right-Mesh" to="Left-Mesh"', 'from="Left-Mesh" to="Right-Mesh"', 11, 'a read mapping from mesh "Left-Mesh", which is not received'),
    ('from="Right-Mesh" to="Left-Mesh"', "", 11, "neither a from nor a to mesh is given"),
    ('from="Right-Mesh" to="Left-Mesh"', 'from="Right-Mesh"', 11, "a just-in-time mapping needs access to the mesh"),
    ('<read-data name="Beta" mesh="Left-Mesh" />', "", 11, "maps nothing; expected a <read-data> with data that both meshes use"),
    ('constraint="consistent" />', 'constraint="consistent" />' + '<mapping:nearest-projection direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />', 11, "maps between the same meshes as another mapping"),
    ('<mapping:nearest-neighbor direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />', '<mapping:rbf-pum-direct direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent"><basis-function:volume-splines /><basis-function:thin-plate-splines /></mapping:rbf-pum-direct>', 11, "may have only one basis-function"),
    ('<mapping:nearest-neighbor direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />', '<mapping:rbf direction="read" from="Right-Mesh" to="Left-Mesh" constraint="consistent" />', 11, "needs a basis-function"),
    ('<precice-configuration experimental="true">', "<precice-configuration allow-remeshing=\"true\">", 1, "allow-remeshing is experimental"),
    # exchanges
    ('<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />', '<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Rihgt" />', 25, '"Rihgt" is not a participant of this scheme'),
    ('<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />', '<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Left" />', 25, 'goes from "Left" to itself'),
    ('<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />', '<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />' * 2, 25, "the same exchange stands here twice"),
    ('<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />', "", 21, 'participant "Left" sends nothing'),
    ('from="Right" to="Left" initialize="true"', 'from="Right" to="Left" substeps="false"', 26, "waveform-degree 2 needs sub-steps"),
    ('name="Beta" waveform-degree="2"', 'name="Beta" waveform-degree="0"', 26, "waveform-degree 0 has no use for sub-steps"),
    ('<exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />', '<exchange data="Beta" mesh="Right-Mesh" from="Left" to="Right" />', 25, "both sends and receives this data"),
    # measures and accelerations
    ('data="Beta" mesh="Right-Mesh" />\n    <acc', 'data="Alpha" mesh="Right-Mesh" />\n    <acc', 28, 'data "Alpha" on mesh "Right-Mesh" is not exchanged with "Right"'),
    ('<data name="Beta" mesh="Right-Mesh" />', '<data name="Alpha" mesh="Left-Mesh" />', 29, 'data "Alpha" comes from the first participant'),
    ('limit="1e-6" data', 'strict="true" limit="1e-6" data', 28, "strict has no meaning without <max-iterations>"),
    ('<relative-convergence-measure limit="1e-6" data="Beta" mesh="Right-Mesh" />', "", 21, "would iterate for ever"),
    ('<relative-convergence-measure limit="1e-6"', '<absolute-or-relative-convergence-measure abs-limit="1" rel-limit="0"', 28, "the relative limit is 0; expected more than 0"),
    ('<data name="Beta" mesh="Right-Mesh" />', '<data name="Beta" mesh="Right-Mesh" /><initial-relaxation value="2" />', 29, "must be larger than 0 and at most 1"),
    # elsewhere
    ("</precice-configuration>", "<participant name=\"Third\" />\n</precice-configuration>", 31, "takes part in no coupling scheme"),
]  # fmt: skip

ALSO = {
    "strict has no meaning without <max-iterations>": ('<max-iterations value="30" />', ""),
    "would iterate for ever": ('<max-iterations value="30" />', ""),
}


@pytest.mark.parametrize(("old", "new", "line", "message"), MISTAKES, ids=[m[3][:60] for m in MISTAKES])
def test_mistake(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert BASE.count(old) == 1, f"the test replaces {old!r}, which occurs {BASE.count(old)} times"
    text = BASE.replace(old, new)
    if message in ALSO:
        text = text.replace(*ALSO[message])
    found = findings(tmp_path, text)
    assert any(f.startswith(f"/case.xml:{line}: ") and message in f for f in found), "\n".join(found)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = BASE.replace('constraint="consistent"', 'constraint="consistant"').replace(
        'second="Right"', 'second="Rigth"'
    )
    text = text.replace('value="0.5"', 'value="half"')
    found = findings(tmp_path, text)
    assert {11, 21, 24} <= {int(f.split(":")[1]) for f in found if "Did you mean" in f or "half" in f}
    assert found == sorted(found, key=lambda f: int(f.split(":")[1]))


def test_definition_after_use(tmp_path: Path) -> None:
    """preCICE reads in order: what comes too late is not known to it."""
    lines = BASE.splitlines()
    late = [lines[0], *lines[2:-1], lines[1], lines[-1]]
    assert any("is defined only in line 30" in f for f in findings(tmp_path, "\n".join(late)))


def test_one_participant_is_no_coupling(tmp_path: Path) -> None:
    text = re.sub(r'  <participant name="Right">.*?</participant>\n', "", BASE, flags=re.DOTALL)
    assert any("has only one participant; expected at least two" in f for f in findings(tmp_path, text))


def test_method_of_a_parallel_scheme(tmp_path: Path) -> None:
    text = BASE.replace("serial-implicit", "parallel-implicit")
    text = text.replace('size value="0.5"', 'size value="0.5" method="fixed"')
    assert any("attribute method: only serial coupling schemes have it" in f for f in findings(tmp_path, text))


def test_multi_scheme_needs_one_controller(tmp_path: Path) -> None:
    text = BASE.replace("serial-implicit", "multi")
    pair = '<participants first="Left" second="Right" />'
    none = text.replace(pair, '<participant name="Left" /><participant name="Right" />')
    assert any("no participant controls the scheme" in f for f in findings(tmp_path, none))
    two = text.replace(pair, '<participant name="Left" control="yes" /><participant name="Right" control="1" />')
    assert any("a second participant with control" in f for f in findings(tmp_path, two))
    load(tmp_path, text.replace(pair, '<participant name="Left" /><participant name="Right" control="on" />'))


def test_two_implicit_schemes(tmp_path: Path) -> None:
    start, end = BASE.index("  <coupling-scheme"), BASE.index("</precice-configuration>")
    text = BASE[:end] + BASE[start:end] + BASE[end:]
    assert any(
        "is in two implicit schemes; expected one <coupling-scheme:multi>" in f for f in findings(tmp_path, text)
    )


def serial(first: str, second: str, kind: str = "serial-explicit") -> str:
    times = '<max-time-windows value="3" /><time-window-size value="0.5" />'
    data = f'<exchange data="{first}" mesh="{first}-Mesh" from="{first}" to="{second}" />'
    return f'<coupling-scheme:{kind}><participants first="{first}" second="{second}" />{times}{data}</coupling-scheme:{kind}>'


def ring(*schemes: str) -> str:
    """Three participants with a data each that the others receive, and some coupling schemes."""
    names = ("A", "B", "C")
    lines = ["<precice-configuration>", *(f'<data:scalar name="{n}" />' for n in names)]
    lines += [f'<mesh name="{n}-Mesh" dimensions="2"><use-data name="{n}" /></mesh>' for n in names]
    for name in names:
        others = "".join(f'<receive-mesh name="{n}-Mesh" from="{n}" />' for n in names if n != name)
        write = f'<write-data name="{name}" mesh="{name}-Mesh" />'
        lines.append(f'<participant name="{name}"><provide-mesh name="{name}-Mesh" />{others}{write}</participant>')
    lines += [f'<m2n:sockets acceptor="{a}" connector="{b}" />' for a, b in ("AB", "BC", "AC")]
    return "\n".join([*lines, *schemes, "</precice-configuration>"])


def test_participants_that_wait_for_each_other_in_a_circle(tmp_path: Path) -> None:
    chain = serial("A", "B"), serial("B", "C")
    load(tmp_path, ring(*chain, serial("A", "C")))
    load(tmp_path, ring(*chain, serial("C", "A", "parallel-explicit")))
    assert findings(tmp_path, ring(serial("C", "A"), *chain)) == [
        "/case.xml:16: <coupling-scheme:serial-explicit>: nobody can begin: A waits for C waits for B waits for A, "
        "as the second one of a serial scheme does for the first one; expected first and second exchanged, or a "
        "parallel scheme, in one of them"
    ]


def test_written_to_a_received_mesh_cannot_be_initialised(tmp_path: Path) -> None:
    text = BASE.replace('<read-data name="Alpha" mesh="Left-Mesh" />', '<write-data name="Alpha" mesh="Left-Mesh" />')
    text = text.replace(
        'mesh="Left-Mesh" from="Left" to="Right" />', 'mesh="Left-Mesh" from="Right" to="Left" initialize="1" />'
    )
    assert any("written to a received mesh cannot be initialised" in f for f in findings(tmp_path, text))


def test_experimental_mappings(tmp_path: Path) -> None:
    plain = "<precice-configuration>"
    text = BASE.replace('<precice-configuration experimental="true">', plain).replace(
        "<mapping:nearest-neighbor ",
        '<mapping:radial-geometric-multiscale multiscale-type="spread" multiscale-axis="x" multiscale-radius="1" ',
    )
    assert any(
        'is experimental; expected <precice-configuration experimental="true">' in f for f in findings(tmp_path, text)
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<mapping:nearest-neighbor ", "<mapping:rbf-global-iterative ", "the mapping rbf-global-iterative is not supp"),
        ("<mapping:nearest-neighbor ", "<mapping:rbf-pum-direct ", "the executor cuda is not supported"),
        ("<precice-configuration ", '<precice-configuration allow-remeshing="true" ', "allow-remeshing is not supported"),
        ("</participant>\n  <m2n", '<action:recorder mesh="Right-Mesh" timing="read-mapping-post" /></participant>\n  <m2n', "the action recorder is not supported"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, old: str, new: str, message: str) -> None:
    """What is valid preCICE but not supported here is read without complaint, and refused by name."""
    text = BASE.replace(old, new)
    if "rbf" in new:
        inside = (
            "><basis-function:volume-splines />" + ("<executor:cuda />" if "pum" in new else "") + f"</{new[1:-1]}>"
        )
        text = re.sub(r"(<mapping:rbf[^>]*) />", r"\1" + inside, text)
    refused = config.refusals(load(tmp_path, text))
    assert any(message in str(f) and "libprecice" in str(f) for f in refused), refused
    assert len(refused) == 1


def test_refusals_of_one_participant_only(tmp_path: Path) -> None:
    text = BASE.replace(
        "</participant>\n  <m2n",
        '<action:recorder mesh="Right-Mesh" timing="read-mapping-post" /></participant>\n  <m2n',
    )
    got = load(tmp_path, text)
    assert config.refusals(got, "Left") == []
    assert len(config.refusals(got, "Right")) == 1


def test_document_types_and_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>\n' + BASE
    assert "document type declaration" in findings(tmp_path, bomb)[0]


def test_another_outermost_tag(tmp_path: Path) -> None:
    found = findings(tmp_path, "<solver-interface />")
    assert found == [
        "/case.xml:1: <solver-interface>: the outermost tag is <solver-interface>; expected <precice-configuration>"
    ]


def test_canonical_form_ignores_lines_comments_and_logging(tmp_path: Path) -> None:
    one = load(tmp_path, BASE)
    two = load(tmp_path, BASE.replace("  <data:scalar", '<log enabled="false" />\n<!-- a -->\n\n<data:scalar'))
    assert one.canonical() == two.canonical()
    assert one.canonical() != load(tmp_path, BASE.replace('"30"', '"31"')).canonical()


def test_mutated_configurations_give_findings_and_nothing_else(tmp_path: Path) -> None:
    """Thousands of broken files: each is either read or refused with findings, never with another error."""
    chance = random.Random(20240229)
    sources = [BASE, *(json.loads(p.read_text())["config"] for p in sorted(CASES.glob("*.json"))[::6])]
    path = tmp_path / "case.xml"
    refused: list[ConfigurationError] = []
    for i in range(2000):
        text = sources[i % len(sources)]
        for _ in range(chance.randrange(1, 4)):
            text = mutate(text, chance) or text
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        try:
            config.refusals(config.load(path))
        except ConfigurationError as error:
            refused.append(error)
    assert len(refused) > 1400
    assert all(error.findings and all(f.message for f in error.findings) for error in refused)


# What is written, where it stands in BASE, and the one thing that is to be said: nothing is concluded from it.
UNREADABLE = [
    ('size value="0.5"', 'size value="sixty"', 'value="sixty" is not valid'),
    ('iterations value="30"', 'iterations value="many" /><min-iterations value="4"', 'value="many" is not valid'),
    ('api-access="true"', 'api-access="treu"', 'api-access="treu" is not valid'),
    ('direction="read"', 'direction="raed"', 'direction="raed" is not valid'),
    ('name="Left-Mesh" dimensions="2"', 'name="Left-Mesh" dimensions="4"', 'dimensions="4" is not valid'),
    ('from="Right" />\n    <write', 'form="Right" />\n    <write', "unknown attribute form"),
    ("<max-time-windows", "<max-time-window", "unknown tag in"),
    ("<time-window-size", "<time-windows-size", "unknown tag in"),
    ('windows value="3"', 'windows value="all"', 'value="all" is not valid'),
]


@pytest.mark.parametrize(("old", "new", "message"), UNREADABLE, ids=[m[1][:30] for m in UNREADABLE])
def test_nothing_is_concluded_from_a_value_that_cannot_be_read(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in BASE
    (found,) = findings(tmp_path, BASE.replace(old, new))
    assert message in found
