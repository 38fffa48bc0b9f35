"""What is stated beside a fit: average effect, other priors, what could have been found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.response.detectable import smallest_benefit_sd
from bayes_mdd.response.fit import DRUG
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.outcome_values import N_TRIALS
from bayes_mdd.response.power import Plan
from bayes_mdd.response.prepare import Prepared
from bayes_mdd.response.scores import RELIABILITY
from bayes_mdd.response.trial import Trial
from bayes_mdd.results.rules import RULES
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator

#: Scales of the prior of the SD of the benefit that are always compared.
PRIOR_SCALES = (0.1, 0.25, 0.5)


def numeric_trial(prepared: Prepared) -> Trial:
    """Take outcomes of any kind as numbers around their mean.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.

    Returns
    -------
    Trial
        With points, categories, or proportions of binomial outcomes.
    """
    trial, value = prepared.trial, prepared.trial.outcome
    if prepared.spec.kind == "binomial":
        value = value / prepared.table[N_TRIALS].to_numpy(dtype=float)
    return replace(trial, outcome=value - value.mean())


def unit_of_number(spec: ResponseSpec) -> str:
    """Name the unit of the SD of the benefit where outcomes are taken as numbers.

    Parameters
    ----------
    spec : ResponseSpec
        Kind of the outcome.

    Returns
    -------
    str
        Words after a number.
    """
    return {
        "binary": f"in the probability of {spec.outcome}",
        "ordinal": f"levels of {spec.outcome}",
        "binomial": f"in the proportion of {spec.outcome}",
    }.get(spec.kind, "points")


def average_effect(response: xr.DataTree) -> dict[str, float]:
    """Summarise the average difference between the drugs.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    dict of str to float
        ``mean``, ``lower``, ``upper`` (90%) and ``p_below_zero``, other drug minus default.
    """
    drug = response["posterior"].to_dataset()[DRUG].values
    tail = (1 - RULES.ci_prob) / 2
    return {
        "mean": float(drug.mean()),
        "lower": float(np.quantile(drug, tail)),
        "upper": float(np.quantile(drug, 1 - tail)),
        "p_below_zero": float((drug < 0).mean()),
    }


def why_no_value(prepared: Prepared) -> str:
    """Say why a rule cannot be evaluated.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.

    Returns
    -------
    str
        Empty if it can.
    """
    spec, k = prepared.spec, len(prepared.factors)
    if not k:
        return "there is no factor, so no rule is learned"
    if k > MOST_FACTORS:
        return f"rules are learned from at most {MOST_FACTORS} factors, there are {k}"
    if spec.kind not in ("gaussian", "student"):
        return f"gains are estimated in points, and the outcome is {spec.kind}"
    known = "propensity" in prepared.table or spec.allow_observational is not None
    if spec.assignment == "observational" and not known:
        return (
            "arms were not randomised, and the probability of each drug is not known (column "
            "propensity)"
        )
    return ""


def compare_priors(prepared: Prepared, seed: int) -> pd.DataFrame:
    """Estimate the SD of the benefit with weaker and stronger priors of it.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.
    seed : int
        The same seed gives the same numbers.

    Returns
    -------
    DataFrame
        ``moderation_scale``, ``benefit_sd`` and ``p_above_rope``, by the fast method.
    """
    if not 1 <= len(prepared.factors) <= MOST_FACTORS:
        return pd.DataFrame(columns=["moderation_scale", "benefit_sd", "p_above_rope"])
    trial = numeric_trial(prepared)
    rope = prepared.spec.rope * trial.residual_sd()
    rows = []
    for scale in sorted({*PRIOR_SCALES, prepared.spec.moderation_scale}):
        mixture = fit_mixture(trial, replace(prepared.scales, moderation=scale))
        drawn = mixture.draw(generator(seed, Stream.RESPONSE), 4000)
        size = trial.benefit_sd(drawn.moderation)
        rows.append(
            {
                "moderation_scale": scale,
                "benefit_sd": float(size.mean()),
                "p_above_rope": float((size > rope).mean()),
            }
        )
    return pd.DataFrame(rows)


def plan_of_trial(prepared: Prepared, moments: xr.Dataset) -> tuple[Plan | None, float]:
    """Describe a trial as the power planner does, with the moderation that it could have found.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.
    moments : Dataset
        From `score_moments`.

    Returns
    -------
    plan : Plan or None
        Candidates, mean reliability and allocation; ``benefit_sd``, in residual SD of the outcome,
        is found with a power of 0.8, or NaN if no plausible one is. None without factors.
    unit : float
        Residual SD of the outcome.
    """
    trial = numeric_trial(prepared)
    unit = trial.residual_sd()
    if not prepared.factors:
        return None, unit
    reliability = float(moments[RELIABILITY].sel({FACTOR: list(prepared.factors)}).mean())
    plan = Plan(
        candidates=len(prepared.factors),
        reliability=max(reliability, 1e-3),
        share_other=float(trial.other.mean()),
    )
    found = smallest_benefit_sd(int(trial.other.size), plan)
    return replace(plan, benefit_sd=float("nan") if found is None else found), unit
