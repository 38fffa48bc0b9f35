"""Checks of a run, on quantities that factors' order, sign and rotation cannot change."""

from __future__ import annotations

from dataclasses import replace

import arviz as az
import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.results.checks import Check
from bayes_mdd.results.motion import judge_motion_control
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import FAST_LIMITS, LIMITS, RULES, WEIGHT_LEFT_MIN, Limits
from bayes_mdd.shared_specific.checks.covariates import judge_removed_covariates
from bayes_mdd.shared_specific.checks.feature_noise import judge_feature_noise

REFIT = "Fit with method='mcmc' (on the command line: without --fast)."


def check_fit(result: Result, limits: Limits | None = None) -> list[Check]:
    """Check whether chains agree, have drawn enough, and whether block noise is enough.

    Parameters
    ----------
    result : Result
        A fit of the factor model.
    limits : Limits, optional
        R-hat, effective sample size and BFMI; by default those of the fit's method.

    Returns
    -------
    list of Check
        Rows of the table of checks, as `bayes_mdd.diagnose` describes them.
    """
    if limits is None:
        limits = FAST_LIMITS if result.approximate else LIMITS
    invariants = _varying(result.group("invariants"))
    checks = [
        _divergences(result),
        _rhat(invariants, limits.rhat_max),
        _ess(invariants, "bulk", limits.ess_min),
        _ess(invariants, "tail", limits.ess_min),
        _bfmi(result, limits.bfmi_min),
        _blocks(result),
        _factors(result),
    ]
    if result.approximate:
        checks = [_approximate(), _one_mode(result), *(replace(c, advice=REFIT) for c in checks)]
    return [
        *checks,
        *_independence(result),
        judge_feature_noise(result),
        *judge_removed_covariates(result),
        *judge_motion_control(result),
    ]


def _independence(result: Result) -> list[Check]:
    """Whether errors of features are as independent as the likelihood takes them."""
    constant = result.constant
    if "weight_left" not in constant:  # results of earlier versions
        return []
    weight = float(constant.get("feature_weight", 1.0))
    left = min(1.0, float(constant["weight_left"]) / weight)
    advice = (
        "Errors of features are correlated: set model.feature_dependence to 'auto'; see check "
        "--predictive."
        if weight == 1.0
        else "Errors of features are correlated beyond the weight of the fit; see check "
        "--predictive."
    )
    return [
        Check(
            "independent share of the features",
            left,
            f">= {WEIGHT_LEFT_MIN}",
            bool(left >= WEIGHT_LEFT_MIN),
            advice,
        )
    ]


def _approximate() -> Check:
    return Check(
        "approximate (fast path)",
        np.nan,
        "method 'mcmc'",
        None,
        "Short chains around one mode: intervals and probabilities are approximate. "
        f"Before publication: {REFIT[0].lower()}{REFIT[1:]}",
    )


def _one_mode(result: Result) -> Check:
    """Whether several optimisations ended at the mode around which the chains run."""
    starts = result.provenance.get("starts", {})
    tried, agreeing = int(starts.get("tried", 1)), int(starts.get("at_best_mode", 1))
    return Check(
        "optimisations that ended at the best mode",
        float(agreeing),
        ">= 2" if tried > 1 else "one optimisation only",
        agreeing >= 2 if tried > 1 else None,
        f"No two of {tried} optimisations agree on the mode. {REFIT}",
    )


def _divergences(result: Result) -> Check:
    count = int(result.group("sample_stats")["diverging"].sum())
    return Check(
        "divergences",
        float(count),
        "0",
        count == 0,
        "Raise sampler.target_accept (0.95), or reduce n_factors.",
    )


def _rhat(invariants: xr.Dataset, limit: float) -> Check:
    advice = (
        "Increase draws and tune. If it persists, the chains found different solutions: see the "
        "check of factors."
    )
    if invariants.sizes[CHAIN] < 2 or invariants.sizes[DRAW] < 4:
        return Check(
            "max R-hat of invariants",
            np.nan,
            f"< {limit}",
            None,
            "Sample at least 2 chains, better 4; one chain cannot be checked.",
        )
    worst = _extreme(az.rhat(invariants), np.max)
    return Check("max R-hat of invariants", worst, f"< {limit}", bool(worst < limit), advice)


def _ess(invariants: xr.Dataset, method: str, limit: float) -> Check:
    name = f"min {method} ESS of invariants"
    if invariants.sizes[DRAW] < 4:
        return Check(name, np.nan, f">= {limit:g}", None, "Increase draws.")
    least = _extreme(az.ess(invariants, method=method), np.min)
    return Check(
        name, least, f">= {limit:g}", bool(least >= limit), "Increase sampler.draws in proportion."
    )


def _varying(quantities: xr.Dataset) -> xr.Dataset:
    """Leave out what has one value in all draws of all chains: pinned, so it cannot diverge."""
    moving = {}
    for name, x in quantities.data_vars.items():
        flat = x.transpose(CHAIN, DRAW, ...).values
        flat = flat.reshape(*flat.shape[:2], -1)
        kept = flat[..., np.ptp(flat, axis=(0, 1)) > 0]
        if kept.shape[-1]:
            moving[name] = ((CHAIN, DRAW, f"{name}_varying"), kept)
    return xr.Dataset(moving)


def _extreme(values: xr.Dataset, pick: np.ufunc | object) -> float:
    """Worst value over all variables; a NaN is a failure and stays."""
    every = np.concatenate([np.ravel(v.values) for v in values.data_vars.values()])
    return float(pick(every))  # type: ignore[operator]


def _bfmi(result: Result, limit: float) -> Check:
    name, stats = "min BFMI (energy)", result.group("sample_stats")
    if "energy" not in stats:
        advice = "Not judged: the draws of a fit without factors are independent."
        return Check(name, np.nan, f">= {limit:g}", None, advice)
    worst = float(np.min(az.bfmi(stats["energy"].values)))
    return Check(
        name,
        worst,
        f">= {limit:g}",
        bool(worst >= limit),
        "Increase tune: the sampler moves slowly through heavy tails.",
    )


def _blocks(result: Result) -> Check:
    name = "max R-hat of fitted variance by arm and block"
    limit = float(result.group("factors").attrs["rhat_max"])
    by_block = result.group("posterior")[["communality"]]
    if by_block.sizes[CHAIN] < 2 or by_block.sizes[DRAW] < 4:
        return Check(name, np.nan, f"< {limit}", None, "Sample 4 chains.")
    # Where every factor is pinned, nothing is fitted in any block and no chain can differ.
    moving = _varying(by_block)
    worst = _extreme(az.rhat(moving), np.max) if moving.data_vars else 1.0
    return Check(
        name,
        worst,
        f"< {limit}",
        bool(worst < limit),
        "A superfluous factor is active in some draws only. Increase draws or reduce n_factors.",
    )


def _factors(result: Result) -> Check:
    reproducible = result.group("factors")["reproducible"].values
    share = result.group("posterior")["explained"].mean((CHAIN, DRAW)).max("arm").values
    active = share > RULES.min_explained
    bad = int((active & ~reproducible).sum())
    if result.posterior.sizes[CHAIN] < 2:
        return Check("factors that differ between chains", np.nan, "0", None, "Sample 4 chains.")
    return Check(
        "factors that differ between chains",
        float(bad),
        "0",
        bad == 0,
        "Their rows read n/a: reduce n_factors, increase tune, or report them as not reproducible.",
    )
