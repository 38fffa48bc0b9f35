"""Noise scale of each subject: scans differ in length and motion, so in the size of all errors."""

from __future__ import annotations

import numpy as np

from bayes_mdd.shared_specific.whitening.leading import leading_pairs
from bayes_mdd.types import Array, IntArray

#: Times that scales and residuals are computed in turn.
ROUNDS = 2
#: A subject's leverage is taken for at most this.
MOST_LEVERAGE = 0.9


def subject_scales(features: Array, code: IntArray, design: Array) -> Array:
    """Estimate the noise scale of each subject from thousands of features.

    The scale is the root mean square of a subject's residuals, with equal weight to all blocks'
    noise. It is estimated together with the weighted regression on the design.

    Parameters
    ----------
    features : ndarray, shape (subject, feature)
        Whitened features.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    design : ndarray, shape (subject, column)
        Intercept and covariates.

    Returns
    -------
    ndarray, shape (subject,)
        Mean square 1.

    Examples
    --------
    >>> import numpy as np
    >>> s = np.repeat([0.5, 1.0, 2.0], 20)
    >>> g = s[:, None] * np.random.default_rng(0).normal(size=(60, 900))
    >>> found = subject_scales(g, np.zeros(900, dtype=int), np.ones((60, 1)))
    >>> bool(np.allclose(found * np.sqrt((s**2).mean()), s, rtol=0.1))
    True
    """
    scale = np.ones(len(features))
    size = np.bincount(code)
    for _ in range(ROUNDS):
        columns = np.linalg.qr(design / scale[:, None])[0]
        residual = features / scale[:, None]
        residual -= columns @ (columns.T @ residual)
        spread = np.bincount(code, (residual**2).mean(axis=0)) / size
        kept = np.maximum(1.0 - (columns**2).sum(axis=1), 1.0 - MOST_LEVERAGE)
        square = (residual**2 / np.maximum(spread, 1e-300)[code]).mean(axis=1) / kept
        scale = scale * np.sqrt(square)
        scale /= np.sqrt((scale**2).mean())
    return np.asarray(scale)


def scales_beyond_components(
    features: Array, code: IntArray, design: Array, n_components: int
) -> Array:
    """Estimate the noise scale of each subject, without the leading components.

    Traits enlarge the features of the subjects who express them. The leading components are those
    of features over a first estimate of the scale, because others would belong to noisy subjects.

    Parameters
    ----------
    features : ndarray, shape (subject, feature)
        Features.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    design : ndarray, shape (subject, column)
        Intercept and covariates.
    n_components : int
        Number of components that may be traits.

    Returns
    -------
    ndarray, shape (subject,)
        Mean square 1.
    """
    first = subject_scales(features, code, design)[:, None]
    columns = np.linalg.qr(design / first)[0]
    even = features / first
    even -= columns @ (columns.T @ even)
    leading = leading_pairs(even, n_components)[1]
    return subject_scales(features, code, np.column_stack([design, first * leading]))
