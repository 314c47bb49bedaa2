"""Micro simulations that fail: which ones, what is kept of them, and what stands in for them."""
