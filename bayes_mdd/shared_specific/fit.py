"""The fit of the factor model: start, draws, result."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.errors import SpecError
from bayes_mdd.results.rules import WEIGHT_LEFT_MIN
from bayes_mdd.results.schema import describe_variables
from bayes_mdd.sampling.chains import ChainStore
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.within_scan import WithDifferences, add_differences, rescale
from bayes_mdd.shared_specific.density.density import has_closed_form
from bayes_mdd.shared_specific.posterior.assemble import MOST_SUMMARY, assemble
from bayes_mdd.shared_specific.posterior.fast import FAST_SUMMARY, MODE_STEPS, sample_fast
from bayes_mdd.shared_specific.posterior.sampling import sample_posterior
from bayes_mdd.shared_specific.posterior.within_scan import separate_differences
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.schema import SCHEMA
from bayes_mdd.shared_specific.start.mode import ModeSearch, find_modes
from bayes_mdd.shared_specific.start.spectral import Start, remaining_weight, spectral_start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.types import Array

log = logging.getLogger("bayes_mdd.fit")

#: Smallest number of subjects whose half differences are fitted.
LEAST_DIFFERENCES = 10


def check_method(spec: SharedSpecificSpec, method: str) -> None:
    """Refuse a method that does not serve a spec.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    method : {"mcmc", "fast"}
        How the posterior is to be obtained.

    Raises
    ------
    SpecError
        If the fast path does not support what the spec asks for.
    """
    if method == "mcmc":
        return
    if spec.feature_noise == "student":
        raise SpecError(
            "method='fast' does not support feature_noise='student': use method='mcmc', or set "
            "feature_noise to 'moderated'."
        )
    if not has_closed_form(spec):
        raise SpecError(
            "method='fast' supports Gaussian symptom links common to all arms only: use "
            "method='mcmc', or omit ordinal_symptoms and symptom_links."
        )


def fit_factors(
    spec: SharedSpecificSpec,
    data: ModelData,
    sampler: SamplerSpec,
    method: str,
    progressbar: bool,
    store: ChainStore | None = None,
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Fit the factor model.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    data : ModelData
        From `prepare`.
    sampler : SamplerSpec
        Draws, chains, seed and back end.
    method : {"mcmc", "fast"}
        How the posterior is obtained.
    progressbar : bool
        Whether to show the progress of the chains.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    idata : DataTree
        The result; of the attributes only ``method`` is set.
    facts : dict
        For the provenance: what was sampled, from how many starts, and how long it took.
    """
    began = time.perf_counter()
    if method == "fast":
        # The prior of arm means is wide and the data inform them little, so short chains do not
        # mix along them. The coverage of the fast path was measured without arm means.
        spec = replace(spec, mean_scale=0.0)
    difference = _half_difference(spec, data)
    fitted = (
        WithDifferences(data, data) if difference is None else add_differences(data, difference)
    )
    # Matrices are small (subjects x subjects): several threads would only wait for each other.
    with threadpool_limits(1):
        found = spectral_start(_searched(spec, fitted.rows), spec.n_factors, seed=sampler.seed)
    if data.stats.subject_scale is not None and found.n_on:
        fitted = rescale(fitted, found.scores[:, : found.n_on])
    left = remaining_weight(fitted.rows, found)
    if data.whitening is not None and left < WEIGHT_LEFT_MIN:
        fitted = fitted.weighted(left)
    data, rows = fitted.data, fitted.rows
    modes = _find_start(spec, rows, found, method)
    start = modes.start
    n_sampled = start.scores.shape[1]
    reduced = replace(spec, n_factors=n_sampled)
    added: dict[str, Any] = {
        "n_factors_sampled": n_sampled,
        "starts": {"tried": modes.log_density.size, "at_best_mode": modes.agreeing},
    }
    if method == "fast":
        drawn = sample_fast(reduced, rows, start, sampler)
    else:
        drawn = sample_posterior(
            reduced, rows, start, sampler, progressbar=progressbar, store=store
        )
    added |= drawn.facts
    sampled = time.perf_counter()
    raw = drawn.raw
    if difference is not None:
        raw = separate_differences(raw, len(data.arm), len(data.arms))
    most_draws = FAST_SUMMARY if method == "fast" else MOST_SUMMARY
    idata = assemble(spec, data, raw, sampler, most_draws=most_draws)
    idata["constant_data"]["weight_left"] = left
    idata = describe_variables(idata, SCHEMA)
    idata.attrs["method"] = method
    added["seconds"] = {
        "compile_and_sample": round(sampled - began, 2),
        "sample": _sampling_time(drawn.raw),
        "loadings_and_alignment": round(time.perf_counter() - sampled, 2),
    }
    return idata, added


def _half_difference(spec: SharedSpecificSpec, data: ModelData) -> Array | None:
    """Half differences of the edges, where they can be fitted as an arm of their own."""
    given = data.shown.features
    if "half_difference" not in given:
        return None
    if data.whitening is None or spec.sharing is not None:
        log.warning(
            "Halves of scans are not used, so the reliability of factors within the scan is "
            "unknown: they need whitened edges (feature_dependence 'matrix') and a sharing pattern "
            "that is estimated."
        )
        return None
    difference = given["half_difference"].transpose(SUBJECT, FEATURE).values.astype(float)
    n_halves = int(np.isfinite(difference).all(axis=1).sum())
    if n_halves < LEAST_DIFFERENCES:
        log.warning(
            "Halves of scans are not used: %d participants have them, at least %d are needed.",
            n_halves,
            LEAST_DIFFERENCES,
        )
        return None
    return difference


def _searched(spec: SharedSpecificSpec, data: ModelData) -> ModelData:
    """Prepare data for the search and the optimisation, which support block noise only."""
    # Noisy features would attract factors.
    return data.moderated(spec.n_factors) if spec.feature_noise == "student" else data


def _find_start(spec: SharedSpecificSpec, data: ModelData, found: Start, method: str) -> ModeSearch:
    """Find the mode, and drop the factors that are pinned."""
    steps = MODE_STEPS if method == "fast" else None
    with threadpool_limits(1):
        modes = find_modes(_searched(spec, data), found, steps=steps)
    start = modes.start
    pattern = fixed_sharing(spec, data.arms)
    if spec.sharing is not None and pattern is not None:
        start = start.arranged(pattern)
    elif spec.spare_factors == "pinned":
        start = start.first(max(1, start.n_on))
    return replace(modes, start=start)


def _sampling_time(raw: xr.DataTree) -> float | None:
    for group in ("posterior", "sample_stats"):
        seconds: Any = raw[group].attrs.get("sampling_time")
        if seconds is not None:
            return round(float(np.asarray(seconds)), 2)
    return None
