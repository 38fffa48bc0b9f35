"""Reliability over all arms, and the intraclass correlation of two sessions."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from bayes_mdd.types import Array


def pooled_reliability(by_arm: Array, arm_size: Array) -> Array:
    """Compute the reliability of the scores of all subjects from that in each arm.

    The error variance is the same in all arms. Relative to it, the variance of an arm is
    ``1 / (1 - reliability)``; these are averaged over subjects.

    Parameters
    ----------
    by_arm : ndarray, shape (draw, arm, factor)
        Draws of the reliability in each arm.
    arm_size : ndarray, shape (arm,)
        Number of subjects of each arm.

    Returns
    -------
    ndarray, shape (draw, factor)
        At most 1; negative where the error exceeds the variance of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> float(pooled_reliability(np.array([[[0.5], [0.75]]]), np.array([10, 10]))[0, 0].round(3))
    0.667
    """
    ratio = 1.0 / np.maximum(1.0 - by_arm, 1e-12)
    return np.asarray(1.0 - 1.0 / np.einsum("a,dak->dk", arm_size / arm_size.sum(), ratio))


def icc_draws(scores: Array, sampling: float, n_draws: int) -> Array:
    """Draw the intraclass correlation of scores of two sessions.

    Sums and differences of the two sessions are independent; under flat priors of the logs of their
    variances, each variance is a sum of squares over a chi-square. The sampling variance of the
    scores is subtracted.

    Parameters
    ----------
    scores : ndarray, shape (subject, 2)
        Scores of both sessions.
    sampling : float
        Sampling variance of a score.
    n_draws : int
        Number of draws.

    Returns
    -------
    ndarray, shape (n_draws,)
        Between -1 and 1; the same for the same scores.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> trait = rng.normal(size=(200, 1))
    >>> bool(icc_draws(trait + 0.1 * rng.normal(size=(200, 2)), 0.0, 100).mean() > 0.95)
    True
    """
    centred = scores - scores.mean(axis=0)
    n = len(centred) - 1
    total = ((centred.sum(axis=1) / 2) ** 2).sum()
    half = ((centred[:, 0] - centred[:, 1]) ** 2).sum() / 4
    grid = (np.arange(n_draws) + 0.5) / n_draws
    # A fixed permutation pairs the quantiles of the two independent variances.
    order = np.random.default_rng(0).permutation(n_draws)
    of_mean, of_half = total / chi2.ppf(grid, n), half / chi2.ppf(grid, n)[order]
    between = of_mean - of_half
    within = np.maximum(2.0 * of_half - sampling, 0.0)
    return np.asarray(np.clip(between / np.maximum(np.abs(between) + within, 1e-300), -1.0, 1.0))
