"""Checks of a run, on quantities that factors' order, sign and rotation cannot change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW

#: Largest R-hat and smallest effective sample size, and those of a fast fit.
LIMITS, FAST_LIMITS = (1.01, 400.0), (1.05, 100.0)
REFIT = "Fit with method='mcmc' (on the command line: without --fast)."


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
    idata: xr.DataTree,
    *,
    rhat_max: float | None = None,
    ess_min: float | None = None,
    bfmi_min: float = 0.3,
) -> pd.DataFrame:
    """Judge whether the chains agree and have drawn enough.

    R-hat and effective sample sizes are taken over the group ``invariants``: noise, fitted
    variance by arm, fitted similarity between people, and symptom predictions. They do
    not depend on the order, sign or rotation of factors. Whether single factors are the same in
    all chains is checked apart, for those that explain at least 1 % of variance in some arm. One
    row is about the model: whether one noise for a block is enough (see `judge_feature_noise`).

    Parameters
    ----------
    idata : DataTree
        From `fit`.
    rhat_max : float, optional
        Largest R-hat allowed; default 1.01, and 1.05 for a fit with ``method="fast"``.
    ess_min : float, optional
        Smallest bulk and tail effective sample size allowed; default 400, and 100 for a fast fit.
    bfmi_min : float, default 0.3
        Smallest Bayesian fraction of missing information allowed.

    Returns
    -------
    DataFrame
        Columns ``name``, ``value``, ``threshold``, ``passed`` (None: could not be judged) and
        ``advice``.

    Notes
    -----
    A fast fit is held against wider limits, and passing them does not make it exact: two rows say
    that it is approximate and whether its start was found from several sides. All its chains
    start near one mode, so that they cannot find out by themselves that there is another.

    References
    ----------
    .. [1] Vehtari, A. et al. (2021). Rank-normalization, folding, and localization: an improved
       R-hat for assessing convergence of MCMC. Bayesian Analysis, 16, 667-718.
    """
    fast = idata.attrs.get("method") == "fast"
    rhat_default, ess_default = FAST_LIMITS if fast else LIMITS
    rhat_max = rhat_default if rhat_max is None else rhat_max
    ess_min = ess_default if ess_min is None else ess_min
    if idata.attrs.get("model") == "polar_lda":
        from bayes_mdd.polar_lda.checks import diagnose_polar_lda

        return diagnose_polar_lda(idata, rhat_max=rhat_max, ess_min=ess_min)
    invariants = _moving(idata["invariants"].to_dataset())
    checks = [
        _divergences(idata),
        _rhat(invariants, rhat_max),
        _ess(invariants, "bulk", ess_min),
        _ess(invariants, "tail", ess_min),
        _bfmi(idata, bfmi_min),
        _blocks(idata),
        _factors(idata),
    ]
    if fast:
        checks = [_approximate(), _one_mode(idata), *(replace(c, advice=REFIT) for c in checks)]
    from bayes_mdd.shared_specific.checks.feature_noise import judge_feature_noise

    checks.append(judge_feature_noise(idata))
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


def _approximate() -> Check:
    return Check(
        "approximate (fast path)",
        np.nan,
        "method 'mcmc'",
        None,
        "Short chains around one mode: intervals and probabilities are approximate. "
        f"Before you publish: {REFIT[0].lower()}{REFIT[1:]}",
    )


def _one_mode(idata: xr.DataTree) -> Check:
    """Whether climbs from several sides ended at the mode around which the chains run."""
    starts = json.loads(str(idata.attrs.get("provenance", "{}"))).get("starts", {})
    tried, agreeing = int(starts.get("tried", 1)), int(starts.get("at_best_mode", 1))
    return Check(
        "climbs that ended at the best mode",
        float(agreeing),
        ">= 2" if tried > 1 else "one climb only",
        agreeing >= 2 if tried > 1 else None,
        f"Of {tried} climbs no two agree on the mode: {REFIT[0].lower()}{REFIT[1:]}",
    )


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


def _moving(quantities: xr.Dataset) -> xr.Dataset:
    """Leave out what has one value in all draws of all chains: pinned, so nothing to converge."""
    moving = {}
    for name, x in quantities.data_vars.items():
        flat = x.transpose(CHAIN, DRAW, ...).values
        flat = flat.reshape(*flat.shape[:2], -1)
        kept = flat[..., np.ptp(flat, axis=(0, 1)) > 0]
        if kept.shape[-1]:
            moving[name] = ((CHAIN, DRAW, f"{name}_moving"), kept)
    return xr.Dataset(moving)


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
    # Where every factor is pinned, nothing is fitted in any block: no chain can differ.
    moving = _moving(by_block)
    worst = _extreme(az.rhat(moving), np.max) if moving.data_vars else 1.0
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
