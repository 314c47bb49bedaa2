"""Micro models of which it is known how much their volumes scatter.

In a checkerboard every cell of a grid is 1 with the probability p by itself, else 0; refined, each becomes as many
equal ones. So the mean of N cells has the variance p (1 - p) / N.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from adapters.micro import MicroError
from adapters.participant import micro_participant
from adapters.seeds import generator
from scalebridge.fields import Field
from scalebridge.settings import setting

HOW = ("board", "seed", "same", "nan", "raise", "drift", "wrong", "none", "bounds")


@dataclass(frozen=True)
class Board:
    how: str = setting("board", "what it does", choices=HOW)
    squares: int = setting(4, "squares along the edge", minimum=1, maximum=64)
    fine: int = setting(1, "cells along the edge of a square", minimum=1)
    size: float = setting("1 m", "edge", above=0)
    p: float = setting(0.3, "probability of a one", minimum=0, maximum=1)


class Checkerboard:
    """State: the values (n, cells, cells), and how long it has been driven (n,) [s]."""

    Settings = Board
    controls = {"Drive": Field("Pa")}  # noqa: RUF012
    observables = {"Share": Field("1")}  # noqa: RUF012
    reference_controls = {"Drive": "0.002 kPa"}  # noqa: RUF012

    def __init__(self, settings, seed):
        self.settings, self.seed = settings, seed
        self.cell_shape = (settings.squares * settings.fine,) * 2
        self.cell_size = (settings.size,) * 2

    @staticmethod
    def enlarged(settings, factor):
        if settings.how == "none" and factor > 1:
            raise MicroError([], "there is one board alone")
        more = {"wrong": 2 * factor, "bounds": 100 * factor}.get(settings.how, factor)
        return replace(settings, squares=more * settings.squares, size=factor * settings.size)

    @staticmethod
    def refined(settings, factor):
        return replace(settings, fine=factor * settings.fine)

    def start(self, points, controls):
        s, n = self.settings, self.settings.squares
        places = np.zeros_like(points) if s.how in ("seed", "same") else points
        seed = 0 if s.how == "same" else self.seed
        ones = np.array([generator(point, seed).random((n, n)) < s.p for point in places], dtype=float)
        return {"board": ones.repeat(s.fine, axis=1).repeat(s.fine, axis=2), "driven": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        s, board = self.settings, state["board"]
        if s.how == "raise":
            raise ArithmeticError("no root")
        driven = state["driven"] + dt * controls["Drive"]
        share = board.mean(axis=(1, 2)) + driven
        if s.how == "nan":
            share[-1] = np.nan
        if s.how == "drift":  # the result depends on the size (as 1 / edge) and on the grid (as its spacing)
            share = share + 0.1 / s.size + 0.2 / s.fine
        return {"board": board, "driven": driven}, {"Share": share}


class Rigid(Checkerboard):
    """It has no other sizes."""

    enlarged = None
    reference_controls = {}  # noqa: RUF012


if __name__ == "__main__":
    micro_participant(Checkerboard)
