"""Participants that are parts of a brain."""
