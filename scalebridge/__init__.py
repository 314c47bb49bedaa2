"""The hub: reads a case, checks it, starts the participants, watches them, reports."""

__version__ = "0.1.0"
