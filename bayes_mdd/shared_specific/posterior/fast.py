"""The fast path: no compilation, a metric from the curvature at the mode, short chains.

The density that is sampled is that of the graph, up to rounding. The draws are approximate:
every chain starts near the same mode, and the chains are too short for the full thresholds of
`diagnose`. All results of such a run carry ``method = "fast"``.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_mdd.sampling.around_mode import (
    CHAINS,
    DRAWS,
    METRIC_DRAWS,
    TUNE,
    chain_stats,
    sample_around_mode,
)
from bayes_mdd.sampling.draws import OWN_SAMPLER, pack_draws
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.curvature import find_mode, hessian
from bayes_mdd.shared_specific.density.density import (
    first_point,
    guess_score_variance,
    make_density,
)
from bayes_mdd.shared_specific.posterior.alternating import alternates, sample_by_alternation
from bayes_mdd.shared_specific.posterior.no_factor import sample_without_factors
from bayes_mdd.shared_specific.posterior.sampling import Drawn
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.shared_specific.whitening.leading import ALL_UP_TO
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.streams import Stream, generator

#: Optimiser steps for each start of `find_modes`: enough to tell modes apart.
MODE_STEPS = 150
#: Warm-up and kept draws of chains of many subjects, which alternate between scores and loadings:
#: fewest, and most for about 500 subjects. Sharing mixes slowly: of 20 draws, 1 to 3 are effective.
TUNE_OF_MANY, DRAWS_OF_MANY = (120, 240), (150, 600)
#: Subjects times draws (or warm-up draws) that bound the time of larger cohorts.
WORK_OF_MANY = 300_000
#: Number of draws that loadings are summarised over, as in full runs with the most features.
FAST_SUMMARY = 100


def sample_fast(
    spec: SharedSpecificSpec, data: ModelData, start: Start, sampler: SamplerSpec
) -> Drawn:
    """Sample the posterior around the mode that is nearest to a start.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `start` has.
    data : ModelData
        From `prepare`.
    start : Start
        From `find_modes`.
    sampler : SamplerSpec
        Seed and cores; draws, tune, chains and back end are not used.

    Returns
    -------
    Drawn
        Draws of all variables that `assemble` needs; the facts hold the numbers of chains and
        draws under ``fast``.

    References
    ----------
    .. [1] Neal, R. M. (2011). MCMC using Hamiltonian dynamics. In Handbook of Markov Chain Monte
       Carlo, chapter 5.
    """
    if start.n_on and len(data.arm) > ALL_UP_TO and alternates(spec, data):
        tune, draws = (_affordable(len(data.arm), *n) for n in (TUNE_OF_MANY, DRAWS_OF_MANY))
        longer = replace(sampler, chains=CHAINS, tune=tune, draws=draws)
        raw = sample_by_alternation(spec, data, start, longer)
        settings = {"chains": CHAINS, "tune": tune, "draws": draws}
        return Drawn.of(raw, "alternating", fast=settings)
    began = time.perf_counter()
    density = make_density(spec, data, guess_score_variance(data, start))
    rng = generator(sampler.seed, Stream.FAST_OUTCOME)
    shape = (CHAINS, DRAWS)
    if start.n_on:
        with threadpool_limits(1):
            mode, _ = find_mode(density, first_point(density, start))
            precision = -hessian(density, mode)
        chains = sample_around_mode(density, mode, precision, sampler)
        kept = density.outcome(np.concatenate([c.points for c in chains]), rng)
        raw = pack_draws(kept, density.outcome_dims, shape, chain_stats(chains), **OWN_SAMPLER)
        sampled = "density"
    else:
        # Without a pattern there is no mode to start from.
        raw = sample_without_factors(data, density, shape, rng)
        sampled = "independent"
    raw["posterior"].attrs["sampling_time"] = time.perf_counter() - began
    settings = {"chains": CHAINS, "tune": METRIC_DRAWS + TUNE, "draws": DRAWS}
    return Drawn.of(raw, sampled, fast=settings)


def _affordable(subjects: int, fewest: int, most: int) -> int:
    """Draws of each chain, so that the time of large cohorts stays that of the fast path."""
    return int(np.clip(WORK_OF_MANY // subjects, fewest, most))
