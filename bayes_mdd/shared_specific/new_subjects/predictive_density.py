r"""The scores of one person who was not in the fit, with loadings and covariates integrated out.

Given a draw of the fitted people's scores, block scales and noise, the loadings of a feature are
Gaussian, :math:`\lambda_p \sim N(\mu_p, \sigma_b^2 V_b)`, and independent of what the design
estimates of the feature. So what a new person with scores h shows beyond the design's prediction,

.. math:: r_p \mid h \sim N(u^\top \mu_p,\; \sigma_b^2 s_b(u)), \qquad
   s_b(u) = 1 + c + u^\top V_b u, \qquad u = h - g,

where c is the leverage of the person's covariates and g the design's prediction of the scores.
The density of all features needs three sums over the features of a block, so that its cost does
not depend on their number:

.. math:: \log p(r \mid h) = -\tfrac12 \sum_b \Big\{ P_b \log(2\pi\sigma_b^2 s_b)
   + \frac{\sum r_p^2 - 2 u^\top \sum \mu_p r_p + u^\top \sum \mu_p \mu_p^\top u}
   {\sigma_b^2 s_b} \Big\}

With loadings known exactly (V = 0) that is a Gaussian regression with precision
:math:`I + D \Lambda^\top \Sigma^{-1} \Lambda D`. With loadings drawn and then taken as known,
scores would be shrunk by the error of the draw; here they are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, logsumexp

from bayes_mdd.types import Array

#: Degrees of freedom of the proposal: tails heavier than those of a density of many features.
PROPOSAL_DF = 8.0
NEWTON_STEPS = 25
#: Smallest curvature of the proposal; the prior of standard scores alone has 1.
LEAST_CURVATURE = 0.25


@dataclass(frozen=True, eq=False)
class Loadings:
    """What each draw says of the loadings, block by block.

    Parameters
    ----------
    spread : ndarray, shape (draw, block, factor, factor)
        V_b, the covariance of a feature's loadings in units of the block's noise variance.
    moment : ndarray, shape (draw, block, factor, factor)
        Sum over features of the outer products of their conditional mean loadings.
    variance : ndarray, shape (draw, block)
        Noise variance.
    size : ndarray, shape (block,)
        Number of features.
    """

    spread: Array
    moment: Array
    variance: Array
    size: Array


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one person's features say, in the sums that the density needs.

    Parameters
    ----------
    square : ndarray, shape (block,)
        Sum of squares of what the design leaves of the features.
    pull : ndarray, shape (draw, block, factor)
        Sum over features of that times the conditional mean loadings.
    base : ndarray, shape (draw, block)
        Noise variance in units of the block's when loadings are known: 1 + leverage, and more
        where the person's site is new.
    offset : ndarray, shape (draw, factor)
        Mean of the scores in the person's arm minus the design's prediction of them.
    scale : ndarray, shape (draw, factor)
        Standard deviation of the scores in the person's arm.
    """

    square: Array
    pull: Array
    base: Array
    offset: Array
    scale: Array


@dataclass(frozen=True, eq=False)
class Integral:
    """Scores of the person and the density of the features, per draw.

    Parameters
    ----------
    standard : ndarray, shape (draw, factor)
        One draw of the standard scores f for each draw of the posterior; the scores are the
        arm's mean plus `scale` times f.
    log_density : ndarray, shape (draw,)
        Of all features in their units of noise, with the scores integrated out.
    efficiency : float
        Effective share of the proposals, averaged over draws; near 1 where the density is close
        to Gaussian.
    """

    standard: Array
    log_density: Array
    efficiency: float


def weigh(given: Loadings, seen: Evidence, weight: float) -> tuple[Loadings, Evidence]:
    """Let the features count as fewer ones: their density to a power.

    Parameters
    ----------
    given : Loadings
        What each draw says of the loadings.
    seen : Evidence
        The person.
    weight : float
        The power.

    Returns
    -------
    given : Loadings
        With the sums over features times `weight`.
    seen : Evidence
        The same.
    """
    return (
        replace(given, moment=weight * given.moment, size=weight * given.size),
        replace(seen, square=weight * seen.square, pull=weight * seen.pull),
    )


def log_joint(standard: Array, given: Loadings, seen: Evidence) -> Array:
    """Log density of standard scores and features.

    Parameters
    ----------
    standard : ndarray, shape (draw, factor)
        Values of f, one a draw.
    given : Loadings
        What each draw says of the loadings.
    seen : Evidence
        The person.

    Returns
    -------
    ndarray, shape (draw,)
        Prior and likelihood with all constants.
    """
    u = seen.offset + seen.scale * standard
    s, quad, _, _ = _parts(u, given, seen)
    loglik = given.size * np.log(2 * np.pi * given.variance * s) + quad / (given.variance * s)
    prior = (standard**2).sum(axis=1) + standard.shape[1] * np.log(2 * np.pi)
    return np.asarray(-0.5 * (loglik.sum(axis=1) + prior))


def integrate_scores(
    given: Loadings, seen: Evidence, rng: np.random.Generator, *, candidates: int = 8
) -> Integral:
    """Draw the person's scores and integrate them out, for every draw of the posterior.

    The mode is found by Fisher scoring; proposals around it with the exact curvature are weighted
    by the exact density. One of them is picked with its weight, and the mean weight estimates the
    density of the features without bias.

    Parameters
    ----------
    given : Loadings
        What each draw says of the loadings.
    seen : Evidence
        The person under one arm.
    rng : numpy.random.Generator
        For the proposals.
    candidates : int, default 8
        Proposals for each draw.

    Returns
    -------
    Integral
        Scores, density and how well the proposal fits.
    """
    mode = _mode(given, seen)
    draws, k = mode.shape
    values, vectors = np.linalg.eigh(_curvature(mode, given, seen))
    root = vectors / np.sqrt(np.maximum(values, LEAST_CURVATURE))[:, None, :]
    log_det = 0.5 * np.log(np.maximum(values, LEAST_CURVATURE)).sum(axis=1)
    z = rng.standard_normal((candidates, draws, k))
    mix = rng.chisquare(PROPOSAL_DF, size=(candidates, draws)) / PROPOSAL_DF
    z /= np.sqrt(mix)[..., None]
    proposed = mode + np.einsum("tkl,ctl->ctk", root, z)
    log_weight = np.stack([log_joint(f, given, seen) for f in proposed])
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


def _parts(u: Array, given: Loadings, seen: Evidence) -> tuple[Array, Array, Array, Array]:
    """Relative variance, sum of squared residuals, V u, and half the gradient of the squares."""
    vu = np.einsum("tbkl,tl->tbk", given.spread, u)
    mu = np.einsum("tbkl,tl->tbk", given.moment, u)
    s = seen.base + np.einsum("tbk,tk->tb", vu, u)
    quad = seen.square + np.einsum("tbk,tk->tb", mu - 2 * seen.pull, u)
    return s, np.maximum(quad, 0.0), vu, mu - seen.pull


def _gradient(standard: Array, given: Loadings, seen: Evidence) -> tuple[Array, Array, Array]:
    """Objective (minus log), gradient and Fisher information in standard scores."""
    u = seen.offset + seen.scale * standard
    s, quad, vu, residual = _parts(u, given, seen)
    precision = 1 / (given.variance * s)
    loglik = given.size * np.log(s) + quad * precision
    value = 0.5 * (loglik.sum(axis=1) + (standard**2).sum(axis=1))
    excess = given.size / s - quad * precision / s
    slope = np.einsum("tb,tbk->tk", excess, vu) + np.einsum("tb,tbk->tk", precision, residual)
    fisher = np.einsum("tb,tbkl->tkl", precision, given.moment)
    fisher += np.einsum("tb,tbk,tbl->tkl", 2 * given.size / s**2, vu, vu)
    return value, seen.scale * slope + standard, _standardise(fisher, seen.scale)


def _standardise(information: Array, scale: Array) -> Array:
    return np.asarray(scale[:, :, None] * information * scale[:, None, :] + np.eye(scale.shape[1]))


def _mode(given: Loadings, seen: Evidence) -> Array:
    """Fisher scoring, each draw with a step of its own."""
    f = np.zeros_like(seen.scale)
    value, slope, fisher = _gradient(f, given, seen)
    step = np.ones(len(f))
    for _ in range(NEWTON_STEPS):
        move = -np.linalg.solve(fisher, slope[..., None])[..., 0]
        if np.abs(step[:, None] * move).max() < 1e-7:
            break
        trial = f + step[:, None] * move
        t_value, t_slope, t_fisher = _gradient(trial, given, seen)
        better = t_value <= value
        step = np.where(better, 1.0, step / 2)
        f = np.where(better[:, None], trial, f)
        slope = np.where(better[:, None], t_slope, slope)
        fisher = np.where(better[:, None, None], t_fisher, fisher)
        value = np.where(better, t_value, value)
    return f


def _curvature(standard: Array, given: Loadings, seen: Evidence) -> Array:
    """Exact second derivatives of minus the log joint density in standard scores."""
    u = seen.offset + seen.scale * standard
    s, quad, vu, residual = _parts(u, given, seen)
    precision = 1 / (given.variance * s)
    excess = given.size / s - quad * precision / s
    hessian = np.einsum("tb,tbkl->tkl", precision, given.moment)
    hessian += np.einsum("tb,tbkl->tkl", excess, given.spread)
    twice = 4 * quad * precision / s**2 - 2 * given.size / s**2
    hessian += np.einsum("tb,tbk,tbl->tkl", twice, vu, vu)
    cross = np.einsum("tb,tbk,tbl->tkl", 2 * precision / s, vu, residual)
    hessian -= cross + np.swapaxes(cross, 1, 2)
    return _standardise(hessian, seen.scale)
