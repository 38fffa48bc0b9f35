"""From spec and features to the posterior, aligned, with exact loadings."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from bayes_mdd.errors import SpecError
from bayes_mdd.features.contract import check_features
from bayes_mdd.sampling.run_folder import check_run_folder, describe_run, make_provenance, write_run
from bayes_mdd.shared_specific.data.model_data import ModelData, prepare
from bayes_mdd.shared_specific.density.density import is_written_out
from bayes_mdd.shared_specific.posterior.assemble import MOST_SUMMARY, assemble
from bayes_mdd.shared_specific.posterior.fast import CLIMB_STEPS, FAST_SUMMARY, sample_fast
from bayes_mdd.shared_specific.posterior.sampling import explore
from bayes_mdd.shared_specific.prior.expression import fixed_sharing
from bayes_mdd.shared_specific.start.mode import Climb, climb
from bayes_mdd.shared_specific.start.spectral import spectral_start
from bayes_mdd.specs import PolarLDASpec, SamplerSpec, SharedSpecificSpec


def fit(
    spec: SharedSpecificSpec | PolarLDASpec,
    features: xr.Dataset,
    *,
    symptoms: pd.DataFrame | None = None,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    run_dir: str | Path | None = None,
    force: bool = False,
    progressbar: bool = True,
) -> xr.DataTree:
    """Fit a model to features: which one, the spec says.

    Fitted are the people with a known arm; controls and people without an arm are listed in
    ``provenance`` with the reason. Loadings, covariates and missing symptom scores are integrated
    out during sampling; loadings are computed exactly afterwards, given each draw.

    Parameters
    ----------
    spec : SharedSpecificSpec or PolarLDASpec
        The model.
    features : Dataset
        A FeatureSet, standardised (see `reference_to_controls`).
    symptoms : DataFrame, optional
        One column a dimension, indexed by participant.
    sampler : SamplerSpec, optional
        Draws, chains, seed and back end.
    method : {"mcmc", "fast"}, default "mcmc"
        How the posterior is explored. "fast" takes seconds: short chains around one mode, with a
        metric from the curvature there and no compilation; of `sampler` it reads the seed, the
        cores and the intervals. Its intervals are approximate, and every result says so. It knows
        no arm means, no ordinal or arm-specific links and no noise by feature.
    run_dir : str or Path, optional
        Folder to write the run to.
    force : bool, default False
        Replace what `run_dir` holds.
    progressbar : bool, default True
        Show the progress of the chains.

    Returns
    -------
    DataTree
        Groups ``posterior`` (aligned ``scores``, ``sharing``, ``block_scale``, ``noise``,
        ``explained``, ``explained_block`` and, where asked, ``symptom_weight`` and ``noise_df``;
        with noise by feature ``noise`` is the scale of a block), ``loadings`` (then with the
        ``noise`` of each feature),
        ``factors``, ``invariants``, ``log_likelihood``, ``sample_stats``, ``observed_data`` and
        ``constant_data``. Polar LDA has groups of its own, see
        `bayes_mdd.polar_lda.fit.fit_polar_lda`. If `run_dir` holds exactly this run
        already, it is read and returned.

    Raises
    ------
    DataContractError
        If features, people, covariates or symptoms cannot serve the model.
    SpecError
        If the spec cannot be honoured by these data.
    RunFolderError
        If `run_dir` holds another run.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> data = bm.simulate_cohort(seed=1, n_controls=0, n_regions=14)
    >>> spec = bm.SharedSpecificSpec(n_factors=2)
    >>> idata = bm.fit(spec, data.features, progressbar=False)  # doctest: +SKIP
    """
    sampler = sampler or SamplerSpec()
    check_features(features)
    _check_method(spec, method)
    data: Any
    if isinstance(spec, PolarLDASpec):
        # Its compiled loops take seconds to import, which other fits need not wait for.
        from bayes_mdd.polar_lda import fit as polar_lda

        data, symptoms = polar_lda.prepare_counts(spec, features), None
    else:
        data = prepare(spec, features, symptoms)
    provenance = make_provenance(spec, sampler, features, symptoms, data.excluded, method=method)
    if run_dir is not None:
        finished = check_run_folder(run_dir, provenance, force=force)
        if finished is not None:
            return finished
    if isinstance(spec, PolarLDASpec):
        idata, added = polar_lda.fit_polar_lda(spec, data, sampler, progressbar=progressbar)
    else:
        idata, added = _fit_factors(spec, data, sampler, method, progressbar=progressbar)
    provenance |= added
    describe_run(idata, spec, sampler, features, provenance)
    if run_dir is not None:
        write_run(idata, spec, sampler, provenance, run_dir)
    return idata


def _check_method(spec: SharedSpecificSpec | PolarLDASpec, method: str) -> None:
    if method not in ("mcmc", "fast"):
        raise SpecError(f"method must be 'mcmc' or 'fast', got {method!r}.")
    if method == "mcmc":
        return
    if isinstance(spec, PolarLDASpec):
        raise SpecError("method 'fast' is for the factor model: polar LDA names its own method.")
    if spec.feature_noise == "student":
        raise SpecError(
            "method 'fast' knows no noise by feature: use method 'mcmc', or set feature_noise to "
            "'moderated'."
        )
    if not is_written_out(spec):
        raise SpecError(
            "method 'fast' knows Gaussian links that are common to all arms: use method 'mcmc', or "
            "leave ordinal_symptoms and symptom_links out."
        )


def _fit_factors(
    spec: SharedSpecificSpec,
    data: ModelData,
    sampler: SamplerSpec,
    method: str,
    *,
    progressbar: bool,
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Fit the factor model, and say for its provenance how that went."""
    began = time.perf_counter()
    if method == "fast":
        # Along an arm's mean the prior is wide and the data say little: short chains do not cross
        # it. Spread alone is what the coverage of the fast path was measured for.
        spec = replace(spec, mean_scale=0.0)
    climbed = _find_start(spec, data, sampler, method)
    start = climbed.start
    n_sampled = start.scores.shape[1]
    reduced = replace(spec, n_factors=n_sampled)
    added: dict[str, Any] = {
        "n_factors_sampled": n_sampled,
        "starts": {"tried": climbed.height.size, "at_best_mode": climbed.agreeing},
    }
    if method == "fast":
        drawn = sample_fast(reduced, data, start, sampler)
        raw, added["fast"] = drawn.raw, drawn.settings
    else:
        raw, added["sampled"] = explore(reduced, data, start, sampler, progressbar=progressbar)
    sampled = time.perf_counter()
    most_draws = FAST_SUMMARY if method == "fast" else MOST_SUMMARY
    idata = assemble(spec, data, raw, sampler, most_draws=most_draws)
    idata.attrs["method"] = method
    added["seconds"] = {
        "compile_and_sample": round(sampled - began, 2),
        "sample": _sampling_time(raw),
        "loadings_and_alignment": round(time.perf_counter() - sampled, 2),
    }
    return idata, added


def _find_start(
    spec: SharedSpecificSpec, data: ModelData, sampler: SamplerSpec, method: str
) -> Climb:
    """Climb to the mode, and leave out the factors that are pinned."""
    if spec.feature_noise == "student":
        # The climb knows block noise only: noisy features would draw factors to themselves.
        data = data.moderated(spec.n_factors)
    # Matrices of the size of the people: several threads would only wait for each other.
    with threadpool_limits(1):
        climbed = climb(
            data,
            spectral_start(data, spec.n_factors, seed=sampler.seed),
            steps=CLIMB_STEPS if method == "fast" else None,
        )
    start = climbed.start
    pattern = fixed_sharing(spec, data.arms)
    if spec.sharing is not None and pattern is not None:
        start = start.arranged(pattern)
    elif spec.spare_factors == "pinned":
        start = start.first(max(1, start.n_on))
    return replace(climbed, start=start)


def _sampling_time(raw: xr.DataTree) -> float | None:
    for group in ("posterior", "sample_stats"):
        seconds: Any = raw[group].attrs.get("sampling_time")
        if seconds is not None:
            return round(float(np.asarray(seconds)), 2)
    return None
