"""CASE.scaling.xml: which map turns which field of a micro model into which coupling data.

    <scaling precice-config="phase-change.xml">
      <downscale data="Temperature" unit="K" to="temperature" map="uniform" />
      <upscale data="Conductivity" unit="W/(m*K)" from="conductivity" map="effective-tensor" tolerance="1e-8" />
    </scaling>

`unit` is the unit on the wire; attributes beyond these are the parameters of the map. An element belongs to every micro
participant that reads (downscale) or writes (upscale) its data.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.scaling import maps
from adapters.scaling.protocol import Downscale, Upscale
from scalebridge import settings, units, xmlfile
from scalebridge.findings import Findings
from scalebridge.xmlfile import Element

ROOT_ATTRIBUTES = ("precice-config",)
# Element -> the attribute that names the field of the micro model, and the maps there are.
ELEMENTS: dict[str, tuple[str, dict[str, type[Any]]]] = {
    "downscale": ("to", dict(maps.DOWNSCALE)),
    "upscale": ("from", dict(maps.UPSCALE)),
}


@dataclass(frozen=True)
class Entry[M]:
    """One element of the file.

    Attributes
    ----------
    data : name of the coupling data, a tensor's as a whole.
    unit : unit on the wire.
    field : name of the control or observable of the micro model.
    map : the map with its parameters.
    line : line in the file.
    """

    data: str
    unit: str
    field: str
    map: M
    line: int


@dataclass(frozen=True)
class Scaling:
    """A whole file.

    Attributes
    ----------
    file : the file, as the user would open it.
    precice_config : the preCICE configuration it belongs to, as written.
    down, up : its elements in the order of the file.
    """

    file: str
    precice_config: str
    down: tuple[Entry[Downscale], ...]
    up: tuple[Entry[Upscale], ...]

    def of(self, reads: Container[str], writes: Container[str]) -> Scaling:
        """Return what concerns a participant that reads and writes these data, by the names of the whole."""
        down = tuple(e for e in self.down if e.data in reads)
        up = tuple(e for e in self.up if e.data in writes)
        return Scaling(self.file, self.precice_config, down, up)


def load(path: str | Path) -> Scaling:
    """Read the scaling file `path`.

    Raises
    ------
    ConfigurationError
        With every mistake that shows without looking at the preCICE configuration and the micro model.
    """
    findings = Findings(path)
    scaling = parse(xmlfile.read(path), findings)
    findings.raise_if_any()
    return scaling


def parse(root: Element, findings: Findings) -> Scaling:
    """Return what can be understood of a file; mistakes go to `findings`."""
    if root.tag != "scaling":
        findings.add(root.line, f"<{root.tag}>", "is not the outermost element of a scaling file", expected="<scaling>")
        return Scaling(findings.file, "", (), ())
    _known_attributes(root, "<scaling>", ROOT_ATTRIBUTES, ROOT_ATTRIBUTES, findings)
    entries: dict[str, list[Entry[Any]]] = {"downscale": [], "upscale": []}
    for element in root.children:
        if element.tag not in ELEMENTS:
            message = "no such element"
            findings.add(element.line, f"<{element.tag}>", message, got=element.tag, candidates=ELEMENTS)
        elif (entry := _entry(element, findings)) is not None:
            entries[element.tag].append(entry)
    if not root.children:
        findings.add(root.line, "<scaling>", "has no elements", expected="<downscale ... /> and <upscale ... />")
    _unique(entries["downscale"], "downscale", findings)
    _unique(entries["upscale"], "upscale", findings)
    file = root.attributes.get("precice-config", "")
    return Scaling(findings.file, file, tuple(entries["downscale"]), tuple(entries["upscale"]))


def _entry(element: Element, findings: Findings) -> Entry[Any] | None:
    """Return what one element says, or None where it cannot be used."""
    before = len(findings.found)
    end, _ = ELEMENTS[element.tag]
    required = ("data", "unit", end, "map")
    given = element.attributes
    key = f'<{element.tag} data="{given["data"]}">' if "data" in given else f"<{element.tag}>"
    for child in element.children:
        findings.add(child.line, key, f"has an element <{child.tag}> inside", expected="none, only attributes")
    map_class = _map_class(element, key, findings)
    if map_class is None:  # its parameters cannot be told from misspelt attributes
        _known_attributes(element, key, required, (*required, *given), findings)
    else:
        _known_attributes(element, key, required, (*required, *settings.schema(map_class)), findings)
    if "unit" in given:
        try:
            units.check_unit(given["unit"])
        except units.UnitError as error:
            findings.add(element.line, f"{key}.unit", str(error))
    made = _parameters(element, map_class, key, findings) if map_class else None
    if made is None or len(findings.found) > before:
        return None
    return Entry(given["data"], given["unit"], given[end], made, element.line)


def _known_attributes(
    element: Element, key: str, required: tuple[str, ...], known: tuple[str, ...], findings: Findings
) -> None:
    for name in element.attributes:
        if name not in known:
            findings.add(element.line, f"{key}.{name}", "no such attribute", got=name, candidates=known)
    for name in required:
        if not element.attributes.get(name, "").strip():
            state = "is empty" if name in element.attributes else "is missing"
            findings.add(element.line, f"{key}.{name}", state)


def _map_class(element: Element, key: str, findings: Findings) -> type[Any] | None:
    """Return the class of the map that an element names, or None after saying what is wrong with the name."""
    name = element.attributes.get("map", "").strip()
    _, known = ELEMENTS[element.tag]
    if not name or name in known:
        return known.get(name)
    other = "upscale" if element.tag == "downscale" else "downscale"
    message = f"'{name}' is no map"
    if name in ELEMENTS[other][1]:
        message = f"'{name}' is a map for <{other}>"
    findings.add(element.line, f"{key}.map", message, got=name, candidates=known)
    return None


def _parameters(element: Element, map_class: type[Any], key: str, findings: Findings) -> Any:
    """Return the map with the parameters that the element gives, or None where one is wrong."""
    before = len(findings.found)
    described = settings.schema(map_class)
    given = {n: _plain(described[n]["type"], v) for n, v in element.attributes.items() if n in described}
    lines = dict.fromkeys(given, element.line)
    values = settings.check(described, given, findings, key=key, lines=lines, line=element.line)
    return map_class(**values) if len(findings.found) == before else None


def _plain(kind: str, text: str) -> Any:
    """Return the text of an attribute as what YAML would have read, so that settings are checked alike."""
    if kind == "int" and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", text):
        return int(text)
    if kind == "bool" and text.strip() in ("true", "false"):
        return text.strip() == "true"
    return text.strip()


def _unique(entries: list[Entry[Any]], tag: str, findings: Findings) -> None:
    """Refuse data that is named twice; two controls may not come from the same data either, as it has one unit."""
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.data in seen:
            key = f'<{tag} data="{entry.data}">'
            findings.add(entry.line, key, f"the same data is on line {seen[entry.data]} already")
        seen.setdefault(entry.data, entry.line)
