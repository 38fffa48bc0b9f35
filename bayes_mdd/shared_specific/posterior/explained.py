"""Variance explained by factors, and invariants under order, sign and rotation of factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.posterior.feature_noise import expected_noise_sums
from bayes_mdd.shared_specific.posterior.loadings import second_moment
from bayes_mdd.types import Array

#: Number of subjects between whom fitted inner products are kept, to monitor convergence.
N_MONITORED = 12


@dataclass(frozen=True, eq=False)
class Explained:
    """Shares of variance and invariants, per draw.

    Parameters
    ----------
    overall : ndarray, shape (draw, arm, factor)
        Share of an arm's variance over all features.
    by_block : ndarray, shape (draw, arm, block, factor)
        Share of an arm's variance within a block.
    communality : ndarray, shape (draw, arm, block)
        Fitted variance of the subjects of an arm in a block, per feature.
    similarity : ndarray, shape (draw, pair)
        Fitted inner products, per feature, between `N_MONITORED` subjects.
    """

    overall: Array
    by_block: Array
    communality: Array
    similarity: Array


def explain(
    data: ModelData,
    scores: Array,
    sharing: Array,
    block_scale: Array,
    noise: Array,
    noise_df: Array | None = None,
) -> Explained:
    """Compute the variance explained, with the loadings integrated out given each draw.

    The share of factor k in arm a is ``A w_ak sum_p lambda_pk^2`` over the same sum for all
    factors plus the noise, so that the shares of all factors sum to less than 1.

    Parameters
    ----------
    data : ModelData
        The fitted data.
    scores : ndarray, shape (draw, subject, factor)
        Draws.
    sharing : ndarray, shape (draw, arm, factor)
        Draws.
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    noise : ndarray, shape (draw, block)
        Draws.
    noise_df : ndarray, shape (draw,), optional
        Draws, where each feature has its own noise, whose expected variance given the draw
        enters the sums.

    Returns
    -------
    Explained
        Shares and invariants.
    """
    stats = data.stats
    n_arms, n_blocks = len(data.arms), len(stats.blocks)
    scores_q = np.einsum("nm,dnk->dmk", stats.score_basis, scores, optimize=True)
    fitted = np.einsum("nm,dmk->dnk", stats.basis, scores_q, optimize=True)
    arm_gram = np.stack(
        [
            np.swapaxes(fitted[:, data.arm == a], 1, 2) @ fitted[:, data.arm == a]
            for a in range(n_arms)
        ],
        axis=1,
    )
    size = np.broadcast_to(data.n_features, noise.shape)
    if noise_df is not None:
        size = expected_noise_sums(data, scores_q, block_scale, noise, noise_df)
    arm_size = np.bincount(data.arm, minlength=n_arms)[:, None]
    gram, products = np.swapaxes(scores_q, 1, 2) @ scores_q, data.total.between(scores_q)
    moments = np.stack(
        [
            second_moment(gram, block_scale[:, b], noise[:, b], products[:, b], size[:, b])
            for b in range(n_blocks)
        ],
        axis=1,
    )
    squares = np.diagonal(moments, axis1=2, axis2=3)
    parts = n_arms * sharing[:, :, None, :] * squares[:, None]
    residual = (size * noise**2)[:, None, :]
    by_block = parts / (parts.sum(axis=3) + residual)[..., None]
    overall = parts.sum(axis=2) / (parts.sum(axis=(2, 3)) + residual.sum(axis=2))[..., None]
    communality = np.einsum("dakl,dbkl->dab", arm_gram, moments, optimize=True)
    n_monitored = min(N_MONITORED, len(data.arm))
    monitored = np.linspace(0, len(data.arm) - 1, n_monitored).round().astype(int)
    part = fitted[:, monitored]
    similarity = part @ moments.sum(axis=1) @ np.swapaxes(part, 1, 2)
    upper = np.triu_indices(n_monitored)
    return Explained(
        overall=overall,
        by_block=by_block,
        communality=communality / (arm_size * data.n_features),
        similarity=similarity[:, upper[0], upper[1]] / data.n_features.sum(),
    )
