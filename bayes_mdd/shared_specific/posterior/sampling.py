"""From a start to draws: by the written-out density, by the graph, or without any factor."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.sampling.sample import sample, sample_density
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.density import (
    first_point,
    is_written_out,
    make_density,
    variance_left,
    widths,
)
from bayes_mdd.shared_specific.graph.model import STORED, build_shared_specific, starting_point
from bayes_mdd.shared_specific.posterior.no_factor import sample_without_factors
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec

#: Stream of random numbers, apart from those of the chains.
NO_FACTOR_STREAM = 24


def explore(
    spec: SharedSpecificSpec,
    data: ModelData,
    start: Start,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
) -> tuple[xr.DataTree, str]:
    """Sample the density where it is written out, else the graph; both are the same posterior.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `start` has.
    data : ModelData
        From `prepare`.
    start : Start
        From `climb`, or from the factors of a run.
    sampler : SamplerSpec
        Draws, chains, seed and back end.
    progressbar : bool
        Whether to show one.

    Returns
    -------
    raw : DataTree
        Groups ``posterior`` and ``sample_stats``.
    how : {"density", "graph", "independent"}
        What was sampled, for the provenance.
    """
    if sampler.backend == "nutpie" and is_written_out(spec):
        density = make_density(spec, data, variance_left(data, start))
        if not start.n_on and spec.spare_factors == "pinned" and spec.sharing is None:
            # Nothing stands out: all factors are spare ones, and those are pinned.
            rng = np.random.default_rng([sampler.seed, NO_FACTOR_STREAM])
            shape = (sampler.chains, sampler.draws)
            return sample_without_factors(spec, data, density, shape, rng), "independent"
        first, width = first_point(density, start), widths(density, start)
        return sample_density(density, first, width, sampler, progressbar=progressbar), "density"
    model = build_shared_specific(spec, data)
    names = [name for name in STORED if name in model.named_vars]
    initial = starting_point(spec, data, start)
    return sample(model, initial, sampler, var_names=names, progressbar=progressbar), "graph"
