"""The points of a sweep, as `--set` gives them."""

import pytest

from scalebridge.compare import grid
from scalebridge.findings import ConfigurationError


def overrides(*arguments):
    return [point.overrides for point in grid.parse(arguments).points()]


def test_all_combinations_the_last_axis_fastest():
    points = grid.parse(["Macro.settings.elements=10,20", "Micro.settings.cells=8, 16"]).points()
    assert [p.name for p in points] == [f"elements={e}_cells={c}" for e in (10, 20) for c in (8, 16)]
    assert points[1].overrides == ("Macro.settings.elements=10", "Micro.settings.cells=16")
    assert points[1].texts == ("10", "16")


def test_a_value_for_all_points_is_no_part_of_their_names():
    one = grid.parse(["Micro.settings.cells=16", "Macro.settings.elements=10,20"])
    assert [p.name for p in one.points()] == ["elements=10", "elements=20"]
    assert one.labels == ("elements",)
    assert overrides("A.x=1", "B.y=2") == [("A.x=1", "B.y=2")]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("1,2,4", ["1", "2", "4"]),
        ("[1, 2, 4]", ["1", "2", "4"]),
        ("[[1, 2], [3, 4]]", ["[1, 2]", "[3, 4]"]),
        ("[1, 2], [3]", ["[1, 2]", "[3]"]),
        ("[[1, 2]]", ["[1, 2]"]),
        ("4 mm, 8 mm", ["4 mm", "8 mm"]),
        ('"a,b",c', ['"a,b"', "c"]),
        (r'"a\",b",c', [r'"a\",b"', "c"]),
        ("'it''s',b", ["'it''s'", "b"]),
        ("it's,b", ["it's", "b"]),
        ("{adaptive: {tolerance: 1, error: 2}}, concurrent", ["{adaptive: {tolerance: 1, error: 2}}", "concurrent"]),
        ("null,1", ["null", "1"]),
        ("a=b,c=d", ["a=b", "c=d"]),
    ],
)
def test_values(given, values):
    assert overrides(f"A.x={given}") == [(f"A.x={value}",) for value in values]


def test_names_are_good_for_folders_and_all_different():
    names = [p.name for p in grid.parse(['A.x=4 mm,4/mm,..,"a\'b"', "B.x=1,2"]).points()]
    assert len(set(names)) == 8
    assert not any(c in name for name in names for c in "/ '\"")
    assert all(name.startswith("A.x=") for name in names)  # two axes end in x, so the whole path
    long = grid.parse([f"A.x={'a' * 200}1,{'a' * 200}2"]).points()
    assert len({p.name for p in long}) == 2
    assert max(len(p.name) for p in long) <= 80


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ("1,2,4", (1.0, 2.0, 4.0)),
        ("4e-3 m,2e-3 m", (4e-3, 2e-3)),
        ("1 m,1 mm", None),
        ("a,b", None),
        ("'1','2'", (1.0, 2.0)),
        ("1,null", None),
    ],
)
def test_numbers(given, numbers):
    assert grid.parse([f"A.x={given}"]).axes[0].numbers == numbers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["elements"], "elements: is not of the form PATH=VALUE,...; expected as in Macro.settings.elements=10,20,40"),
        (["=1,2"], "is not of the form PATH=VALUE,..."),
        (["A.x="], "A.x: has no value"),
        (["A.x=1,,2"], "A.x: a value is missing in '1,,2'"),
        (["A.x=1,"], "A.x: a value is missing in '1,'"),
        (["A.x=[]"], "A.x: a value is missing in '[]'"),
        (["A.x=[1,2"], "A.x: ] is missing in '[1,2'"),
        (["A.x=1],2"], "A.x: ']' closes nothing in '1],2'"),
        (["A.x='a"], "A.x: ' is missing in ''a'"),
        (["A.x=&a 1,2"], "A.x: the value &a 1 anchors and aliases"),
        (["A.x=1,2,1"], "A.x: the value 1 stands there twice"),
        (["A.x=1,2", "A.x=3"], "A.x: is set twice; expected all its values in one --set"),
        (
            [f"A.{n}={','.join(map(str, range(101)))}" for n in "xy"],
            "A.x A.y: these are 10201 points; expected at most",
        ),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ConfigurationError) as caught:
        grid.parse(arguments)
    assert str(caught.value).startswith("--set: ")
    assert message in str(caught.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(ConfigurationError) as caught:
        grid.parse(["elements", "A.x=", "A.y=1,1"])
    assert len(caught.value.findings) == 3
