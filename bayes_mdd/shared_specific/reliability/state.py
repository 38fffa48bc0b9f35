r"""Trait and state within a scan: the share of a score that would remain in a longer scan.

The scores of K equal pieces of each scan have between subjects the covariance

.. math:: \Sigma = T\, 1 1^\top + V_s\, C_\tau / \overline{C_\tau} + N I ,

T a trait, :math:`V_s` the variance of the scan mean of a state whose correlation decays as
:math:`e^{-\mathrm{lag} / \tau}`, and N noise of a piece. A state that changes faster than a piece
lasts is part of N: what N has above the sampling variance counts as state. Then

.. math:: R = \frac{T}{T + V_s + \max(N - N_\mathrm{sampling}, 0) / K} .

Priors: T / (T + V_s) uniform, :math:`\tau` log-uniform between .05 and 1 scan lengths, N and
(T + V_s) / N log-flat, the latter within a factor of :math:`e^5` of a moment estimate. The
posterior is integrated on a grid. N given the other parameters is an inverse gamma and is
integrated exactly; eigenvectors depend on :math:`\tau` and on T / (T + V_s) only.

A state that lasts longer than about half of the scan cannot be told from a trait by this or any
other analysis of one scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv

from bayes_mdd.types import Array

#: Range of the time constant of a state, in scan lengths.
TAU_MIN, TAU_MAX = 0.05, 1.0
#: Numbers of grid points: time constant, trait fraction, variance ratio (first and second pass),
#: noise.
N_TAU, N_FRACTION, N_RATIO, N_NOISE = 16, 120, (41, 61), 9
#: Half the range of the logarithm of the variance ratio around its moment estimate.
LOG_RANGE = 5.0
#: Log posterior density below the maximum at which the grid is cut.
NEGLIGIBLE = 14.0


@dataclass(frozen=True, eq=False)
class TraitShare:
    """Posterior of the share of a factor's variance that would remain in a longer scan.

    Parameters
    ----------
    draws : ndarray, shape (draw,)
        Equally weighted quantiles of R, in ascending order.
    timescale : float
        Posterior median of the time constant of the state, in scan lengths.
    noise_ratio : float
        Posterior median of N over the sampling variance; far above 1 for a fast state. Infinite if
        the sampling variance is 0.
    """

    draws: Array
    timescale: float
    noise_ratio: float


def piece_covariance(tau: float, n_pieces: int) -> Array:
    """Covariance of the means of consecutive pieces of a stationary process.

    Parameters
    ----------
    tau : float
        Time constant of the correlation exp(-lag / tau), in scan lengths.
    n_pieces : int
        Number of equal pieces of the scan.

    Returns
    -------
    ndarray, shape (piece, piece)
        For a process of variance 1.

    Examples
    --------
    >>> piece_covariance(0.125, 8)[0, :3].round(3)
    array([0.736, 0.4  , 0.147])
    """
    r = tau * n_pieces
    lag = np.abs(np.subtract.outer(np.arange(n_pieces), np.arange(n_pieces)))
    apart = (r * np.expm1(-1 / r)) ** 2 * np.exp(-np.maximum(lag - 1, 0) / r)
    return np.asarray(np.where(lag == 0, 2 * r * (1 + r * np.expm1(-1 / r)), apart))


def trait_share(scores: Array, sampling: float = 0.0, *, n_draws: int = 1000) -> TraitShare:
    """Integrate the posterior of the trait share of one factor.

    Parameters
    ----------
    scores : ndarray, shape (subject, piece)
        Scores of equal consecutive pieces of each subject's scan.
    sampling : float, default 0.0
        Sampling variance of the score of a piece.
    n_draws : int, default 1000
        Number of quantiles to return.

    Returns
    -------
    TraitShare
        Draws of R and posterior medians of the other parameters. Scores that do not vary contain no
        information: the draws are those of the uniform prior.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> trait, noise = rng.normal(size=(60, 1)), rng.normal(size=(60, 8))
    >>> bool(trait_share(trait + 0.5 * noise, 0.25).draws.mean() > 0.9)
    True
    """
    n, n_pieces = scores.shape
    centred = scores - scores.mean(axis=0)
    products = centred.T @ centred
    probability = (np.arange(n_draws) + 0.5) / n_draws
    if not np.trace(products) > 0:
        return TraitShare(probability, float(np.sqrt(TAU_MIN * TAU_MAX)), 1.0)
    tau, fraction, ratio, rate, log_weight = _grid(products, n - 1)
    # N given the rest: inverse gamma, at its quantiles.
    shape = (n - 1) * n_pieces / 2
    gamma = gammaincinv(shape, (np.arange(N_NOISE) + 0.5) / N_NOISE)
    noise = rate[:, None] / gamma
    fast = np.maximum(1 - sampling / noise, 0) / n_pieces
    share = (ratio * fraction)[:, None] / (ratio[:, None] + fast)
    weight = np.repeat(np.exp(log_weight - log_weight.max()) / N_NOISE, N_NOISE)
    noise_median = float(_quantiles(noise.ravel(), weight, np.array([0.5]))[0])
    return TraitShare(
        draws=_quantiles(share.ravel(), weight, probability),
        timescale=float(_quantiles(np.repeat(tau, N_NOISE), weight, np.array([0.5]))[0]),
        noise_ratio=noise_median / sampling if sampling > 0 else np.inf,
    )


@lru_cache(maxsize=8)
def _shapes(n_pieces: int) -> tuple[Array, Array, Array, Array]:
    """Midpoints of tau and of T / (T + V_s); eigenvalues and eigenvectors of the shape of each."""
    tau = np.exp(np.log(TAU_MIN) + np.log(TAU_MAX / TAU_MIN) * (np.arange(N_TAU) + 0.5) / N_TAU)
    fraction = (np.arange(N_FRACTION) + 0.5) / N_FRACTION
    state = np.stack([c / c.mean() for c in (piece_covariance(t, n_pieces) for t in tau)])
    f = fraction[None, :, None, None]
    values, vectors = np.linalg.eigh(f + (1 - f) * state[:, None])
    return tau, fraction, np.maximum(values, 0.0), vectors


def _grid(products: Array, dof: int) -> tuple[Array, Array, Array, Array, Array]:
    """Points of the grid that matter, flat: tau, fraction, ratio, rate of N, log weight."""
    n_pieces = len(products)
    tau, fraction, values, vectors = _shapes(n_pieces)
    squares = np.einsum("tfij,ik,tfkj->tfj", vectors, products, vectors, optimize=True)
    mean = products.mean()
    within = max(np.trace(products) / n_pieces - mean, 1e-12 * mean) * n_pieces / (n_pieces - 1)
    middle = np.log(mean / within)
    low, high = middle - LOG_RANGE, middle + LOG_RANGE
    for n_points in N_RATIO:
        step = (high - low) / n_points
        log_ratio = low + step * (np.arange(n_points) + 0.5)
        scaled = 1 + np.exp(log_ratio)[:, None, None, None] * values
        rate = (squares / scaled).sum(axis=-1) / 2
        log_weight = -0.5 * dof * np.log(scaled).sum(axis=-1) - 0.5 * dof * n_pieces * np.log(rate)
        best = log_weight.max(axis=(1, 2))
        wide = log_ratio[best > best.max() - NEGLIGIBLE]
        low, high = max(low, wide.min() - step), min(high, wide.max() + step)
    keep = log_weight > log_weight.max() - NEGLIGIBLE
    at_ratio, at_tau, at_fraction = np.nonzero(keep)
    return (
        tau[at_tau],
        fraction[at_fraction],
        np.exp(log_ratio[at_ratio]),
        rate[keep],
        log_weight[keep],
    )


def _quantiles(values: Array, weight: Array, probability: Array) -> Array:
    """Quantiles of weighted points, interpolated between them."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return np.interp(probability, (below - weight[order] / 2) / below[-1], values[order])
