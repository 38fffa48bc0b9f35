"""The fit of a model to features, for every model family."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.features.contract import check_features
from bayes_mdd.features.copies import warn_of_copies
from bayes_mdd.features.order import in_standard_order, natural_order
from bayes_mdd.features.roles import count_dropped, count_roles
from bayes_mdd.features.sample import describe_sample, write_sample
from bayes_mdd.files.marks import SAMPLE
from bayes_mdd.files.netcdf import check_space
from bayes_mdd.files.noted import record_warnings, take_warnings
from bayes_mdd.files.targets import check_run_target, find_existing
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.results.groups import read_note
from bayes_mdd.sampling.run_folder import (
    check_run_folder,
    describe_run,
    holds_run,
    make_provenance,
    write_or_keep,
)
from bayes_mdd.sampling.unfinished import keep_chains
from bayes_mdd.specs import SamplerSpec, Spec, kind_of
from bayes_mdd.workflow.families import family_of


@one_blas_thread()
@record_warnings()
def fit(
    spec: Spec,
    features: xr.Dataset,
    *,
    symptoms: pd.DataFrame | None = None,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    run_dir: str | Path | None = None,
    force: bool = False,
    progressbar: bool = True,
) -> xr.DataTree:
    """Fit the model that a spec describes to features.

    Subjects with a known arm are fitted; controls and subjects without an arm are listed in
    ``provenance`` with the reason. Loadings, covariates and missing symptom scores are integrated
    out during sampling; loadings are computed exactly afterwards, given each draw.

    Parameters
    ----------
    spec : Spec
        The model: a spec of one of `bayes_mdd.specs.MODELS`, e.g. `SharedSpecificSpec`.
    features : Dataset
        A FeatureSet, standardised (see `reference_to_controls`). The order of subjects and edges
        does not matter: results list subjects by id, and edges in the order of the regions.
    symptoms : DataFrame, optional
        One column per dimension, indexed by participant.
    sampler : SamplerSpec, optional
        Draws, chains, seed and back end.
    method : {"mcmc", "fast"}, default "mcmc"
        How the posterior is obtained. "fast" takes seconds: short chains around one mode, with a
        metric from the curvature there and no compilation; of `sampler` it reads the seed, the
        cores and the intervals. Its intervals are approximate, and every result says so. It does
        not support arm means, ordinal or arm-specific links, or noise by feature.
    run_dir : str or Path, optional
        Folder to write the run to.
    force : bool, default False
        Whether a run that `run_dir` holds may be replaced. A folder that holds anything else, or
        files beside those of the run, never is. The old run is kept until the new one is complete.
    progressbar : bool, default True
        Show the progress of the chains.

    Returns
    -------
    DataTree
        Groups ``posterior`` (aligned ``scores``, ``sharing``, ``block_scale``, ``noise``,
        ``explained``, ``explained_block`` and, where asked, ``symptom_weight`` and ``noise_df``;
        with noise by feature ``noise`` is the scale of a block), ``loadings`` (then with the
        ``noise`` of each feature),
        ``factors``, ``invariants``, ``block_log_density``, ``sample_stats``, ``observed_data`` and
        ``constant_data``. Polar LDA has groups of its own, see
        `bayes_mdd.polar_lda.fit.fit_polar_lda`. If `run_dir` holds exactly this run
        already, it is read and returned.

    Raises
    ------
    DataContractError
        If features, subjects, covariates or symptoms do not meet the contract of the model.
    SpecError
        If the spec cannot be honoured by these data.
    RunFolderError
        If `run_dir` holds another run and `force` is False, or anything but a run. Found before
        anything is computed.
    WriteError
        If `run_dir` cannot be written (found before anything is computed), or the disk is full
        at the end. The run is then kept in a temporary folder that the message names, and as
        `result` of the error.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> data = bm.simulate_cohort(seed=1, n_controls=0, n_regions=14)
    >>> spec = bm.SharedSpecificSpec(n_factors=2)
    >>> idata = bm.fit(spec, data.features, progressbar=False)  # doctest: +SKIP
    """
    sampler = sampler or SamplerSpec()
    if run_dir is not None:
        check_run_target(run_dir, force=force)
    family = family_of(kind_of(spec))
    if method not in ("mcmc", "fast"):
        raise SpecError(f"method must be 'mcmc' or 'fast', got {method!r}.")
    family.check_method(spec, method)
    check_features(features)
    warn_of_copies(features)
    features, symptoms = _in_standard_order(features, symptoms)
    rated = symptoms
    if not family.links_symptoms:
        symptoms = None
    data = family.prepare(spec, features, symptoms)
    provenance = make_provenance(spec, sampler, features, symptoms, data.excluded, method=method)
    as_arm = getattr(spec, "controls", None) == "arm"
    roles = count_roles(features, controls_fitted=as_arm)
    provenance["roles"] = roles.to_dict("records")
    if dropped := count_dropped(features):
        provenance["dropped"] = dropped
    with nullcontext() if run_dir is None else keep_chains(run_dir, provenance) as store:
        if run_dir is not None:
            finished = check_run_folder(run_dir, provenance, force=force)
            if finished is not None:
                return finished
            # The run holds the features; its draws come on top.
            check_space(find_existing(Path(run_dir)), features["y"].nbytes, Path(run_dir))
        idata, facts = family.fit(spec, data, sampler, method, progressbar, store)
        idata.attrs["model"] = family.kind
        provenance |= facts
        if noted := take_warnings():
            provenance["warnings"] = noted
        describe_run(idata, spec, sampler, features, provenance)
        idata.attrs[SAMPLE] = write_sample(_describe_sample(idata, spec, features, rated))
        if run_dir is not None:
            write_or_keep(idata, spec, sampler, provenance, run_dir)
    return idata


def _in_standard_order(
    features: xr.Dataset, symptoms: pd.DataFrame | None
) -> tuple[xr.Dataset, pd.DataFrame | None]:
    """Sort what is fitted, so that no result depends on the order of files or tables."""
    if symptoms is not None:
        symptoms = symptoms.iloc[natural_order(symptoms.index)]
    return in_standard_order(features), symptoms


def _describe_sample(
    idata: xr.DataTree, spec: Spec, features: xr.Dataset, symptoms: pd.DataFrame | None
) -> pd.DataFrame:
    """Table 1, with the columns that the model and the reference use."""
    reference = read_note(idata, "features_provenance").get("reference")
    removed = reference.get("covariates", ()) if isinstance(reference, Mapping) else ()
    linked = (*getattr(spec, "symptoms", ()), *getattr(spec, "ordinal_symptoms", ()))
    return describe_sample(
        features,
        symptoms,
        covariates=[*getattr(spec, "covariates", ()), *removed],
        linked=linked,
        controls_fitted=getattr(spec, "controls", None) == "arm",
    )


def find_run(
    spec: Spec,
    features: xr.Dataset,
    run_dir: str | Path,
    *,
    symptoms: pd.DataFrame | None = None,
    sampler: SamplerSpec | None = None,
    method: Literal["mcmc", "fast"] = "mcmc",
    force: bool = False,
) -> bool:
    """Tell whether a folder holds exactly this run already, without fitting.

    Parameters
    ----------
    spec : Spec
        The model.
    features : Dataset
        A FeatureSet, standardised.
    run_dir : str or Path
        The run folder.
    symptoms : DataFrame, optional
        One column per dimension, indexed by participant.
    sampler : SamplerSpec, optional
        Draws, chains, seed and back end.
    method : {"mcmc", "fast"}, default "mcmc"
        How the posterior is obtained.
    force : bool, default False
        Whether a run that is there may be replaced.

    Returns
    -------
    bool
        True if `fit` would read the run instead of fitting.

    Raises
    ------
    RunFolderError
        If the folder holds another run and `force` is False, or anything but a run.
    WriteError
        If it cannot be written.
    """
    if not family_of(kind_of(spec)).links_symptoms:
        symptoms = None
    features, symptoms = _in_standard_order(features, symptoms)
    asked = make_provenance(spec, sampler or SamplerSpec(), features, symptoms, {}, method=method)
    return holds_run(run_dir, asked, force=force)
