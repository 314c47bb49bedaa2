"""Compare a scaling file with the preCICE configuration it belongs to and with what the participants say of themselves.

    python -m adapters.scaling.check < question.json

reads an object with "scaling" and "precice", the files (the latter may be null: then only what the former has wrong in
itself is told), "descriptions", participant -> what it answered to --describe, and "unknown", the participants that
gave no answer: what they may give or take is not missed. It prints a JSON list of findings
(scalebridge.findings.Finding); the exit status is 0 if there are none, else 1.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters import tensors
from adapters.scaling import config
from adapters.scaling.config import Entry, Scaling
from scalebridge import units, xmlfile
from scalebridge.embedded import config as precice
from scalebridge.embedded.config import Access, Configuration
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Finding, Findings, nearest


def check(
    path: str | Path,
    coupling: Configuration | None,
    descriptions: Mapping[str, Mapping[str, Any]],
    unknown: Iterable[str] = (),
) -> list[Finding]:
    """Return every mistake in the scaling file `path`, in the order of its lines.

    Parameters
    ----------
    coupling : the preCICE configuration of the case; None where it is too broken to be compared with.
    descriptions : participant name -> what it answered to ``--describe``, for every participant of ours.
    unknown : participants of ours that gave no answer.
    """
    findings = Findings(path, "scaling")
    try:
        scaling = config.parse(xmlfile.read(path), findings)
    except ConfigurationError as error:
        return list(error.findings)
    if coupling is None:
        return findings.found
    named = Path(scaling.precice_config).name
    if named and named != Path(coupling.file).name:
        message = f"'{named}' is not the configuration of this case"
        findings.add(None, "<scaling>.precice-config", message, expected=f"'{Path(coupling.file).name}'")
    parsed = not findings.found
    sides = [_Side(name, told, coupling, findings) for name, told in descriptions.items() if told["kind"] == "micro"]
    for direction in ("downscale", "upscale"):
        for entry in _entries(scaling, direction):
            owners = [side for side in sides if side.touches(entry.data, direction)]
            for side in owners:
                side.check_entry(entry, direction)
            if not owners and not _may_serve(entry.data, unknown, coupling):
                _orphan(entry, direction, sides, coupling, findings)
            for name, told in descriptions.items():
                if told["kind"] == "solver":
                    _check_solver(name, told, entry, direction, owners, findings)
    if parsed:  # an element that could not be read is not one that is missing
        for side in sides:
            side.check_complete(scaling)
    return sorted(findings.found, key=lambda f: (f.file != findings.file, f.line or 0))


def _may_serve(data: str, unknown: Iterable[str], coupling: Configuration) -> bool:
    """Say whether data belong to a participant of which nothing is known."""
    strangers = [p for p in coupling.participants if p.name in set(unknown)]
    return any(data in tensors.whole(a.data) for p in strangers for a in (*p.reads, *p.writes))


def _entries(scaling: Scaling, direction: str) -> Sequence[Entry[Any]]:
    return scaling.down if direction == "downscale" else scaling.up


class _Side:
    """One micro participant: its fields, and its data in the preCICE configuration."""

    def __init__(self, name: str, told: Mapping[str, Any], coupling: Configuration, findings: Findings) -> None:
        self.name, self.coupling, self.findings = name, coupling, findings
        self.file = Path(coupling.file).name
        self.fields = {
            "downscale": {n: Field.from_json(f) for n, f in told["controls"].items()},
            "upscale": {n: Field.from_json(f) for n, f in told["observables"].items()},
        }
        known = any(p.name == name for p in coupling.participants)
        participant = coupling.participant(name) if known else None
        self.accesses: dict[str, tuple[Access, ...]] = {
            "downscale": participant.reads if participant else (),
            "upscale": participant.writes if participant else (),
        }
        self.served: dict[str, set[str]] = {"downscale": set(), "upscale": set()}

    def touches(self, data: str, direction: str) -> bool:
        """Whether the participant reads (writes) the data, as a whole or in components."""
        return any(data in tensors.whole(a.data) for a in self.accesses[direction])

    def check_entry(self, entry: Entry[Any], direction: str) -> None:
        """Note what is wrong between an element and the participant's field and data."""
        self.served[direction] |= {a.data for a in self.accesses[direction] if entry.data in tensors.whole(a.data)}
        fields, end = self.fields[direction], config.ELEMENTS[direction][0]
        key = _key(entry, direction)
        if entry.field not in fields:
            what = "control" if direction == "downscale" else "observable"
            message = f"{self.name} has no {what} '{entry.field}'"
            self.findings.add(entry.line, f"{key}.{end}", message, got=entry.field, candidates=fields)
            return
        field = fields[entry.field]
        if needed := entry.map.misfit(field):
            message = f"'{entry.map.name}' does not fit '{entry.field}' of {self.name}, {_words(field)}"
            self.findings.add(entry.line, f"{key}.map", message, expected=needed)
            return
        seen = entry.map.gives(field)
        _check_units(entry, direction, seen.unit, f"'{entry.field}' of {self.name}", self.findings)
        self._check_data(entry, direction, seen)

    def _check_data(self, entry: Entry[Any], direction: str, seen: Field) -> None:
        """Note the components that the preCICE configuration lacks, and a scalar where a vector is needed."""
        verb = "read" if direction == "downscale" else "write"
        accesses = {a.data: a for a in self.accesses[direction]}
        touched = next(a for a in accesses.values() if entry.data in tensors.whole(a.data))
        # A tensor has the dimensions of the micro volume: the components that there are tell how many.
        dimension = tensors.dimension_of(entry.data, accesses, self.coupling.mesh(touched.mesh).dimensions)
        wanted = seen.data_names(entry.data, dimension, accesses)
        missing = [name for name in wanted if name not in accesses]
        key = _key(entry, direction)
        if missing:
            tags = ", ".join(f'<{verb}-data name="{name}" mesh="{touched.mesh}" />' for name in missing)
            message = f"{_words(seen)} needs data that {self.name} does not {verb} in {self.file}: {', '.join(missing)}"
            self.findings.add(entry.line, key, message, expected=tags)
            return
        vector = self.coupling.datum(wanted[0]).vector
        if vector != (seen.rank == 1):
            kind = "data:vector" if vector else "data:scalar"
            message = f"{wanted[0]} is a <{kind}> in {self.file}, but {_words(seen)} for '{entry.map.name}'"
            expected = f'<data:{"vector" if seen.rank == 1 else "scalar"} name="{wanted[0]}" />'
            self.findings.add(entry.line, key, message, expected=expected)
        self._refuse_leftovers(entry, direction, set(wanted))

    def _refuse_leftovers(self, entry: Entry[Any], direction: str, wanted: set[str]) -> None:
        """Note data that look like components of this tensor but are none, such as the lower triangle."""
        for access in self.accesses[direction]:
            if access.data in tensors.components_of(entry.data, [access.data]) - wanted:
                key = f'<{"read" if direction == "downscale" else "write"}-data name="{access.data}">'
                message = (
                    f"{self.name}: '{entry.map.name}' on line {entry.line} of {self.findings.file} does not serve it"
                )
                expected = f"only {', '.join(sorted(wanted))}"
                wrong = Finding(self.coupling.file, access.line, key, message, expected, rule="scaling")
                self.findings.found.append(wrong)

    def check_complete(self, scaling: Scaling) -> None:
        """Note data of the participant that no element serves, and controls that get no value or two."""
        for direction, verb in (("downscale", "reads"), ("upscale", "writes")):
            entries = _entries(scaling, direction)
            for access in self.accesses[direction]:
                if access.data in self.served[direction]:
                    continue
                key = f'<{verb[:-1]}-data name="{access.data}">'
                message = f"{self.name} {verb} it, but no <{direction}> of {self.findings.file} serves it"
                hint = nearest(access.data, [e.data for e in entries])
                fix = f'Add <{direction} data="{access.data}" ... /> to {self.findings.file}' if hint is None else ""
                missing = Finding(self.coupling.file, access.line, key, message, "", hint, rule="scaling", fix=fix)
                self.findings.found.append(missing)
        for control in self.fields["downscale"]:
            lines = [e.line for e in scaling.down if e.field == control and self.touches(e.data, "downscale")]
            if not lines and not self.fields["downscale"][control].optional:
                message = f"control '{control}' of {self.name} gets no value"
                self.findings.add(None, "<scaling>", message, expected=f'<downscale data="..." to="{control}" ... />')
            elif len(lines) > 1:
                message = f"control '{control}' of {self.name} gets its value on line {lines[0]} already"
                self.findings.add(lines[1], "<downscale>.to", message)


def _orphan(entry: Entry[Any], direction: str, sides: list[_Side], coupling: Configuration, findings: Findings) -> None:
    """Note an element whose data no micro participant reads (downscale) or writes (upscale)."""
    file, key = Path(coupling.file).name, f"{_key(entry, direction)}.data"
    known = {name for d in coupling.data for name in tensors.whole(d.name)}
    if entry.data not in known:
        whole = {min(tensors.whole(d.name), key=len) for d in coupling.data}
        findings.add(entry.line, key, f"{file} has no data '{entry.data}'", got=entry.data, candidates=whole)
        return
    verb, other = ("reads", "upscale") if direction == "downscale" else ("writes", "downscale")
    message = f"no micro participant {verb} '{entry.data}' in {file}"
    turned = [side.name for side in sides if side.touches(entry.data, other)]
    expected = f"<{other}>, because {turned[0]} {'writes' if verb == 'reads' else 'reads'} it" if turned else ""
    findings.add(entry.line, key, message, expected=expected)


def _check_solver(
    name: str, told: Mapping[str, Any], entry: Entry[Any], direction: str, owners: list[_Side], findings: Findings
) -> None:
    """Note where a solver reads or writes the same data in another shape, or in a unit that cannot be converted."""
    fields = told["writes"] if direction == "downscale" else told["reads"]
    if entry.data not in fields:
        return
    own = Field.from_json(fields[entry.data])
    verb = "writes" if direction == "downscale" else "reads"
    _check_units(entry, direction, own.unit, f"what {name} {verb}", findings)
    for side in owners:
        field = side.fields[direction].get(entry.field)
        if field is None or entry.map.misfit(field):
            continue
        seen = entry.map.gives(field)
        shapes = [(one.rank, one.rank >= 2 and one.symmetric, one.per == "window") for one in (seen, own)]
        if shapes[0] != shapes[1]:
            message = f"{name} {verb} '{entry.data}' as {_words(own)}, '{entry.map.name}' has it as {_words(seen)}"
            findings.add(entry.line, _key(entry, direction), message)


def _check_units(entry: Entry[Any], direction: str, unit: str, whose: str, findings: Findings) -> None:
    try:
        units.converter(entry.unit, unit)
    except units.UnitError as error:
        findings.add(entry.line, f"{_key(entry, direction)}.unit", f"does not fit {whose}: {error}")


def _key(entry: Entry[Any], direction: str) -> str:
    return f'<{direction} data="{entry.data}">'


def _words(field: Field) -> str:
    """Return "a symmetric tensor per point [Pa]"."""
    symmetric = "symmetric " if field.rank >= 2 and field.symmetric else ""
    if field.per in ("window", "spikes"):
        return f"{'a signal over the time window' if field.per == 'window' else 'spikes'} [{field.unit}]"
    return f"a {symmetric}{field.kind} per {'grid cell' if field.per == 'grid' else 'point'} [{field.unit}]"


def main() -> int:
    """Answer the question on standard input; return the exit status."""
    question = json.load(sys.stdin)
    coupling, found = precice.read(question["precice"]) if question["precice"] else (None, [])
    if coupling is not None or not found:  # what is wrong with the configuration in itself is told elsewhere
        found = check(question["scaling"], coupling, question["descriptions"], question["unknown"])
    print(json.dumps([dataclasses.asdict(finding) for finding in found], indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
