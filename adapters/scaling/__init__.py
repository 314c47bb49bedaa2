"""Scaling maps: what a micro model sees, turned into what a macro model needs, and back; chosen in CASE.scaling.xml."""
