"""Fréchet distance between two sets of features, each taken for a Gaussian.

D. C. Dowson and B. V. Landau, "The Fréchet distance between multivariate normal distributions"
(Journal of Multivariate Analysis, 1982); Heusel et al. (NeurIPS 2017) made it a measure of
generated pictures, with other features than ours, so that its values are no FID.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]


def frechet_distance(a: Features, b: Features) -> float:
    """Squared distance: |mean a - mean b|^2 + tr(A + B - 2 (A B)^1/2), A and B the covariances.

    Args:
        a, b: (samples, dimensions); samples should far outnumber dimensions, and be as many in
            both: few of them make distances larger.

    Raises ValueError for unequal dimensions or fewer than two samples.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"cannot compare features of shapes {a.shape} and {b.shape}")
    means = a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False, dtype=np.float64)) for x in (a, b))
    root = _root(first)
    # The eigenvalues of A B are those of this symmetric matrix, which are never below 0.
    product = np.linalg.eigvalsh(root @ second @ root)
    traces = np.trace(first) + np.trace(second) - 2 * np.sqrt(product.clip(min=0)).sum()
    return float(means @ means + max(traces, 0.0))


def _root(covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    root: npt.NDArray[np.float64] = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    return root
