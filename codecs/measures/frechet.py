"""Fréchet distance between two sets of features, each taken for a Gaussian.

D. C. Dowson and B. V. Landau, "The Fréchet distance between multivariate normal distributions"
(Journal of Multivariate Analysis, 1982); Heusel et al. (NeurIPS 2017) made it a measure of
generated pictures. Its values are FID only with their features, those of `inception`.
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
    first, second = _factor(a), _factor(b)
    # The eigenvalues of A B are the squared singular values of this product of their factors.
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    traces = np.square(first).sum() + np.square(second).sum() - 2 * shared
    return float(means @ means + max(traces, 0.0))


def _factor(features: Features) -> npt.NDArray[np.float64]:
    """F, with no more rows than needed, of the covariance F^T F."""
    centred = features - features.mean(0, dtype=np.float64)
    return np.asarray(np.linalg.qr(centred / np.sqrt(len(features) - 1), mode="r"))
