"""Participants that are parts of a brain."""

from adapters import standins

standins.when_describing("brian2", "nest", "tvb")
