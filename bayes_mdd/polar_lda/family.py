"""Polar LDA as a family: what the main job calls."""

from __future__ import annotations

from typing import Any

import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.checks import check_fit
from bayes_mdd.polar_lda.data import PolarData, prepare_counts
from bayes_mdd.polar_lda.figures import list_figures
from bayes_mdd.polar_lda.fit import fit_polar_lda
from bayes_mdd.polar_lda.report import build_page
from bayes_mdd.polar_lda.table import overview, tabulate_factors
from bayes_mdd.results.family import Family
from bayes_mdd.sampling.chains import ChainStore
from bayes_mdd.specs import PolarLDASpec, SamplerSpec

KIND = "polar_lda"


def check_method(spec: PolarLDASpec, method: str) -> None:
    """Refuse the fast path, which is of the factor model.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    method : {"mcmc", "fast"}
        How the posterior is to be obtained.

    Raises
    ------
    SpecError
        If the method is "fast".
    """
    if method == "fast":
        raise SpecError(
            "method='fast' is not available for polar LDA: its spec chooses between "
            "method 'variational' and 'full_bayes'."
        )


def prepare(spec: PolarLDASpec, features: xr.Dataset, symptoms: pd.DataFrame | None) -> PolarData:
    """Count the deviations of the subjects that are fitted.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    features : Dataset
        A FeatureSet from `reference_to_controls`.
    symptoms : DataFrame, optional
        Not used.

    Returns
    -------
    PolarData
        Counts.
    """
    return prepare_counts(spec, features)


def fit(
    spec: PolarLDASpec,
    data: PolarData,
    sampler: SamplerSpec,
    method: str,
    progressbar: bool,
    store: ChainStore | None = None,
) -> tuple[xr.DataTree, dict[str, Any]]:
    """Fit the model.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    data : PolarData
        From `prepare`.
    sampler : SamplerSpec
        Seed and intervals; with ``method="full_bayes"`` also draws and chains.
    method : str
        Not used: the spec chooses.
    progressbar : bool
        Whether to show the progress of the chains.
    store : ChainStore, optional
        Keeps chains as they finish.

    Returns
    -------
    idata : DataTree
        As `bayes_mdd.polar_lda.fit.fit_polar_lda` describes it.
    facts : dict
        For the provenance.
    """
    return fit_polar_lda(spec, data, sampler, progressbar=progressbar, store=store)


def describe_fit(spec: PolarLDASpec, sampler: SamplerSpec, method: str) -> str:
    """Say in a few words how the model will be fitted.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    sampler : SamplerSpec
        Draws and chains.
    method : str
        Not used: the spec chooses.

    Returns
    -------
    str
        For a progress message.
    """
    if spec.method == "variational":
        return f"variational, {spec.n_restarts} restarts, {spec.n_null} null fits"
    return f"{sampler.chains} chains of {sampler.tune} + {sampler.draws} draws"


FAMILY = Family(
    kind=KIND,
    spec=PolarLDASpec,
    check_method=check_method,
    prepare=prepare,
    fit=fit,
    checks=check_fit,
    table=tabulate_factors,
    page=build_page,
    overview=overview,
    describe_fit=describe_fit,
    figures=list_figures,
)
