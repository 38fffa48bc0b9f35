r"""Log prior densities of stored draws, group by group, up to a constant.

Of a hierarchy a run stores the lower level: block scales and symptom weights. The overall scale
above them depends on nothing else, so that a draw from :math:`p(s_k \mid \tau_{\cdot k})`, in one
dimension, completes the stored draw as if it had been sampled with it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.shared_specific.graph.symptoms import LOGISTIC_SD, OVERALL
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.prior.expression import fixed_sharing, mean_variance
from bayes_mdd.types import Array

#: Points of one-dimensional grids over the log of a scale.
POINTS = 160
#: Draws handled at once.
CHUNK = 250
LEAST = 1e-300


def log_priors(
    fitted: Fitted, chosen: xr.Dataset, on: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, Array]:
    """Log prior density of each group at every draw.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    chosen : Dataset
        The posterior at the draws of `fitted`.
    on : ndarray of int
        Positions of the factors that were sampled.
    rng : numpy.random.Generator
        For factors' overall scales.

    Returns
    -------
    dict of str to ndarray, shape (draw,)
        Groups that the model has.
    """
    spec, draws = fitted.spec, fitted.draws
    tau = draws.block_scale[:, :, on]
    scale = draw_factor_scale(tau, spec.factor_scale, spec.local_df, spec.slab_scale, rng)
    found = {}
    if fixed_sharing(spec, fitted.arms) is None:
        found["sharing"] = log_sharing(draws.sharing[:, :, on], spec.sharing_concentration)
    if "arm_mean" in chosen:
        variance = mean_variance(spec, fitted.arms)[:, on]
        found["arm_mean"] = log_normal(draws.arm_mean[:, :, on], variance)
    found["factor_scale"] = log_half_cauchy(scale, spec.factor_scale)
    found["noise"] = log_normal(draws.noise, spec.noise_scale**2)
    if "symptom_weight" in chosen:
        information = np.einsum("tbk,b->tk", tau**2, fitted.size)
        ordinal = np.isin(chosen[SYMPTOM].values.astype(str), spec.ordinal_symptoms)
        unit = np.where(ordinal, LOGISTIC_SD, 1.0)
        weight = chosen["symptom_weight"].isel({FACTOR: on}).transpose(CHAIN, DRAW, FACTOR, SYMPTOM)
        flat = weight.values.reshape(-1, on.size, weight.sizes[SYMPTOM])
        free = flat / (information / (1 + information))[:, :, None] / unit
        found["symptom_scale"] = log_half_cauchy(draw_overall_scale(free, OVERALL, rng), OVERALL)
        gaussian = chosen["symptom_noise"].values[..., : len(spec.symptoms)]
        if gaussian.size:
            found["symptom_noise"] = log_normal(
                gaussian.reshape(-1, len(spec.symptoms)), spec.symptom_scale**2
            )
    return found


def log_sharing(sharing: Array, concentration: float) -> Array:
    """Log density of the Dirichlet prior of sharing.

    Parameters
    ----------
    sharing : ndarray, shape (draw, arm, factor)
        Draws.
    concentration : float
        Of the prior.

    Returns
    -------
    ndarray, shape (draw,)
        Summed over factors.
    """
    return np.asarray((concentration - 1) * np.log(np.maximum(sharing, LEAST)).sum(axis=(1, 2)))


def log_normal(x: Array, variance: Array | float) -> Array:
    """Log density of centred normal (or half-normal) priors.

    Parameters
    ----------
    x : ndarray, shape (draw, ...)
        Draws.
    variance : ndarray or float
        Of the prior; entries of 0 are fixed and take no part.

    Returns
    -------
    ndarray, shape (draw,)
        Summed over everything else.
    """
    v = np.broadcast_to(variance, x.shape[1:])
    parts = np.where(v > 0, -0.5 * x**2 / np.where(v > 0, v, 1.0), 0.0)
    return np.asarray(parts.reshape(len(x), -1).sum(axis=1))


def log_half_cauchy(x: Array, scale: float) -> Array:
    """Log density of half-Cauchy priors.

    Parameters
    ----------
    x : ndarray, shape (draw, factor)
        Draws.
    scale : float
        Of the prior.

    Returns
    -------
    ndarray, shape (draw,)
        Summed over factors.
    """
    return np.asarray(-np.log1p((x / scale) ** 2).sum(axis=1))


def draw_factor_scale(
    block_scale: Array, scale: float, df: float, slab: float, rng: np.random.Generator
) -> Array:
    """Draw the overall scale of each factor given its block scales.

    Parameters
    ----------
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    scale, df, slab : float
        ``factor_scale``, ``local_df`` and ``slab_scale`` of the spec.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draw, factor)
        Draws from the posterior of what the run did not store.
    """
    bounded = np.minimum(block_scale / slab, 1 - 1e-9)
    log_free = np.log(np.maximum(slab * bounded / np.sqrt(1 - bounded**2), LEAST))
    centre = np.median(log_free)
    grid = np.linspace(
        min(np.log(scale), centre) - 8, max(np.log(scale), log_free.max()) + 4, POINTS
    )
    # On the log scale: half-Cauchy times its Jacobian.
    prior = grid - np.log1p(np.exp(2 * (grid - np.log(scale))))
    out = np.empty((block_scale.shape[0], block_scale.shape[2]))
    for at in range(0, len(out), CHUNK):
        z = log_free[at : at + CHUNK, :, :, None] - grid
        density = prior + (-grid - 0.5 * (df + 1) * np.logaddexp(0.0, 2 * z - np.log(df))).sum(
            axis=1
        )
        out[at : at + CHUNK] = _pick(density, grid, rng)
    return out


def draw_overall_scale(weight: Array, overall: float, rng: np.random.Generator) -> Array:
    """Draw the overall scale of a regularised horseshoe given its weights.

    Parameters
    ----------
    weight : ndarray, shape (draw, ...)
        Draws, in units in which the slab is 1.
    overall : float
        Scale of the half-Cauchy prior of the overall scale.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draw, 1)
        Draws from the posterior, local scales integrated out.
    """
    log_size = np.log(np.maximum(np.abs(weight.reshape(len(weight), -1)), 1e-8))
    sizes = np.linspace(log_size.min() - 0.1, log_size.max() + 0.1, POINTS)
    grid = np.linspace(np.log(overall) - 9, np.log(overall) + 7, POINTS)
    log_local = np.linspace(-9, 9, POINTS)
    free = np.exp(grid[:, None] + log_local)
    log_sd = np.log(free) - 0.5 * np.log1p(free**2)
    local_prior = log_local - np.log1p(np.exp(2 * log_local)) - log_sd
    # Of one weight, by overall scale and size; between sizes it is smooth.
    table = np.stack(
        [logsumexp(local_prior - 0.5 * np.exp(2 * (x - log_sd)), axis=1) for x in sizes], axis=1
    )
    given = np.stack([np.interp(log_size, sizes, row).sum(axis=1) for row in table], axis=1)
    prior = grid - np.log1p(np.exp(2 * (grid - np.log(overall))))
    return _pick(prior + given, grid, rng)[:, None]


def _pick(log_density: Array, grid: Array, rng: np.random.Generator) -> Array:
    """Draw from densities over the log of a scale, given on a grid along the last axis."""
    # Gumbel noise picks a point in proportion to its density.
    picked = grid[(log_density + rng.gumbel(size=log_density.shape)).argmax(axis=-1)]
    return np.asarray(np.exp(picked + (grid[1] - grid[0]) * rng.uniform(-0.5, 0.5, picked.shape)))
