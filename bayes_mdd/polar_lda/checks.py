"""Checks of a polar LDA, which the published analysis omits."""

from __future__ import annotations

import arviz as az
import numpy as np

from bayes_mdd.polar_lda.table import NULL_P
from bayes_mdd.results.checks import Check
from bayes_mdd.results.motion import judge_motion_control
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import LIMITS, MATCH_MIN, Limits

#: Maps and compositions must not depend on the number of tokens per SD.
SENSITIVITY_MIN = 0.95


def check_fit(result: Result, limits: Limits | None = None) -> list[Check]:
    """Compare a polar LDA with permuted edges, its restarts and other token scales.

    Parameters
    ----------
    result : Result
        A polar LDA.
    limits : Limits, optional
        R-hat and effective sample size; read only where chains were sampled.

    Returns
    -------
    list of Check
        Rows of the table of checks.
    """
    limits = limits or LIMITS
    checks = [_null(result), _subtypes(result), _restarts(result), _tokens(result)]
    checks += judge_motion_control(result)
    if result.method == "full_bayes":
        return [*checks, *_chains(result, limits.rhat_max, limits.ess_min), _token_scale(result)]
    return [*checks, _nominal(result)]


def _null(result: Result) -> Check:
    null = result.group("null")
    p = float(null.attrs["p_value"])
    return Check(
        "p of the fit against permuted edges",
        p,
        f"<= {NULL_P}",
        p <= NULL_P,
        "The model fits edges permuted over participants, which hold no pattern, equally well: its "
        "compositions, subtypes and maps are those of noise. Do not interpret them.",
    )


def _subtypes(result: Result) -> Check:
    share = result.group("null")["extreme"].values
    return Check(
        "share of participants above 0.9 in one factor: permuted edges",
        float(share[1:].mean()),
        f"observed {share[0]:.2f}",
        None,
        "This share of participants looks like pure subtypes where there are none.",
    )


def _restarts(result: Result) -> Check:
    restarts = result.group("restarts")
    match = restarts["restart_match"].values
    others = np.delete(match, int(restarts.attrs["chosen_restart"]), axis=0)
    worst = float(others.mean(axis=0).min())
    return Check(
        "map correlation with other restarts (worst factor)",
        worst,
        f">= {MATCH_MIN}",
        worst >= MATCH_MIN,
        "Other random starts give other factors: reduce n_factors, or report them as not "
        "reproducible.",
    )


def _tokens(result: Result) -> Check:
    table = result.group("sensitivity")
    worst = float(min(table[f"{n}_correlation"].min() for n in ("map", "composition")))
    ratio = float(table["nominal_sd"].max() / table["nominal_sd"].min())
    return Check(
        "agreement over tokens per SD (worst of maps, compositions)",
        worst,
        f">= {SENSITIVITY_MIN}",
        worst >= SENSITIVITY_MIN,
        "Results depend on the arbitrary number of tokens per SD; the nominal interval of a "
        f"composition changes {ratio:.1f}-fold over this range.",
    )


def _nominal(result: Result) -> Check:
    posterior = result.group("posterior")
    spread = float(np.sqrt(posterior["composition"].var(("chain", "draw")).mean()))
    nominal = float(posterior.attrs["nominal_sd"])
    return Check(
        "bootstrap SD over nominal SD of a composition",
        spread / nominal,
        "about 1",
        None,
        "Nominal variational intervals treat tokens as independent observations; do not use them. "
        "The bootstrap does not include the noise of a participant's own edges; model.method "
        "full_bayes does.",
    )


def _chains(result: Result, rhat_max: float, ess_min: float) -> list[Check]:
    posterior = result.group("posterior")
    watched = posterior[["composition", "arm_expression", "token_worth", "spread"]]
    diverging = int(result.group("sample_stats")["diverging"].sum())
    found = [
        Check(
            "divergences",
            float(diverging),
            "0",
            diverging == 0,
            "Raise sampler.target_accept (0.95), or reduce n_factors.",
        )
    ]
    if watched.sizes["chain"] < 2 or watched.sizes["draw"] < 4:
        return [*found, Check("max R-hat", np.nan, f"< {rhat_max}", None, "Sample 4 chains.")]
    rhat = max(float(v.max()) for v in az.rhat(watched).data_vars.values())
    ess = min(float(v.min()) for v in az.ess(watched).data_vars.values())
    return [
        *found,
        Check(
            "max R-hat",
            rhat,
            f"< {rhat_max}",
            rhat < rhat_max,
            "Chains disagree: increase draws and tune, or reduce n_factors.",
        ),
        Check(
            "min bulk ESS",
            ess,
            f">= {ess_min:g}",
            ess >= ess_min,
            "Increase sampler.draws in proportion.",
        ),
    ]


def _token_scale(result: Result) -> Check:
    posterior = result.group("posterior")
    tokens = float(result.constant["tokens"].median())
    scale = posterior["token_worth"]
    effective = float((tokens * (1 + scale) / (tokens + scale)).mean())
    return Check(
        "independent observations in a participant's tokens",
        effective,
        f"of {tokens:.0f} tokens",
        None,
        "Estimated. Intervals rest on this number, not on the number of tokens.",
    )
