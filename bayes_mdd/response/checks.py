"""Checks of a fit of treatment response."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.response.fit import BENEFIT_SD, DRUG, MODERATION, PROGNOSIS, SIGMA
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.rules import LIMITS

#: Largest distance of the average effect from 0, in prior SD.
FAR = 2.5


def check_response(response: xr.DataTree) -> pd.DataFrame:
    """Check convergence, and the average effect against its prior.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    DataFrame
        One row per check. Draws of the fast method are independent, so that convergence is
        checked for MCMC only.
    """
    checks = [_check_effect(response)]
    if response.attrs.get("method") == "mcmc":
        checks = [*_check_chains(response), *checks]
    return tabulate_checks(checks)


def chains_agree(response: xr.DataTree) -> bool:
    """Tell whether the chains of a fit agree.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    bool
        True for independent draws, and where the largest R-hat is small enough.
    """
    if response.attrs.get("method") != "mcmc":
        return True
    return bool(_largest_rhat(response) < LIMITS.rhat_max)


def _names(posterior: xr.Dataset) -> list[str]:
    names = [n for n in (DRUG, BENEFIT_SD, SIGMA, MODERATION, PROGNOSIS) if n in posterior]
    return [n for n in names if posterior[n].size]


def _largest_rhat(response: xr.DataTree) -> float:
    import arviz as az

    posterior = response["posterior"].to_dataset()
    rhat = az.rhat(posterior, var_names=_names(posterior))
    return max(float(np.max(rhat[n].values)) for n in _names(posterior))


def _check_effect(response: xr.DataTree) -> Check:
    spec = json.loads(response.attrs["spec"])
    unit = float(response["constant_data"]["residual_sd"])
    drug = response["posterior"].to_dataset()[DRUG].values / unit
    distance = abs(float(drug.mean())) / float(spec["drug_scale"])
    return Check(
        "average effect, in prior SD",
        distance,
        f"<= {FAR}",
        distance <= FAR,
        ""
        if distance <= FAR
        else (
            "The drugs differ more than the prior allows for: set response.drug_scale, e.g. 0.5 "
            "for a drug against placebo or usual care, and fit again."
        ),
    )


def _check_chains(response: xr.DataTree) -> list[Check]:
    import arviz as az

    posterior = response["posterior"].to_dataset()
    names = _names(posterior)
    ess = az.ess(posterior, var_names=names)
    largest = _largest_rhat(response)
    smallest = min(float(np.min(ess[n].values)) for n in names)
    divergent = float(response["sample_stats"]["diverging"].sum())
    return [
        Check(
            "divergences (treatment response)",
            divergent,
            "0",
            divergent == 0,
            "" if divergent == 0 else "Raise sampler.target_accept, e.g. to 0.99.",
        ),
        Check(
            "largest R-hat (treatment response)",
            largest,
            f"< {LIMITS.rhat_max}",
            largest < LIMITS.rhat_max,
            "" if largest < LIMITS.rhat_max else "Chains disagree: raise sampler.draws and tune.",
        ),
        Check(
            "smallest effective sample size (treatment response)",
            smallest,
            f">= {LIMITS.ess_min}",
            smallest >= LIMITS.ess_min,
            "" if smallest >= LIMITS.ess_min else "Raise sampler.draws.",
        ),
    ]
