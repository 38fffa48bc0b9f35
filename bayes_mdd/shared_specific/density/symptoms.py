"""The part of the density that links factors with symptoms, with its gradient.

Given scores and scales, a symptom is to its weights what a feature is to its loadings: the weights
leave in closed form, and are drawn exactly afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.graph.symptoms import OVERALL
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_block, thin_product
from bayes_mdd.types import Array, IntArray

#: Degrees of freedom of the half-t prior of local scales; 1 is the half-Cauchy of the horseshoe.
SYMPTOM_LOCAL_DF = 1.0


class Ratings(NamedTuple):
    """Linked symptoms, padded to one shape.

    Parameters
    ----------
    basis : ndarray, shape (symptom, n, subject)
        Transposed basis of each symptom; zero for people without a score.
    turned : ndarray, shape (symptom, subject, n)
        The basis itself: both are stored row by row.
    value : ndarray, shape (symptom, n)
        Scores in that basis.
    rows : ndarray of int, shape (symptom,)
        Rows of each that are in use.
    """

    basis: Array
    turned: Array
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
    turned = np.ascontiguousarray(np.swapaxes(basis, 1, 2))
    rows = np.array([s.value.size for s in data.symptoms], dtype=np.int64)
    return Ratings(basis, turned, value, rows)


def reliability(block_scale: Array, block_size: Array) -> Array:
    """Reliability of a factor's scores, as `link_symptoms` defines it.

    Parameters
    ----------
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    block_size : ndarray, shape (block,)
        Features of each block.

    Returns
    -------
    ndarray, shape (draw, factor)
        Between 0 and 1.
    """
    information = np.einsum("dbk,b->dk", block_scale**2, block_size)
    return np.asarray(information / (1 + information))


def draw_weights(
    scores: Array,
    reliable: Array,
    scale: Array,
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
    prior_sd = scale / np.sqrt(1 + scale**2) * reliable[:, :, None]
    for s in range(rated.rows.size):
        seen = rated.basis[s] @ scores
        d = prior_sd[:, :, s, None]
        pull = np.swapaxes(seen, 1, 2) @ rated.value[s]
        gram = np.swapaxes(seen, 1, 2) @ seen / noise[:, s, None, None] ** 2
        # V = D (I + D G D)^-1 D stays defined where a prior SD is zero.
        inner = np.linalg.inv(np.eye(d.shape[1]) + d * gram * np.swapaxes(d, 1, 2))
        mean = d * (inner @ (d * pull[:, :, None])) / noise[:, s, None, None] ** 2
        random = np.linalg.cholesky(inner) @ rng.standard_normal(d.shape)
        weight[:, :, s] = (mean + d * random)[:, :, 0]
    return weight


class SymptomPart(NamedTuple):
    """What symptoms add to the density.

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


@njit(cache=True, nogil=True)
def symptom_density(  # type: ignore[no-untyped-def]
    x, scores, tau, block_size, rated, prior
):
    """Log density of the symptoms and of the priors of their scales.

    Parameters
    ----------
    x : ndarray
        Log local scales (factor by symptom), log overall scale, log residual SD.
    scores : ndarray, shape (subject, factor)
        Scores of all people.
    tau : ndarray, shape (block, factor)
        Block scales.
    block_size : ndarray, shape (block,)
        Features of each block.
    rated : Ratings
        The symptoms.
    prior : ndarray, shape (2,)
        Scale of the prior of the residual SD, and degrees of freedom of local scales.

    Returns
    -------
    SymptomPart
        Value and gradient.
    """
    k, d, df = scores.shape[1], rated.rows.size, prior[1]
    local = np.exp(x[: k * d].copy()).reshape(k, d)
    overall, noise = np.exp(x[k * d]), np.exp(x[k * d + 1 :])
    scale = local * overall
    information = tau.T**2 @ block_size
    reliable = information / (1 + information)
    sd = scale / np.sqrt(1 + scale**2) * reliable.reshape(k, 1)
    relative2, overall2 = (noise / prior[0]) ** 2, (overall / OVERALL) ** 2
    value = (
        x.sum()
        - np.log1p(overall2)
        - 0.5 * (df + 1) * np.log1p(local**2 / df).sum()
        - 0.5 * relative2.sum()
    )
    to_log_sd, to_log_noise = np.empty((k, d)), 1.0 - relative2
    to_scores, work = np.zeros(scores.shape), np.zeros((5, k, k))
    for s in range(d):
        # A symptom is a block of one feature, and its weights are the loadings.
        v, seen = rated.value[s], thin_product(rated.basis[s], scores)
        pull, gram = seen.T @ v, seen.T @ seen
        from_gram, to_scale = np.zeros((k, k)), np.empty(k)
        added, to_noise, weight = collapsed_block(
            np.outer(pull, pull), gram, sd[:, s] / noise[s], noise[s], (v**2).sum(), 1.0,
            rated.rows[s], to_scale, from_gram, work,
        )  # fmt: skip
        value += added
        to_seen = np.outer(v, pull @ weight) + seen @ from_gram
        to_scores += thin_product(rated.turned[s], to_seen)
        to_log_sd[:, s] = to_scale * sd[:, s] / noise[s]
        to_log_noise[s] += to_noise * noise[s] - to_log_sd[:, s].sum()
    to_log_scale = to_log_sd / (1 + scale**2)
    to_local = to_log_scale + 1.0 - (df + 1) * local**2 / (df + local**2)
    to_overall = to_log_scale.sum() + 1.0 - 2 * overall2 / (1 + overall2)
    # d log reliability / d information = (1 - reliability)^2 / reliability
    pull = to_log_sd.sum(axis=1) * (1 - reliable) ** 2 / reliable
    return SymptomPart(
        value,
        np.concatenate((to_local.ravel(), np.array([to_overall]), to_log_noise)),
        to_scores,
        2 * pull * tau * block_size.reshape(-1, 1),
    )
