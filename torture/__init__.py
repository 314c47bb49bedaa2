"""Breaks runs and configurations by the hundred, and looks whether the hub keeps its promises."""
