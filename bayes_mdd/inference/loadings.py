r"""Loadings given the draws of everything else, exactly and without a P x P matrix.

Given scores, block scales and noise, the loadings of a feature are Gaussian with

.. math:: V_b = (D_b^{-2} + H_q^\top H_q)^{-1}, \qquad
   \lambda_p \sim N(V_b H_q^\top y_{qp},\; \sigma_b^2 V_b)

so that means, standard deviations and sign probabilities are averages of closed forms over draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.model import ModelData

Array = NDArray[np.float64]

#: Draws of the posterior that the intervals of loadings are made of, at most.
SUMMARY_DRAWS = 400
#: Memory that stored draws of whole maps may take, in numbers of 4 bytes.
STORED_NUMBERS = 16_000_000
CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Conditional:
    """The Gaussian of a block's loadings, per draw.

    Parameters
    ----------
    coefficient : ndarray, shape (draw, factor, n)
        Turns projected features into conditional means.
    root : ndarray, shape (draw, factor, factor)
        Lower Cholesky factor of the conditional covariance.
    """

    coefficient: Array
    root: Array


def conditional_loadings(scores_q: Array, block_scale: Array, noise: Array) -> Conditional:
    """Conditional distribution of the loadings of one block's features.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales of the block.
    noise : ndarray, shape (draw,)
        Noise of the block.

    Returns
    -------
    Conditional
        Coefficients of the mean, and the root of the covariance.
    """
    k = scores_q.shape[2]
    gram = np.swapaxes(scores_q, 1, 2) @ scores_q
    # V = D (I + D G D)^-1 D stays defined when a block scale is zero.
    d = block_scale[:, :, None]
    m = np.eye(k) + d * gram * np.swapaxes(d, 1, 2)
    v = d * np.linalg.inv(m) * np.swapaxes(d, 1, 2)
    root = d * np.linalg.cholesky(np.linalg.inv(m))
    return Conditional(v @ np.swapaxes(scores_q, 1, 2), noise[:, None, None] * root)


def second_moment(
    scores_q: Array, block_scale: Array, noise: Array, cross: Array, size: float
) -> Array:
    """Sum the expected outer products of the loadings over a block's features.

    Parameters
    ----------
    scores_q, block_scale, noise : ndarray
        As in `conditional_loadings`.
    cross : ndarray, shape (n, n)
        Cross-products of the block's features, in the unit in which loadings are wanted.
    size : float
        Number of the block's features (their relative noise has mean square 1).

    Returns
    -------
    ndarray, shape (draw, factor, factor)
        One matrix a draw.
    """
    given = conditional_loadings(scores_q, block_scale, noise)
    mean = given.coefficient @ cross @ np.swapaxes(given.coefficient, 1, 2)
    return np.asarray(mean + size * given.root @ np.swapaxes(given.root, 1, 2))


def summarise_loadings(
    data: ModelData,
    scores: Array,
    block_scale: Array,
    noise: Array,
    *,
    ci_prob: float,
    keep: int | None,
    rng: np.random.Generator,
) -> tuple[dict[str, Array], NDArray[np.float32]]:
    """Stream over features and sum up their loadings.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores : ndarray, shape (draw, subject, factor)
        Aligned draws, thinned already.
    block_scale : ndarray, shape (draw, block, factor)
        Aligned draws.
    noise : ndarray, shape (draw, block)
        Draws.
    ci_prob : float
        Probability of the equal-tailed interval.
    keep : int or None
        Draws of whole maps to return; by default as many as fit the memory, at most 500.
    rng : numpy.random.Generator
        For the draws of the loadings.

    Returns
    -------
    summary : dict of ndarray, shape (factor, feature)
        ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive``.
    draws : ndarray of float32, shape (loading_draw, factor, feature)
        Draws of whole maps.
    """
    y = data.features["y"].transpose(SUBJECT, FEATURE).values / data.feature_noise
    block = data.features["block"].values.astype(str)
    n_draws, k, p = scores.shape[0], scores.shape[2], y.shape[1]
    scores_q = np.einsum("nm,dnk->dmk", data.stats.basis, scores, optimize=True)
    summary = {
        name: np.full((k, p), np.nan) for name in ("mean", "sd", "lower", "upper", "p_positive")
    }
    n_keep = min(n_draws, keep or min(500, max(1, STORED_NUMBERS // (k * p))))
    kept = np.empty((n_keep, k, p), dtype=np.float32)
    rows = np.linspace(0, n_draws - 1, n_keep).round().astype(int)
    tail = (1 - ci_prob) / 2
    for b, name in enumerate(data.stats.blocks):
        given = conditional_loadings(scores_q, block_scale[:, b], noise[:, b])
        spread = np.sqrt((given.root**2).sum(axis=2))[:, :, None]
        members = np.flatnonzero(block == name)
        for at in np.array_split(members, max(1, -(-members.size // CHUNK))):
            mean = given.coefficient @ (data.stats.basis.T @ y[:, at])
            draws = mean + given.root @ rng.standard_normal((n_draws, k, at.size))
            average = mean.mean(axis=0)
            summary["mean"][:, at] = average
            summary["sd"][:, at] = np.sqrt(
                (spread**2).mean(axis=0) + ((mean - average) ** 2).mean(axis=0)
            )
            summary["p_positive"][:, at] = ndtr(mean / np.maximum(spread, 1e-300)).mean(axis=0)
            low, high = np.quantile(draws, [tail, 1 - tail], axis=0, overwrite_input=False)
            summary["lower"][:, at], summary["upper"][:, at] = low, high
            kept[:, :, at] = draws[rows]
    for name in ("mean", "sd", "lower", "upper"):
        summary[name] *= data.feature_noise
    kept *= data.feature_noise.astype(np.float32)
    return summary, kept
