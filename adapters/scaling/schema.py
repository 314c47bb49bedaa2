"""The XML schema of scaling files, for editors: written from the maps themselves, so that it cannot lag behind.

    python -m adapters.scaling.schema > precice-config/scaling.xsd

A schema cannot say which parameter belongs to which map, nor what a unit is: the parser (`config`) is the stricter one.
"""

from __future__ import annotations

import inspect
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from adapters.scaling import config
from scalebridge import settings

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!-- Schema of CASE.scaling.xml. Written by `python -m adapters.scaling.schema`; do not edit. -->
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
"""
ABOUT = {
    "scaling": "Which map turns which field of a micro model into which coupling data.",
    "downscale": "From coupling data to a control of the micro model.",
    "upscale": "From an observable of the micro model to coupling data.",
    "precice-config": "The preCICE configuration that this file belongs to.",
    "data": "Coupling data; a tensor by the name of the whole, its components are found by -00, -01, ...",
    "unit": "Unit of the coupling data, such as W/(m*K), or 1.",
    "to": "Control of the micro model.",
    "from": "Observable of the micro model.",
    "map": "How one becomes the other.",
}
TYPES = {"float": "xs:double", "int": "xs:integer", "str": "xs:token", "bool": "xs:boolean"}


def text() -> str:
    """Return the whole schema."""
    choice = "".join(f'        <xs:element name="{tag}" type="{tag}"/>\n' for tag in config.ELEMENTS)
    root = (
        '  <xs:element name="scaling">\n'
        f"{_about(ABOUT['scaling'], 4)}"
        "    <xs:complexType>\n"
        '      <xs:choice minOccurs="1" maxOccurs="unbounded">\n'
        f"{choice}"
        "      </xs:choice>\n"
        f"{''.join(_attribute(name, _name_type(), ABOUT[name], True) for name in config.ROOT_ATTRIBUTES)}"
        "    </xs:complexType>\n"
        "  </xs:element>\n"
    )
    return HEAD + root + "".join(_element(tag) for tag in config.ELEMENTS) + "</xs:schema>\n"


def _element(tag: str) -> str:
    """Return the type of <downscale> or <upscale>."""
    end, maps = config.ELEMENTS[tag]
    lines = [_attribute(name, _name_type(), ABOUT[name], True) for name in ("data", "unit", end)]
    lines.append(_attribute("map", _map_type(maps), ABOUT["map"], True))
    parameters: dict[str, dict[str, dict[str, Any]]] = {}
    for name, map_class in maps.items():
        for parameter, entry in settings.schema(map_class).items():
            parameters.setdefault(parameter, {})[name] = entry
    for parameter, entries in parameters.items():
        first, *others = ({k: v for k, v in entry.items() if k != "default"} for entry in entries.values())
        if any(entry != first for entry in others):
            raise TypeError(
                f"parameter '{parameter}' of {list(entries)} must be declared alike: it is one attribute in XML"
            )
        lines.append(_attribute(parameter, _parameter_type(first), _about_parameter(first["help"], entries), False))
    body = "".join(lines)
    return f'  <xs:complexType name="{tag}">\n{_about(ABOUT[tag], 4)}{body}  </xs:complexType>\n'


def _about_parameter(help: str, entries: dict[str, dict[str, Any]]) -> str:
    """Return "effective-tensor, permeability: help (default 1)." with the default of each map where they differ."""
    units = {name: "" if entry.get("unit", "1") == "1" else f" {entry['unit']}" for name, entry in entries.items()}
    defaults = {name: f"{entry['default']}{units[name]}" for name, entry in entries.items() if "default" in entry}
    told = ""
    if len(set(defaults.values())) == 1:
        told = f" (default {next(iter(defaults.values()))})"
    elif defaults:
        told = f" (default {', '.join(f'{default} for {name}' for name, default in defaults.items())})"
    return f"{', '.join(entries)}: {help}{told}."


def _attribute(name: str, type_text: str, about: str, required: bool) -> str:
    use = "required" if required else "optional"
    return (
        f'    <xs:attribute name="{name}" use="{use}">\n{_about(about, 6)}'
        f"      <xs:simpleType>\n{type_text}      </xs:simpleType>\n    </xs:attribute>\n"
    )


def _restriction(base: str, facets: list[str]) -> str:
    body = "".join(f"          {facet}\n" for facet in facets)
    return f'        <xs:restriction base="{base}">\n{body}        </xs:restriction>\n'


def _name_type() -> str:
    return _restriction("xs:token", ['<xs:minLength value="1"/>'])


def _map_type(maps: dict[str, type[Any]]) -> str:
    facets = []
    for name, map_class in maps.items():
        about = f"{(inspect.getdoc(map_class) or '').splitlines()[0]} Preserves {map_class.preserves}."
        facets.append(
            f'<xs:enumeration value="{name}"><xs:annotation><xs:documentation>{escape(about)}'
            "</xs:documentation></xs:annotation></xs:enumeration>"
        )
    return _restriction("xs:token", facets)


def _parameter_type(entry: dict[str, Any]) -> str:
    base = TYPES[entry["type"]]
    if entry.get("unit", "1") != "1":
        base = "xs:token"  # a quantity with its unit
    facets = [f"<xs:enumeration value={quoteattr(choice)}/>" for choice in entry.get("choices", ())]
    if base == "xs:double":
        facets.append('<xs:pattern value="[-+.0-9eE]+"/>')  # neither INF nor NaN
    if base in ("xs:double", "xs:integer"):
        for key, facet in (("minimum", "minInclusive"), ("above", "minExclusive"), ("maximum", "maxInclusive")):
            if key in entry:
                facets.append(f'<xs:{facet} value="{entry[key]:g}"/>')
    return _restriction(base, facets)


def _about(about: str, indent: int) -> str:
    space = " " * indent
    return f"{space}<xs:annotation><xs:documentation>{escape(about)}</xs:documentation></xs:annotation>\n"


if __name__ == "__main__":
    print(text(), end="")
