"""Joint estimation of the scores of several components of whitened features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.parallel_analysis import complement
from bayes_mdd.types import Array, IntArray

#: Smallest prior variance of loadings and of scores in an arm.
LEAST_LOADING, LEAST_SCORE = 1e-6, 1e-3
#: Noise of a bin falls to this fraction at most in one round.
LEAST_DROP = 0.05


@dataclass(frozen=True, eq=False)
class JointEstimate:
    """Scores of all components together.

    Parameters
    ----------
    scores : ndarray, shape (subject, component)
        Posterior means; their mean square with the posterior variance is 1.
    unbiased : ndarray, shape (subject, component)
        Least-squares scores, with the design projected out.
    error : ndarray, shape (component, component)
        Covariance of the errors of `unbiased`.
    """

    scores: Array
    unbiased: Array
    error: Array


def estimate_jointly(
    x: Array,
    scores: Array,
    bin_of: IntArray,
    design: Array,
    arm: NDArray[np.integer],
    rounds: int,
    *,
    by_arm: bool = False,
) -> JointEstimate:
    """Fit a factor model by expectation maximisation, from given scores.

    Loadings have one variance per component and bin, features one noise variance per bin.

    Parameters
    ----------
    x : ndarray, shape (subject, feature)
        Whitened features with the design projected out.
    scores : ndarray, shape (subject, component)
        Starting values.
    bin_of : ndarray of int, shape (feature,)
        Bin of each feature.
    design : ndarray, shape (subject, m)
        Orthonormal basis of the design.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    rounds : int
        Number of rounds.
    by_arm : bool, default False
        Whether scores have one variance for each component and arm, instead of 1.

    Returns
    -------
    JointEstimate
        Scores and their errors.
    """
    n, k = scores.shape
    size = np.bincount(bin_of)
    members = [np.flatnonzero(bin_of == b) for b in range(size.size)]
    free = n - design.shape[1]
    h = complement(scores, design)
    h = h / np.sqrt((h**2).mean(axis=0))
    uncertain, variance = np.zeros((k, k)), np.ones((int(arm.max()) + 1, k))
    energy = np.bincount(bin_of, (x**2).sum(axis=0))
    noise = energy / (free * size)
    slab = np.zeros((k, 0))
    raw, precision = h, np.eye(k)
    for _ in range(rounds):
        gram, product = h.T @ h + n * uncertain, h.T @ x
        if not slab.size:
            slab = _first_slab(gram, product, members, noise)
        precision, filters = np.zeros((k, k)), np.zeros((k, x.shape[1]))
        slab, noise = slab.copy(), noise.copy()
        for b, at in enumerate(members):
            cov = np.linalg.inv(gram / noise[b] + np.diag(1.0 / slab[:, b]))
            loadings = cov @ product[:, at] / noise[b]
            moment = loadings @ loadings.T + size[b] * cov
            precision += moment / noise[b]
            filters[:, at] = loadings / noise[b]
            slab[:, b] = np.maximum(np.diag(moment) / size[b], LEAST_LOADING)
            left = energy[b] - 2 * (loadings * product[:, at]).sum() + np.trace(gram @ moment)
            noise[b] = max(left / (free * size[b]), LEAST_DROP * noise[b])
        raw = x @ filters.T
        h, uncertain, variance = _update_scores(raw, precision, arm, variance, by_arm=by_arm)
        h = complement(h, design)
        unit = np.sqrt((h**2).mean(axis=0) + np.diag(uncertain))
        h, uncertain = h / unit, uncertain / np.outer(unit, unit)
        slab = slab * unit[:, None] ** 2
        if by_arm:
            variance = variance / unit**2
    error = np.linalg.inv(precision)
    return JointEstimate(h, complement(raw @ error, design), error)


def _first_slab(gram: Array, product: Array, members: list[IntArray], noise: Array) -> Array:
    """Variance of least-squares loadings beyond their noise, shape (component, bin)."""
    plain = np.linalg.solve(gram, product)
    square = np.stack([(plain[:, at] ** 2).mean(axis=1) for at in members], axis=1)
    return np.asarray(np.maximum(square - noise / np.diag(gram)[:, None], 1e-4))


def _update_scores(
    raw: Array,
    precision: Array,
    arm: NDArray[np.integer],
    variance: Array,
    *,
    by_arm: bool,
) -> tuple[Array, Array, Array]:
    """Posterior means of scores, their mean covariance, and variances by arm."""
    h, uncertain, variance = np.zeros_like(raw), np.zeros_like(precision), variance.copy()
    for a in np.unique(arm):
        at = arm == a
        cov = np.linalg.inv(precision + np.diag(1.0 / variance[a]))
        h[at] = raw[at] @ cov
        uncertain += at.mean() * cov
        if by_arm:
            variance[a] = np.maximum((h[at] ** 2).mean(axis=0) + np.diag(cov), LEAST_SCORE)
    return h, uncertain, variance
