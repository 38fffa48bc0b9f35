"""Sampling the posterior: the compiled density, the PyMC graph, or independent draws."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.sampling.chains import ChainStore
from bayes_mdd.sampling.compiled import EntryUnavailableError
from bayes_mdd.sampling.draws import sampler_version
from bayes_mdd.sampling.sample import check_backend, sample_density, sample_graph
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.density.density import (
    first_point,
    guess_score_variance,
    has_closed_form,
    initial_scales,
    make_density,
)
from bayes_mdd.shared_specific.graph.model import STORED, build_shared_specific, starting_point
from bayes_mdd.shared_specific.posterior.alternating import (
    ROWS_PER_FACTOR,
    alternates,
    sample_by_alternation,
)
from bayes_mdd.shared_specific.posterior.no_factor import sample_without_factors
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.streams import Stream, generator

#: Subjects above which scores and loadings are drawn in turn by default.
MANY_ROWS = 300
#: Rewrite of PyTensor 3.3 that fails in the simplex transform of the sharing of a single factor.
FAILS_WITH_ONE_FACTOR = ("scalarize",)

log = logging.getLogger("bayes_mdd.sampling")


@dataclass(frozen=True, eq=False)
class Drawn:
    """Draws of a posterior and facts about them.

    Parameters
    ----------
    raw : DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them.
    facts : dict
        For the provenance: ``sampled``, which is "density", "graph" or "independent",
        ``sampler_used``, the sampler and its version, and settings that no spec holds.
    """

    raw: xr.DataTree
    facts: dict[str, Any]

    @classmethod
    def of(cls, raw: xr.DataTree, sampled: str, **facts: Any) -> Drawn:
        """Draws whose sampler is read from the attributes of the posterior.

        Parameters
        ----------
        raw : DataTree
            Groups ``posterior`` and ``sample_stats``.
        sampled : {"density", "graph", "independent"}
            What was sampled.
        **facts : object
            Further facts.

        Returns
        -------
        Drawn
            Draws and facts.
        """
        return cls(raw, {"sampled": sampled, "sampler_used": sampler_version(raw), **facts})


def sample_posterior(
    spec: SharedSpecificSpec,
    data: ModelData,
    start: Start,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
    store: ChainStore | None = None,
) -> Drawn:
    """Sample the posterior with the No-U-Turn sampler.

    The back end "nutpie" samples the compiled density where the spec has one, and so does "auto"
    unless there are more than `MANY_ROWS` subjects: scores and loadings are then drawn in turn, as
    with "alternating". All other back ends and specs sample the PyMC graph, which has the same
    posterior; so does "nutpie" where its installed version cannot take a density.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `start` has.
    data : ModelData
        From `prepare`.
    start : Start
        From `find_modes`, or from the factors of a run.
    sampler : SamplerSpec
        Draws, chains, seed and back end.
    progressbar : bool
        Show the progress of the chains.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    Drawn
        Draws of all variables that `assemble` needs.

    Raises
    ------
    SpecError
        If the back end is not installed, or does not support the model.
    """
    if sampler.backend in ("pymc", "numpyro") or not has_closed_form(spec):
        return _sample_graph(spec, data, start, sampler, progressbar=progressbar, store=store)
    if not start.n_on and spec.spare_factors == "pinned" and spec.sharing is None:
        # No pattern exceeds the threshold, so all factors are superfluous and pinned.
        density = make_density(spec, data)
        rng = generator(sampler.seed, Stream.NO_FACTOR)
        shape = (sampler.chains, sampler.draws)
        raw = sample_without_factors(data, density, shape, rng)
        return Drawn.of(raw, "independent")
    if _takes_turns(spec, data, start, sampler):
        raw = sample_by_alternation(
            spec, data, start, sampler, progressbar=progressbar, store=store
        )
        return Drawn.of(raw, "alternating")
    density = make_density(spec, data, guess_score_variance(data, start))
    first, scale = first_point(density, start), initial_scales(density, start)
    try:
        raw = sample_density(density, first, scale, sampler, progressbar=progressbar, store=store)
    except EntryUnavailableError as error:
        log.warning("%s. Sampling the PyMC graph instead, which is compiled first.", error)
        return _sample_graph(spec, data, start, sampler, progressbar=progressbar, store=store)
    return Drawn.of(raw, "density")


def _takes_turns(
    spec: SharedSpecificSpec, data: ModelData, start: Start, sampler: SamplerSpec
) -> bool:
    """Whether to draw scores and loadings in turn."""
    possible = alternates(spec, data)
    if sampler.backend == "alternating" and not possible:
        raise SpecError(
            "the back end 'alternating' supports neither a fixed sharing pattern, nor "
            "spare_factors='sampled', nor arms with fewer than "
            f"{ROWS_PER_FACTOR} participants per factor: use 'auto'."
        )
    many = sampler.backend == "auto" and len(data.arm) > MANY_ROWS
    return possible and bool(start.n_on) and (many or sampler.backend == "alternating")


def _sample_graph(
    spec: SharedSpecificSpec,
    data: ModelData,
    start: Start,
    sampler: SamplerSpec,
    *,
    progressbar: bool,
    store: ChainStore | None = None,
) -> Drawn:
    check_backend(sampler)
    if sampler.backend == "numpyro":
        from bayes_mdd.shared_specific.likelihood.jax_kernels import register

        register()
    model = build_shared_specific(spec, data)
    raw = sample_graph(
        model,
        starting_point(spec, data, start),
        sampler,
        var_names=[name for name in STORED if name in model.named_vars],
        progressbar=progressbar,
        store=store,
        without_rewrites=FAILS_WITH_ONE_FACTOR if spec.n_factors == 1 else (),
    )
    return Drawn.of(raw, "graph")
