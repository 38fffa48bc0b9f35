"""Likelihoods of the variance of patterns in all cohorts, in tables over log variances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logsumexp, ndtr

from bayes_mdd.shared_specific.cohorts.size import log_likelihood
from bayes_mdd.types import Array, BoolArray, IntArray

#: SDs between cohorts that are considered, in units of the scale of their prior.
GRID: Final = np.array([0, 0.15, 0.3, 0.45, 0.6, 0.8, 1, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0])
#: Nodes of quadrature over differences of a cohort in one arm (in tables), and in all arms.
TABLE_NODES, NODES = 81, 21
#: They reach this many SDs.
REACH: Final = 4.0
#: SD on the log scale of the variance at which a cohort finds a pattern.
DETECTION_SPREAD: Final = 0.35
#: Largest probability that a pattern is found.
CERTAIN: Final = 0.98
#: Step of the grid of log variances, and how far it reaches beyond what was observed.
STEP, BELOW, ABOVE = 0.02, 9.0, 4.0


@dataclass(frozen=True, eq=False)
class Sizes:
    """What cohorts tell about the variance of patterns.

    Parameters
    ----------
    found : ndarray of bool, shape (cohort, pattern)
        Which cohorts found which patterns.
    observed, dof, error : ndarray, shape (cohort, arm, pattern)
        Likelihoods; not read where a pattern was not found.
    noise : ndarray, shape (cohort,)
        Mean residual variance of the features.
    limit : ndarray, shape (cohort, carrier)
        Share of the variance that is found in one half of such cohorts: of a pattern of all arms,
        then of each arm (with several).
    concentration : float
        Of the Dirichlet prior.
    """

    found: BoolArray
    observed: Array
    dof: Array
    error: Array
    noise: Array
    limit: Array
    concentration: float


class SizeTables:
    """Log likelihoods on a grid, integrated over differences of a cohort in one arm.

    Parameters
    ----------
    sizes : Sizes
        What the cohorts tell.
    scale : float
        Scale of the half-normal priors of the SDs between cohorts; 0 for none.

    Attributes
    ----------
    sd : ndarray, shape (position,)
        SDs between cohorts that are considered.
    log_prior : ndarray, shape (position,)
        Their prior.
    low, high : float
        Smallest and largest log variance of the grid.
    """

    def __init__(self, sizes: Sizes, scale: float) -> None:
        self.sizes = sizes
        self.sd = GRID * scale if scale > 0 else np.zeros(1)
        step = np.gradient(self.sd) if scale > 0 else np.ones(1)
        self.log_prior = -0.5 * (GRID if scale > 0 else np.zeros(1)) ** 2 + np.log(step)
        self.nodes, self.log_weights = _normal_nodes(NODES)
        on = sizes.found[:, None, :] & (sizes.observed > 0)
        self.low = float(np.log(sizes.error[on].min())) - BELOW
        top = float(np.log(sizes.observed[on].max())) + ABOVE
        self.x = np.arange(self.low, top, STEP)
        self.high = float(self.x[-1])
        c, a, p = sizes.observed.shape
        self.table = np.zeros((self.sd.size, c, p, a, self.x.size))
        # Where each grid starts in the flat table.
        self.starts = np.arange(self.table.size // self.x.size) * self.x.size
        self.starts = self.starts.reshape(*self.table.shape[:-1], 1)
        nodes, log_weights = _normal_nodes(TABLE_NODES)
        for i, j in zip(*np.nonzero(sizes.found), strict=True):
            for k in range(a):
                v, nu, r = sizes.observed[i, k, j], sizes.dof[i, k, j], sizes.error[i, k, j]
                # Relative to the largest value, so that tables can be added without loss.
                top = float(log_likelihood(np.log(np.array(v)), v, nu, 0.0))
                for m, sd in enumerate(self.sd):
                    at = self.x + (sd * nodes if sd > 0 else np.zeros(1))[:, None]
                    values = log_likelihood(at, v, nu, r) - top
                    weights = log_weights if sd > 0 else np.zeros(1)
                    self.table[m, i, j, k] = logsumexp(values + weights[:, None], axis=0)

    def found(self, mu: Array, size: IntArray, sharing: IntArray) -> Array:
        """Compute the log likelihood of cohorts that found a pattern.

        Parameters
        ----------
        mu : ndarray, shape (chain, pattern, arm)
            Log variances over cohorts.
        size, sharing : ndarray of int, shape (chain,)
            Positions of the SDs between cohorts.

        Returns
        -------
        ndarray, shape (chain, cohort, pattern)
            Not to be read where a pattern was not found.
        """
        n = self.x.size
        at = mu[:, :, :, None] + (self.sd[size][:, None] * self.nodes)[:, None, None, :]
        place = np.clip((at - self.low) / STEP, 0, n - 1.001)
        left = place.astype(int)
        part = (place - left)[:, None]
        index = self.starts[sharing] + left[:, None]
        flat = self.table.reshape(-1)
        low = flat[index]
        high = flat[index + 1]
        inside = (low + part * (high - low)).sum(axis=3) + self.log_weights
        return log_sum_exp(inside)

    def missed(self, mu: Array, size: IntArray) -> Array:
        """Compute the log probability that cohorts miss a pattern that they have.

        Parameters
        ----------
        mu : ndarray, shape (chain, pattern, arm)
            Log variances over cohorts.
        size : ndarray of int, shape (chain,)
            Position of the SD between cohorts.

        Returns
        -------
        ndarray, shape (chain, cohort, pattern)
            Log probabilities.
        """
        at = mu[..., None] + (self.sd[size][:, None] * self.nodes)[:, None, None, :]
        variance = np.exp(at)[:, None]
        share = variance / (variance + self.sizes.noise[None, :, None, None, None])
        limit = self.sizes.limit[None, :, None, :, None]
        every = np.log(share.mean(axis=3)) - np.log(limit[:, :, :, 0])
        if limit.shape[3] > 1:
            each = (np.log(share) - np.log(limit[:, :, :, 1:])).max(axis=3)
            every = np.maximum(every, each)
        miss = 1.0 - CERTAIN * ndtr(every / DETECTION_SPREAD)
        return log_sum_exp(np.log(miss) + self.log_weights)


def log_sum_exp(values: Array) -> Array:
    """Compute the logarithm of the sum of exponentials over the last axis.

    Unlike `scipy.special.logsumexp`, it takes next to no time for a small array.

    Parameters
    ----------
    values : ndarray, shape (..., n)
        Finite numbers.

    Returns
    -------
    ndarray, shape (...)
        One for each row.

    Examples
    --------
    >>> log_sum_exp(np.log([[1.0, 3.0], [2.0, 6.0]])).round(3).tolist()
    [1.386, 2.079]
    """
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(axis=-1)) + top[..., 0])


def _normal_nodes(n: int) -> tuple[Array, Array]:
    """Equally spaced nodes and log weights; they also suit likelihoods narrower than the prior."""
    nodes = np.linspace(-REACH, REACH, n)
    log_weights = -0.5 * nodes**2
    return nodes, np.asarray(log_weights - logsumexp(log_weights))
