"""The part of the density that links factors with symptoms, with its gradient.

Given scores and scales, symptom weights are integrated out in closed form, as loadings are, and
drawn exactly afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_block, thin_product
from bayes_mdd.shared_specific.prior.compiled import (
    half_normal_log,
    half_normal_slope,
    half_t_log,
    half_t_slope,
    slab_ratio,
)
from bayes_mdd.shared_specific.prior.horseshoe import regularise
from bayes_mdd.types import Array, IntArray


class Ratings(NamedTuple):
    """Linked symptoms, padded to one shape.

    Parameters
    ----------
    basis : ndarray, shape (symptom, n, subject)
        Transposed basis of each symptom; zero for subjects without a score.
    transposed : ndarray, shape (symptom, subject, n)
        The basis itself; both are stored row by row.
    value : ndarray, shape (symptom, n)
        Scores in that basis.
    rows : ndarray of int, shape (symptom,)
        Number of rows of each that are in use.
    """

    basis: Array
    transposed: Array
    value: Array
    rows: IntArray


def ratings(data: ModelData) -> Ratings:
    """Pad the linked symptoms to one shape.

    Parameters
    ----------
    data : ModelData
        With its symptoms.

    Returns
    -------
    Ratings
        Empty without symptoms.
    """
    n, d = len(data.arm), len(data.symptoms)
    most = max((s.value.size for s in data.symptoms), default=0)
    basis, value = np.zeros((d, most, n)), np.zeros((d, most))
    for row, s in enumerate(data.symptoms):
        basis[row][: s.value.size, s.rated] = s.basis.T
        value[row, : s.value.size] = s.value
    transposed = np.ascontiguousarray(np.swapaxes(basis, 1, 2))
    rows = np.array([s.value.size for s in data.symptoms], dtype=np.int64)
    return Ratings(basis, transposed, value, rows)


def draw_weights(
    scores: Array,
    reliable: Array,
    scale: Array,
    slab: float,
    noise: Array,
    rated: Ratings,
    rng: np.random.Generator,
) -> Array:
    """Draw symptom weights given everything else.

    Parameters
    ----------
    scores : ndarray, shape (draw, subject, factor)
        Draws.
    reliable : ndarray, shape (draw, factor)
        Reliability of the scores.
    scale : ndarray, shape (draw, factor, symptom)
        Horseshoe scale of each weight before it is bounded.
    slab : float
        Upper bound of these scales.
    noise : ndarray, shape (draw, symptom)
        Residual SD.
    rated : Ratings
        The symptoms.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draw, factor, symptom)
        Weights: SD of the symptom per SD of a score.
    """
    weight = np.empty(scale.shape)
    prior_sd = regularise(scale, slab) * reliable[:, :, None]
    for s in range(rated.rows.size):
        visible = rated.basis[s] @ scores
        d = prior_sd[:, :, s, None]
        product = np.swapaxes(visible, 1, 2) @ rated.value[s]
        gram = np.swapaxes(visible, 1, 2) @ visible / noise[:, s, None, None] ** 2
        # V = D (I + D G D)^-1 D is defined even where a prior SD is zero.
        inner = np.linalg.inv(np.eye(d.shape[1]) + d * gram * np.swapaxes(d, 1, 2))
        mean = d * (inner @ (d * product[:, :, None])) / noise[:, s, None, None] ** 2
        random = np.linalg.cholesky(inner) @ rng.standard_normal(d.shape)
        weight[:, :, s] = (mean + d * random)[:, :, 0]
    return weight


class SymptomPart(NamedTuple):
    """Contribution of the symptoms to the density.

    Parameters
    ----------
    value : float
        Log density, up to a constant.
    to_x, to_scores, to_tau : ndarray
        Its gradient in the coordinates of this part, in scores and in block scales.
    """

    value: float
    to_x: Array
    to_scores: Array
    to_tau: Array


@compiled
def symptom_density(  # type: ignore[no-untyped-def]
    x, scores, tau, block_size, rated, prior
):
    """Log density of the symptoms and of the priors of their scales.

    Parameters
    ----------
    x : ndarray
        Log local scales (factor by symptom), log overall scale, log residual SD.
    scores : ndarray, shape (subject, factor)
        Scores of all subjects.
    tau : ndarray, shape (block, factor)
        Block scales.
    block_size : ndarray, shape (block,)
        Features of each block.
    rated : Ratings
        The symptoms.
    prior : PriorConstants
        Those of symptoms are read.

    Returns
    -------
    SymptomPart
        Value and gradient.
    """
    k, d = scores.shape[1], rated.rows.size
    overall_df, local_df = prior.symptom_df, prior.symptom_local_df
    local = np.exp(x[: k * d].copy()).reshape(k, d)
    overall, noise = np.exp(x[k * d]), np.exp(x[k * d + 1 :])
    scale = local * overall
    information = tau.T**2 @ block_size
    reliable = information / (1 + information)
    bound = slab_ratio(scale, prior.symptom_slab)
    sd = scale / np.sqrt(bound) * reliable.reshape(k, 1)
    noise2 = (noise / prior.symptom_noise_scale) ** 2
    overall2, local2 = (overall / prior.symptom_scale) ** 2 / overall_df, local**2 / local_df
    value = (
        x.sum()
        + half_t_log(overall2, overall_df)
        + half_t_log(local2, local_df).sum()
        + half_normal_log(noise2).sum()
    )
    to_log_sd, to_log_noise = np.empty((k, d)), 1.0 + half_normal_slope(noise2)
    to_scores, work = np.zeros(scores.shape), np.zeros((5, k, k))
    for s in range(d):
        # A symptom is a block of one feature, and its weights are the loadings.
        v, visible = rated.value[s], thin_product(rated.basis[s], scores)
        product, gram = visible.T @ v, visible.T @ visible
        from_gram, to_scale = np.zeros((k, k)), np.empty(k)
        added, to_noise, weight = collapsed_block(
            np.outer(product, product), gram, sd[:, s] / noise[s], noise[s], (v**2).sum(), 1.0,
            rated.rows[s], to_scale, from_gram, work,
        )  # fmt: skip
        value += added
        to_visible = np.outer(v, product @ weight) + visible @ from_gram
        to_scores += thin_product(rated.transposed[s], to_visible)
        to_log_sd[:, s] = to_scale * sd[:, s] / noise[s]
        to_log_noise[s] += to_noise * noise[s] - to_log_sd[:, s].sum()
    to_log_scale = to_log_sd / bound
    to_local = to_log_scale + 1.0 + half_t_slope(local2, local_df)
    to_overall = to_log_scale.sum() + 1.0 + half_t_slope(overall2, overall_df)
    # d log reliability / d information = (1 - reliability)^2 / reliability
    to_information = to_log_sd.sum(axis=1) * (1 - reliable) ** 2 / reliable
    return SymptomPart(
        value,
        np.concatenate((to_local.ravel(), np.array([to_overall]), to_log_noise)),
        to_scores,
        2 * to_information * tau * block_size.reshape(-1, 1),
    )
