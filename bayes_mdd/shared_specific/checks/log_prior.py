r"""Log prior densities of stored draws, group by group, up to a constant.

Of a hierarchy, a run stores the lower level: block scales and symptom weights. Given these, the
overall scale is independent of everything else. A draw from the one-dimensional
:math:`p(s_k \mid \tau_{\cdot k})` therefore completes a stored draw.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.shared_specific.data.ratings import LOGISTIC_SD
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.prior.arms import ArmMeans, fixed_sharing
from bayes_mdd.shared_specific.prior.horseshoe import Horseshoe, log_regularise, unbounded
from bayes_mdd.shared_specific.prior.priors import build_priors
from bayes_mdd.shared_specific.prior.reliability import reliability
from bayes_mdd.types import Array

#: Points of one-dimensional grids over the log of a scale.
POINTS = 160
#: Number of draws in one pass.
CHUNK = 250


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
        For the overall scales.

    Returns
    -------
    dict of str to ndarray, shape (draw,)
        Groups of priors that the model has.
    """
    spec, draws, priors = fitted.spec, fitted.draws, build_priors(fitted.spec, fitted.arms)
    tau = draws.block_scale[:, :, on]
    scale = draw_factor_scale(tau, priors.block_scale, rng)
    found = {}
    if fixed_sharing(spec, fitted.arms) is None:
        found["sharing"] = priors.sharing.log_kernel(draws.sharing[:, :, on], axis=(1, 2))
    if "arm_mean" in chosen:
        means = ArmMeans(priors.arm_mean.variance[:, on])
        found["arm_mean"] = _total(means.log_kernel(draws.arm_mean[:, :, on]))
    found["factor_scale"] = _total(priors.block_scale.overall.log_kernel(scale))
    found["noise"] = _total(priors.noise.log_kernel(draws.noise))
    if "symptom_weight" in chosen:
        ordinal = np.isin(chosen[SYMPTOM].values.astype(str), spec.ordinal_symptoms)
        unit = np.where(ordinal, LOGISTIC_SD, 1.0)
        weight = chosen["symptom_weight"].isel({FACTOR: on}).transpose(CHAIN, DRAW, FACTOR, SYMPTOM)
        flat = weight.values.reshape(-1, on.size, weight.sizes[SYMPTOM])
        free = flat / reliability(tau, fitted.size)[:, :, None] / unit
        overall = draw_overall_scale(free, priors.symptom_weight, rng)
        found["symptom_scale"] = _total(priors.symptom_weight.overall.log_kernel(overall))
        gaussian = chosen["symptom_noise"].values[..., : len(spec.symptoms)]
        if gaussian.size:
            gaussian = gaussian.reshape(-1, len(spec.symptoms))
            found["symptom_noise"] = _total(priors.symptom_noise.log_kernel(gaussian))
    return found


def _total(parts: Array) -> Array:
    """Sum over all axes but the draws."""
    return np.asarray(parts.reshape(len(parts), -1).sum(axis=1))


def draw_factor_scale(block_scale: Array, prior: Horseshoe, rng: np.random.Generator) -> Array:
    """Draw the overall scale of each factor given its block scales.

    Parameters
    ----------
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    prior : Horseshoe
        Prior of the block scales.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draw, factor)
        Draws from its posterior.
    """
    log_free, log_scale = np.log(unbounded(block_scale, prior.slab)), np.log(prior.overall.scale)
    centre = np.median(log_free)
    grid = np.linspace(min(log_scale, centre) - 8, max(log_scale, log_free.max()) + 4, POINTS)
    # On the log scale, where the Jacobian is the scale itself.
    log_prior = grid + prior.overall.log_kernel_of_log(grid)
    out = np.empty((block_scale.shape[0], block_scale.shape[2]))
    for at in range(0, len(out), CHUNK):
        z = log_free[at : at + CHUNK, :, :, None] - grid
        log_density = log_prior + (-grid + prior.local.log_kernel_of_log(z)).sum(axis=1)
        out[at : at + CHUNK] = _pick(log_density, grid, rng)
    return out


def draw_overall_scale(weight: Array, prior: Horseshoe, rng: np.random.Generator) -> Array:
    """Draw the overall scale of a regularised horseshoe given its weights.

    Parameters
    ----------
    weight : ndarray, shape (draw, ...)
        Draws.
    prior : Horseshoe
        Prior of the weights.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draw, 1)
        Draws from its posterior, with local scales integrated out.
    """
    log_size = np.log(np.maximum(np.abs(weight.reshape(len(weight), -1)), 1e-8))
    log_scale = np.log(prior.overall.scale)
    sizes = np.linspace(log_size.min() - 0.1, log_size.max() + 0.1, POINTS)
    grid = np.linspace(log_scale - 9, log_scale + 7, POINTS)
    log_local = np.linspace(-9, 9, POINTS)
    free = np.exp(grid[:, None] + log_local)
    log_sd = log_regularise(free, prior.slab)
    local_prior = log_local + prior.local.log_kernel_of_log(log_local) - log_sd
    # Log density of one weight, by overall scale and size; it is smooth in size.
    table = np.stack(
        [logsumexp(local_prior - 0.5 * np.exp(2 * (x - log_sd)), axis=1) for x in sizes], axis=1
    )
    given = np.stack([np.interp(log_size, sizes, row).sum(axis=1) for row in table], axis=1)
    log_prior = grid + prior.overall.log_kernel_of_log(grid)
    return _pick(log_prior + given, grid, rng)[:, None]


def _pick(log_density: Array, grid: Array, rng: np.random.Generator) -> Array:
    """Draw scales from log densities on a grid of log scales along the last axis."""
    # Adding Gumbel noise selects a point with probability proportional to its density.
    picked = grid[(log_density + rng.gumbel(size=log_density.shape)).argmax(axis=-1)]
    return np.asarray(np.exp(picked + (grid[1] - grid[0]) * rng.uniform(-0.5, 0.5, picked.shape)))
