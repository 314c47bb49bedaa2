"""Typed settings of a participant: declared once as a dataclass, described as JSON, checked by the hub, built again.

A participant declares

    @dataclass(frozen=True)
    class Settings:
        length: float = setting("0.1 m", "length of the bar", above=0)
        elements: int = setting(40, "number of elements", minimum=1)
        shape: str = setting("pockets", "shape of the brine", choices=("pockets", "layers"))

and gets plain numbers, in the unit of the default. `schema` turns the class into JSON (`--describe`), `check` compares
what a case gives with such JSON without importing anybody, `build` makes the typed object in the participant.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from scalebridge.findings import Findings, one_of
from scalebridge.strategies import Strategy
from scalebridge.units import NUMBER, UnitError, convert, parse_quantity

Schema = dict[str, dict[str, Any]]
_KEY = "scalebridge"
_SCALARS: dict[type, str] = {float: "float", int: "int", str: "str", bool: "bool"}
_STRATEGY = "strategy"  # a setting that is a strategy itself, whose own settings are not looked at here
_ARTICLES = {"float": "a number", "int": "a whole number", "str": "a text", "bool": "true or false"}
_ARTICLES |= {_STRATEGY: "a strategy, as NAME or {NAME: {SETTING: VALUE}}"}


def setting(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    unit: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    choices: Sequence[str] = (),
    file: bool | str = False,
) -> Any:
    """Declare one setting of a participant.

    Parameters
    ----------
    default : the value where the case gives none: a number, a text, True or False, a quantity such as "0.1 m", or a
        tuple of these. Without it the setting must be given.
    help : what it is, for people.
    unit : the unit, needed only where there is no default to tell it.
    minimum, maximum : bounds in that unit, themselves allowed.
    above : lower bound that is itself not allowed.
    choices : the texts that are allowed.
    file : the text names a file, relative to the folder of the case, which is an input of the run; "" for none. That of
        a strategy has to be there, unless this is "optional"; a participant may know other texts too, and gets the
        whole path where there is one.
    """
    value = tuple(default) if isinstance(default, list) else default
    if isinstance(value, tuple):
        split = [_split(item, choices) for item in value]
        units = {u for _, u in split if u is not None}
        if len(units) > 1:
            raise TypeError(f"the parts of one setting have one unit, not {one_of(units)}")
        value = tuple(v for v, _ in split)
        unit = units.pop() if units else unit
    elif value is not dataclasses.MISSING:
        value, own = _split(value, choices)
        unit = own or unit
    details = {
        "unit": unit,
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "above": above,
        "choices": list(choices),
        "file": file or None,
    }
    return dataclasses.field(default=value, kw_only=True, metadata={_KEY: details})


def _split(value: Any, choices: Sequence[str]) -> tuple[Any, str | None]:
    """Return (0.1, "m") for "0.1 m", and anything that is no quantity as it is."""
    if isinstance(value, str) and not choices and NUMBER.match(value):
        return parse_quantity(value)
    return value, None


def schema(cls: type) -> Schema:
    """Return the JSON form of a Settings class: {name: {type, unit, default, help, choices, minimum, maximum, above}}.

    A setting that must be given has no key "default". Raises TypeError where the declaration contradicts itself.
    """
    hints = typing.get_type_hints(cls)
    result: Schema = {}
    for item in dataclasses.fields(cls):
        details = dict(item.metadata.get(_KEY) or {"help": "", "choices": []})
        kind = _type_name(hints[item.name], f"{cls.__qualname__}.{item.name}")
        if kind.removesuffix("[]") == "float":
            details["unit"] = details.get("unit") or "1"
        elif details.get("unit") is not None:
            raise TypeError(f"{cls.__qualname__}.{item.name} has a unit, so it is a float, not {kind}")
        entry = {"type": kind, **details}
        if item.default is not dataclasses.MISSING:
            default = list(item.default) if isinstance(item.default, tuple) else item.default
            findings = Findings(cls.__qualname__)
            entry["default"] = _value(entry, default, findings, item.name, None, plain=True)
            if findings.found:
                raise TypeError(f"default of {findings.found[0]}")
        result[item.name] = {k: v for k, v in entry.items() if v is not None}
    return result


def check(
    described: Schema,
    given: Mapping[str, Any],
    findings: Findings,
    *,
    key: str = "settings",
    lines: Mapping[str, int] | None = None,
    line: int | None = None,
    plain: bool = False,
) -> dict[str, Any]:
    """Compare the settings `given` in a case with those a participant declares; add every mistake to `findings`.

    Parameters
    ----------
    described : the JSON form of the Settings class, from `schema` or `--describe`.
    given : name -> number, text, bool or list, as read from YAML. Quantities are text with a unit; a name may be
        written with hyphens, as everything else in a case, or with underscores, as in Python.
    key : where the settings stand in the file, for the messages.
    lines : name -> line in the file.
    line : line to name where a setting is missing.
    plain : take bare numbers as being in the declared unit already (the way from the hub to the participant).

    Returns
    -------
    Every setting as a plain value in its declared unit, defaults filled in; complete only if nothing was added.
    """
    lines = lines or {}
    result: dict[str, Any] = {}
    seen: dict[str, str] = {}
    for written, value in given.items():
        name, place = written.replace("-", "_"), f"{key}.{written}"
        if name not in described:
            findings.add(lines.get(written), place, "no such setting", got=name, candidates=described)
        elif name in seen:
            findings.add(lines.get(written), place, f"is the same setting as '{seen[name]}', given already")
        else:
            seen[name] = written
            checked = _value(described[name], value, findings, place, lines.get(written), plain=plain)
            if checked is not None:
                result[name] = checked
    for name, entry in described.items():
        if name in seen:
            continue
        if "default" in entry:
            result[name] = entry["default"]
        else:
            findings.add(line, f"{key}.{name}", f"is not given and has no default ({_wanted(entry)})")
    return result


def build[T](cls: type[T], given: Mapping[str, Any], *, plain: bool = False) -> T:
    """Return the typed settings object.

    Parameters
    ----------
    given : as in `check`; with `plain`, bare numbers are in the declared unit.

    Raises
    ------
    ConfigurationError
        With everything that is wrong with `given`.
    """
    findings = Findings(cls.__qualname__)
    values = check(schema(cls), given, findings, plain=plain)
    findings.raise_if_any()
    return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def table(described: Schema) -> list[tuple[str, str, str]]:
    """Return (name, value by default with unit and bounds, help) for every setting, for `--help`."""
    rows = []
    for name, entry in described.items():
        rows.append((name, f"{_text(entry)} ({_wanted(entry)})", entry.get("help", "")))
    return rows


def _type_name(hint: Any, where: str) -> str:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is Strategy:
        return _STRATEGY
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is ... and arguments[0] in _SCALARS:
        return f"{_SCALARS[arguments[0]]}[]"
    raise TypeError(f"{where} has type {hint}; a setting is float, int, str, bool or tuple[one of these, ...]")


def _value(entry: dict[str, Any], value: Any, findings: Findings, key: str, line: int | None, *, plain: bool) -> Any:
    """Return `value` as the plain value that `entry` asks for, or None after adding a finding."""
    kind: str = entry["type"]
    if not kind.endswith("[]"):
        try:
            return _scalar(entry, kind, value, plain=plain)
        except _Wrong as wrong:
            findings.add(line, key, str(wrong), **wrong.details)
            return None
    if not isinstance(value, list | tuple):
        findings.add(line, key, f"{_shown(value)} is not a list", expected=_wanted(entry))
        return None
    before = len(findings.found)
    item = {**entry, "type": kind[:-2]}
    items = [_value(item, v, findings, f"{key}[{i}]", line, plain=plain) for i, v in enumerate(value)]
    return items if len(findings.found) == before else None


class _Wrong(Exception):
    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


def _scalar(entry: dict[str, Any], kind: str, value: Any, *, plain: bool) -> Any:
    if kind == "bool":
        if not isinstance(value, bool):
            raise _Wrong(f"{_shown(value)} is not true or false", expected=_wanted(entry))
        return value
    if kind == "str":
        return _choice(entry, value)
    if kind == _STRATEGY:
        return _strategy(entry, value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Wrong(f"{_shown(value)} is not {_ARTICLES[kind]}", expected=_wanted(entry))
    number = _whole(entry, value) if kind == "int" else _quantity(entry, value, plain=plain)
    return _bounded(entry, number, _shown(value))


def _choice(entry: dict[str, Any], value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{_shown(value)} is not a text", expected=_wanted(entry) + ", in quotes if need be")
    choices = entry.get("choices") or []
    if choices and value not in choices:
        raise _Wrong(f"{_shown(value)} is not a choice", got=value, candidates=choices)
    return value


def _strategy(entry: dict[str, Any], value: Any) -> Strategy:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, given),) = value.items()
        if isinstance(name, str) and isinstance(given, Mapping | None):
            return {name: dict(given or {})}
    raise _Wrong(f"{_shown(value)} is no strategy", expected=_wanted(entry))


def _whole(entry: dict[str, Any], value: float | str) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # 1e6 in YAML
        return int(value)
    if not isinstance(value, int):
        raise _Wrong(f"{_shown(value)} is not a whole number", expected=_wanted(entry))
    return value


def _quantity(entry: dict[str, Any], value: float | str, *, plain: bool) -> float:
    unit: str = entry.get("unit", "1")
    if not isinstance(value, str):
        if unit != "1" and not plain:
            raise _no_unit(value, unit)
        if not abs(value) <= sys.float_info.max:  # also NaN, and whole numbers beyond every float
            raise _Wrong(f"{_shown(value)} is not a finite number", expected=_wanted(entry))
        return float(value)
    try:
        if unit != "1" and parse_quantity(value)[1] == "1":
            raise _no_unit(value, unit)
        return convert(value, unit)
    except UnitError as error:
        raise _Wrong(str(error), expected=_wanted(entry)) from None


def _no_unit(value: float | str, unit: str) -> _Wrong:
    number = str(value) if len(str(value)) <= 20 else "1"
    return _Wrong(f"{_shown(value)} has no unit", expected=f"a quantity in '{unit}', such as '{number} {unit}'")


def _bounded[N: (int, float)](entry: dict[str, Any], number: N, shown: str) -> N:
    low, high, above = entry.get("minimum"), entry.get("maximum"), entry.get("above")
    wrong = (low is not None and number < low) or (high is not None and number > high)
    if wrong or (above is not None and number <= above):
        raise _Wrong(f"{shown} is out of bounds", expected=_wanted(entry))
    return number


def _wanted(entry: dict[str, Any]) -> str:
    """Return in words what a setting wants, such as "a quantity in 'm' above 0 m"."""
    if entry.get("choices"):
        return one_of(entry["choices"])
    kind: str = entry["type"].removesuffix("[]")
    unit = entry.get("unit", "1")
    text = f"a quantity in '{unit}'" if unit != "1" else _ARTICLES[kind]
    bounds = [
        f"{word} {_with_unit(entry[name], entry)}"
        for name, word in (("above", "above"), ("minimum", "at least"), ("maximum", "at most"))
        if entry.get(name) is not None
    ]
    text += f" {' and '.join(bounds)}" if bounds else ""
    return f"a list, each {text}" if entry["type"].endswith("[]") else text


def _text(entry: dict[str, Any]) -> str:
    if "default" not in entry:
        return "must be given"
    default = entry["default"]
    if isinstance(default, list):
        return "[" + ", ".join(_with_unit(v, entry) for v in default) + "]"
    return _with_unit(default, entry)


def _with_unit(value: Any, entry: dict[str, Any]) -> str:
    if isinstance(value, Mapping):
        return next(iter(value)) if not any(value.values()) else str(value)
    unit = entry.get("unit", "1")
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if unit == "1" else f"{text} {unit}"


def _shown(value: Any) -> str:
    text = f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
