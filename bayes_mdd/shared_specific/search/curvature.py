"""Components that are no traits: curvature of the traits found before, and single subjects.

Correlations are bounded, so that a strong trait changes them by a little more or less than in
proportion to its scores. What is left after the linear part follows squares and products of scores.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import f as f_distribution

from bayes_mdd.shared_specific.search.parallel_analysis import complement, orthonormal
from bayes_mdd.types import Array

#: Level at which squares and products of scores explain a component.
CURVATURE_LEVEL = 0.001
#: A component of which one subject holds more than this is that subject's own.
LARGEST_LEVERAGE = 0.5
#: Fewest degrees of freedom with which curvature is judged.
LEAST_DF = 5


def curvature_part(component: Array, scores: Array, taken: Array) -> Array | None:
    """Find the part of a component that follows squares and products of scores.

    Parameters
    ----------
    component : ndarray, shape (subject,)
        Scores of the new component, orthogonal to `taken`.
    scores : ndarray, shape (subject, component)
        Scores of the components found before.
    taken : ndarray, shape (subject, m)
        Orthonormal basis of the design and of all that was found before.

    Returns
    -------
    ndarray of shape (subject,) or None
        Fitted values; None if an F test does not reject that they are unrelated.

    Examples
    --------
    >>> import numpy as np
    >>> h = np.random.default_rng(0).normal(size=(60, 2))
    >>> taken = orthonormal(np.ones((60, 1)), h)
    >>> new = complement(h[:, :1] * h[:, 1:], taken)[:, 0]
    >>> bool(np.allclose(curvature_part(new, h, taken), new))
    True
    >>> curvature_part(complement(np.roll(new, 7)[:, None], taken)[:, 0], h, taken) is None
    True
    """
    k = scores.shape[1]
    if not k:
        return None
    first, second = np.triu_indices(k)
    products = complement(scores[:, first] * scores[:, second], taken)
    basis = orthonormal(products)
    df = len(scores) - taken.shape[1] - basis.shape[1]
    if df < LEAST_DF:
        return None
    fitted = basis @ (basis.T @ component)
    explained = float(fitted @ fitted)
    left = max(float(component @ component) - explained, 1e-300)
    ratio = (explained / basis.shape[1]) / (left / df)
    return fitted if f_distribution.sf(ratio, basis.shape[1], df) < CURVATURE_LEVEL else None


def is_one_subject(component: Array) -> bool:
    """Judge whether a single subject holds most of a component.

    Parameters
    ----------
    component : ndarray, shape (subject,)
        Scores.

    Returns
    -------
    bool
        True if its share of the sum of squares exceeds `LARGEST_LEVERAGE`.
    """
    square = component**2
    return bool(square.max() > LARGEST_LEVERAGE * square.sum())
