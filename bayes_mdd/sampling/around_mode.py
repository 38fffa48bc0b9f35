"""Short chains around a mode, with a metric from the curvature there."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from joblib import cpu_count
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.sampling.density import LogDensityFunction
from bayes_mdd.sampling.hamiltonian import Chain, Metric, sample_chain
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Number of chains; draws that estimate the scales of the metric, draws that adapt the step size,
#: and kept draws of each chain.
CHAINS, METRIC_DRAWS, TUNE, DRAWS = 4, 80, 40, 150
#: Curvature below which a direction is assumed to have its prior, with variance 1.
FLAT = 0.5
#: Largest factor by which a scale may exceed that of the curvature. Without a limit, a few
#: coordinates with long tails would slow down all others.
MAX_WIDENING = 1.6

log = logging.getLogger("bayes_mdd.sampling")


def sample_around_mode(
    density: LogDensityFunction, mode: Array, precision: Array, sampler: SamplerSpec
) -> list[Chain]:
    """Run short chains around a mode.

    A first run of `METRIC_DRAWS` draws widens the metric where the target is wider than its
    curvature suggests. The chains that are returned continue from its last points.

    Parameters
    ----------
    density : callable
        Value and gradient of the log density of the target.
    mode : ndarray, shape (size,)
        A mode of the density.
    precision : ndarray, shape (size, size)
        Negative second derivatives of the log density at the mode.
    sampler : SamplerSpec
        Seed and cores.

    Returns
    -------
    list of Chain
        `CHAINS` chains of `DRAWS` draws, the same for any number of cores.
    """
    jobs = min(sampler.cores or cpu_count(), CHAINS)
    log.info(
        "Sampling the compiled density (%d coordinates) with Hamiltonian Monte Carlo around one "
        "mode: %d chains of %d draws after %d warm-up draws, seed %d.",
        mode.size,
        CHAINS,
        DRAWS,
        METRIC_DRAWS + TUNE,
        sampler.seed,
    )
    entropy = [sampler.seed, int(Stream.FAST_CHAINS)]
    seeds = np.random.SeedSequence(entropy).generate_state(2 * CHAINS)
    rng = generator(sampler.seed, Stream.FAST_STARTS)
    with threadpool_limits(1):
        metric = metric_from_precision(precision)
        starts = [mode + metric.root @ rng.standard_normal(mode.size) for _ in range(CHAINS)]
        first = _sample_chains(density, metric, starts, 0, METRIC_DRAWS, seeds[:CHAINS], jobs)
        later = np.concatenate([c.points[METRIC_DRAWS // 2 :] for c in first])
        metric = widen_metric(metric, later.std(axis=0))
        ends = [c.points[-1] for c in first]
        return _sample_chains(density, metric, ends, TUNE, DRAWS, seeds[CHAINS:], jobs)


def metric_from_precision(precision: Array) -> Metric:
    """Build a metric from the curvature at the mode.

    Parameters
    ----------
    precision : ndarray, shape (size, size)
        Negative second derivatives of the log density.

    Returns
    -------
    Metric
        Directions with little or negative curvature (below `FLAT`) have variance 1.
    """
    values, vectors = np.linalg.eigh(precision)
    values = np.where(values < FLAT, 1.0, values)
    return Metric(
        covariance=np.ascontiguousarray((vectors / values) @ vectors.T),
        momentum=np.ascontiguousarray(vectors * np.sqrt(values)),
        root=np.ascontiguousarray(vectors / np.sqrt(values)),
    )


def widen_metric(metric: Metric, sd: Array) -> Metric:
    """Widen a metric where draws have a larger SD than the metric.

    Parameters
    ----------
    metric : Metric
        From `metric_from_precision`.
    sd : ndarray, shape (size,)
        SD of draws.

    Returns
    -------
    Metric
        With the same correlations; no SD grows by more than `MAX_WIDENING` and none shrinks.
    """
    return rescale_metric(metric, sd, (1.0, MAX_WIDENING))


def rescale_metric(metric: Metric, sd: Array, limits: tuple[float, float]) -> Metric:
    """Give a metric the SD of draws, within limits.

    Parameters
    ----------
    metric : Metric
        From `metric_from_precision`.
    sd : ndarray, shape (size,)
        SD of draws.
    limits : tuple of float
        Smallest and largest factor by which an SD may change.

    Returns
    -------
    Metric
        With the same correlations.
    """
    factor = np.clip(sd / np.sqrt(np.diag(metric.covariance)), *limits)
    return replace(
        metric,
        covariance=np.ascontiguousarray(metric.covariance * np.outer(factor, factor)),
        momentum=np.ascontiguousarray(metric.momentum / factor[:, None]),
        root=np.ascontiguousarray(metric.root * factor[:, None]),
    )


def chain_stats(chains: list[Chain]) -> xr.Dataset:
    """Collect the statistics of chains under the names that PyMC uses.

    Parameters
    ----------
    chains : list of Chain
        From `sample_around_mode`.

    Returns
    -------
    Dataset
        Group ``sample_stats``.
    """
    stats: dict[str, list[NDArray[Any]]] = {
        "diverging": [c.diverging for c in chains],
        "energy": [c.energy for c in chains],
        "acceptance_rate": [c.accepted for c in chains],
        "n_steps": [c.steps for c in chains],
        "logp": [c.logp for c in chains],
        "step_size": [np.full(c.logp.size, c.step_size) for c in chains],
    }
    return xr.Dataset({name: ((CHAIN, DRAW), np.stack(x)) for name, x in stats.items()})


def _sample_chains(
    density: LogDensityFunction,
    metric: Metric,
    starts: list[Array],
    tune: int,
    draws: int,
    seeds: NDArray[np.unsignedinteger],
    jobs: int,
) -> list[Chain]:
    # Compiled code releases the interpreter lock, so threads run in parallel.
    sample = partial(_sample_chain, density, metric, tune, draws)
    tasks = ((x, int(seed)) for x, seed in zip(starts, seeds, strict=True))
    return fan_out(sample, tasks, n_jobs=jobs, where="here")


def _sample_chain(
    density: LogDensityFunction, metric: Metric, tune: int, draws: int, start: Array, seed: int
) -> Chain:
    return sample_chain(density, metric, start, tune=tune, draws=draws, seed=seed)
