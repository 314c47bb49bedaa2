"""What an adapter's configuration file says, whatever its format: a participant, its preCICE file, meshes and data."""

from __future__ import annotations

from dataclasses import dataclass, field

from scalebridge.findings import Findings


@dataclass(frozen=True)
class Name:
    """One name as it is written: its text, and where it stands.

    Attributes
    ----------
    kind : "scalar" or "vector" where the file says of data what they are; empty otherwise.
    """

    text: str
    line: int | None
    key: str
    kind: str = ""


@dataclass(frozen=True)
class Interface:
    """One mesh with what is read and written on it; `received` is None where the file does not say."""

    mesh: Name
    reads: tuple[Name, ...] = ()
    writes: tuple[Name, ...] = ()
    received: bool | None = None


@dataclass(frozen=True)
class Adapter:
    """One file, or one participant in a file of several.

    Attributes
    ----------
    format : what reads such files, for people.
    participant : its name; None where the file does not say.
    precice_config : path of the preCICE configuration, relative to the folder of the file.
    findings : what is wrong with the file itself.
    """

    file: str
    format: str
    participant: Name | None
    precice_config: Name | None
    interfaces: tuple[Interface, ...]
    findings: Findings = field(compare=False)
