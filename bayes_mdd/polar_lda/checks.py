"""Checks of a polar LDA: what the published analysis does not show."""

from __future__ import annotations

from dataclasses import asdict

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.shared_specific.checks.convergence import Check

NULL_P = 0.05
#: Maps and compositions must not depend on how many tokens a SD was given.
SENSITIVITY_MIN = 0.95


def diagnose_polar_lda(
    idata: xr.DataTree, *, rhat_max: float = 1.01, ess_min: float = 400.0
) -> pd.DataFrame:
    """Judge a polar LDA against permuted edges, its restarts, and the number of tokens.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    rhat_max, ess_min : float
        As for `diagnose`; only where chains were sampled.

    Returns
    -------
    DataFrame
        As `diagnose` returns it.
    """
    checks = [_null(idata), _subtypes(idata), _restarts(idata), _tokens(idata)]
    if idata.attrs.get("method") == "full_bayes":
        checks += [*_chains(idata, rhat_max, ess_min), _worth(idata)]
    else:
        checks.append(_nominal(idata))
    return pd.DataFrame([asdict(c) for c in checks]).astype({"passed": object})


def _null(idata: xr.DataTree) -> Check:
    null = idata["null"].to_dataset()
    p = float(null.attrs["p_value"])
    return Check(
        "p of the fit against permuted edges",
        p,
        f"<= {NULL_P}",
        p <= NULL_P,
        "The same model fits edges permuted over people, in which there is nothing to find, as "
        "well: its compositions, subtypes and maps are what noise gives. Do not interpret them.",
    )


def _subtypes(idata: xr.DataTree) -> Check:
    share = idata["null"].to_dataset()["extreme"].values
    return Check(
        "share of people above 0.9 in one factor: permuted edges",
        float(share[1:].mean()),
        f"observed {share[0]:.2f}",
        None,
        "So many people look like pure subtypes where there are none.",
    )


def _restarts(idata: xr.DataTree) -> Check:
    restarts = idata["restarts"].to_dataset()
    match = restarts["restart_match"].values
    others = np.delete(match, int(restarts.attrs["chosen_restart"]), axis=0)
    worst = float(others.mean(axis=0).min())
    return Check(
        "map correlation with other restarts (worst factor)",
        worst,
        ">= 0.9",
        worst >= 0.9,
        "Other random starts end in other factors: offer fewer, or call them not reproducible.",
    )


def _tokens(idata: xr.DataTree) -> Check:
    table = idata["sensitivity"].to_dataset()
    worst = float(min(table[f"{n}_correlation"].min() for n in ("map", "composition")))
    ratio = float(table["nominal_sd"].max() / table["nominal_sd"].min())
    return Check(
        "agreement over tokens a SD (worst of maps, compositions)",
        worst,
        f">= {SENSITIVITY_MIN}",
        worst >= SENSITIVITY_MIN,
        f"Results depend on the arbitrary number of tokens (so does, {ratio:.1f}-fold over this "
        "range, the nominal interval of a composition).",
    )


def _nominal(idata: xr.DataTree) -> Check:
    posterior = idata["posterior"].to_dataset()
    spread = float(np.sqrt(posterior["composition"].var(("chain", "draw")).mean()))
    nominal = float(posterior.attrs["nominal_sd"])
    return Check(
        "bootstrap SD over nominal SD of a composition",
        spread / nominal,
        "about 1",
        None,
        "Nominal variational intervals take tokens for independent observations; do not use them. "
        "The bootstrap does not hold the noise of a person's own edges: model.method full_bayes "
        "does.",
    )


def _chains(idata: xr.DataTree, rhat_max: float, ess_min: float) -> list[Check]:
    posterior = idata["posterior"].to_dataset()
    watched = posterior[["composition", "arm_expression", "token_worth", "spread"]]
    diverging = int(idata["sample_stats"]["diverging"].sum())
    found = [
        Check(
            "divergences",
            float(diverging),
            "0",
            diverging == 0,
            "Raise sampler.target_accept (0.95), or offer fewer factors.",
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
            "Chains disagree: draw and tune more, or offer fewer factors.",
        ),
        Check(
            "min bulk ESS",
            ess,
            f">= {ess_min:g}",
            ess >= ess_min,
            "Raise sampler.draws in proportion.",
        ),
    ]


def _worth(idata: xr.DataTree) -> Check:
    posterior = idata["posterior"].to_dataset()
    tokens = float(idata["constant_data"]["tokens"].median())
    worth = posterior["token_worth"]
    effective = float((tokens * (1 + worth) / (tokens + worth)).mean())
    return Check(
        "independent observations in a person's tokens",
        effective,
        f"of {tokens:.0f} tokens",
        None,
        "Learned. Intervals rest on this number, not on the number of tokens.",
    )
