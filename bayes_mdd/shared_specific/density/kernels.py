"""Compiled functions of the log density: from a point to scores, and back to the gradient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.density.symptoms import Ratings, symptom_density
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad, thin_product
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


class Inputs(NamedTuple):
    """Data and constants, as the compiled functions take them.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of subjects, factors, arms, blocks and symptoms.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm.
    rotation : ndarray, shape (subject, subject)
        As in `BlockStatistics`: the likelihood depends on the first n columns only.
    transposed : ndarray, shape (subject, subject)
        Its transpose; both are stored row by row.
    visible, visible_transposed : ndarray, shape (subject, subject)
        As `rotation`, with the first n columns divided by the subjects' noise scales: what the
        likelihood sees of scores. The same arrays where all subjects have the same noise.
    cross_products, traces, block_size : ndarray
        As in `BlockStatistics`.
    fixed : ndarray, shape (factor, arm)
        Sharing that is fixed; empty where it is estimated.
    prior : PriorConstants
        Constants of the priors.
    mean_variance : ndarray, shape (arm, factor)
        Prior variance of arm means, which are integrated out.
    score_variance : ndarray, shape (factor,)
        Approximate posterior variance of a standardised score; a constant.
    ratings : Ratings
        Linked symptoms.
    """

    sizes: tuple[int, int, int, int, int]
    arm: NDArray[np.int64]
    rotation: Array
    transposed: Array
    visible: Array
    visible_transposed: Array
    cross_products: Array
    traces: Array
    block_size: Array
    fixed: Array
    prior: PriorConstants
    mean_variance: Array
    score_variance: Array
    ratings: Ratings


@compiled
def value_and_grad(x, inputs):  # type: ignore[no-untyped-def]
    """Log density of a point and its gradient.

    Parameters
    ----------
    x : ndarray, shape (size,)
        The point.
    inputs : Inputs
        Data and constants.

    Returns
    -------
    value : float
        Up to a constant.
    grad : ndarray, shape (size,)
        Its gradient.
    """
    n, k, arms, blocks, symptoms = inputs.sizes
    grad = np.zeros(x.size)
    state = transform(x, inputs)
    scores, tau = state[0], state[1]
    at = (n + blocks + 2) * k
    noise = np.exp(x[at : at + blocks])
    visible = inputs.cross_products.shape[1]
    values, to_scores_q, to_tau, to_noise = collapsed_value_and_grad(
        thin_product(inputs.visible_transposed[:visible], scores),
        tau,
        noise,
        inputs.cross_products,
        inputs.traces,
        inputs.block_size,
    )
    to_rotated = np.zeros((n, k))
    to_rotated[:visible] = to_scores_q
    to_scores = thin_product(inputs.visible, to_rotated)
    square = (noise / inputs.prior.noise_scale) ** 2
    value = values.sum() + np.log(noise).sum() + half_normal_log(square).sum()
    grad[at : at + blocks] = to_noise * noise + 1.0 + half_normal_slope(square)
    if symptoms:
        rest = at + blocks
        if not inputs.fixed.size:
            rest += k * (arms - 1)
        found = symptom_density(
            x[rest:], scores, tau, inputs.block_size, inputs.ratings, inputs.prior
        )
        value += found.value
        grad[rest:] = found.to_x
        to_scores += found.to_scores
        to_tau += found.to_tau
    value += _factors(x, inputs, state, to_scores, to_tau, grad)
    return value, grad


@compiled
def transform(x, inputs):  # type: ignore[no-untyped-def]
    """Scores, block scales, sharing, and intermediate values for the gradient.

    Parameters
    ----------
    x : ndarray, shape (size,)
        The point.
    inputs : Inputs
        Data and constants.

    Returns
    -------
    scores, tau, sharing : ndarray
        Shape (subject, factor), (block, factor) and (factor, arm).
    variances, damping, per_factor, visible_scores, raw : ndarray
        Variances of scores (see `_scale`); slope of the slab; for each factor, mean square of
        standardised scores and of the visible part of raw ones, and shift from strength to block
        scale; scores with the design projected out; raw scores.
    """
    n, k, arms, blocks, _ = inputs.sizes
    rotated = x[: n * k].copy().reshape(n, k)
    raw, visible = thin_product(inputs.rotation, rotated), inputs.cross_products.shape[1]
    strength = x[n * k : (n + blocks) * k].copy().reshape(blocks, k)
    radius = x[(n + blocks) * k : (n + blocks + 1) * k]
    at = (n + blocks + 2) * k + blocks
    sharing, variances = np.empty((k, arms)), np.empty((k, arms, 4))
    scores, visible_scores = np.empty((n, k)), np.empty((n, k))
    tau, damping = np.empty((blocks, k)), np.empty((blocks, k))
    per_factor = np.empty((3, k))
    design = inputs.transposed[visible:]
    for j in range(k):
        if inputs.fixed.size:
            sharing[j] = inputs.fixed[j]
        else:
            softmax(x[at + j * (arms - 1) : at + (j + 1) * (arms - 1)], sharing[j])
        r = np.ascontiguousarray(raw[:, j])
        h, length2 = _scale(r, sharing[j], j, inputs, variances[j])
        # Strengths refer to the visible part of scores, without their mean and covariate effects.
        q = h - (design @ h) @ design
        shift = 0.5 * np.log((q**2).sum() / n) + radius[j]
        scores[:, j], visible_scores[:, j] = h * np.exp(radius[j]), q * np.exp(radius[j])
        for b in range(blocks):
            plain = np.exp(strength[b, j] - shift)
            damping[b, j] = 1.0 / slab_ratio(plain, inputs.prior.slab)
            tau[b, j] = plain * np.sqrt(damping[b, j])
        per_factor[0, j] = length2
        per_factor[1, j] = (rotated[:visible, j] ** 2).sum() / n
        per_factor[2, j] = shift
    return scores, tau, sharing, variances, damping, per_factor, visible_scores, raw


@compiled
def _scale(raw, shares, j, inputs, variances):  # type: ignore[no-untyped-def]
    """Scores with a standard length from raw scores; the mean of an arm is scaled separately.

    `variances` receives, by arm, the prior variance across and along the mean of an arm, and the
    corresponding variances of raw scores.
    """
    n, arms, remaining = raw.size, inputs.sizes[2], inputs.score_variance[j]
    h, length2 = np.empty(n), 0.0
    for a in range(arms):
        mean, size = _arm_mean(raw, a, inputs.arm)
        across = arms * shares[a]
        along = across + size * inputs.mean_variance[a, j]
        v_across = (across + remaining) / (1 + remaining)
        v_along = (along + remaining) / (1 + remaining)
        variances[a, 0], variances[a, 1] = across, along
        variances[a, 2], variances[a, 3] = v_across, v_along
        length2 += size * mean**2 / v_along / n
        for i in range(n):
            if inputs.arm[i] == a:
                rest = raw[i] - mean
                length2 += rest**2 / v_across / n
                h[i] = np.sqrt(across / v_across) * rest + np.sqrt(along / v_along) * mean
    return h / np.sqrt(length2), length2


@compiled
def _arm_mean(values, a, arm):  # type: ignore[no-untyped-def]
    total, size = 0.0, 0
    for i in range(values.size):
        if arm[i] == a:
            total += values[i]
            size += 1
    return total / size, size


@compiled
def softmax(free, out):  # type: ignore[no-untyped-def]
    """Shares from logs that sum to zero, of which the last is omitted.

    Parameters
    ----------
    free : ndarray, shape (arm - 1,)
        Logs.
    out : ndarray, shape (arm,)
        Receives the shares.
    """
    last = 0.0
    for a in range(free.size):
        out[a] = free[a]
        last -= free[a]
    out[free.size] = last
    out[:] = np.exp(out - out.max())
    out[:] /= out.sum()


@compiled
def _factors(x, inputs, state, to_scores, to_tau, grad):  # type: ignore[no-untyped-def]
    """Log prior of all factors, and the gradient in their coordinates.

    `state` comes from `transform`; `to_scores` and `to_tau` are the gradient of the likelihood in
    scores and block scales; `grad` receives the gradient.
    """
    n, k, _, _, _ = inputs.sizes
    total = 0.0
    for j in range(k):
        total += _factor(j, x, inputs, state, to_scores, to_tau, grad)
    to_raw = grad[: n * k].copy().reshape(n, k)
    grad[: n * k] = thin_product(inputs.transposed, to_raw).ravel()
    for j in range(k):
        total += _length(j, x, inputs, state[5][1, j], grad)
    return total


@compiled
def _length(j, x, inputs, square, grad):  # type: ignore[no-untyped-def]
    """Prior of the length of raw scores, an auxiliary coordinate.

    It concerns their visible part, so that means and site effects move freely, and is about as
    wide as the posterior of a score.
    """
    n, k, _, _, _ = inputs.sizes
    log_length = 0.5 * np.log(square)
    width2 = inputs.score_variance[j] / (1 + inputs.score_variance[j]) / n
    for i in range(inputs.cross_products.shape[1]):
        grad[i * k + j] -= log_length / width2 * x[i * k + j] / (n * square)
    return -0.5 * log_length**2 / width2


@compiled
def _factor(j, x, inputs, state, to_scores, to_tau, grad):  # type: ignore[no-untyped-def]
    """Priors of one factor, and the gradient in its coordinates."""
    n, k, arms, blocks, _ = inputs.sizes
    damping, shift = state[4], state[5][2, j]
    local_df, overall_df = inputs.prior.local_df, inputs.prior.factor_df
    log_scale = x[(n + blocks + 1) * k + j]
    radius = x[(n + blocks) * k + j]
    value, to_shift, to_scale = 0.0, 0.0, 0.0
    for b in range(blocks):
        s = x[n * k + b * k + j]
        z = s - shift - log_scale
        square = np.exp(min(2 * z - np.log(local_df), 700.0))
        value += z + half_t_log(square, local_df)
        prior = 1.0 + half_t_slope(square, local_df)
        slope = to_tau[b, j] * state[1][b, j] * damping[b, j] + prior
        grad[n * k + b * k + j] = slope
        to_shift -= slope
        to_scale -= prior
    square = np.exp(2 * log_scale) / inputs.prior.factor_scale**2 / overall_df
    value += log_scale + half_t_log(square, overall_df)
    grad[(n + blocks + 1) * k + j] = to_scale + 1.0 + half_t_slope(square, overall_df)
    value += n * radius - 0.5 * n * np.exp(2 * radius)
    along = 0.0
    for i in range(n):
        along += to_scores[i, j] * state[0][i, j]
    grad[(n + blocks) * k + j] = to_shift + along + n - n * np.exp(2 * radius)
    to_ratio = np.zeros(arms)
    value += _direction(j, x, inputs, state, to_scores, to_shift, to_ratio, grad)
    if not inputs.fixed.size:
        value += _shares(j, inputs, state[2][j], to_ratio, grad)
    return value


@compiled
def _direction(j, x, inputs, state, to_scores, to_shift, to_ratio, grad):  # type: ignore[no-untyped-def]
    """Prior of the raw scores of one factor, and the gradient through their direction."""
    n, k, arms, blocks, _ = inputs.sizes
    remaining, length2 = inputs.score_variance[j], state[5][0, j]
    value = -0.5 * n * np.log(length2)
    raw, h = state[7][:, j].copy(), state[0][:, j].copy()
    visible = state[6][:, j].copy()
    to_h = to_scores[:, j] + to_shift * visible / (visible**2).sum()
    to_length2 = (-0.5 * (to_h * h).sum() - 0.5 * n) / length2
    size_h = np.exp(x[(n + blocks) * k + j]) / np.sqrt(length2)
    for a in range(arms):
        across, along = state[3][j, a, 0], state[3][j, a, 1]
        v_across, v_along = state[3][j, a, 2], state[3][j, a, 3]
        mean, size = _arm_mean(raw, a, inputs.arm)
        mean_h, _ = _arm_mean(h, a, inputs.arm)
        mean_to, _ = _arm_mean(to_h, a, inputs.arm)
        value -= 0.5 * ((size - 1) * np.log(v_across) + np.log(v_along))
        u_across, u_along, square = 0.0, size * mean_to * mean_h, 0.0
        for i in range(n):
            if inputs.arm[i] == a:
                rest = raw[i] - mean
                u_across += (to_h[i] - mean_to) * (h[i] - mean_h)
                square += rest**2
                grad[i * k + j] = (
                    (to_h[i] - mean_to) * np.sqrt(across / v_across) * size_h
                    + mean_to * np.sqrt(along / v_along) * size_h
                    + to_length2 * 2 / n * (rest / v_across + mean / v_along)
                )
        to_across = -0.5 * (u_across + size - 1) - to_length2 * square / (n * v_across)
        to_along = -0.5 * (u_along + 1) - to_length2 * size * mean**2 / (n * v_along)
        to_ratio[a] += 0.5 * u_across + to_across * across / (across + remaining)
        if along > 0:
            slope = 0.5 * u_along + to_along * along / (along + remaining)
            to_ratio[a] += slope * across / along
    return value


@compiled
def _shares(j, inputs, sharing, to_ratio, grad):  # type: ignore[no-untyped-def]
    """Prior of one factor's shares, and the gradient in their coordinates."""
    n, k, arms, blocks, _ = inputs.sizes
    value = add_sharing(sharing, inputs.prior.sharing_concentration, to_ratio)
    total = to_ratio.sum()
    last = to_ratio[arms - 1] - sharing[arms - 1] * total
    at = (n + blocks + 2) * k + blocks + j * (arms - 1)
    for a in range(arms - 1):
        grad[at + a] = to_ratio[a] - sharing[a] * total - last
    return value
