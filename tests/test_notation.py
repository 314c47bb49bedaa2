"""Tensors as vectors: products are kept, ways lead back, and rotations are left out."""

import numpy as np
import pytest

from adapters.strategies.learned import notation


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_product_of_vectors_is_that_of_tensors(d):
    random = np.random.default_rng(d)
    A, B = (x + x.swapaxes(1, 2) for x in random.standard_normal((2, 5, d, d)))
    a, b = notation.vector(A, 2), notation.vector(B, 2)
    assert a.shape == (5, notation.size(2, d))
    np.testing.assert_allclose((a * b).sum(axis=1), np.einsum("nij,nij->n", A, B), rtol=1e-13)
    np.testing.assert_allclose(notation.value(a, 2, d), A, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(a @ notation.identity(2, d) * np.sqrt(d), np.trace(A, axis1=1, axis2=2), rtol=1e-13)


@pytest.mark.parametrize("d", [2, 3])
def test_a_matrix_is_a_stiffness(d):
    random = np.random.default_rng(d)
    s = notation.size(2, d)
    C = random.standard_normal((4, s, s))
    C = C + C.swapaxes(1, 2)
    tensor = notation.tensor(C, 2, d)
    E = random.standard_normal((4, d, d))
    E = E + E.swapaxes(1, 2)
    stress = np.einsum("nijkl,nkl->nij", tensor, E)
    np.testing.assert_allclose(
        notation.vector(stress, 2), np.einsum("nst,nt->ns", C, notation.vector(E, 2)), rtol=1e-12
    )
    for same in (tensor.swapaxes(1, 2), tensor.swapaxes(3, 4), tensor.transpose(0, 3, 4, 1, 2)):
        np.testing.assert_allclose(same, tensor, atol=1e-14)
    np.testing.assert_allclose(notation.matrix(tensor), C, atol=1e-13)


def test_a_rotation_is_left_out():
    G = np.random.default_rng(0).standard_normal((3, 3, 3))
    W = G - G.swapaxes(1, 2)
    np.testing.assert_allclose(notation.vector(G + W, 2), notation.vector(G, 2), atol=1e-14)
    out = notation.value(np.random.default_rng(1).standard_normal((3, 6)), 2, 3)
    np.testing.assert_array_equal(out, out.swapaxes(1, 2))


def test_scalars_and_vectors_are_what_they_are():
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(notation.vector(x, 1), x)
    np.testing.assert_array_equal(notation.value(x, 1, 2), x)
    np.testing.assert_array_equal(notation.value(notation.vector(x, 0), 0, 2), x)
    C = np.ones((3, 2, 2))
    np.testing.assert_array_equal(notation.tensor(C, 1, 2), C)
    np.testing.assert_array_equal(notation.tensor(C[:, :1, :1], 0, 1), np.ones(3))
