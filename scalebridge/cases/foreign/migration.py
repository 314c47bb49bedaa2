"""Translates files of the preCICE Micro Manager before 0.12 into what version 0.12 reads, and tells every change.

Versions 0.4 to 0.11 differ little from each other: kinds of data were given with their names, adaptivity had no switch
of its own, true and false could be texts, and the file of the micro model was one, not a list. What is renamed or
dropped, or means something else now, is noted; what cannot be translated for certain is left as it is, and noted too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalebridge.cases.foreign import jsonfile, micro_manager
from scalebridge.cases.foreign import micro_manager_keys as keys
from scalebridge.findings import Findings, nearest

SUFFIX = "; it is dropped"
CALLED = "Micro-Manager"  # up to 0.11 the participant was called so, whatever the file said
MOVED = {  # what stood at the top
    "output_directory": "output_directory",
    "memory_usage_output_type": "memory_usage_output_type",
    "memory_usage_output_n": "memory_usage_output_n",
    "tasking": "tasking",
    "snapshot_params": "snapshot_params",
}
TOP = ("micro_file_name", "micro_stateless", "coupling_params", "simulation_params", "diagnostics", *MOVED)
CONFIGS = ("config_file_name", "precice_config_file_name")
COUPLING = (
    "participant_name",
    *CONFIGS,
    "macro_mesh_name",
    "read_data_names",
    "write_data_names",
    "parameter_file_name",
)
SIMULATION = (*keys.SIMULATION, "model_adaptivity", "model_adaptivity_settings")
DIAGNOSTICS = ("data_from_micro_sims", "micro_output_n", "output_micro_sim_solve_time")
SWITCHES = {"adaptivity", "load_balancing", "interpolate_crash", "model_adaptivity", "every_implicit_iteration"}
SWITCHES |= {"lazy_initialization", "micro_stateless", "is_slurm", "balance_inactive_sims", "initialize_once"}


@dataclass
class Migration:
    """A translated file.

    Attributes
    ----------
    result : the file for version 0.12, as JSON data.
    notes : every change, a sentence each, with the old place first.
    """

    result: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, old: str, text: str) -> None:
        self.notes.append(f"{old}: {text}")


def migrate(path: Path) -> Migration:
    """Translate a file. Raises ConfigurationError where it is none of the Micro Manager before 0.12."""
    root = jsonfile.read(Path(path))
    findings = Findings(path, micro_manager.RULE)
    old = root.plain()
    if isinstance(old, dict) and "micro_manager" in old:
        findings.add(None, "", "is a file for version 0.12 already: there is nothing to translate")
    elif not micro_manager.is_old(root) or _is_fmi_runner(old):
        findings.add(root.line, "", "is no file of the Micro Manager", expected="micro_file_name and coupling_params")
    elif not all(isinstance(old.get(key, {}), dict) for key in keys.OLD[1:]):
        wrong = next(key for key in keys.OLD[1:] if not isinstance(old.get(key, {}), dict))
        findings.add(root.keys[wrong], wrong, "is not an object")
    findings.raise_if_any()
    return _Translator(old).translate()


def _is_fmi_runner(old: dict[str, Any]) -> bool:
    coupling = old.get("coupling_params")
    return "micro_file_name" not in old and isinstance(coupling, dict) and "macro_mesh_name" not in coupling


class _Translator:
    """One file on its way; `old` is used up."""

    def __init__(self, old: dict[str, Any]) -> None:
        self.done = Migration()
        self.old = old
        self.coupling: dict[str, Any] = old.get("coupling_params", {})
        self.before: dict[str, Any] = old.get("simulation_params", {})
        self.diagnostics: dict[str, Any] = old.get("diagnostics", {})
        self.simulation: dict[str, Any] = {}
        self.manager: dict[str, Any] = {}
        self.interface: dict[str, Any] = {}

    def translate(self) -> Migration:
        self._strangers()
        self._flags(self.old, "")
        self._model()
        self._coupling()
        self._simulation()
        self._diagnostics()
        self.manager["simulation_params"] = self.simulation
        for old, new in MOVED.items():
            if old in self.old:
                self._move(self.old, "", old, self.manager, f"micro_manager.{new}", new)
        self.done.result |= {"interfaces": [self.interface], "micro_manager": self.manager}
        self._required()
        return self.done

    # ---- the parts of a file

    def _model(self) -> None:
        if "micro_file_name" in self.old:
            self.manager["micro_file_names"] = [self.old["micro_file_name"]]
            self.done.note("micro_file_name", "is micro_manager.micro_file_names, a list")
        if "micro_stateless" in self.old:
            self.manager["micro_stateless_flags"] = [self.old["micro_stateless"]]
            self.done.note("micro_stateless", "is micro_manager.micro_stateless_flags, a list")

    def _coupling(self) -> None:
        note, coupling, place = self.done.note, self.coupling, "coupling_params."
        if "participant_name" in coupling and coupling["participant_name"] != CALLED:
            name = coupling["participant_name"]
            note(f"{place}participant_name", f"'{name}' had no effect, the name was {CALLED}; now it is as written")
        self.done.result["participant_name"] = coupling.get("participant_name", CALLED)
        if "participant_name" in coupling:
            note(f"{place}participant_name", "is participant_name")
        else:
            note("participant_name", f"is written now; it was {CALLED} without")
        given = [key for key in CONFIGS if key in coupling]
        for key in given[:1]:
            self._move(coupling, place, key, self.done.result, "precice_config_file_path", "precice_config_file_path")
        for key in given[1:]:
            note(f"{place}{key}", f"stands beside {given[0]}, which is taken{SUFFIX}")
        if "macro_mesh_name" in coupling:
            self._move(coupling, place, "macro_mesh_name", self.interface, "interfaces[0].mesh_name", "mesh_name")
        for verb in ("read", "write"):
            if f"{verb}_data_names" in coupling:
                self._data(coupling[f"{verb}_data_names"], f"{place}{verb}_data_names", f"{verb}_data")
        self.interface["is_received"] = True
        if "parameter_file_name" in coupling:
            target = self.manager.setdefault("coupling_params", {})
            new = "micro_manager.coupling_params.parameter_file_name"
            self._move(coupling, place, "parameter_file_name", target, new, "parameter_file_name")

    def _data(self, given: Any, old: str, new: str) -> None:
        names = self._names(given, old)
        entries = self.interface.setdefault(new, [])
        entries += [{"name": name} for name in names if {"name": name} not in entries]
        self.done.note(old, f"is interfaces[0].{new}, a list of objects with a name")

    def _names(self, given: Any, old: str) -> list[str]:
        if isinstance(given, dict):
            self.done.note(
                old, "its words 'scalar' and 'vector' are dropped: the preCICE configuration says which it is"
            )
        if not isinstance(given, dict | list) or not all(isinstance(name, str) for name in given):
            self.done.note(old, f"{given!r} is neither a list nor an object of names{SUFFIX}")
            return []
        return list(given)

    def _simulation(self) -> None:
        place, new = "simulation_params.", "micro_manager.simulation_params."
        for key, value in self.before.items():
            if key in ("adaptivity", "adaptivity_settings", "model_adaptivity", "model_adaptivity_settings"):
                continue
            if key in keys.SIMULATION:
                self.simulation[key] = value
        if self.before:
            self.done.note("simulation_params", f"is {new.rstrip('.')}")
        self._adaptivity(place)
        self._switching(place)
        if self.simulation.get("interpolate_crash") and "interpolate_crash_params" not in self.simulation:
            wanted = "interpolate_crash_params and interpolation_configs"
            self.done.note(
                f"{place}interpolate_crash", f"has no effect in 0.12 without {wanted}, which have no old form"
            )
        if self.simulation.get("load_balancing"):
            self._written_by_itself("rank_of_sim", "Rank-Of-Sim")

    def _adaptivity(self, place: str) -> None:
        given, settings = self.before.get("adaptivity"), self.before.get("adaptivity_settings")
        if isinstance(given, dict):
            self.done.note(f"{place}adaptivity", "is adaptivity_settings, and adaptivity says true")
            given, settings = True, given
        if given is not None:
            self.simulation["adaptivity"] = given
        if not isinstance(settings, dict):
            if settings is not None:
                self.done.note(f"{place}adaptivity_settings", f"{settings!r} is not an object{SUFFIX}")
            return
        old = f"{place}adaptivity_settings"
        self._flags(settings, f"{old}.")
        settings = {key: settings[key] for key in self._known(settings, f"{old}.", keys.ADAPTIVITY)}
        if "similarity_measure" not in settings:
            settings["similarity_measure"] = "L1"
            self.done.note(f"{old}.similarity_measure", "is written now; it was L1 without, and would be L2rel")
        self.simulation["adaptivity_settings"] = settings
        if given:
            for before, now in (("active_state", "Active-State"), ("active_steps", "Active-Steps")):
                self._written_by_itself(before, now)

    def _switching(self, place: str) -> None:
        if "model_adaptivity" in self.before:
            self._move(self.before, place, "model_adaptivity", self.simulation, "model_switching", "model_switching")
        settings = self.before.get("model_adaptivity_settings")
        if not isinstance(settings, dict):
            return
        old = f"{place}model_adaptivity_settings."
        names = ("micro_file_names", "switching_function", "micro_stateless")
        for key in self._known(settings, old, names):
            if key == "switching_function":
                target: dict[str, Any] = self.simulation.setdefault("model_switching_settings", {})
                self._move(settings, old, key, target, "model_switching_settings.switching_function", key)
                continue
            now = {"micro_file_names": key, "micro_stateless": "micro_stateless_flags"}[key]
            if now in self.manager and self.manager[now] != settings[key]:
                self.done.note(f"{old}{key}", f"takes the place of {self.manager[now]} in micro_manager.{now}")
            self._move(settings, old, key, self.manager, f"micro_manager.{now}", now)
        if self.before.get("model_adaptivity"):
            self._written_by_itself("model_resolution", "Model-Resolution")

    def _diagnostics(self) -> None:
        place, given = "diagnostics.", self.diagnostics
        if "micro_output_n" in given:
            new = "micro_manager.simulation_params.micro_output_n"
            self._move(given, place, "micro_output_n", self.simulation, new, "micro_output_n")
        if isinstance(given.get("data_from_micro_sims"), dict):
            self._data(given["data_from_micro_sims"], f"{place}data_from_micro_sims", "write_data")
        elif "data_from_micro_sims" in given:
            text = f"a list had no effect; what is to be written stands in write_data{SUFFIX}"
            self.done.note(f"{place}data_from_micro_sims", text)
        if "output_micro_sim_solve_time" in given:
            written = "micro_sim_time or solve_cpu_time"
            text = f"there is no such output in 0.12; take {written} out of the preCICE configuration{SUFFIX}"
            self.done.note(f"{place}output_micro_sim_solve_time", text)

    # ---- what they share

    def _strangers(self) -> None:
        """Tell the keys that no version knows."""
        self._known(self.old, "", TOP)
        for group, known in (("coupling_params", COUPLING), ("simulation_params", SIMULATION)):
            self._known(self.old.get(group, {}), f"{group}.", known)
        self._known(self.diagnostics, "diagnostics.", DIAGNOSTICS)
        balancing = self.before.get("load_balancing_settings")
        if isinstance(balancing, dict):
            left = self._known(balancing, "simulation_params.load_balancing_settings.", keys.LOAD_BALANCING)
            self.before["load_balancing_settings"] = {key: balancing[key] for key in left}

    def _known(self, given: dict[str, Any], place: str, known: Iterable[str]) -> list[str]:
        """Return the keys that are known, and tell of the others."""
        names = list(known)
        for key in given:
            if key not in names:
                near = nearest(key, names)
                meant = f" Did you mean '{near}'?" if near else ""
                self.done.note(f"{place}{key}", f"no version knows this key{SUFFIX}.{meant}")
        return [key for key in given if key in names]

    def _flags(self, group: dict[str, Any], place: str) -> None:
        """Make true and false of texts that say so, in a group and in those inside it."""
        for key, value in group.items():
            if isinstance(value, dict) and key not in ("adaptivity", "adaptivity_settings"):
                self._flags(value, f"{place}{key}.")
            elif key in SWITCHES and isinstance(value, str) and value.lower() in ("true", "false"):
                group[key] = value.lower() == "true"
                text = f"the text '{value}' is {str(group[key]).lower()}"
                if not group[key] and key != "every_implicit_iteration":
                    text += "; being a text, it was taken for true"
                self.done.note(f"{place}{key}", text)

    def _move(self, given: dict[str, Any], place: str, old: str, target: dict[str, Any], told: str, new: str) -> None:
        target[new] = given[old]
        self.done.note(f"{place}{old}", f"is {told}")

    def _written_by_itself(self, old: str, new: str) -> None:
        text = (
            f"the data that the Micro Manager writes by itself is called {new}: rename it in the preCICE configuration"
        )
        self.done.note(old, text)

    def _required(self) -> None:
        """Tell what version 0.12 needs and has not got, and which names it does not take."""
        result, place = self.done.result, "micro_manager.simulation_params."
        wanted = {
            "precice_config_file_path": result,
            "interfaces[0].mesh_name": self.interface,
            "micro_manager.micro_file_names": self.manager,
            f"{place}micro_dt": self.simulation,
            f"{place}macro_domain_bounds": self.simulation,
        }
        for told, group in wanted.items():
            if told.rpartition(".")[2] not in group:
                self.done.note(told, "is needed in 0.12, and is not in the file: add it")
        names = [("participant_name", result.get("participant_name")), ("mesh_name", self.interface.get("mesh_name"))]
        data = [entry["name"] for key in ("read_data", "write_data") for entry in self.interface.get(key, ())]
        for key, name in (*names, *(("name", name) for name in dict.fromkeys(data))):
            if isinstance(name, str) and micro_manager.name_misfit(key, name):
                text = "0.12 does not take this name: rename it here, in the preCICE configuration and in the class"
                self.done.note(name, f"{text}, for example {_proper(name, mesh=key == 'mesh_name')}")


def _proper(name: str, *, mesh: bool) -> str:
    """Return a name that version 0.12 takes, like the one that it does not."""
    words = [word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    if mesh and "Mesh" not in words[1:]:
        words.append("Mesh")
    return "-".join(words)
