"""Share of findings with the same sign, and the share expected by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of several maps with the same findings.

    Parameters
    ----------
    draws : ndarray, shape (draw, map)
        Share of findings with the same sign in each posterior draw, studies counting alike.
    observed : ndarray, shape (map,)
        That of the posterior mean maps.
    null : ndarray, shape (permutation, map)
        That of the posterior mean maps with places permuted.
    """

    draws: Array
    observed: Array
    null: Array

    @property
    def p_values(self) -> Array:
        """Share of permutations that agree at least as well, the observed one included."""
        at_least = (self.null >= self.observed - 1e-9).sum(axis=0)
        return np.asarray((1 + at_least) / (1 + len(self.null)))


def weigh_studies(studies: Array) -> Array:
    """Weigh findings so that each study counts once.

    Parameters
    ----------
    studies : ndarray, shape (finding,)
        Number of the study of each finding.

    Returns
    -------
    ndarray, shape (finding,)
        Weights that sum to 1.

    Examples
    --------
    >>> weigh_studies(np.array([7, 7, 9])).tolist()
    [0.25, 0.25, 0.5]
    """
    _, at, size = np.unique(studies, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (size[at] * len(size)))


def share_of_same_sign(values: Array, signs: Array, weights: Array) -> Array:
    """Count findings whose sign is that of a map.

    Parameters
    ----------
    values : ndarray, shape (..., finding)
        Value of the map at the place of each finding.
    signs : ndarray, shape (finding,)
        Reported signs, 1 or -1.
    weights : ndarray, shape (finding,)
        From `weigh_studies`.

    Returns
    -------
    ndarray, shape (...)
        Share; a value of 0 counts one half.

    Examples
    --------
    >>> share_of_same_sign(np.array([2.0, -1.0]), np.array([1, 1]), np.array([0.5, 0.5])).item()
    0.5
    """
    return np.asarray((0.5 + 0.5 * np.sign(values) * signs) @ weights)


def compare_signs(
    mean: Array, draws: Array, permuted: Array, signs: Array, studies: Array, *, free: bool
) -> Agreement:
    """Compare maps with reported signs.

    Parameters
    ----------
    mean : ndarray, shape (map, finding)
        Posterior means at the places of the findings.
    draws : ndarray, shape (draw, map, finding)
        Posterior draws.
    permuted : ndarray, shape (permutation, map, finding)
        Posterior means at permuted places.
    signs : ndarray, shape (finding,)
        Reported signs, 1 or -1.
    studies : ndarray, shape (finding,)
        Study of each finding.
    free : bool
        Whether maps have no sign of their own: then each agrees up to one reflection, and so do
        the permuted ones.

    Returns
    -------
    Agreement
        Shares.
    """
    weights = weigh_studies(studies)
    observed, shares, null = (
        share_of_same_sign(values, signs, weights) for values in (mean, draws, permuted)
    )
    if free:
        reflected = observed < 0.5
        shares = np.where(reflected, 1 - shares, shares)
        observed, null = np.maximum(observed, 1 - observed), np.maximum(null, 1 - null)
    return Agreement(shares, observed, null)


def adjust_holm(p_values: Array) -> Array:
    """Adjust p values for their number.

    Parameters
    ----------
    p_values : ndarray
        Raw values.

    Returns
    -------
    ndarray
        Holm's adjusted values.

    Examples
    --------
    >>> adjust_holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    found = np.empty_like(p_values)
    found[order] = np.minimum(steps, 1.0)
    return found
