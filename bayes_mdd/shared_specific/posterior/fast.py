"""The fast path: no compilation, a metric from the curvature at the mode, short chains.

The posterior that is sampled is that of the graph, to rounding. What is approximate is the
exploration: every chain starts near one mode, and chains are too short for the thresholds of
`diagnose` to be held against them in full. Runs carry ``method = "fast"`` wherever they are shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.sampling.draws import pack_draws
from bayes_mdd.sampling.hamiltonian import Chain, Metric, sample_chain
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.curvature import find_mode, hessian
from bayes_mdd.shared_specific.density.density import (
    Density,
    first_point,
    make_density,
    variance_left,
)
from bayes_mdd.shared_specific.posterior.no_factor import sample_without_factors
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array

#: Chains; draws that find the widths of the metric, that find the step size, and that are kept.
CHAINS, WIDTHS, TUNE, DRAWS = 4, 80, 40, 150
#: Steps of the optimiser for each start of `climb`: enough to tell the modes apart.
CLIMB_STEPS = 150
#: Draws that loadings are summed up over: what full runs take with the most features.
FAST_SUMMARY = 100
#: Curvature below which a direction is taken to be left to its prior, of variance 1.
FLAT = 0.5
#: A width may grow by this much over that of the curvature: a few long tails would else slow all.
WIDEN = 1.6
#: Streams of random numbers, apart from those of alignment and loadings.
START_STREAM, CHAIN_STREAM, WEIGHT_STREAM = 20, 21, 22


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the fast path hands on.

    Parameters
    ----------
    raw : DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them.
    settings : dict
        Numbers of chains and draws, for the provenance.
    """

    raw: xr.DataTree
    settings: dict[str, int]


def sample_fast(
    spec: SharedSpecificSpec, data: ModelData, start: Start, sampler: SamplerSpec
) -> Drawn:
    """Draw from the posterior around the mode that a start leads to.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `start` has.
    data : ModelData
        From `prepare`.
    start : Start
        From `climb`.
    sampler : SamplerSpec
        For the seed and the cores; draws, tune, chains and back end are not read.

    Returns
    -------
    Drawn
        Draws of all that `assemble` needs.

    References
    ----------
    .. [1] Neal, R. M. (2011). MCMC using Hamiltonian dynamics. In Handbook of Markov Chain Monte
       Carlo, chapter 5.
    """
    began = time.perf_counter()
    density = make_density(spec, data, variance_left(data, start))
    rng = np.random.default_rng([sampler.seed, WEIGHT_STREAM])
    shape = (CHAINS, DRAWS)
    if start.n_on:
        chains = _explore(density, start, sampler)
        kept = density.outcome(np.concatenate([c.points for c in chains]), rng)
        raw = pack_draws(kept, shape, _stats(chains), inference_library="bayes-mdd")
    else:
        # Without a pattern there is no mode to start around.
        raw = sample_without_factors(spec, data, density, shape, rng)
    raw["posterior"].attrs["sampling_time"] = time.perf_counter() - began
    return Drawn(raw, {"chains": CHAINS, "tune": WIDTHS + TUNE, "draws": DRAWS})


def _explore(density: Density, start: Start, sampler: SamplerSpec) -> list[Chain]:
    """Find the mode and run chains around it."""
    jobs = min(sampler.cores or cpu_count(), CHAINS)
    seeds = np.random.SeedSequence([sampler.seed, CHAIN_STREAM]).generate_state(2 * CHAINS)
    rng = np.random.default_rng([sampler.seed, START_STREAM])
    with threadpool_limits(1):
        mode, _ = find_mode(density, first_point(density, start))
        metric = fit_metric(-hessian(density, mode))
        starts = [mode + metric.root @ rng.standard_normal(mode.size) for _ in range(CHAINS)]
        first = _chains(density, metric, starts, 0, WIDTHS, seeds[:CHAINS], jobs)
        settled = np.concatenate([c.points[WIDTHS // 2 :] for c in first])
        metric = widen(metric, settled.std(axis=0))
        ends = [c.points[-1] for c in first]
        return _chains(density, metric, ends, TUNE, DRAWS, seeds[CHAINS:], jobs)


def fit_metric(precision: Array) -> Metric:
    """Make a metric of the curvature at the mode.

    Parameters
    ----------
    precision : ndarray, shape (size, size)
        Negative second derivatives of the log density.

    Returns
    -------
    Metric
        Directions of no or negative curvature have variance 1: those are the means and site
        effects of scores, which the likelihood does not see and which have the prior N(0, 1).
    """
    values, vectors = np.linalg.eigh(precision)
    values = np.where(values < FLAT, 1.0, values)
    return Metric(
        covariance=np.ascontiguousarray((vectors / values) @ vectors.T),
        momentum=np.ascontiguousarray(vectors * np.sqrt(values)),
        root=np.ascontiguousarray(vectors / np.sqrt(values)),
    )


def widen(metric: Metric, sd: Array) -> Metric:
    """Widen a metric where draws spread further than the curvature at the mode says.

    Parameters
    ----------
    metric : Metric
        From `fit_metric`.
    sd : ndarray, shape (size,)
        SD of draws.

    Returns
    -------
    Metric
        With the same correlations.
    """
    factor = np.clip(sd / np.sqrt(np.diag(metric.covariance)), 1.0, WIDEN)
    return replace(
        metric,
        covariance=np.ascontiguousarray(metric.covariance * np.outer(factor, factor)),
        momentum=np.ascontiguousarray(metric.momentum / factor[:, None]),
        root=np.ascontiguousarray(metric.root * factor[:, None]),
    )


def _chains(
    density: Density,
    metric: Metric,
    starts: list[Array],
    tune: int,
    draws: int,
    seeds: NDArray[np.unsignedinteger],
    jobs: int,
) -> list[Chain]:
    # Compiled code lets go of the interpreter: threads run at once and start at no cost.
    work = Parallel(n_jobs=jobs, prefer="threads")
    return list(
        work(
            delayed(sample_chain)(density, metric, x, tune=tune, draws=draws, seed=int(seed))
            for x, seed in zip(starts, seeds, strict=True)
        )
    )


def _stats(chains: list[Chain]) -> xr.Dataset:
    """Name what happened as the other samplers do."""
    stats: dict[str, list[NDArray[Any]]] = {
        "diverging": [c.diverging for c in chains],
        "energy": [c.energy for c in chains],
        "acceptance_rate": [c.accepted for c in chains],
        "n_steps": [c.steps for c in chains],
        "logp": [c.logp for c in chains],
        "step_size": [np.full(c.logp.size, c.step_size) for c in chains],
    }
    return xr.Dataset({name: ((CHAIN, DRAW), np.stack(x)) for name, x in stats.items()})
