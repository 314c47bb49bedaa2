"""Runs beside each other: what they left behind, how it differs, variants compared, settings swept, a run verified."""
