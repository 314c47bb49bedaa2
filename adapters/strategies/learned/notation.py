"""Tensors as vectors, so that products stay what they are: A : B = a . b, and C : A is a matrix times a vector.

A symmetric tensor of rank 2 becomes (A00, A11, A22, sqrt2 A12, sqrt2 A02, sqrt2 A01), in two dimensions (A00, A11,
sqrt2 A01) (J. Mandel, Int. J. Solids Struct. 1, 273 (1965)). What is not symmetric in a tensor, a rotation, is left out
on the way in; what comes out is symmetric to the last bit.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def size(rank: int, dimensions: int) -> int:
    """Return how many components a vector has that stands for a value of rank 0, 1 or 2."""
    return {0: 1, 1: dimensions, 2: dimensions * (dimensions + 1) // 2}[rank]


def vector(values: Array, rank: int) -> Array:
    """Return values (..., *(d,) * rank) as vectors (..., s)."""
    array = np.asarray(values, dtype=np.float64)
    if rank == 0:
        return array[..., None]
    if rank == 1:
        return array
    return np.asarray(np.einsum("...ij,ijs->...s", array, _basis(array.shape[-1])))


def value(vectors: Array, rank: int, dimensions: int) -> Array:
    """Return what vectors (..., s) stand for, (..., *(d,) * rank)."""
    if rank == 0:
        return vectors[..., 0]
    if rank == 1:
        return vectors
    return np.asarray(np.einsum("...s,ijs->...ij", vectors, _basis(dimensions)))


def matrix(values: Array) -> Array:
    """Return tensors of rank 4 (..., d, d, d, d) as matrices (..., s, s)."""
    basis = _basis(values.shape[-1])
    return np.asarray(np.einsum("...ijkl,ijs,klt->...st", values, basis, basis, optimize=True))


def tensor(matrices: Array, rank: int, dimensions: int) -> Array:
    """Return derivatives (..., s, s) of vectors for rank 0, 1 or 2 by others as (..., *(d,) * 2 rank)."""
    if rank < 2:
        return matrices if rank else matrices[..., 0, 0]
    basis = _basis(dimensions)
    half = np.tensordot(matrices, basis, axes=([-1], [2]))  # (..., s, k, l)
    return np.ascontiguousarray(np.moveaxis(np.tensordot(half, basis, axes=([-3], [2])), (-2, -1), (-4, -3)))


def identity(rank: int, dimensions: int) -> Array:
    """Return the vector (s,) of the unit tensor over sqrt(d), whose projection is the trace; zero for rank 1."""
    if rank < 2:
        return np.zeros(size(rank, dimensions))
    return np.asarray(vector(np.eye(dimensions), 2) / np.sqrt(dimensions))


@cache
def _basis(dimensions: int) -> Array:
    """Return orthonormal symmetric tensors (d, d, s)."""
    beside = [(i, j) for i in range(dimensions) for j in range(i + 1, dimensions)][::-1]
    basis = np.zeros((dimensions, dimensions, dimensions + len(beside)))
    for i in range(dimensions):
        basis[i, i, i] = 1
    for number, (i, j) in enumerate(beside, dimensions):
        basis[i, j, number] = basis[j, i, number] = np.sqrt(0.5)
    return basis
