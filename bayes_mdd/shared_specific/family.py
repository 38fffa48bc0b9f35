"""The factor model as a family: what the main job calls."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.results.family import Family
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.checks.convergence import check_fit
from bayes_mdd.shared_specific.checks.prior_predictive import prior_predictive, summarise_prior
from bayes_mdd.shared_specific.cohorts.summary import summarise_cohort, why_no_summary
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.figures.listing import list_figures
from bayes_mdd.shared_specific.fit import check_method, fit_factors
from bayes_mdd.shared_specific.report.page import build_page
from bayes_mdd.shared_specific.spec import KIND
from bayes_mdd.shared_specific.tables.arms import explained_by_arm
from bayes_mdd.shared_specific.tables.factors import overview, tabulate_factors
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links
from bayes_mdd.shared_specific.tables.scores import read_scores
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec


def describe_fit(spec: SharedSpecificSpec, sampler: SamplerSpec, method: str) -> str:
    """Say in a few words how the model will be fitted.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    sampler : SamplerSpec
        Draws and chains.
    method : {"mcmc", "fast"}
        How the posterior is obtained.

    Returns
    -------
    str
        For a progress message.
    """
    if method == "fast":
        return "fast path, approximate"
    return f"{sampler.chains} chains of {sampler.tune} + {sampler.draws} draws"


def expect_prior(
    spec: SharedSpecificSpec,
    features: xr.Dataset,
    symptoms: pd.DataFrame | None,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Summarise what the priors expect of a study.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    features : Dataset
        A FeatureSet.
    symptoms : DataFrame, optional
        Symptoms by participant.
    draws, seed : int
        Number of draws from the priors, and their seed.

    Returns
    -------
    DataFrame
        As `bayes_mdd.summarise_prior` returns it.
    """
    tree = prior_predictive(spec, features, symptoms=symptoms, draws=draws, seed=seed)
    return summarise_prior(tree)


def tabulate_links(result: Result, ci_prob: float) -> dict[str, pd.DataFrame]:
    """Tabulate the symptom links of a fit.

    Parameters
    ----------
    result : Result
        A fit.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    dict of str to DataFrame
        ``links``, and ``links_by_arm`` where they differ by arm; empty without symptoms.
    """
    tables = {}
    if result.holds("posterior", "symptom_weight"):
        tables["links"] = summarise_symptom_links(result, ci_prob=ci_prob)
    if result.holds("posterior", "symptom_weight_by_arm"):
        tables["links_by_arm"] = summarise_symptom_links(result, ci_prob=ci_prob, by="arm")
    return tables


FAMILY = Family(
    kind=KIND,
    spec=SharedSpecificSpec,
    check_method=check_method,
    prepare=prepare,
    fit=fit_factors,
    checks=check_fit,
    table=tabulate_factors,
    page=build_page,
    overview=overview,
    describe_fit=describe_fit,
    links_symptoms=True,
    arm_totals=lambda result, ci_prob: explained_by_arm(result, ci_prob=ci_prob),
    links=tabulate_links,
    figures=list_figures,
    scores=lambda result, factors: read_scores(result, factors).draws,
    items=lambda spec: spec.ordinal_symptoms,
    summary=summarise_cohort,
    why_no_summary=why_no_summary,
    prior=expect_prior,
)
