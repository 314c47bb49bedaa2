"""What realisations of volumes of several sizes and resolutions say: mean, scatter, bias, and whether a size is enough.

A value v is a number, a vector or a tensor; |v| is its Euclidean (Frobenius) norm. Of n realisations at one size and
one resolution, with the mean m and the standard deviation D, D^2 = sum |v - m|^2 / (n - 1),

    error of the mean = t D / (sqrt(n) |m|)     t of Student for 95 % on both sides; it tends to 1.96 for many
    bias              = |m - m'| / |m'|         m' of the larger size that differs most, or of the next smaller
    grid error        = |m - m"| / |m"|         m" at the finest resolution; of the finest: the next coarser

all three at most the tolerance: that is Kanit, Forest, Galliet, Mounoury & Jeulin, Int. J. Solids Struct. 40, 3647
(2003), with t for their 2, and the grid added. Volumes much larger than what is in them hold many independent parts, so

    D^2 = D_1^2 A / V,    so D ~ edge^(-d/2)    in d dimensions,

where V is the volume, D_1 the deviation at a point and A the integral range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
Key = tuple[int, int]  # size, resolution

CONFIDENCE = 0.95
NO_SCATTER = 1e-9  # relative: the error of the solvers, not of the medium
MOST_REALISATIONS = 10**7


@dataclass(frozen=True)
class Law:
    """D = factor edge^exponent, fitted to sizes, with the standard error of the exponent; `expected` is -d/2."""

    exponent: float
    error: float
    expected: float

    @property
    def kept(self) -> bool:
        """Whether the scatter falls as that of independent parts, as far as so few volumes can tell (two errors)."""
        return abs(self.exponent - self.expected) <= 2 * self.error


@dataclass(frozen=True)
class Property:
    """One of the effective properties.

    Attributes
    ----------
    name, unit : of the coupling data.
    dimensions : d of the volumes.
    samples : (size, resolution) -> (n, ...) values of the realisations.
    """

    name: str
    unit: str
    dimensions: int
    samples: Mapping[Key, Array]

    @cached_property
    def sizes(self) -> list[int]:
        """The sizes that were tried, in order."""
        return sorted({size for size, _ in self.samples})

    @cached_property
    def resolutions(self) -> list[int]:
        """The resolutions that were tried, in order."""
        return sorted({resolution for _, resolution in self.samples})

    def count(self, key: Key) -> int:
        """Return the number of realisations."""
        return len(self.samples[key])

    def mean(self, key: Key) -> Array:
        """Return the mean, of the shape of one value."""
        return np.asarray(self.samples[key].mean(axis=0))

    def deviation(self, key: Key) -> float:
        """Return the standard deviation D of one realisation."""
        values = self.samples[key]
        return float(np.sqrt(((values - values.mean(axis=0)) ** 2).sum() / (len(values) - 1)))

    def scatter(self, key: Key) -> float:
        """Return D relative to the mean."""
        return _relative(self.deviation(key), self.mean(key))

    def error(self, key: Key, realisations: int | None = None) -> float:
        """Return the error of the mean of so many realisations (default: those that there are), relative to it."""
        n = realisations or self.count(key)
        return student(self.count(key)) * self.scatter(key) / math.sqrt(n)

    def bias(self, key: Key) -> float:
        """Return by how much the mean differs from that of the larger sizes, or for the largest of the next smaller."""
        other = self.rival(key)
        return math.inf if other is None else self._difference(key, (other, key[1]))

    def rival(self, key: Key) -> int | None:
        """Return the size with which the bias is found; None where there is no other."""
        size, resolution = key
        others = [s for s in self.sizes if s > size] or [s for s in self.sizes if s < size][-1:]
        return max(others, key=lambda other: self._difference(key, (other, resolution)), default=None)

    def grid_error(self, key: Key) -> float | None:
        """Return by how much the mean differs from that on other grids, None where there is only one."""
        size, resolution = key
        if len(self.resolutions) == 1:
            return None
        finest = self.resolutions[-1]
        return self._difference(key, (size, finest if resolution < finest else self.resolutions[-2]))

    def anisotropy(self, key: Key) -> float | None:
        """Return how far the mean tensor is from a multiple of the unit tensor, relative to it; None of no tensor."""
        mean = self.mean(key)
        if mean.ndim != 2:
            return None
        part = mean - np.trace(mean) / len(mean) * np.eye(len(mean))
        return _relative(float(np.linalg.norm(part)), mean)

    def needed(self, key: Key, tolerance: float) -> int | None:
        """Return how many realisations would make the error of the mean small enough; None of more than can be."""
        n = (student(self.count(key)) * self.scatter(key) / tolerance) ** 2
        return max(1, math.ceil(n)) if n <= MOST_REALISATIONS else None

    def deterministic(self, key: Key) -> bool:
        """Return whether the realisations do not differ."""
        return self.scatter(key) <= NO_SCATTER

    @cached_property
    def law(self) -> Law | None:
        """How the scatter falls with the size, at the finest resolution; None where there is none."""
        keys = [(size, self.resolutions[-1]) for size in self.sizes]
        if len(keys) < 2 or any(self.deterministic(key) for key in keys):
            return None
        x = np.log(self.sizes)
        y = np.log([self.deviation(key) for key in keys])
        weight = x - x.mean()
        norm = float((weight**2).sum())
        # The logarithm of the standard deviation of n normal values has the standard error 1 / sqrt(2 (n - 1)).
        error = math.sqrt(sum(w**2 / (2 * (self.count(key) - 1)) for w, key in zip(weight, keys, strict=True))) / norm
        return Law(float((weight * y).sum() / norm), error, -self.dimensions / 2)

    def single(self, tolerance: float) -> float | None:
        """Return the size of which one volume alone is within the tolerance of the mean (95 %).

        It is the first that was tried and is large enough, or else follows from the law; None where the scatter does
        not keep the law, so that it cannot be foretold.
        """
        finest = self.resolutions[-1]
        wide = {size: self.error((size, finest), realisations=1) for size in self.sizes}
        for size in self.sizes:
            if all(wide[s] <= tolerance for s in self.sizes if s >= size):
                return float(size)
        if self.law is None or not self.law.kept:
            return None
        return float(self.sizes[-1] * (wide[self.sizes[-1]] / tolerance) ** (2 / self.dimensions))

    def _difference(self, key: Key, other: Key) -> float:
        reference = self.mean(other)
        return _relative(float(np.linalg.norm(self.mean(key) - reference)), reference)


def student(n: int) -> float:
    """Return t of n values, so that their mean is within t D / sqrt(n) of the true one with 95 %."""
    return float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2))


def typical(value: Array) -> float:
    """Return one number for a value: a scalar itself, the norm of a vector, the mean of the diagonal of a tensor."""
    if value.ndim == 2:
        return float(np.trace(value) / len(value))
    return float(np.linalg.norm(value)) if value.ndim else float(value)


def _relative(part: float, whole: Array) -> float:
    norm = float(np.linalg.norm(whole))
    return part / norm if norm > 0 else (0.0 if part == 0 else math.inf)
