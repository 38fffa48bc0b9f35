r"""Density of the features of a subject who was not in the fit, and draws of the scores.

Loadings and covariate effects are integrated out. Given a draw of the fitted subjects' scores,
block scales and noise, the loadings of a feature are Gaussian,
:math:`\lambda_p \sim N(\mu_p, \sigma_b^2 V_b)`, and independent of the covariate effects estimated
for the feature. The residual of a new subject with scores h from the prediction of the design is

.. math:: r_p \mid h \sim N(u^\top \mu_p,\; \sigma_b^2 s_b(u)), \qquad
   s_b(u) = 1 + c + u^\top V_b u, \qquad u = h - g,

where c is the leverage of the subject's covariates and g the design's prediction of the scores.
The density of all features needs three sums over the features of a block, so that its cost does
not depend on their number:

.. math:: \log p(r \mid h) = -\tfrac12 \sum_b \Big\{ P_b \log(2\pi\sigma_b^2 s_b)
   + \frac{\sum r_p^2 - 2 u^\top \sum \mu_p r_p + u^\top \sum \mu_p \mu_p^\top u}
   {\sigma_b^2 s_b} \Big\}

With loadings known exactly (V = 0) this is a Gaussian regression with precision
:math:`I + D \Lambda^\top \Sigma^{-1} \Lambda D`. If loadings were drawn and then taken as known,
the error of the draw would shrink the scores; integrating over the loadings avoids this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, logsumexp

from bayes_mdd.types import Array

#: Degrees of freedom of the proposal: tails heavier than those of a density of many features.
PROPOSAL_DF = 8.0
#: Steps of Fisher scoring, at most, and the size of a step at which it stops.
SCORING_STEPS, SCORING_TOLERANCE = 25, 1e-7
#: Smallest curvature of the proposal; the prior of standard scores alone has 1.
MIN_CURVATURE = 0.25


@dataclass(frozen=True, eq=False)
class LoadingMoments:
    """Conditional moments of the loadings given each draw, by block.

    Parameters
    ----------
    covariance : ndarray, shape (draw, block, factor, factor)
        V_b, the covariance of a feature's loadings in units of the block's noise variance.
    second_moment : ndarray, shape (draw, block, factor, factor)
        Sum over features of the outer products of their conditional mean loadings.
    noise_variance : ndarray, shape (draw, block)
        Noise variance.
    n_features : ndarray, shape (block,)
        Number of features.
    """

    covariance: Array
    second_moment: Array
    noise_variance: Array
    n_features: Array


@dataclass(frozen=True, eq=False)
class SubjectStatistics:
    """Sufficient statistics of one subject's features, and the prior of the scores in an arm.

    Parameters
    ----------
    sum_of_squares : ndarray, shape (block,)
        Sum over features of the squared residuals from the prediction of the design.
    cross_product : ndarray, shape (draw, block, factor)
        Sum over features of residuals times conditional mean loadings.
    base_variance : ndarray, shape (draw, block)
        Variance of a residual for known loadings, in units of the block's noise variance:
        1 + leverage, and more where the subject's site is new.
    offset : ndarray, shape (draw, factor)
        Mean of the scores in the subject's arm minus the design's prediction of them.
    scale : ndarray, shape (draw, factor)
        Standard deviation of the scores in the subject's arm.
    """

    sum_of_squares: Array
    cross_product: Array
    base_variance: Array
    offset: Array
    scale: Array


@dataclass(frozen=True, eq=False)
class Integral:
    """Scores of a subject and the density of the features, per draw.

    Parameters
    ----------
    standard : ndarray, shape (draw, factor)
        One draw of the standard scores f for each draw of the posterior; the scores are the
        arm's mean plus `scale` times f.
    log_density : ndarray, shape (draw,)
        Log density of all features in units of their relative noise, scores integrated out.
    efficiency : float
        Effective share of the proposals, averaged over draws; near 1 where the density is close
        to Gaussian.
    """

    standard: Array
    log_density: Array
    efficiency: float


def apply_weight(
    loadings: LoadingMoments, subject: SubjectStatistics, weight: float
) -> tuple[LoadingMoments, SubjectStatistics]:
    """Raise the density of the features to a power.

    Parameters
    ----------
    loadings : LoadingMoments
        Moments of the loadings.
    subject : SubjectStatistics
        The subject.
    weight : float
        The power.

    Returns
    -------
    loadings : LoadingMoments
        With all sums over features multiplied by `weight`.
    subject : SubjectStatistics
        The same.
    """
    return (
        replace(
            loadings,
            second_moment=weight * loadings.second_moment,
            n_features=weight * loadings.n_features,
        ),
        replace(
            subject,
            sum_of_squares=weight * subject.sum_of_squares,
            cross_product=weight * subject.cross_product,
        ),
    )


def log_joint(standard: Array, loadings: LoadingMoments, subject: SubjectStatistics) -> Array:
    """Log density of standard scores and features.

    Parameters
    ----------
    standard : ndarray, shape (draw, factor)
        Values of f, one for each draw.
    loadings : LoadingMoments
        Moments of the loadings.
    subject : SubjectStatistics
        The subject under one arm.

    Returns
    -------
    ndarray, shape (draw,)
        Prior and likelihood with all constants.
    """
    u = subject.offset + subject.scale * standard
    s, quad, _, _ = _parts(u, loadings, subject)
    variance = loadings.noise_variance
    loglik = loadings.n_features * np.log(2 * np.pi * variance * s) + quad / (variance * s)
    prior = (standard**2).sum(axis=1) + standard.shape[1] * np.log(2 * np.pi)
    return np.asarray(-0.5 * (loglik.sum(axis=1) + prior))


def integrate_scores(
    loadings: LoadingMoments,
    subject: SubjectStatistics,
    rng: np.random.Generator,
    *,
    candidates: int = 8,
) -> Integral:
    """Draw a subject's scores and integrate them out, for every draw of the posterior.

    The mode is found by Fisher scoring. Proposals around it with the exact curvature are weighted
    by the exact density. One of them is picked with a probability proportional to its weight, and
    the mean weight is an unbiased estimate of the density of the features.

    Parameters
    ----------
    loadings : LoadingMoments
        Moments of the loadings.
    subject : SubjectStatistics
        The subject under one arm.
    rng : numpy.random.Generator
        For the proposals.
    candidates : int, default 8
        Proposals for each draw.

    Returns
    -------
    Integral
        Scores, density and efficiency of the proposals.
    """
    mode = _find_mode(loadings, subject)
    draws, k = mode.shape
    values, vectors = np.linalg.eigh(_curvature(mode, loadings, subject))
    root = vectors / np.sqrt(np.maximum(values, MIN_CURVATURE))[:, None, :]
    log_det = 0.5 * np.log(np.maximum(values, MIN_CURVATURE)).sum(axis=1)
    z = rng.standard_normal((candidates, draws, k))
    mix = rng.chisquare(PROPOSAL_DF, size=(candidates, draws)) / PROPOSAL_DF
    z /= np.sqrt(mix)[..., None]
    proposed = mode + np.einsum("tkl,ctl->ctk", root, z)
    log_weight = np.stack([log_joint(f, loadings, subject) for f in proposed])
    log_weight -= _log_t((z**2).sum(axis=2), k) + log_det
    log_density = logsumexp(log_weight, axis=0) - np.log(candidates)
    weight = np.exp(log_weight - log_weight.max(axis=0))
    weight /= weight.sum(axis=0)
    pick = (np.cumsum(weight, axis=0) < rng.uniform(size=draws)).sum(axis=0)
    chosen = proposed[np.minimum(pick, candidates - 1), np.arange(draws)]
    efficiency = float((1 / (weight**2).sum(axis=0)).mean() / candidates)
    return Integral(chosen, np.asarray(log_density), efficiency)


def _log_t(square: Array, k: int) -> Array:
    """Log density of a standard multivariate t at squared distance `square`."""
    df = PROPOSAL_DF
    constant = gammaln((df + k) / 2) - gammaln(df / 2) - 0.5 * k * np.log(df * np.pi)
    return np.asarray(constant - 0.5 * (df + k) * np.log1p(square / df))


def _parts(
    u: Array, loadings: LoadingMoments, subject: SubjectStatistics
) -> tuple[Array, Array, Array, Array]:
    """Relative variance, sum of squared residuals, V u, and half the gradient of the squares."""
    vu = np.einsum("tbkl,tl->tbk", loadings.covariance, u)
    mu = np.einsum("tbkl,tl->tbk", loadings.second_moment, u)
    s = subject.base_variance + np.einsum("tbk,tk->tb", vu, u)
    quad = subject.sum_of_squares + np.einsum("tbk,tk->tb", mu - 2 * subject.cross_product, u)
    return s, np.maximum(quad, 0.0), vu, mu - subject.cross_product


def _gradient(
    standard: Array, loadings: LoadingMoments, subject: SubjectStatistics
) -> tuple[Array, Array, Array]:
    """Objective (minus log joint density), gradient and Fisher information in standard scores."""
    u = subject.offset + subject.scale * standard
    s, quad, vu, residual = _parts(u, loadings, subject)
    precision = 1 / (loadings.noise_variance * s)
    loglik = loadings.n_features * np.log(s) + quad * precision
    value = 0.5 * (loglik.sum(axis=1) + (standard**2).sum(axis=1))
    excess = loadings.n_features / s - quad * precision / s
    slope = np.einsum("tb,tbk->tk", excess, vu) + np.einsum("tb,tbk->tk", precision, residual)
    fisher = np.einsum("tb,tbkl->tkl", precision, loadings.second_moment)
    fisher += np.einsum("tb,tbk,tbl->tkl", 2 * loadings.n_features / s**2, vu, vu)
    return value, subject.scale * slope + standard, _standardise(fisher, subject.scale)


def _standardise(information: Array, scale: Array) -> Array:
    """Information on scores as information on standard scores, with that of their prior."""
    return np.asarray(scale[:, :, None] * information * scale[:, None, :] + np.eye(scale.shape[1]))


def _find_mode(loadings: LoadingMoments, subject: SubjectStatistics) -> Array:
    """Mode of the standard scores by Fisher scoring, with a step size for each draw."""
    f = np.zeros_like(subject.scale)
    value, slope, fisher = _gradient(f, loadings, subject)
    step = np.ones(len(f))
    for _ in range(SCORING_STEPS):
        move = -np.linalg.solve(fisher, slope[..., None])[..., 0]
        if np.abs(step[:, None] * move).max() < SCORING_TOLERANCE:
            break
        trial = f + step[:, None] * move
        t_value, t_slope, t_fisher = _gradient(trial, loadings, subject)
        better = t_value <= value
        step = np.where(better, 1.0, step / 2)
        f = np.where(better[:, None], trial, f)
        slope = np.where(better[:, None], t_slope, slope)
        fisher = np.where(better[:, None, None], t_fisher, fisher)
        value = np.where(better, t_value, value)
    return f


def _curvature(standard: Array, loadings: LoadingMoments, subject: SubjectStatistics) -> Array:
    """Exact second derivatives of minus the log joint density in standard scores."""
    u = subject.offset + subject.scale * standard
    s, quad, vu, residual = _parts(u, loadings, subject)
    precision = 1 / (loadings.noise_variance * s)
    excess = loadings.n_features / s - quad * precision / s
    hessian = np.einsum("tb,tbkl->tkl", precision, loadings.second_moment)
    hessian += np.einsum("tb,tbkl->tkl", excess, loadings.covariance)
    twice = 4 * quad * precision / s**2 - 2 * loadings.n_features / s**2
    hessian += np.einsum("tb,tbk,tbl->tkl", twice, vu, vu)
    cross = np.einsum("tb,tbk,tbl->tkl", 2 * precision / s, vu, residual)
    hessian -= cross + np.swapaxes(cross, 1, 2)
    return _standardise(hessian, subject.scale)
