"""Draws of a model in which no factor stands out: noise, and everything else at its prior."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.sampling.draws import pack_draws
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Points of the grid on which a noise SD is drawn, and its reach in posterior SDs.
GRID, REACH = 401, 7.0


def sample_without_factors(
    spec: SharedSpecificSpec,
    data: ModelData,
    density: Density,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> xr.DataTree:
    """Put independent draws into the shape of chains.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    density : Density
        For the prior of the scores.
    shape : tuple of int
        Chains and draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them.
    """
    kept = draw_without_factors(spec, data, density, shape[0] * shape[1], rng)
    # Independent draws have no path: what varies in the stead of an energy is their noise.
    nothing = np.zeros(shape)
    stats = {
        "diverging": nothing > 0,
        "energy": np.log(kept["noise"]).sum(axis=1).reshape(shape),
        "acceptance_rate": nothing + 1.0,
        "n_steps": nothing.astype(int),
        "logp": nothing,
        "step_size": nothing,
    }
    plain = xr.Dataset({name: ((CHAIN, DRAW), x) for name, x in stats.items()})
    return pack_draws(kept, shape, plain, inference_library="bayes-mdd")


def draw_without_factors(
    spec: SharedSpecificSpec,
    data: ModelData,
    density: Density,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw what `Density.outcome` returns, with all factors pinned to zero.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    density : Density
        For the prior of the scores.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        For the draws.

    Returns
    -------
    dict of ndarray
        Block scales and symptom weights are zero; scores and sharing have their prior.
    """
    n, k, arms, blocks, symptoms = density.inputs.sizes
    fixed, free = density.inputs.fixed, len(data.stats.basis.T)
    alpha = np.full(arms, spec.sharing_concentration)
    sharing = (
        np.broadcast_to(fixed, (draws, k, arms)).copy()
        if fixed.size
        else rng.dirichlet(alpha, size=(draws, k))
    )
    spread = np.sqrt(arms * np.swapaxes(sharing, 1, 2))[:, data.arm]
    mean = rng.standard_normal((draws, arms, k)) * np.sqrt(density.inputs.mean_variance)
    found = {
        "scores": mean[:, data.arm] + spread * rng.standard_normal((draws, n, k)),
        "sharing": sharing,
        "block_scale": np.zeros((draws, blocks, k)),
        "noise": np.stack(
            [
                draw_sd(total, size * free, spec.noise_scale, draws, rng)
                for total, size in zip(data.stats.traces, data.stats.block_size, strict=True)
            ],
            axis=1,
        ),
    }
    if symptoms:
        found["symptom_weight"] = np.zeros((draws, k, symptoms))
        found["symptom_noise"] = np.stack(
            [
                draw_sd(float(s.value @ s.value), s.value.size, spec.symptom_scale, draws, rng)
                for s in data.symptoms
            ],
            axis=1,
        )
    return found


def draw_sd(
    squares: float, count: float, prior: float, draws: int, rng: np.random.Generator
) -> Array:
    """Draw the SD of normal values under a half-normal prior.

    Parameters
    ----------
    squares : float
        Sum of squares of the values.
    count : float
        How many there are.
    prior : float
        Scale of the half-normal prior.
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
    # The log scale brings its Jacobian.
    log_p = (1 - count) * log_sd - 0.5 * np.exp(-2 * log_sd) * squares
    log_p -= 0.5 * np.exp(2 * log_sd) / prior**2
    p = np.exp(log_p - log_p.max())
    at = rng.choice(GRID, size=draws, p=p / p.sum())
    step = log_sd[1] - log_sd[0]
    return np.asarray(np.exp(log_sd[at] + step * rng.uniform(-0.5, 0.5, size=draws)))
