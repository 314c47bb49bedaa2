"""Micro simulations that were written for the preCICE Micro Manager."""
