"""Do the participants of ours agree with the case, with the preCICE configuration, and with each other?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scalebridge import settings
from scalebridge.cases.case import Participant
from scalebridge.cases.describe import Description
from scalebridge.embedded.config import Access, Configuration
from scalebridge.fields import Field
from scalebridge.findings import Finding, Findings
from scalebridge.units import converter


def resolve(participant: Participant, description: Description, findings: Findings) -> dict[str, Any]:
    """Return every setting of a participant as a plain value, after noting what is wrong with those that are given."""
    own = Findings(findings.file, "settings")
    key = f"participants.{participant.name}"
    lines = {k.removeprefix("settings."): n for k, n in participant.lines.items() if k.startswith("settings.")}
    line = participant.lines.get("settings", participant.line)
    result = settings.check(
        description.settings, participant.settings, own, key=f"{key}.settings", lines=lines, line=line
    )
    findings.found += own.found
    return result


def locate(description: Description, resolved: dict[str, Any], folder: Path) -> list[Path]:
    """Return the files beside the case that settings name, after giving the settings their whole paths."""
    found = []
    for name, entry in description.settings.items():
        if entry.get("file") and resolved.get(name) and (path := folder / resolved[name]).exists():
            resolved[name] = os.path.normpath(path.absolute())
            found.append(Path(resolved[name]))
    return found


def delay(
    participant: Participant,
    description: Description,
    resolved: Mapping[str, Any],
    ask: Callable[[str, Mapping[str, Any]], float | None],
    findings: Findings,
) -> float | None:
    """Return the shortest delay across a participant [s], told as such, by a setting or when asked; None if none.

    `ask` raises ValueError where there is no answer, which goes to `findings`.
    """
    told = description.delay
    if told is True:
        try:
            return ask(description.module, resolved)
        except ValueError as error:
            line = participant.lines.get("settings", participant.line)
            findings.add(line, f"participants.{participant.name}.settings", str(error), rule="settings")
            return None
    if isinstance(told, str):
        value = resolved.get(told)
        return None if value is None else float(value) * converter(description.settings[told]["unit"], "s").factor
    return told


def fields(name: str, description: Description, configuration: Configuration) -> list[Finding]:
    """Return where what a participant says it reads and writes is not what the configuration lets it read and write."""
    participant = configuration.participant(name)
    own = Findings(configuration.file, "participant-fields")
    for verb, group, accesses in (
        ("read", description.inputs, participant.reads),
        ("write", description.outputs, participant.writes),
    ):
        present = [a.data for a in accesses]
        names = {field_name: _data_names(field_name, field, present) for field_name, field in group.items()}
        carried = {data: group[field_name] for field_name, some in names.items() for data in some}
        left_out = {
            data
            for field_name, some in names.items()
            if description.kind == "solver" and group[field_name].optional and not set(some).intersection(present)
            for data in some
        }
        for data in sorted(carried.keys() - set(present) - left_out):
            message = f"'{data}', which {description.module} {verb}s, is not among its <{verb}-data>"
            expected = f'<{verb}-data name="{data}" mesh="..." />'
            strangers = [d for d in present if d not in carried]
            place = f'<participant name="{name}">'
            own.add(participant.line, place, message, expected=expected, got=data, candidates=strangers)
        for access in accesses:
            if access.data in carried:
                _shape(access, carried[access.data], configuration, description.module, own)
            else:
                message = f"{description.module} does not {verb} it"
                place = f'<{verb}-data name="{access.data}">'
                own.add(access.line, place, message, got=access.data, candidates=carried)
    return sorted(own.found, key=lambda f: f.line or 0)


def _data_names(name: str, field: Field, present: list[str]) -> tuple[str, ...]:
    """Return the names of the data that carry a field; of a tensor, in the dimension of which most are there."""
    choices = [field.data_names(name, dimensions, present) for dimensions in (2, 3, 1)]
    return max(choices, key=lambda names: sum(n in present for n in names) - len(names) / 100)


def _shape(access: Access, field: Field, configuration: Configuration, module: str, own: Findings) -> None:
    datum = configuration.datum(access.data)
    if datum.vector != (field.rank == 1):
        found, rank = "a vector" if datum.vector else "a scalar", f"a {field.kind}"
        message = f"'{access.data}' is {found}, but in {module} it carries {rank}"
        expected = "<data:vector>" if field.rank == 1 else "<data:scalar>"
        own.add(datum.line, f'<data name="{access.data}">', message, expected=expected)


def units(descriptions: Mapping[str, Description], file: str) -> list[Finding]:
    """Return where two solvers that share a data mean different units by it: nothing is converted between them."""
    written: dict[str, tuple[str, Field]] = {}
    for name, description in descriptions.items():
        if description.kind == "solver":
            written.update({data: (name, field) for data, field in description.outputs.items()})
    own = Findings(file, "units-of-solvers")
    for name, description in descriptions.items():
        for data, field in description.inputs.items() if description.kind == "solver" else ():
            writer, other = written.get(data, (name, field))
            if other.unit != field.unit:
                message = f"{writer} writes it in '{other.unit}' and {name} reads it in '{field.unit}'"
                expected = "one unit: nothing is converted between solvers"
                own.add(None, f'<data name="{data}">', message, expected=expected)
    return own.found
