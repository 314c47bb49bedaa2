"""Settings of participants: declared, described, checked, built."""

from dataclasses import dataclass

import pytest

from scalebridge import settings
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.settings import build, schema, setting


@dataclass(frozen=True)
class Settings:
    length: float = setting("0.1 m", "length of the bar", above=0)
    cold: float = setting("250 K", "cold end", minimum=0)
    elements: int = setting(40, "number of elements", minimum=1)
    shape: str = setting("pockets", "shape of the brine", choices=("pockets", "layers"))
    fraction: float = setting(0.5, "a fraction", minimum=0, maximum=1)
    size: tuple[float, ...] = setting(("1 mm", "2 mm"), "edges")
    noisy: bool = setting(False, "whether there is noise")
    time_step: float = setting(unit="s", help="must be given")


def test_defaults_are_plain_numbers_in_the_unit_of_the_declaration():
    made = Settings(time_step=2.0)
    assert (made.length, made.elements, made.size, made.noisy) == (0.1, 40, (1.0, 2.0), False)


def test_schema():
    described = schema(Settings)
    assert described["length"] == {
        "type": "float", "unit": "m", "help": "length of the bar", "above": 0, "choices": [], "default": 0.1,
    }  # fmt: skip
    assert described["size"]["type"] == "float[]"
    assert described["size"]["unit"] == "mm"
    assert "default" not in described["time_step"]


def test_values_are_converted():
    made = build(
        Settings,
        {
            "length": "100 mm",
            "cold": "-10 degC",
            "elements": 1e3,
            "fraction": "5 %",
            "size": ["1 m", "2 cm"],
            "noisy": True,
            "time-step": "2 h",
        },
    )
    assert made == Settings(
        length=0.1, cold=263.15, elements=1000, fraction=0.05, size=(1000.0, 20.0), noisy=True, time_step=7200.0
    )


def test_from_the_hub_numbers_are_in_the_declared_unit_already():
    assert build(Settings, {"time_step": 2, "size": [3.0]}, plain=True).size == (3.0,)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lenght", "1 m", "no such setting; expected one of .*Did you mean 'length'?"),
        ("length", 3, "3 has no unit; expected a quantity in 'm', such as '3 m'"),
        ("length", "3", "'3' has no unit"),
        ("length", "3 s", r"cannot be converted to 'm' .*expected a quantity in 'm' above 0 m"),
        ("length", "0 m", "'0 m' is out of bounds; expected a quantity in 'm' above 0 m"),
        ("length", True, "true is not a number"),
        ("length", [1], r"\[1\] is not a number"),
        ("cold", "-300 degC", "'-300 degC' is out of bounds; expected a quantity in 'K' at least 0 K"),
        ("elements", 0, "0 is out of bounds; expected a whole number at least 1"),
        ("elements", 1.5, "1.5 is not a whole number"),
        ("elements", "many", "'many' is not a whole number"),
        ("elements", None, "None is not a whole number"),
        ("shape", "pocket", "'pocket' is not a choice; expected one of layers, pockets. Did you mean 'pockets'?"),
        ("shape", 3, "3 is not a text"),
        ("fraction", 2, "2 is out of bounds; expected a number at least 0 and at most 1"),
        ("fraction", 10**400, "is not a finite number"),
        ("size", "1 mm", "'1 mm' is not a list; expected a list, each a quantity in 'mm'"),
        ("size", ["1 mm", 2], r"size\[1\]: 2 has no unit"),
        ("noisy", 1, "1 is not true or false"),
        ("time-step", "1 min", "is the same setting as 'time_step', given already"),
    ],
)
def test_refusals(name, value, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        build(Settings, {"time_step": "1 s", name: value})
    assert len(caught.value.findings) == 1


def test_all_mistakes_come_at_once_with_their_lines():
    findings = Findings("case.yaml")
    settings.check(schema(Settings), {"lenght": 1, "elements": 0}, findings, lines={"lenght": 7, "elements": 8}, line=6)
    assert [(f.line, f.key) for f in findings.found] == [
        (7, "settings.lenght"),
        (8, "settings.elements"),
        (6, "settings.time_step"),
    ]
    assert "is not given and has no default (a quantity in 's')" in str(findings.found[2])


@pytest.mark.parametrize(
    ("hint", "declared", "message"),
    [
        (int, lambda: setting("3 m"), "has a unit, so it is a float, not int"),
        (dict, lambda: setting(unit="m"), "a setting is float, int, str, bool or tuple"),
        (float, lambda: setting("-1 m", minimum=0), "default of .* is out of bounds"),
    ],
)
def test_declarations_that_contradict_themselves(hint, declared, message):
    made = dataclass(type("Wrong", (), {"__annotations__": {"x": hint}, "x": declared()}))
    with pytest.raises(TypeError, match=message):
        schema(made)


def test_one_setting_has_one_unit():
    with pytest.raises(TypeError, match="one unit, not one of m, s"):
        setting(("1 m", "1 s"))


def test_table_for_people():
    rows = {name: text for name, text, _ in settings.table(schema(Settings))}
    assert rows["length"] == "0.1 m (a quantity in 'm' above 0 m)"
    assert rows["size"].startswith("[1 mm, 2 mm]")
    assert rows["time_step"] == "must be given (a quantity in 's')"
    assert rows["noisy"] == "false (true or false)"
