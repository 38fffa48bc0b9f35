"""Which factors the arms share, which belong to one arm, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.errors import SpecError
from bayes_mdd.polar_lda.table import classify_polar_factors, is_polar_lda
from bayes_mdd.results.reading import block_networks, read_group

SAMPLE = (CHAIN, DRAW)
MIN_CHAINS = 2
#: The blocks named for a factor hold this much of what it explains, unless that takes too many.
NETWORKS_HOLD = 0.8
NETWORKS_AT_MOST = 4
#: What is added to every verdict of a fast fit.
APPROXIMATE = " Approximate (fast path)."


@dataclass(frozen=True, kw_only=True)
class _Rules:
    specific_below: float
    probability: float
    min_explained: float
    min_draws: int
    ci_prob: float
    mean_rope: float

    def check(self, n_arms: int) -> None:
        problems = []
        if not 0 < self.specific_below < 1 / max(n_arms, 2):
            problems.append(
                f"specific_below must lie between 0 and 1/{max(n_arms, 2)} (the share of each of "
                f"{n_arms} arms when all share alike), got {self.specific_below}."
            )
        if not 0.5 <= self.probability < 1:
            problems.append(f"probability must lie in [0.5, 1), got {self.probability}.")
        if not 0 <= self.min_explained < 1:
            problems.append(f"min_explained must lie in [0, 1), got {self.min_explained}.")
        if not 0 < self.ci_prob < 1:
            problems.append(f"ci_prob must lie between 0 and 1, got {self.ci_prob}.")
        if not 0 <= self.mean_rope < float("inf"):
            problems.append(f"mean_rope must be at least 0, got {self.mean_rope}.")
        if problems:
            raise SpecError("classify_factors: " + " ".join(problems))


def classify_factors(
    idata: xr.DataTree,
    *,
    specific_below: float = 0.10,
    probability: float = 0.9,
    min_explained: float = 0.01,
    min_draws: int = 100,
    ci_prob: float = 0.9,
    mean_rope: float = 0.2,
) -> pd.DataFrame:
    """Say of every factor whether the arms share it, one arm owns it, or it cannot be told.

    The estimand is *expression* at one time point, in two senses: how the variance of a factor's
    scores is divided among the arms (``label``), and whether arms differ in the mean of the scores
    (``mean_label``). Neither is an effect of a drug.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    specific_below : float, default 0.10
        An arm takes no part in a factor in those draws in which it holds less than this share of
        the factor's variance. A factor is specific to an arm when no other arm takes part.
    probability : float, default 0.9
        A label is given when its posterior probability is above this; otherwise "undecided".
    min_explained : float, default 0.01
        A factor is active when it explains more than this share of some arm's variance with
        posterior probability above one half.
    min_draws : int, default 100
        With fewer draws in all, fewer effective draws of a factor, or fewer than 2 chains, the
        evidence is short and the label is "n/a".
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.
    mean_rope : float, default 0.2
        Differences between arm means up to this size, in SD of a factor's scores, count as none.

    Returns
    -------
    pandas.DataFrame
        One row a factor. ``factor``; ``label``: "shared", "<arm>-specific", "undecided",
        "unused" (not active), "n/a" (chains disagree or evidence is short) or, in a fit of one
        arm, "present"; ``active``; ``p_shared``: probability that every arm takes part;
        ``p_specific_<arm>``; with three or more arms ``p_partial``: that some but not all do
        (these add up to 1; they are NaN in a fit of one arm); ``explained_<arm>``: mean share of
        the arm's variance, 0-1, with ``_lower`` and ``_upper``; ``mean_<arm>``: mean expression in
        SD of the scores, against the controls where they are an arm, else against the average of
        the arms, with ``_lower`` and ``_upper``; ``p_mean_differs``: probability that one arm
        exceeds another by more than `mean_rope`, for the two and the direction for which it is
        largest, and ``mean_label``: "differs", "alike", "undecided" or
        "n/a"; ``networks``: the blocks that hold
        80 % of what the factor explains, largest first, at most 4, and ``networks_share``: what
        they hold together; ``reproducible``: whether the chains agree on the factor; ``verdict``:
        a sentence. ``attrs["rules"]`` holds the thresholds.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable.
    SpecError
        If a threshold is out of its range.

    Notes
    -----
    A factor on which the chains disagree is "unused" only when it is inactive in every chain.
    With a sharing pattern fixed by the spec, the probabilities are 0 or 1 by assumption, and the
    verdict says so; so it does of a fit with ``method="fast"``, whose probabilities are
    approximate (``attrs["approximate"]`` is True). Features are standardised, so a block counts
    with its number of features in ``networks``; arms count alike.

    A polar LDA has no sharing: its table is that of
    `bayes_mdd.polar_lda.table.classify_polar_factors`.
    """
    if is_polar_lda(idata):
        return classify_polar_factors(idata, probability=probability, ci_prob=ci_prob)
    posterior = read_group(idata, "posterior", ["sharing", "explained", "explained_block"])
    loadings = read_group(idata, "loadings", ["mean"])
    rules = _Rules(
        specific_below=specific_below,
        probability=probability,
        min_explained=min_explained,
        min_draws=min_draws,
        ci_prob=ci_prob,
        mean_rope=mean_rope,
    )
    arms = [str(a) for a in posterior[ARM].values]
    rules.check(len(arms))
    columns: dict[str, Any] = {"factor": [str(f) for f in posterior[FACTOR].values]}
    columns |= _activity(posterior["explained"], rules)
    columns |= _pattern(posterior["sharing"], arms, rules)
    columns |= _by_arm(posterior["explained"], "explained", rules)
    columns |= _means(posterior, arms, rules)
    columns |= _networks(posterior["explained_block"], loadings, columns["active"])
    columns |= _agreement(idata, posterior, rules)
    table = pd.DataFrame(columns)
    labels = [_judge(row, arms, rules) for _, row in table.iterrows()]
    table["label"] = [label for label, _ in labels]
    approximate = idata.attrs.get("method") == "fast"
    remark = APPROXIMATE if approximate else ""
    table["verdict"] = [verdict + remark for _, verdict in labels]
    table["mean_label"] = [_judge_mean(row, rules) for _, row in table.iterrows()]
    table = table[_column_order(arms)]
    # So that a report can say by which rules these labels were given.
    table.attrs["rules"] = asdict(rules)
    table.attrs["approximate"] = approximate
    return table


def _column_order(arms: list[str]) -> list[str]:
    many = ["p_partial"] if len(arms) > 2 else []
    return [
        *("factor", "label", "active", "p_shared"),
        *(f"p_specific_{a}" for a in arms),
        *many,
        *(f"explained_{a}{end}" for a in arms for end in ("", "_lower", "_upper")),
        *(f"mean_{a}{end}" for a in arms for end in ("", "_lower", "_upper")),
        *("p_mean_differs", "mean_label"),
        *("networks", "networks_share", "reproducible", "verdict"),
    ]


def _activity(explained: xr.DataArray, rules: _Rules) -> dict[str, Any]:
    """Whether a factor explains anything: over all draws, and in any single chain."""
    above = explained.max(ARM) > rules.min_explained
    return {
        "active": (above.mean(SAMPLE) > 0.5).values,
        "_ever_active": (above.mean(DRAW) > 0.5).any(CHAIN).values,
    }


def _pattern(sharing: xr.DataArray, arms: list[str], rules: _Rules) -> dict[str, Any]:
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


def _by_arm(values: xr.DataArray, name: str, rules: _Rules) -> dict[str, Any]:
    """Mean and interval for each arm."""
    tail = (1 - rules.ci_prob) / 2
    bounds = values.quantile([tail, 1 - tail], dim=SAMPLE)
    out: dict[str, Any] = {}
    for arm in values[ARM].values:
        low, high = bounds.sel({ARM: arm}).transpose("quantile", FACTOR).values
        out[f"{name}_{arm}"] = values.sel({ARM: arm}).mean(SAMPLE).values
        out |= {f"{name}_{arm}_lower": low, f"{name}_{arm}_upper": high}
    return out


def _means(posterior: xr.Dataset, arms: list[str], rules: _Rules) -> dict[str, Any]:
    """Mean expression by arm, and how probably arms differ; NaN where the model has no means."""
    if "arm_mean" not in posterior:
        ends = ("", "_lower", "_upper")
        missing = {f"mean_{a}{e}": np.nan for a in arms for e in ends}
        return missing | {"p_mean_differs": np.nan, "_p_mean_alike": np.nan}
    mean = posterior["arm_mean"]
    # In one direction: where the means are known poorly, a difference of either sign is likely to
    # be large, and says nothing.
    above = mean - mean.rename({ARM: "other"}) > rules.mean_rope
    alike = mean.max(ARM) - mean.min(ARM) <= rules.mean_rope
    return _by_arm(mean, "mean", rules) | {
        "p_mean_differs": above.mean(SAMPLE).max((ARM, "other")).values,
        "_p_mean_alike": alike.mean(SAMPLE).values,
    }


def _networks(
    within: xr.DataArray, loadings: xr.Dataset, active: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Name the blocks that carry most of what a factor explains."""
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


def _agreement(idata: xr.DataTree, posterior: xr.Dataset, rules: _Rules) -> dict[str, Any]:
    """Look up what the chains say of each other, and why evidence may be short."""
    factors = read_group(idata, "factors", ["reproducible"]).sel({FACTOR: posterior[FACTOR]})
    chains, draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    n = factors.sizes[FACTOR]
    reproducible = factors["reproducible"].values.astype(bool)
    short = ""
    if chains < MIN_CHAINS:
        short = "one chain cannot be checked against another; sample at least 2"
    elif chains * draws < rules.min_draws:
        short = f"{chains * draws} draws, fewer than {rules.min_draws}; sample more"
    ess = factors["ess"].values if "ess" in factors else np.full(n, np.inf)
    return {"reproducible": reproducible, "_short": [short] * n, "_ess": ess}


def _judge(row: pd.Series[Any], arms: list[str], rules: _Rules) -> tuple[str, str]:
    """Label and sentence of one factor."""
    unused = f"most draws give it at most {rules.min_explained:.0%} of any arm's variance."
    if row["_short"]:
        return MISSING, f"Evidence is short: {row['_short']}. No claim."
    if not row["reproducible"]:
        if not row["_ever_active"]:
            return "unused", f"Unused: in every chain, {unused}"
        return MISSING, "Not reproducible: the chains disagree about this factor. No claim."
    if not row["active"]:
        return "unused", f"Unused: {unused}"
    if row["_ess"] < rules.min_draws:
        few = f"{row['_ess']:.0f} effective draws, fewer than {rules.min_draws}; sample more"
        return MISSING, f"Evidence is short: {few}. No claim."
    if len(arms) == 1:
        return "present", f"Present: {_amounts(row, arms)} There is no other arm to compare with."
    if not row["_known"]:
        return MISSING, "Evidence is short: some draws of its sharing are not a number. No claim."
    return _judge_pattern(row, arms, rules)


def _judge_mean(row: pd.Series[Any], rules: _Rules) -> str:
    """Label the difference of arm means; no claim where there is none about the factor."""
    p = float(row["p_mean_differs"])
    if np.isnan(p) or row["label"] in (MISSING, "unused", "present"):
        return MISSING
    if p > rules.probability:
        return "differs"
    return "alike" if row["_p_mean_alike"] > rules.probability else "undecided"


def _judge_pattern(row: pd.Series[Any], arms: list[str], rules: _Rules) -> tuple[str, str]:
    chances = {"shared": float(row["p_shared"])}
    chances |= {f"{a}-specific": float(row[f"p_specific_{a}"]) for a in arms}
    best = max(chances, key=lambda k: chances[k])
    if row["_fixed"]:
        label = best if chances[best] > rules.probability else "undecided"
        return label, f"{_capital(label)}, fixed by the spec, not inferred; {_amounts(row, arms)}"
    if chances[best] > rules.probability:
        return best, f"{_capital(best)} (P {say_probability(chances[best])}); {_amounts(row, arms)}"
    if len(arms) > 2:
        chances["some arms but not all"] = float(row["p_partial"])
    listed = ", ".join(f"P({k}) {say_probability(v)}" for k, v in chances.items())
    return "undecided", f"Undecided: {listed}. No claim."


def _amounts(row: pd.Series[Any], arms: list[str]) -> str:
    parts = [f"{row[f'explained_{a}']:.1%} in {a}" for a in arms]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"explains {listed}."


def _capital(text: str) -> str:
    # Only a word of ours: the name of an arm stays as the cohort spells it.
    return text[0].upper() + text[1:] if text in ("shared", "undecided") else text


def say_probability(value: float) -> str:
    """Write a probability that never rounds to a certainty that draws cannot give.

    Parameters
    ----------
    value : float
        Between 0 and 1.

    Returns
    -------
    str
        To follow the name of the event.

    Examples
    --------
    >>> [say_probability(p) for p in (0.93, 1.0, 0.001)]
    ['= 0.93', '> 0.99', '< 0.01']
    """
    return "> 0.99" if value > 0.99 else "< 0.01" if value < 0.01 else f"= {value:.2f}"
