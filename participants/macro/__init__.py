"""Participants on the macro scale."""
