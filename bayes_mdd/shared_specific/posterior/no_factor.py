"""Independent draws of a model without factors: noise given the data, all else from its prior."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.sampling.draws import OWN_SAMPLER, pack_draws
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.shared_specific.prior.arms import draw_scores
from bayes_mdd.shared_specific.prior.scales import HalfNormal
from bayes_mdd.types import Array

#: Points of the grid on which a noise SD is drawn, and its half-width in posterior SDs.
GRID, REACH = 401, 7.0


def sample_without_factors(
    data: ModelData,
    density: Density,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> xr.DataTree:
    """Draw independently, in the layout of chains.

    Parameters
    ----------
    data : ModelData
        From `prepare`.
    density : Density
        For the priors.
    shape : tuple of int
        Chains and draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them. The second holds
        ``diverging`` only, which is False: independent draws have no energy and no steps.
    """
    kept = draw_without_factors(data, density, shape[0] * shape[1], rng)
    stats = xr.Dataset({"diverging": ((CHAIN, DRAW), np.zeros(shape, dtype=bool))})
    return pack_draws(kept, density.outcome_dims, shape, stats, **OWN_SAMPLER)


def draw_without_factors(
    data: ModelData,
    density: Density,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw the variables of `Density.outcome` with all factors pinned to zero.

    Parameters
    ----------
    data : ModelData
        From `prepare`.
    density : Density
        For the priors.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    dict of ndarray
        Block scales and symptom weights are zero; scores and sharing have their prior.
    """
    _, k, arms, blocks, symptoms = density.inputs.sizes
    priors, fixed, free = density.priors, density.inputs.fixed, len(data.stats.basis.T)
    sharing = (
        np.broadcast_to(fixed, (draws, k, arms)).copy()
        if fixed.size
        else priors.sharing.draw(rng, (draws, k))
    )
    found = {
        "scores": draw_scores(np.swapaxes(sharing, 1, 2), priors.arm_mean, data.arm, rng),
        "sharing": sharing,
        "block_scale": np.zeros((draws, blocks, k)),
        "noise": np.stack(
            [
                draw_sd(total, size * free, priors.noise, draws, rng)
                for total, size in zip(data.stats.traces, data.stats.block_size, strict=True)
            ],
            axis=1,
        ),
    }
    if symptoms:
        found["symptom_weight"] = np.zeros((draws, k, symptoms))
        found["symptom_noise"] = np.stack(
            [
                draw_sd(float(s.value @ s.value), s.value.size, priors.symptom_noise, draws, rng)
                for s in data.symptoms
            ],
            axis=1,
        )
    return found


def draw_sd(
    squares: float, count: float, prior: HalfNormal, draws: int, rng: np.random.Generator
) -> Array:
    """Draw the SD of normal values from its posterior.

    Parameters
    ----------
    squares : float
        Sum of squares of the values.
    count : float
        Number of values.
    prior : HalfNormal
        Prior of the SD.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    ndarray, shape (draws,)
        Standard deviations.
    """
    width = REACH / np.sqrt(2 * count)
    log_sd = 0.5 * np.log(squares / count) + np.linspace(-width, width, GRID)
    # Includes the Jacobian of the log scale.
    log_p = (1 - count) * log_sd - 0.5 * np.exp(-2 * log_sd) * squares
    log_p += prior.log_kernel_of_log(log_sd)
    p = np.exp(log_p - log_p.max())
    at = rng.choice(GRID, size=draws, p=p / p.sum())
    step = log_sd[1] - log_sd[0]
    return np.asarray(np.exp(log_sd[at] + step * rng.uniform(-0.5, 0.5, size=draws)))
