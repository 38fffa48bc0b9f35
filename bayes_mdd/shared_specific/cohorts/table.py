"""The patterns of a combined result as a table: labels, numbers and what cohorts say."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, LOADING_DRAW, MISSING
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.rules import NOT_NAMEABLE, PRESENT, RULES, UNDECIDED, UNUSED, Rules
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.cohorts.combined import COHORT, KIND_COMBINED
from bayes_mdd.types import Array

SAMPLE = (CHAIN, DRAW)
#: Cohorts that must have found a pattern that gets a label.
LEAST_COHORTS = 2
#: Blocks are named until they hold this share of the squared loadings, at most this many.
BLOCKS_HOLD, BLOCKS_AT_MOST = 0.8, 4


def require_combined(tree: xr.DataTree) -> xr.DataTree:
    """Check that a tree is a combined result.

    Parameters
    ----------
    tree : DataTree
        Anything.

    Returns
    -------
    DataTree
        `tree`.

    Raises
    ------
    DataContractError
        If `combine_cohorts` did not return it.
    """
    wanted = {"posterior", "loadings", "cohorts"}
    if tree.attrs.get("model") != KIND_COMBINED or not wanted <= set(tree.children):
        raise DataContractError(
            "combined result", ["is not what combine_cohorts or read_combined returned."]
        )
    return tree


def summarise_combined(combined: xr.DataTree, *, rules: Rules = RULES) -> pd.DataFrame:
    """Label the patterns of several cohorts and summarise their numbers.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.
    rules : Rules
        Thresholds, as for the factors of one cohort.

    Returns
    -------
    DataFrame
        One row per pattern: ``factor`` ("P1", ...), ``label``, ``active``, ``cohorts`` that found
        it (and ``of``), ``prevalence`` with ``prevalence_lower`` and ``prevalence_upper``,
        ``p_shared``, ``p_specific_<arm>``; ``explained_<arm>``, ``sharing_<arm>`` and
        ``new_explained_<arm>``, ``new_sharing_<arm>`` (in a new cohort that has the pattern), each
        with ``_lower`` and ``_upper``; ``map_between``, SD between cohorts of loadings relative to
        the loadings; ``stability``, ``reliability``, ``p_reliable``, ``leverage``; ``networks``,
        ``name`` and ``verdict``. ``attrs`` hold ``size_sd`` and ``sharing_sd``, the SDs between
        cohorts of log variances, as mean, lower and upper end.

    Raises
    ------
    DataContractError
        If `combined` is something else.
    SpecError
        If a threshold is out of range.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.summarise_combined(bm.read_combined("combined"))  # doctest: +SKIP
    """
    require_combined(combined)
    posterior, cohorts = (combined[g].to_dataset() for g in ("posterior", "cohorts"))
    arms = [str(a) for a in posterior[ARM].values]
    rules.check(len(arms))
    found = cohorts["found"].sum(COHORT).values
    columns: dict[str, Any] = {
        "factor": posterior[FACTOR].values.astype(str),
        "active": (posterior["explained"].mean(SAMPLE).max(ARM) > rules.min_explained).values,
        "cohorts": found,
        "of": np.full(found.size, cohorts.sizes[COHORT]),
        **_interval(posterior["prevalence"], "prevalence", rules),
        **_probabilities(posterior["sharing"], arms, rules),
    }
    for name in ("explained", "sharing", "new_explained", "new_sharing"):
        for arm in arms:
            columns |= _interval(posterior[name].sel({ARM: arm}), f"{name}_{arm}", rules)
    between = combined["loadings"]["between"]
    columns["map_between"] = between.mean(LOADING_DRAW).values
    columns |= _stability(cohorts, rules)
    columns["networks"] = _networks(combined["loadings"].to_dataset())
    table = pd.DataFrame(columns)
    judged = [_judge(row, arms, rules) for _, row in table.iterrows()]
    table.insert(1, "label", [label for label, _ in judged])
    table["name"] = name_factors(table)
    table["verdict"] = [verdict for _, verdict in judged]
    table.attrs["rules"] = asdict(rules)
    for name in ("size_sd", "sharing_sd"):
        ends = _interval(posterior[name], name, rules)
        table.attrs[name] = [float(v) for v in ends.values()]
    return table


def _interval(values: xr.DataArray, name: str, rules: Rules) -> dict[str, Array]:
    tail = (1 - rules.ci_prob) / 2
    flat = values.transpose(CHAIN, DRAW, ...).values
    flat = flat.reshape(-1, *flat.shape[2:])
    low, high = np.quantile(flat, [tail, 1 - tail], axis=0)
    return {name: flat.mean(axis=0), f"{name}_lower": low, f"{name}_upper": high}


def _probabilities(sharing: xr.DataArray, arms: list[str], rules: Rules) -> dict[str, Array]:
    takes_part = sharing >= rules.specific_below
    parts = takes_part.sum(ARM)
    if len(arms) == 1:
        return {"p_shared": np.full(sharing.sizes[FACTOR], np.nan)}
    out = {"p_shared": (parts == len(arms)).mean(SAMPLE).values}
    for arm in arms:
        alone = takes_part.sel({ARM: arm}) & (parts == 1)
        out[f"p_specific_{arm}"] = alone.mean(SAMPLE).values
    return out


def _stability(cohorts: xr.Dataset, rules: Rules) -> dict[str, Any]:
    """Reliability over the cohorts that know it, on the logit scale, and the largest leverage."""
    mean = cohorts["reliability"].transpose(COHORT, FACTOR).values
    se = np.maximum(cohorts["reliability_sd"].transpose(COHORT, FACTOR).values, 0.05)
    known = np.isfinite(mean) & np.isfinite(se)
    weight = np.where(known, 1.0 / np.where(known, se, 1.0) ** 2, 0.0)
    total = weight.sum(axis=0)
    middle = (weight * np.where(known, mean, 0.0)).sum(axis=0) / np.where(total > 0, total, np.nan)
    limit = np.log(rules.reliability_above / (1 - rules.reliability_above))
    p = ndtr((middle - limit) * np.sqrt(total))
    verdict = np.where(
        ~(total > 0),
        "unknown",
        np.where(
            p >= rules.reliability_probability,
            "stable",
            np.where(p <= 1 - rules.reliability_probability, NOT_NAMEABLE, "open"),
        ),
    )
    squares = cohorts["squares"].transpose(COHORT, FACTOR).values
    part = squares / np.maximum(squares.sum(axis=0), 1e-300)
    leverage = np.nan_to_num(cohorts["leverage"].transpose(COHORT, FACTOR).values) * part
    return {
        "stability": verdict.astype(str),
        "reliability": 1.0 / (1.0 + np.exp(-middle)),
        "p_reliable": np.where(total > 0, p, np.nan),
        "leverage": leverage.max(axis=0),
    }


def _networks(loadings: xr.Dataset) -> list[str]:
    """Blocks that hold most of the squared loadings of each pattern."""
    order = list(block_networks(loadings).index)
    block = loadings[BLOCK].values.astype(str)
    square = loadings["mean"].transpose(FACTOR, FEATURE).values ** 2
    names = []
    for row in square:
        held = pd.Series(row).groupby(block).sum().reindex(order).fillna(0.0)
        held = held.sort_values(ascending=False, kind="stable")
        if not held.sum() > 0:
            names.append(MISSING)
            continue
        count = int(np.searchsorted(held.cumsum() / held.sum(), BLOCKS_HOLD) + 1)
        names.append(", ".join(map(str, held.index[: min(count, BLOCKS_AT_MOST)])))
    return names


def _judge(row: pd.Series[Any], arms: list[str], rules: Rules) -> tuple[str, str]:
    where = f"found in {row['cohorts']} of {row['of']} cohorts"
    amounts = ", ".join(f"{row[f'explained_{a}']:.1%} in {a}" for a in arms)
    if not row["active"]:
        return (
            UNUSED,
            f"Unused: it explains at most {rules.min_explained:.0%} of any arm's variance.",
        )
    if row["cohorts"] < LEAST_COHORTS:
        return MISSING, f"No claim: {where}; a label needs {LEAST_COHORTS}. Explains {amounts}."
    label, said = PRESENT, "Present"
    if len(arms) > 1:
        chances = {"shared": row["p_shared"]} | {
            f"{a}-specific": row[f"p_specific_{a}"] for a in arms
        }
        best = max(chances, key=lambda k: float(chances[k]))
        label = best if chances[best] > rules.probability else UNDECIDED
        shown = ", ".join(f"P({k}) {format_probability(float(v))}" for k, v in chances.items())
        said = f"{label} ({shown})"
    verdict = f"{said[:1].upper()}{said[1:]}, {where}; explains {amounts}."
    if row["leverage"] > rules.leverage:
        return UNDECIDED, f"One participant holds {row['leverage']:.0%} of it. {verdict}"
    if row["stability"] == "open":
        return UNDECIDED, f"Reliability open. Without this: {verdict}"
    if row["stability"] == NOT_NAMEABLE:
        return NOT_NAMEABLE, f"State or motion rather than trait. Without this: {verdict}"
    return label, verdict
