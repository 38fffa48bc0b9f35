"""Summaries brought to the unit that all cohorts have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FACTOR_2, FEATURE, SYMPTOM
from bayes_mdd.shared_specific.cohorts.estimates import CohortEstimates, true_size
from bayes_mdd.types import Array

#: Smallest detectable share of a cohort that has all the factors it was offered: one more could not
#: have been found, however large.
NEVER: Final = 1e6


def common_units(
    summaries: Mapping[str, xr.Dataset], symptoms: Sequence[str]
) -> tuple[list[CohortEstimates], Array | None]:
    """Bring summaries to one unit: the SD of a feature in the reference subjects of all cohorts.

    Parameters
    ----------
    summaries : mapping of str to Dataset
        Summaries with the same features in the same order.
    symptoms : sequence of str
        Symptom dimensions to keep; those of all cohorts.

    Returns
    -------
    estimates : list of CohortEstimates
        One per cohort.
    unit : ndarray of shape (feature,), or None
        The common SD; None where the features of the cohorts carry none and are taken as they are.
    """
    names = list(summaries)
    arms = summaries[names[0]][ARM].values.astype(str)
    unit, ratios = None, [1.0] * len(names)
    if all("raw_sd" in s.coords for s in summaries.values()):
        own = np.stack([s["raw_sd"].values.astype(float) for s in summaries.values()])
        weights = np.array([_reference_weight(s) for s in summaries.values()])
        unit = np.sqrt(np.average(own**2, axis=0, weights=weights))
        ratios = list(own / unit)
    sd = _common_sd(summaries, symptoms)
    return [
        _estimates(name, summaries[name], arms, np.asarray(ratio), symptoms, sd)
        for name, ratio in zip(names, ratios, strict=True)
    ], unit


def _reference_weight(summary: xr.Dataset) -> float:
    """Degrees of freedom of the SD of the reference subjects."""
    given = summary.attrs.get("reference_n", 0)
    try:
        n = float(given)
    except (TypeError, ValueError):
        n = 3.0
    return max(n if n > 0 else float(summary["n"].values.sum()), 3.0) - 1.0


def _common_sd(summaries: Mapping[str, xr.Dataset], symptoms: Sequence[str]) -> Array:
    squares, counts = np.zeros(len(symptoms)), np.zeros(len(symptoms))
    for s in summaries.values():
        if SYMPTOM not in s.dims:
            continue
        chosen = s.sel({SYMPTOM: [x for x in symptoms if x in s[SYMPTOM].values]})
        at = [list(symptoms).index(str(x)) for x in chosen[SYMPTOM].values]
        n = chosen["symptom_n"].values.astype(float)
        squares[at] += n * chosen["symptom_sd"].values ** 2
        counts[at] += n
    return np.asarray(np.sqrt(squares / np.maximum(counts, 1.0)))


def _estimates(
    name: str,
    s: xr.Dataset,
    arms: Array,
    ratio: Array,
    symptoms: Sequence[str],
    sd: Array,
) -> CohortEstimates:
    s = s.sel({ARM: arms})
    before = s["loading"].transpose(FACTOR, FEATURE).values.astype(float)
    before_se = s["loading_se"].transpose(FACTOR, FEATURE).values.astype(float)
    loading, se = before * ratio, before_se * ratio
    size = true_size(loading, se)
    change = size / true_size(before, before_se)
    by_arm = {
        n: s[f"size_{n}"].transpose(ARM, FACTOR).values.astype(float)
        for n in ("observed", "dof", "error")
    }
    k = loading.shape[0]
    weight, weight_se = np.zeros((k, len(symptoms))), np.full((k, len(symptoms)), np.inf)
    for j, symptom in enumerate(symptoms):
        if SYMPTOM in s.dims and symptom in s[SYMPTOM].values:
            one = s.sel({SYMPTOM: symptom})
            factor = float(one["symptom_sd"]) / sd[j] if sd[j] > 0 else 1.0
            weight[:, j] = one["symptom_weight"].values * factor
            weight_se[:, j] = one["symptom_weight_se"].values * factor
    carriers = ["shared", *(str(a) for a in arms if str(a) in s["carrier"].values)]
    return CohortEstimates(
        name=name,
        n=s["n"].values.astype(float),
        found=np.ones(k, dtype=bool),
        loading=loading,
        loading_se=se,
        size=size,
        observed=by_arm["observed"] * change,
        dof=by_arm["dof"],
        error=by_arm["error"] * change,
        covariance=s["score_covariance"].transpose(ARM, FACTOR, FACTOR_2).values.astype(float),
        noise=float((s["noise"].values.astype(float) * ratio**2).mean()),
        limit=np.full(len(carriers), NEVER)
        if k >= int(json.loads(s.attrs["spec"]).get("n_factors", k + 1))
        else s["limit"].sel(carrier=carriers).values.astype(float),
        symptoms=tuple(symptoms),
        weight=weight,
        weight_se=weight_se,
        reliability=s["reliability"].values.astype(float),
        reliability_sd=s["reliability_sd"].values.astype(float),
        leverage=s["leverage"].values.astype(float),
    )
