"""Weight of the likelihood of features whose errors are correlated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.search.components import find_components
from bayes_mdd.shared_specific.search.effective_features import effective_count
from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.shared_specific.whitening.leading import leading_pairs
from bayes_mdd.types import Array


def feature_weight(
    y: Array,
    code: NDArray[np.integer],
    arm: NDArray[np.integer],
    design: Array,
    n_factors: int,
) -> float:
    """Likelihood weight that corrects for correlated errors.

    The weight is the effective over the actual number of features and is estimated from residuals.
    Removing the `n_factors` largest eigenvalues also removes noise and biases the estimate upwards
    (by 16-39 % with 8 of 50 eigenvalues). It therefore serves as starting value only: components
    that exceed the parallel-analysis threshold at the current weight are removed and the weight is
    estimated again, until the number of components stops falling.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features with the design projected out.
    code : ndarray of int, shape (feature,)
        Block of each feature; the features of a block have the same noise.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    design : ndarray, shape (subject, m)
        Orthonormal basis of the design.
    n_factors : int
        Largest number of components that are not noise.

    Returns
    -------
    float
        Effective over actual number of features, at most 1.

    Examples
    --------
    >>> import numpy as np
    >>> e = np.repeat(np.random.default_rng(1).normal(size=(60, 100)), 5, axis=1)
    >>> block, arm = np.zeros(500, dtype=int), np.zeros(60, dtype=int)
    >>> intercept = np.full((60, 1), 60**-0.5)
    >>> bool(0.18 < feature_weight(e - e.mean(axis=0), block, arm, intercept, 4) < 0.22)
    True
    """
    # Codes in order of appearance: the weight does not depend on the names of arms.
    seen = {int(a): i for i, a in enumerate(dict.fromkeys(arm.tolist()))}
    arm = np.array([seen[int(a)] for a in arm])
    even = y / _block_rms(y, code)
    lead = leading_pairs(even, n_factors)[1]
    even = y / _block_rms(complement(y, lead), code)
    weight = _weight(even, design, n_factors)
    n_components = n_factors + 1
    while True:
        found = find_components(
            even, code, arm, design, n_factors, np.random.default_rng(0), weight=weight
        )
        if found.shape[1] >= n_components:
            return weight
        n_components, taken = found.shape[1], orthonormal(design, found)
        even = y / _block_rms(complement(y, taken), code)
        weight = _weight(complement(even, taken), taken, 0)


def largest_weight(y: Array, code: NDArray[np.integer], design: Array, n_factors: int) -> float:
    """Weight without a search for components, which is an upper bound of `feature_weight`.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features with the design projected out.
    code : ndarray of int, shape (feature,)
        Block of each feature; the features of a block have the same noise.
    design : ndarray, shape (subject, m)
        Orthonormal basis of the design.
    n_factors : int
        Largest number of components that are not noise.

    Returns
    -------
    float
        Effective over actual number of features, beyond the `n_factors` largest eigenvalues.
    """
    even = y / _block_rms(y, code)
    lead = leading_pairs(even, n_factors)[1]
    return _weight(y / _block_rms(complement(y, lead), code), design, n_factors)


def _weight(even: Array, taken: Array, n_leading: int) -> float:
    """Weight of features with equal noise, outside the columns of `taken`."""
    free = np.linalg.qr(taken, mode="complete")[0][:, taken.shape[1] :]
    inside = free.T @ even
    return float(effective_count(inside @ inside.T, even.shape[1], n_leading) / even.shape[1])


def _block_rms(values: Array, code: NDArray[np.integer]) -> Array:
    square = np.bincount(code, (values**2).mean(axis=0)) / np.bincount(code)
    return np.asarray(np.sqrt(np.maximum(square, 1e-24))[code])
