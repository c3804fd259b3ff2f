"""The Fréchet distance against its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from glassplate.codecs.measures.frechet import Features, frechet_distance


def exact(mean: Features, covariance: Features, seed: int = 0, count: int = 400) -> Features:
    """Samples whose mean and covariance are just these, to rounding."""
    draws = np.random.default_rng(seed).normal(size=(count, len(mean)))
    white = draws - draws.mean(0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(white, rowvar=False)))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def test_one_dimension_is_means_and_deviations() -> None:
    a, b = exact(np.array([1.0]), np.array([[4.0]])), exact(np.array([4.0]), np.array([[25.0]]), 1)
    assert frechet_distance(a, b) == pytest.approx(3**2 + (5 - 2) ** 2)


def test_diagonal_covariances() -> None:
    first, second = np.array([1.0, 4.0, 9.0]), np.array([4.0, 1.0, 9.0])
    a, b = exact(np.zeros(3), np.diag(first)), exact(np.ones(3), np.diag(second), 1)
    expected = 3 + ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_rotated_gaussians() -> None:
    """Against eigenvalues of the product of the covariances, taken without the symmetric form."""
    random = np.random.default_rng(5)
    factors = random.normal(size=(2, 6, 6))
    first, second = (factor @ factor.T + 0.1 * np.eye(6) for factor in factors)
    mean = random.normal(size=6)
    a, b = exact(mean, first), exact(np.zeros(6), second, 1)
    root = np.sqrt(np.linalg.eigvals(first @ second).real).sum()
    expected = mean @ mean + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_equal_sets_and_symmetry() -> None:
    random = np.random.default_rng(2)
    a = random.normal(size=(50, 80)).astype(np.float32)  # singular: fewer samples than dimensions
    b = a + random.normal(size=(50, 80)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, b) > 1


@pytest.mark.parametrize(("a", "b"), [((9, 3), (9, 4)), ((1, 3), (9, 3)), ((9,), (9,))])
def test_what_cannot_be_compared(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shapes"):
        frechet_distance(np.ones(a), np.ones(b))
