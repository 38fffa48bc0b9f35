r"""The log density of scores within their span, in closed form and with its gradient.

The scores of an arm are :math:`H_a = Q_a Z_a + 1 \mu_a^\top` with an orthogonal frame :math:`Q_a`,
:math:`Q_a^\top Q_a = n_a I`, that depends on the span of the centred scores only (see
`bayes_mdd.shared_specific.posterior.spans`). Given the spans of all arms, the density of the
coordinates :math:`Z_a`, of the means and of all scales depends on the features through matrices of
the size of the number of factors:

.. math::
    \log p(Z, \mu, \theta \mid Q, Y) = \log p(H, \theta \mid Y)
    + \sum_a (n_a - 1 - K) \log |\det Z_a|

so that an evaluation costs the same for any number of subjects and features. As in
`bayes_mdd.shared_specific.density.density`, coordinates are raw scores, whose prior is about as
wide as their posterior: :math:`Z_{aij} = \zeta_{aij} \sqrt{A w_{aj} / v_{aj}}` with
:math:`v = (A w + v_0) / (1 + v_0)` and a constant :math:`v_0`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.density.kernels import softmax
from bayes_mdd.shared_specific.density.symptoms import Ratings, symptom_density
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_block
from bayes_mdd.shared_specific.prior.compiled import (
    add_sharing,
    half_normal_log,
    half_normal_slope,
    half_t_log,
    half_t_slope,
    slab_ratio,
)
from bayes_mdd.shared_specific.prior.priors import PriorConstants
from bayes_mdd.types import Array


class Span(NamedTuple):
    """Spans of the scores of all arms, and what the density within them depends on.

    Columns of all frames are ordered by arm; the last of an arm is one for each of its subjects.

    Parameters
    ----------
    rows : float
        Number of subjects.
    free : int
        Rows that the features see: subjects minus rank of the design.
    gram : ndarray, shape (column, column)
        Cross-products of the frames as the features see them, without the design.
    products : ndarray, shape (block, column, column)
        Cross-products of the features of a block with the frames, times their transpose.
    traces, block_size : ndarray, shape (block,)
        As in `BlockStatistics`.
    arm_size : ndarray, shape (arm,)
        Numbers of subjects.
    mean_variance : ndarray, shape (arm, factor)
        Prior variance of arm means, which are integrated out.
    score_variance : ndarray, shape (factor,)
        Approximate posterior variance of a standardised score; a constant.
    fixed : ndarray, shape (factor, arm)
        Sharing that is fixed; empty where it is estimated.
    prior : PriorConstants
        Constants of the priors.
    ratings : Ratings
        Linked symptoms, in a basis of the frames.
    """

    rows: float
    free: int
    gram: Array
    products: Array
    traces: Array
    block_size: Array
    arm_size: Array
    mean_variance: Array
    score_variance: Array
    fixed: Array
    prior: PriorConstants
    ratings: Ratings


@compiled
def unpack(x, span):  # type: ignore[no-untyped-def]
    """Coordinates, block scales and sharing of a point.

    Parameters
    ----------
    x : ndarray, shape (size,)
        Raw coordinates of the scores, logs of strengths, of overall scales and of noise, and
        shares.
    span : Span
        The spans.

    Returns
    -------
    z : ndarray, shape (column, factor)
        Coordinates of the scores in the frames; means in the rows of constant columns.
    tau, damping : ndarray, shape (block, factor)
        Block scales, and the slope of the slab.
    sharing : ndarray, shape (factor, arm)
        Shares.
    shift : ndarray, shape (factor,)
        Logs of the root mean square of scores without the design.
    noise : ndarray, shape (block,)
        Residual SDs.
    """
    k, blocks, arms = span.score_variance.size, span.block_size.size, span.arm_size.size
    columns = arms * (k + 1)
    z = x[: columns * k].copy().reshape(columns, k)
    strength = x[columns * k : (columns + blocks) * k].copy().reshape(blocks, k)
    at = (columns + blocks + 1) * k
    noise = np.exp(x[at : at + blocks])
    at += blocks
    tau, damping = np.empty((blocks, k)), np.empty((blocks, k))
    sharing, shift = np.empty((k, arms)), np.empty(k)
    for j in range(k):
        if span.fixed.size:
            sharing[j] = span.fixed[j]
        else:
            softmax(x[at + j * (arms - 1) : at + (j + 1) * (arms - 1)], sharing[j])
        v = span.score_variance[j]
        for a in range(arms):
            across = arms * sharing[j, a]
            along = across + span.arm_size[a] * span.mean_variance[a, j]
            first = a * (k + 1)
            z[first : first + k, j] *= np.sqrt(across * (1 + v) / (across + v))
            z[first + k, j] *= np.sqrt(along * (1 + v) / (along + v) / span.arm_size[a])
        column = np.ascontiguousarray(z[:, j])
        shift[j] = 0.5 * np.log(np.dot(column, span.gram @ column) / span.rows)
        for b in range(blocks):
            plain = np.exp(strength[b, j] - shift[j])
            damping[b, j] = 1.0 / slab_ratio(plain, span.prior.slab)
            tau[b, j] = plain * np.sqrt(damping[b, j])
    return z, tau, sharing, damping, shift, noise


def raw_coordinates(z: Array, sharing: Array, span: Span) -> Array:
    """Invert the scaling of `unpack`.

    Parameters
    ----------
    z : ndarray, shape (column, factor)
        Coordinates of the scores in the frames.
    sharing : ndarray, shape (factor, arm)
        Shares.
    span : Span
        The spans.

    Returns
    -------
    ndarray, shape (column, factor)
        The first coordinates of a point.
    """
    k, arms = sharing.shape
    across = arms * sharing.T
    along = across + span.arm_size[:, None] * span.mean_variance
    v, raw = span.score_variance, z.reshape(arms, k + 1, k).copy()
    raw[:, :k] /= np.sqrt(across * (1 + v) / (across + v))[:, None]
    raw[:, k] /= np.sqrt(along * (1 + v) / (along + v) / span.arm_size[:, None])
    return raw.reshape(z.shape)


@compiled
def span_value_and_grad(x, span):  # type: ignore[no-untyped-def]
    """Log density of a point within given spans, up to a constant, and its gradient.

    Parameters
    ----------
    x : ndarray, shape (size,)
        The point, see `unpack`; then the coordinates of the symptoms.
    span : Span
        The spans.

    Returns
    -------
    value : float
        Log density.
    grad : ndarray, shape (size,)
        Its gradient.
    """
    k, blocks, arms = span.score_variance.size, span.block_size.size, span.arm_size.size
    columns = arms * (k + 1)
    grad = np.zeros(x.size)
    z, tau, sharing, damping, shift, noise = unpack(x, span)
    transposed = np.ascontiguousarray(z.T)
    seen = span.gram @ z
    gram = transposed @ seen
    to_z, from_gram, work = np.zeros((columns, k)), np.zeros((k, k)), np.zeros((5, k, k))
    to_tau, value = np.empty((blocks, k)), 0.0
    at = (columns + blocks + 1) * k
    for b in range(blocks):
        product = span.products[b] @ z
        added, to_noise, weight = collapsed_block(
            transposed @ product, gram, tau[b], noise[b], span.traces[b], span.block_size[b],
            span.free, to_tau[b], from_gram, work,
        )  # fmt: skip
        value += added
        to_z += product @ weight
        square = (noise[b] / span.prior.noise_scale) ** 2
        value += x[at + b] + half_normal_log(square)
        grad[at + b] = to_noise * noise[b] + 1.0 + half_normal_slope(square)
    to_z += seen @ from_gram
    at += blocks
    if span.ratings.rows.size:
        rest = at if span.fixed.size else at + k * (arms - 1)
        found = symptom_density(x[rest:], z, tau, span.block_size, span.ratings, span.prior)
        value += found.value
        grad[rest:] = found.to_x
        to_z += found.to_scores
        to_tau += found.to_tau
    for j in range(k):
        to_shift, added = _strengths(j, x, span, tau, damping, shift, to_tau, grad)
        to_z[:, j] += to_shift * seen[:, j] / gram[j, j]
        value += added + _scores(j, span, sharing[j], z, to_z, grad, at)
    raw = x[: columns * k].copy().reshape(columns, k)
    for a in range(arms):
        first, left = a * (k + 1), span.arm_size[a] - 1 - k
        own = raw[first : first + k].copy()
        value += left * np.linalg.slogdet(own)[1]
        to_z[first : first + k] += left * np.linalg.inv(own).T
    grad[: columns * k] = to_z.ravel()
    return value, grad


@compiled
def _strengths(j, x, span, tau, damping, shift, to_tau, grad):  # type: ignore[no-untyped-def]
    """Priors of the block scales of one factor: slope in its shift, and log density."""
    k, blocks, arms = span.score_variance.size, span.block_size.size, span.arm_size.size
    local_df, overall_df = span.prior.local_df, span.prior.factor_df
    begin = arms * (k + 1)
    at = (begin + blocks) * k + j
    log_scale, value, to_shift, to_scale = x[at], 0.0, 0.0, 0.0
    for b in range(blocks):
        here = (begin + b) * k + j
        local = x[here] - shift[j] - log_scale
        square = np.exp(min(2 * local - np.log(local_df), 700.0))
        value += local + half_t_log(square, local_df)
        prior = 1.0 + half_t_slope(square, local_df)
        slope = to_tau[b, j] * tau[b, j] * damping[b, j] + prior
        grad[here] = slope
        to_shift -= slope
        to_scale -= prior
    square = np.exp(2 * log_scale) / span.prior.factor_scale**2 / overall_df
    grad[at] = to_scale + 1.0 + half_t_slope(square, overall_df)
    return to_shift, value + log_scale + half_t_log(square, overall_df)


@compiled
def _scores(j, span, shares, z, to_z, grad, at):  # type: ignore[no-untyped-def]
    """Prior of the scores and shares of one factor; `to_z` becomes the slope in raw coordinates."""
    k, arms = span.score_variance.size, shares.size
    value, v = 0.0, span.score_variance[j]
    to_share = np.zeros(arms)
    for a in range(arms):
        size, across = span.arm_size[a], arms * shares[a]
        along = across + size * span.mean_variance[a, j]
        first, last = a * (k + 1), a * (k + 1) + k
        inside, mean = z[first:last, j].copy(), z[last, j]
        squares, square = size * (inside**2).sum() / across, size * mean**2 / along
        v_across, v_along = (across + v) / (1 + v), (along + v) / (1 + v)
        value -= 0.5 * ((size - 1) * np.log(v_across) + np.log(v_along) + squares + square)
        to_z[first:last, j] -= size * inside / across
        to_z[last, j] -= size * mean / along
        through = 0.5 * (to_z[first:last, j] * inside).sum()
        through_mean = 0.5 * to_z[last, j] * mean
        to_share[a] = (
            0.5 * squares - 0.5 * (size - 1) * across / (across + v) + through * v / (across + v)
        )
        to_along = 0.5 * square - 0.5 * along / (along + v) + through_mean * v / (along + v)
        to_share[a] += to_along * across / along
        to_z[first:last, j] *= np.sqrt(across / v_across)
        to_z[last, j] *= np.sqrt(along / v_along / size)
    if not span.fixed.size:
        value += add_sharing(shares, span.prior.sharing_concentration, to_share)
        total = to_share.sum()
        final = to_share[arms - 1] - shares[arms - 1] * total
        for a in range(arms - 1):
            grad[at + j * (arms - 1) + a] = to_share[a] - shares[a] * total - final
    return value
