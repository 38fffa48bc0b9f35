"""Whether summaries of cohorts can be combined: every problem, before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.shared_specific.cohorts.common_features import find_common
from bayes_mdd.shared_specific.cohorts.summary_parts import LAYOUT
from bayes_mdd.shared_specific.spec import KIND

#: Variables of every summary.
VARIABLES: Final = (
    *("loading", "loading_se", "noise", "n", "score_covariance", "leverage", "limit"),
    *("size_observed", "size_dof", "size_error", "explained", "sharing"),
    *("reliability", "reliability_sd"),
)
#: Smallest part of the features of a cohort that the others must have as well.
LEAST_COMMON: Final = 0.9
#: Largest distance in mm between the places of a region in two cohorts.
FARTHEST: Final = 5.0
#: Settings of the model that do not change what a factor is.
FREE: Final = (
    *("n_factors", "covariates", "covariates_if_present", "symptoms", "symptoms_if_present"),
    *("ordinal_symptoms", "symptom_links", "symptom_scale", "ordinal_covariate_scale"),
)
#: Covariates that a cohort of one site does not have.
OF_SITES: Final = frozenset(("site", "scanner"))


def check_comparable(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    """Check that cohorts can be combined, and find the features that all have.

    Parameters
    ----------
    summaries : mapping of str to Dataset
        Summaries by name of the cohort.

    Returns
    -------
    list of str
        Names of the common features, in the order of the first cohort; an edge has the same name
        from either end.

    Raises
    ------
    DataContractError
        Listing every problem: fewer than two cohorts, files that are no summaries or of another
        version, the same data twice, different estimands, arms, units, references, measures,
        models, or features (atlas, blocks, places of regions).
    """
    problems = _each(summaries)
    if len(summaries) < 2:
        problems.append(f"expected two or more cohorts, got {len(summaries)}.")
    if problems:
        raise DataContractError("cohorts", problems)
    common, of_features = find_common(summaries)
    problems = [*_facts(summaries), *_specs(summaries), *of_features, *_twice(summaries)]
    if not any(s.sizes[FACTOR] for s in summaries.values()):
        problems.append("no cohort found a factor: there is nothing to combine.")
    if problems:
        raise DataContractError("cohorts", problems)
    return common


def _each(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    problems = []
    for name, s in summaries.items():
        layout = s.attrs.get("summary_layout")
        if s.attrs.get("model") != KIND or layout is None:
            problems.append(
                f"{name} is not a summary of the factor model: pass what "
                "`bayes-mdd export RUN --format summary` wrote."
            )
            continue
        if int(layout) != LAYOUT:
            problems.append(
                f"{name} was written in layout {layout}, this version reads {LAYOUT}: export it "
                "again with the same version of bayes-mdd at all sites."
            )
            continue
        missing = [v for v in VARIABLES if v not in s]
        if missing:
            problems.append(f"{name} lacks {some(missing)}: export it again.")
            continue
        problems += [f"{name}: {p}" for p in _impossible(s)]
    return problems


def _impossible(s: xr.Dataset) -> list[str]:
    """Values that no export writes."""
    above = ("loading_se", "noise", "n", "size_observed", "size_dof", "size_error", "limit")
    wrong = [v for v in above if not (s[v].values > 0).all()]
    wrong += [v for v in ("loading", "score_covariance") if not np.isfinite(s[v].values).all()]
    if not wrong:
        return []
    return [f"{some(sorted(wrong))} hold impossible values (not finite, or not above 0)."]


def _said(summaries: Mapping[str, xr.Dataset], values: Mapping[str, Any]) -> str:
    return "; ".join(f"{n}: {values[n]}" for n in summaries)


def _facts(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    rules = {
        "estimand": "their factors answer different questions. Fit the same estimand at each site.",
        "units": "loadings cannot be compared. Prepare the features in the same way.",
        "reference": "features are standardised against different groups. Use the same group.",
        "reference_covariates": "different covariates were removed from the features. Use the "
        "same list (--set 'reference.covariates=[ ... ]').",
        "facts": "connectivity was measured in different ways. Use the same measure and estimator.",
    }
    problems = []
    for key, advice in rules.items():
        values = {n: _plain(s.attrs.get(key, "not stated"), key) for n, s in summaries.items()}
        if len(set(values.values())) > 1:
            problems.append(
                f"{key.replace('_', ' ')} differs ({_said(summaries, values)}): {advice}"
            )
    arms = {n: ", ".join(sorted(map(str, s[ARM].values))) for n, s in summaries.items()}
    if len(set(arms.values())) > 1:
        problems.append(
            f"arms differ ({_said(summaries, arms)}): every cohort needs the same arms under the "
            "same names."
        )
    raw = {n: "yes" if "raw_sd" in s.coords else "no" for n, s in summaries.items()}
    if len(set(raw.values())) > 1:
        problems.append(
            f"only some summaries hold the SD of the reference subjects ({_said(summaries, raw)}): "
            "standardise the features with bayes-mdd at all sites, or at none."
        )
    return problems


def _plain(value: Any, key: str) -> str:
    if key != "reference_covariates":
        return str(value)
    try:
        names = [str(c) for c in json.loads(str(value)) if str(c) not in OF_SITES]
    except ValueError:
        return str(value)
    return ", ".join(names) or "none"


def _specs(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    try:
        specs = {n: dict(json.loads(s.attrs["spec"])) for n, s in summaries.items()}
    except (KeyError, ValueError, TypeError):
        return ["a summary does not hold its spec: export it again."]
    problems = []
    for key in dict.fromkeys(k for spec in specs.values() for k in spec):
        if key in FREE:
            continue
        values = {n: json.dumps(spec.get(key)) for n, spec in specs.items()}
        if len(set(values.values())) > 1:
            problems.append(
                f"model.{key} differs ({_said(summaries, values)}): fit the same model at each "
                "site."
            )
    covariates = {
        n: ", ".join(sorted(set(map(str, spec.get("covariates", ()))) - OF_SITES)) or "none"
        for n, spec in specs.items()
    }
    if len(set(covariates.values())) > 1:
        problems.append(
            f"model.covariates differ ({_said(summaries, covariates)}): use the same at each site "
            "(apart from site and scanner)."
        )
    return problems


def _twice(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    return [
        f"{a} and {b} are summaries of the same data: give each cohort once."
        for (a, one), (b, other) in combinations(summaries.items(), 2)
        if one.attrs.get("inputs") and one.attrs.get("inputs") == other.attrs.get("inputs")
    ]


def common_symptoms(summaries: Mapping[str, xr.Dataset]) -> list[str]:
    """List the symptom dimensions of at least two cohorts.

    Parameters
    ----------
    summaries : mapping of str to Dataset
        Summaries.

    Returns
    -------
    list of str
        In the order in which they occur.
    """
    rated = [str(x) for s in summaries.values() if SYMPTOM in s.dims for x in s[SYMPTOM].values]
    return [x for x in dict.fromkeys(rated) if rated.count(x) > 1]
