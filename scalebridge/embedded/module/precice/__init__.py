"""The module `precice` of programs that run on the embedded engine: put the folder above on PYTHONPATH."""

from scalebridge.embedded.participant import Participant, get_version_information

__version__ = "3.4.0"

__all__ = ["Participant", "get_version_information"]
