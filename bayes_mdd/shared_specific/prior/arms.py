"""Priors by arm: sharing of a factor's variance, arm means, and scores given both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from bayes_mdd.dims import CONTROL, WITHIN_SCAN
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray

#: Shares below this are taken for this in logs.
LEAST_SHARE = 1e-300


def fixed_sharing(spec: SharedSpecificSpec, arms: tuple[str, ...]) -> Array | None:
    """Sharing that is fixed instead of estimated, or None.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `sharing` is read.
    arms : tuple of str
        Arms in order.

    Returns
    -------
    ndarray of shape (factor, arm), or None
        The pattern that the spec fixes, or ones where there is a single arm.
    """
    if spec.sharing is None:
        return np.ones((spec.n_factors, 1)) if len(arms) == 1 else None
    rows = [np.full(len(arms), 1 / len(arms))] * spec.sharing.get("shared", 0)
    for i, arm in enumerate(arms):
        rows += [np.eye(len(arms))[i]] * spec.sharing.get(arm, 0)
    return np.stack(rows)


def mean_variance(spec: SharedSpecificSpec, arms: tuple[str, ...]) -> Array:
    """Prior variance of the arm means.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    arms : tuple of str
        Arms in order.

    Returns
    -------
    ndarray, shape (arm, factor)
        Zero for controls, who are the reference, for half differences, and for arms that do not
        have a factor by a fixed pattern of sharing.
    """
    variance = np.full((len(arms), spec.n_factors), float(spec.mean_scale) ** 2)
    variance[[a in (CONTROL, WITHIN_SCAN) for a in arms]] = 0.0
    pattern = fixed_sharing(spec, arms)
    return variance if pattern is None else np.where(pattern.T > 0, variance, 0.0)


def add_sharing(shares: Array, concentration: float, slope: Array) -> float:
    """Log density of one factor's shares in softmax coordinates, without its constant.

    The Jacobian of these coordinates is the product of the shares, so that the exponents are the
    concentration itself.

    Parameters
    ----------
    shares : ndarray, shape (arm,)
        Shares.
    concentration : float
        Of the Dirichlet prior.
    slope : ndarray, shape (arm,)
        The derivatives in the logs of the shares are added to it.

    Returns
    -------
    float
        Log density.
    """
    value = 0.0
    for a in range(shares.size):
        value += concentration * np.log(shares[a])
        slope[a] += concentration
    return value


@dataclass(frozen=True)
class Sharing:
    """Dirichlet prior of the shares of arms in the variance of a factor.

    Parameters
    ----------
    concentration : float
        The same for all arms.
    n_arms : int
        Number of arms.
    """

    concentration: float
    n_arms: int

    def log_kernel(self, shares: Array, axis: int | tuple[int, ...] = -1) -> Array:
        """Log density without its constant, summed over axes.

        Parameters
        ----------
        shares : ndarray
            Shares.
        axis : int or tuple of int, default -1
            Axis of the arms, and axes of independent factors to sum over.

        Returns
        -------
        ndarray
            Shape of `shares` without these axes.
        """
        logs = np.log(np.maximum(shares, LEAST_SHARE))
        return np.asarray((self.concentration - 1) * logs.sum(axis=axis))

    def logp(self, shares: Array) -> Array:
        """Log density.

        Parameters
        ----------
        shares : ndarray, shape (..., arm)
            Shares that sum to 1.

        Returns
        -------
        ndarray, shape (...)
            Log density with respect to all shares but one.
        """
        a, n = self.concentration, self.n_arms
        return np.asarray(gammaln(a * n) - n * gammaln(a) + self.log_kernel(shares))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw shares.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.
        shape : tuple of int
            Shape without the arms.

        Returns
        -------
        ndarray, shape (*shape, arm)
            Shares that sum to 1.
        """
        return rng.dirichlet(np.full(self.n_arms, self.concentration), size=shape)


@dataclass(frozen=True, eq=False)
class ArmMeans:
    """Normal prior of the mean scores of arms.

    Parameters
    ----------
    variance : ndarray, shape (arm, factor)
        Zero where the mean is fixed at 0.
    """

    variance: Array

    def log_kernel(self, means: Array) -> Array:
        """Log density of each mean without its constant.

        Parameters
        ----------
        means : ndarray, shape (..., arm, factor)
            Means.

        Returns
        -------
        ndarray
            Same shape as `means`; 0 where the mean is fixed.
        """
        v = np.broadcast_to(self.variance, means.shape[1:])
        return np.where(v > 0, -0.5 * means**2 / np.where(v > 0, v, 1.0), 0.0)

    def logp(self, means: Array) -> Array:
        """Log density of each mean.

        Parameters
        ----------
        means : ndarray, shape (..., arm, factor)
            Means.

        Returns
        -------
        ndarray
            Same shape as `means`; 0 where the mean is fixed.
        """
        constant = -0.5 * np.log(2 * np.pi * np.where(self.variance > 0, self.variance, 1.0))
        return np.where(self.variance > 0, constant, 0.0) + self.log_kernel(means)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw means.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.
        shape : tuple of int
            Shape without arms and factors.

        Returns
        -------
        ndarray, shape (*shape, arm, factor)
            Means.
        """
        return rng.standard_normal((*shape, *self.variance.shape)) * np.sqrt(self.variance)


def draw_scores(sharing: Array, means: ArmMeans, arm: IntArray, rng: np.random.Generator) -> Array:
    """Draw scores from their prior given sharing.

    Parameters
    ----------
    sharing : ndarray, shape (..., arm, factor)
        Shares.
    means : ArmMeans
        Prior of the arm means, for the same factors.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    rng : numpy.random.Generator
        For the draws: means, then scores around them.

    Returns
    -------
    ndarray, shape (..., subject, factor)
        Scores.
    """
    mean = means.draw(rng, sharing.shape[:-2])
    spread: Any = np.sqrt(sharing.shape[-2] * sharing)[..., arm, :]
    return np.asarray(mean[..., arm, :] + spread * rng.standard_normal(spread.shape))
