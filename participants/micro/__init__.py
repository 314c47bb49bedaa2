"""Micro models: functions on a batch of small volumes."""
