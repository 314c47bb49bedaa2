"""Strategies: micro models around micro models, which say where, how often and how exactly the full model is solved."""
