"""The table of factors: their labels with probabilities, reliability and verdicts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.results.names import break_name, name_factors, read_names
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import NOT_NAMEABLE, PRESENT, QUIET, RULES, UNDECIDED, UNUSED, Rules
from bayes_mdd.results.text import format_probability
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.tables.stability import is_dominated, tabulate_stability

SAMPLE = (CHAIN, DRAW)
MIN_CHAINS = 2
#: Blocks are named until they hold this share of what a factor explains, at most this many.
NETWORKS_HOLD = 0.8
NETWORKS_AT_MOST = 4
#: Columns without a value for unused factors, by their beginning.
RESULTS = ("p_", "mean_", "reliability", "leverage")
#: What is added to every verdict of a fast fit.
APPROXIMATE = " Approximate (fast path)."


def tabulate_factors(result: Result, rules: Rules = RULES) -> pd.DataFrame:
    """Label every factor: shared, specific to one arm, undecided, not nameable or unused.

    Parameters
    ----------
    result : Result
        A fit of the factor model.
    rules : Rules
        Thresholds.

    Returns
    -------
    pandas.DataFrame
        As `bayes_mdd.classify_factors` describes it.

    Raises
    ------
    DataContractError
        If the result lacks a group or variable.
    SpecError
        If a threshold is out of its range.
    """
    posterior = result.group("posterior", ["sharing", "explained", "explained_block"])
    loadings = result.loadings
    arms = list(result.arms)
    rules.check(len(arms))
    columns: dict[str, Any] = {"factor": [str(f) for f in posterior[FACTOR].values]}
    columns |= _activity(posterior["explained"], rules)
    columns |= _pattern(posterior["sharing"], arms, rules)
    columns |= _by_arm(posterior["explained"], "explained", rules)
    columns |= _means(posterior, arms, rules)
    columns |= _networks(posterior["explained_block"], loadings, columns["active"])
    columns |= _agreement(result, posterior, rules)
    columns |= tabulate_stability(result, rules)
    table = pd.DataFrame(columns)
    labels = [
        (UNUSED, "Unused: it explains nothing in any draw.")
        if row["_nothing"]
        else _judge(row, arms, rules)
        for _, row in table.iterrows()
    ]
    table["label"] = [label for label, _ in labels]
    remark = APPROXIMATE if result.approximate else ""
    table["verdict"] = [verdict + remark for _, verdict in labels]
    table["mean_label"] = [_judge_mean(row, rules) for _, row in table.iterrows()]
    table["name"] = name_factors(table)
    table = _withhold_unused(table[_column_order(arms)])
    # So that a report can say by which rules these labels were given.
    table.attrs["rules"] = asdict(rules)
    table.attrs["approximate"] = result.approximate
    return table


def _withhold_unused(table: pd.DataFrame) -> pd.DataFrame:
    """Replace what the prior alone says of unused factors by NaN."""
    numbers = [
        str(c) for c in table.columns if str(c).startswith(RESULTS) and table[c].dtype.kind == "f"
    ]
    out = table.copy()
    out.loc[out["label"] == UNUSED, numbers] = np.nan
    return out


def _column_order(arms: list[str]) -> list[str]:
    many = ["p_partial"] if len(arms) > 2 else []
    return [
        *("factor", "label", "active", "p_shared"),
        *(f"p_specific_{a}" for a in arms),
        *many,
        *(f"explained_{a}{end}" for a in arms for end in ("", "_lower", "_upper")),
        *(f"mean_{a}{end}" for a in arms for end in ("", "_lower", "_upper")),
        *("p_mean_differs", "mean_label"),
        *("networks", "networks_share", "reproducible"),
        *("stability", "reliability", "reliability_lower", "reliability_upper", "p_reliable"),
        *("leverage", "name", "verdict"),
    ]


def _activity(explained: xr.DataArray, rules: Rules) -> dict[str, Any]:
    """Whether a factor explains anything: over all draws, and in any single chain."""
    above = explained.max(ARM) > rules.min_explained
    return {
        "_nothing": (explained.max((*SAMPLE, ARM)) == 0).values,
        "active": (above.mean(SAMPLE) > 0.5).values,
        "_ever_active": (above.mean(DRAW) > 0.5).any(CHAIN).values,
    }


def _pattern(sharing: xr.DataArray, arms: list[str], rules: Rules) -> dict[str, Any]:
    """Probability of each way in which a factor can be divided among the arms."""
    known = xr.ufuncs.isfinite(sharing).all((*SAMPLE, ARM)).values
    fixed = (sharing.max(SAMPLE) == sharing.min(SAMPLE)).all(ARM).values
    out: dict[str, Any] = {"_known": known, "_fixed": fixed & (len(arms) > 1)}
    takes_part = sharing >= rules.specific_below
    n_parts = takes_part.sum(ARM)

    def probability_of(event: xr.DataArray) -> npt.NDArray[np.float64]:
        value = event.mean(SAMPLE).values
        return np.where(known & (len(arms) > 1), value, np.nan)

    out["p_shared"] = probability_of(n_parts == len(arms))
    for arm in arms:
        alone = takes_part.sel({ARM: arm}) & (n_parts == 1)
        out[f"p_specific_{arm}"] = probability_of(alone)
    out["p_partial"] = probability_of((n_parts > 1) & (n_parts < len(arms)))
    return out


def _by_arm(values: xr.DataArray, name: str, rules: Rules) -> dict[str, Any]:
    """Mean and interval for each arm."""
    tail = (1 - rules.ci_prob) / 2
    bounds = values.quantile([tail, 1 - tail], dim=SAMPLE)
    out: dict[str, Any] = {}
    for arm in values[ARM].values:
        low, high = bounds.sel({ARM: arm}).transpose("quantile", FACTOR).values
        out[f"{name}_{arm}"] = values.sel({ARM: arm}).mean(SAMPLE).values
        out |= {f"{name}_{arm}_lower": low, f"{name}_{arm}_upper": high}
    return out


def _means(posterior: xr.Dataset, arms: list[str], rules: Rules) -> dict[str, Any]:
    """Mean expression by arm, and how probably arms differ; NaN where the model has no means."""
    if "arm_mean" not in posterior:
        ends = ("", "_lower", "_upper")
        missing = {f"mean_{a}{e}": np.nan for a in arms for e in ends}
        return missing | {"p_mean_differs": np.nan, "_p_mean_alike": np.nan}
    mean = posterior["arm_mean"]
    # One direction at a time: where means are uncertain, a large difference of either sign is
    # likely and carries no information.
    above = mean - mean.rename({ARM: "other"}) > rules.mean_rope
    alike = mean.max(ARM) - mean.min(ARM) <= rules.mean_rope
    return _by_arm(mean, "mean", rules) | {
        "p_mean_differs": above.mean(SAMPLE).max((ARM, "other")).values,
        "_p_mean_alike": alike.mean(SAMPLE).values,
    }


def _networks(
    within: xr.DataArray, loadings: xr.Dataset, active: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Name the blocks that hold most of the variance a factor explains."""
    size = block_networks(loadings)["size"].reindex([str(b) for b in within[BLOCK].values])
    carried = within.mean((*SAMPLE, ARM)).transpose(FACTOR, BLOCK).values * size.to_numpy()
    names, shares = [], []
    for amount, used in zip(carried, active, strict=True):
        total = float(amount.sum())
        if not used or not total > 0:
            names.append(MISSING)
            shares.append(np.nan)
            continue
        order = np.argsort(-amount, kind="stable")
        held = np.cumsum(amount[order]) / total
        count = min(int(np.searchsorted(held, NETWORKS_HOLD) + 1), NETWORKS_AT_MOST, len(held))
        names.append(", ".join(size.index[order[:count]]))
        shares.append(float(held[count - 1]))
    return {"networks": names, "networks_share": shares}


def _agreement(result: Result, posterior: xr.Dataset, rules: Rules) -> dict[str, Any]:
    """Whether chains agree on each factor, and whether there are enough draws."""
    factors = result.group("factors", ["reproducible"]).sel({FACTOR: posterior[FACTOR]})
    chains, draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    n = factors.sizes[FACTOR]
    reproducible = factors["reproducible"].values.astype(bool)
    short = ""
    if chains < MIN_CHAINS:
        short = "a single chain cannot be checked; sample at least 2"
    elif chains * draws < rules.min_draws:
        short = f"{chains * draws} draws, fewer than {rules.min_draws}; sample more"
    ess = factors["ess"].values if "ess" in factors else np.full(n, np.inf)
    return {"reproducible": reproducible, "_short": [short] * n, "_ess": ess}


def _judge(row: pd.Series[Any], arms: list[str], rules: Rules) -> tuple[str, str]:
    """Label and sentence of one factor."""
    unused = f"most draws give it at most {rules.min_explained:.0%} of any arm's variance."
    if row["_short"]:
        return MISSING, f"Too few draws: {row['_short']}. No claim."
    if not row["reproducible"]:
        if not row["_ever_active"]:
            return UNUSED, f"Unused: in every chain, {unused}"
        return MISSING, "Not reproducible: the chains disagree about this factor. No claim."
    if not row["active"]:
        return UNUSED, f"Unused: {unused}"
    if row["_ess"] < rules.min_draws:
        few = f"{row['_ess']:.0f} effective draws, fewer than {rules.min_draws}; sample more"
        return MISSING, f"Too few draws: {few}. No claim."
    if len(arms) > 1 and not row["_known"]:
        return MISSING, "Some draws of its sharing are not a number. No claim."
    if len(arms) > 1:
        label, verdict = _judge_pattern(row, arms, rules)
    else:
        label = PRESENT
        verdict = f"Present: {_amounts(row, arms)} The fit has no other arm to compare with."
    if row["leverage"] > rules.leverage:
        return UNDECIDED, f"{row['_leverage_text']} {verdict}"
    if row["stability"] in ("open", NOT_NAMEABLE):
        withheld = UNDECIDED if row["stability"] == "open" else NOT_NAMEABLE
        return withheld, f"{row['_stability_text']} Without this: {verdict}"
    return label, f"{verdict} {row['_stability_text']}".strip()


def _judge_mean(row: pd.Series[Any], rules: Rules) -> str:
    """Label the difference of arm means; no claim where there is none about the factor."""
    p = float(row["p_mean_differs"])
    if np.isnan(p) or row["label"] in (MISSING, UNUSED, PRESENT, NOT_NAMEABLE):
        return MISSING
    if row["stability"] == "open" or row["leverage"] > rules.leverage:
        return UNDECIDED
    if p > rules.probability:
        return "differs"
    return "alike" if row["_p_mean_alike"] > rules.probability else UNDECIDED


def _judge_pattern(row: pd.Series[Any], arms: list[str], rules: Rules) -> tuple[str, str]:
    chances = {"shared": float(row["p_shared"])}
    chances |= {f"{a}-specific": float(row[f"p_specific_{a}"]) for a in arms}
    best = max(chances, key=lambda k: chances[k])
    if row["_fixed"]:
        label = best if chances[best] > rules.probability else UNDECIDED
        return label, f"{_capital(label)}, fixed by the spec, not inferred; {_amounts(row, arms)}"
    if chances[best] > rules.probability:
        return (
            best,
            f"{_capital(best)} (P {format_probability(chances[best])}); {_amounts(row, arms)}",
        )
    if len(arms) > 2:
        partial = chances["some arms but not all"] = float(row["p_partial"])
        if partial > rules.probability:
            said = f"In some arms but not all (P {format_probability(partial)})"
            return UNDECIDED, f"{said}, so neither shared nor specific; {_amounts(row, arms)}"
    listed = ", ".join(f"P({k}) {format_probability(v)}" for k, v in chances.items())
    return UNDECIDED, f"Undecided: {listed}. No claim."


def is_partial(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether some arms but not all have a factor, at the probability that a label needs.

    Parameters
    ----------
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    Series of bool
        In the order of the table; all False with one or two arms.
    """
    limit = float(table.attrs.get("rules", {}).get("probability", RULES.probability))
    partial = table.get("p_partial", pd.Series(0.0, index=table.index))
    return partial > limit


def _amounts(row: pd.Series[Any], arms: list[str]) -> str:
    parts = [f"{row[f'explained_{a}']:.1%} in {a}" for a in arms]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"explains {listed}."


def _capital(text: str) -> str:
    # The name of an arm stays as the cohort spells it.
    return text[0].upper() + text[1:] if text in ("shared", UNDECIDED) else text


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten the table of factors for a terminal.

    Parameters
    ----------
    table : pandas.DataFrame
        From `tabulate_factors`.

    Returns
    -------
    pandas.DataFrame
        Text: name, probabilities, variance by arm with intervals, reliability with its shortest
        interval and means. Unused factors are left out.
    """
    table = used_factors(table)
    names = [str(c) for c in table.columns]
    arms = [n.removeprefix("p_specific_") for n in names if n.startswith("p_specific_")]
    columns: dict[str, Any] = {"factor": [break_name(n) for n in read_names(table)]}
    columns["P(shared)"] = table["p_shared"].map(_two_digits)
    columns |= {f"P({a} only)": table[f"p_specific_{a}"].map(_two_digits) for a in arms}
    columns |= {f"variance in {a}": _share_text(table, a) for a in arms}
    columns["reliability"] = _reliability_text(table)
    columns["means"] = table["mean_label"]
    return pd.DataFrame(columns)


def _two_digits(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else MISSING


def _reliability_text(table: pd.DataFrame) -> list[str]:
    """Reliability with its interval and verdict, e.g. ``0.98 (0.92-1.00) stable``."""
    rows = table[["reliability", "reliability_lower", "reliability_upper", "stability", "label"]]
    held = [
        f"; one participant: {share:.0%}" if large else ""
        for share, large in zip(table["leverage"], is_dominated(table), strict=True)
    ]
    return [
        MISSING
        if label in QUIET
        else f"{mean:.2f} ({low:.2f}-{high:.2f}) {verdict}{one}"
        if np.isfinite(mean)
        else f"{verdict}{one}"
        for (mean, low, high, verdict, label), one in zip(
            rows.itertuples(index=False), held, strict=True
        )
    ]


def _share_text(table: pd.DataFrame, arm: str) -> list[str]:
    """Variance explained with its interval, e.g. ``12% (9-15)``."""
    ends = [table[f"explained_{arm}{end}"] for end in ("", "_lower", "_upper")]
    return [
        f"{middle:.0%} ({100 * low:.0f}-{100 * high:.0f})" if np.isfinite(middle) else MISSING
        for middle, low, high in zip(*ends, strict=True)
    ]
