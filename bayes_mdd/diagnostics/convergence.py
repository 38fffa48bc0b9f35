"""Checks of a run, on quantities that factors' order, sign and rotation cannot change."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW


@dataclass(frozen=True)
class Check:
    """One line of the table of checks.

    Parameters
    ----------
    name : str
        What was checked.
    value : float
        What was found.
    threshold : str
        What is expected.
    passed : bool or None
        None where it could not be judged.
    advice : str
        What to do if it failed.
    """

    name: str
    value: float
    threshold: str
    passed: bool | None
    advice: str


def diagnose(
    idata: xr.DataTree, *, rhat_max: float = 1.01, ess_min: float = 400.0, bfmi_min: float = 0.3
) -> pd.DataFrame:
    """Judge whether the chains agree and have drawn enough.

    R-hat and effective sample sizes are taken over the group ``invariants``: noise, fitted
    variance by arm, fitted similarity between people, and symptom predictions. They do
    not depend on the order, sign or rotation of factors. Whether single factors are the same in
    all chains is checked apart, for those that explain at least 1 % of variance in some arm.

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    rhat_max : float, default 1.01
        Largest R-hat allowed.
    ess_min : float, default 400
        Smallest bulk and tail effective sample size allowed.
    bfmi_min : float, default 0.3
        Smallest Bayesian fraction of missing information allowed.

    Returns
    -------
    DataFrame
        Columns ``name``, ``value``, ``threshold``, ``passed`` (None: could not be judged) and
        ``advice``.

    References
    ----------
    .. [1] Vehtari, A. et al. (2021). Rank-normalization, folding, and localization: an improved
       R-hat for assessing convergence of MCMC. Bayesian Analysis, 16, 667-718.
    """
    if idata.attrs.get("model") == "polar_lda":
        from bayes_mdd.diagnostics.polar_lda import diagnose_polar_lda

        return diagnose_polar_lda(idata, rhat_max=rhat_max, ess_min=ess_min)
    invariants = idata["invariants"].to_dataset()
    checks = [
        _divergences(idata),
        _rhat(invariants, rhat_max),
        _ess(invariants, "bulk", ess_min),
        _ess(invariants, "tail", ess_min),
        _bfmi(idata, bfmi_min),
        _blocks(idata),
        _factors(idata),
    ]
    table = pd.DataFrame([asdict(c) for c in checks])
    return table.astype({"passed": object})


def append_check(table: pd.DataFrame, check: Check) -> pd.DataFrame:
    """Add one check to a table of checks.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`.
    check : Check
        A further one.

    Returns
    -------
    DataFrame
        A new table.
    """
    added = pd.DataFrame([asdict(check)]).astype({"passed": object})
    return pd.concat([table, added], ignore_index=True)


def _divergences(idata: xr.DataTree) -> Check:
    count = int(idata["sample_stats"]["diverging"].sum())
    return Check(
        "divergences",
        float(count),
        "0",
        count == 0,
        "Raise sampler.target_accept (0.95), or offer fewer factors.",
    )


def _rhat(invariants: xr.Dataset, limit: float) -> Check:
    advice = "Draw and tune more; if it stays, the chains found different solutions: see factors."
    if invariants.sizes[CHAIN] < 2 or invariants.sizes[DRAW] < 4:
        return Check(
            "max R-hat of invariants",
            np.nan,
            f"< {limit}",
            None,
            "Sample at least 2 chains, 4 are better: one chain cannot be checked.",
        )
    worst = _extreme(az.rhat(invariants), np.max)
    return Check("max R-hat of invariants", worst, f"< {limit}", bool(worst < limit), advice)


def _ess(invariants: xr.Dataset, method: str, limit: float) -> Check:
    name = f"min {method} ESS of invariants"
    if invariants.sizes[DRAW] < 4:
        return Check(name, np.nan, f">= {limit:g}", None, "Draw more.")
    least = _extreme(az.ess(invariants, method=method), np.min)
    return Check(
        name, least, f">= {limit:g}", bool(least >= limit), "Raise sampler.draws in proportion."
    )


def _extreme(values: xr.Dataset, pick: np.ufunc | object) -> float:
    """Worst value over all variables; a NaN is a failure and stays."""
    every = np.concatenate([np.ravel(v.values) for v in values.data_vars.values()])
    return float(pick(every))  # type: ignore[operator]


def _bfmi(idata: xr.DataTree, limit: float) -> Check:
    energy = idata["sample_stats"].to_dataset()["energy"].values
    worst = float(np.min(az.bfmi(energy)))
    return Check(
        "min BFMI (energy)",
        worst,
        f">= {limit:g}",
        bool(worst >= limit),
        "Tune longer; heavy tails explored slowly.",
    )


def _blocks(idata: xr.DataTree) -> Check:
    name = "max R-hat of fitted variance by arm and block"
    limit = float(idata["factors"].attrs["rhat_max"])
    by_block = idata["posterior"].to_dataset()[["communality"]]
    if by_block.sizes[CHAIN] < 2 or by_block.sizes[DRAW] < 4:
        return Check(name, np.nan, f"< {limit}", None, "Sample 4 chains.")
    worst = _extreme(az.rhat(by_block), np.max)
    return Check(
        name,
        worst,
        f"< {limit}",
        bool(worst < limit),
        "A spare factor comes and goes: draw more, or offer fewer factors.",
    )


def _factors(idata: xr.DataTree) -> Check:
    reproducible = idata["factors"].to_dataset()["reproducible"].values
    share = idata["posterior"].to_dataset()["explained"].mean((CHAIN, DRAW)).max("arm").values
    active = share > 0.01
    bad = int((active & ~reproducible).sum())
    if idata["posterior"].sizes[CHAIN] < 2:
        return Check("factors that differ between chains", np.nan, "0", None, "Sample 4 chains.")
    return Check(
        "factors that differ between chains",
        float(bad),
        "0",
        bad == 0,
        "Their rows read n/a: offer fewer factors, tune longer, or report them as not "
        "reproducible.",
    )
