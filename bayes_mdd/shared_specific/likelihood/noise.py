"""Noise of each feature relative to its block, estimated before the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import polygamma

from bayes_mdd.types import Array


def moderated_variance(variance: Array, df: float) -> Array:
    """Shrink variances estimated with few degrees of freedom towards each other.

    Parameters
    ----------
    variance : ndarray, shape (feature,)
        Estimated variances, all above 0.
    df : float
        Degrees of freedom of each.

    Returns
    -------
    ndarray, shape (feature,)
        Posterior means under a scaled inverse chi-square prior whose parameters are fitted to
        all of them. If they vary no more than expected by chance, all are equal.

    References
    ----------
    .. [1] Smyth, G. K. (2004). Linear models and empirical Bayes methods for assessing
       differential expression in microarray experiments. Statistical Applications in Genetics
       and Molecular Biology, 3, 3.

    Examples
    --------
    >>> import numpy as np
    >>> chance = np.random.default_rng(0).chisquare(50, size=4000) / 50
    >>> bool(np.ptp(moderated_variance(chance, 50)) < 0.2)
    True
    """
    log = np.log(variance) - polygamma(0, df / 2) + np.log(df / 2)
    excess = float(log.var(ddof=1)) - float(polygamma(1, df / 2)) if log.size > 1 else 0.0
    if excess <= 1e-6:
        return np.full_like(variance, np.exp(log.mean()))
    prior_df = 2.0 * brentq(lambda x: float(polygamma(1, x)) - excess, 1e-4, 1e7)
    centre = np.exp(log.mean() + polygamma(0, prior_df / 2) - np.log(prior_df / 2))
    return np.asarray((prior_df * centre + df * variance) / (prior_df + df))


def feature_noise_scale(projected: Array, code: NDArray[np.integer], n_factors: int) -> Array:
    """Noise SD of each feature relative to its block.

    Features that were standardised relative to a few dozen controls differ in noise among the
    patients, and a superfluous factor would fit the noisiest feature of a small block. Dividing
    by the residual standard deviation beyond the leading `n_factors` components, moderated over
    all features, removes these differences without a parameter per feature.

    Parameters
    ----------
    projected : ndarray, shape (n, feature)
        Features in the basis orthogonal to the design.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    n_factors : int
        Largest number of components that are not noise.

    Returns
    -------
    ndarray, shape (feature,)
        With mean square 1 in each block.
    """
    n = projected.shape[0]
    df = max(n - n_factors, 1)
    vectors = np.linalg.eigh(projected @ projected.T)[1][:, ::-1][:, n_factors:]
    variance = ((vectors.T @ projected) ** 2).sum(axis=0) / df
    scale2 = moderated_variance(np.maximum(variance, 1e-12), df)
    mean = np.bincount(code, scale2) / np.bincount(code)
    return np.asarray(np.sqrt(scale2 / mean[code]))
