"""Reliability and leverage of factors: columns of the table of factors, and a table by source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.population import LEVERAGE, POPULATION
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET, RULES, Rules
from bayes_mdd.shared_specific.reliability.verdict import (
    Reliability,
    Source,
    deciding,
    describe,
    leverage,
    leverage_sentence,
)
from bayes_mdd.shared_specific.schema import RELIABILITY, SCORES, SOURCE

#: Columns of `tabulate_reliability`.
COLUMNS = (
    *("factor", "source", "reliability", "reliability_lower", "reliability_upper"),
    *("p_reliable", "stability", "decides"),
)


def tabulate_stability(result: Result, rules: Rules) -> dict[str, Any]:
    """Tabulate how reliable factors are, and whether one subject dominates them.

    Parameters
    ----------
    result : Result
        A fit of the factor model.
    rules : Rules
        Thresholds.

    Returns
    -------
    dict of str to list
        ``stability`` ("stable", "open", "not nameable" or "unknown"), ``reliability`` with its
        interval and ``p_reliable`` from the source that decides (sessions over pieces over halves),
        ``leverage``, and sentences under names with an underscore.
    """
    shares, holders = _leverage(result)
    estimates = [_estimates(result, k, rules) for k in range(len(result.factors))]
    chosen = [deciding(*found) for found in estimates]
    return {
        "stability": [c.verdict for c in chosen],
        "reliability": [c.mean for c in chosen],
        "reliability_lower": [c.lower for c in chosen],
        "reliability_upper": [c.upper for c in chosen],
        "p_reliable": [c.p_above for c in chosen],
        "leverage": shares,
        # Where nothing is known, the report says so once.
        "_stability_text": [
            "" if c.verdict == "unknown" else describe(*found)
            for c, found in zip(chosen, estimates, strict=True)
        ],
        "_leverage_text": [
            leverage_sentence(float(share), holder, rules.leverage)
            for share, holder in zip(shares, holders, strict=True)
        ],
    }


def tabulate_reliability(result: Result, rules: Rules) -> pd.DataFrame:
    """Tabulate the reliability of each factor from each source.

    Parameters
    ----------
    result : Result
        A fit of the factor model.
    rules : Rules
        Thresholds.

    Returns
    -------
    DataFrame
        One row for each factor and source that is known: ``source`` ("halves", "pieces" or
        "sessions"), posterior mean with its shortest interval, ``p_reliable`` (probability that it
        exceeds ``rules.reliability_above``), the ``stability`` that this source alone would give,
        and whether it ``decides``.
    """
    rows = []
    for k, factor in enumerate(result.factors):
        found = [r for r in _estimates(result, k, rules) if r.source != "none"]
        decides = deciding(*found)
        rows += [
            (factor, r.source, r.mean, r.lower, r.upper, r.p_above, r.verdict, r is decides)
            for r in found
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def leading_factors(table: pd.DataFrame) -> list[str]:
    """Name the factors that a report shows first: the stable ones.

    Parameters
    ----------
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    list of str
        Factors with a label (unused factors and those on which the chains disagree have none)
        that are stable and not dominated by one subject. Where the reliability of no factor is
        known, all those that are not dominated by one.
    """
    known = is_reliability_known(table)
    chosen = ~table["label"].isin(QUIET) & ~is_dominated(table)
    if known:
        chosen &= table["stability"] == "stable"
    return [str(f) for f in table.loc[chosen, "factor"]]


def further_factors(table: pd.DataFrame) -> list[str]:
    """Name the factors that a report shows under a heading of their own.

    Parameters
    ----------
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    list of str
        Factors that are open, not nameable or dominated by one subject.
    """
    shown = {*leading_factors(table), *table.loc[table["label"].isin(QUIET), "factor"].astype(str)}
    return [str(f) for f in table["factor"] if str(f) not in shown]


def is_reliability_known(table: pd.DataFrame) -> bool:
    """Whether the reliability of any factor is known.

    Parameters
    ----------
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    bool
        False for fits to one scan alone.
    """
    return bool((table["stability"] != "unknown").any())


def is_dominated(table: pd.DataFrame) -> pd.Series[bool]:
    """Whether one subject holds too much of a factor for a label.

    Parameters
    ----------
    table : DataFrame
        What `classify_factors` returned.

    Returns
    -------
    Series of bool
        In the order of the table.
    """
    limit = float(table.attrs.get("rules", {}).get("leverage", RULES.leverage))
    return table["leverage"] > limit


def _estimates(result: Result, factor: int, rules: Rules) -> tuple[Reliability, ...]:
    """Reliability of one factor from each source that the fit had."""
    if RELIABILITY not in result.tree.children:
        return ()
    draws = result.group(RELIABILITY)["draws"]
    found = []
    for name in draws[SOURCE].values:
        source: Source = name
        values = draws.sel({SOURCE: name}).isel({FACTOR: factor}).values.astype(float)
        found.append(
            Reliability.of(
                source,
                values,
                above=rules.reliability_above,
                probability=rules.reliability_probability,
                ci_prob=rules.ci_prob,
            )
        )
    return tuple(found)


def _leverage(result: Result) -> tuple[np.ndarray, list[str]]:
    """Largest share of each factor that one subject holds, and who; "" where that is withheld."""
    if result.holds(POPULATION, LEVERAGE):
        stored = result.group(POPULATION)[LEVERAGE].values
        return stored, [""] * stored.size
    subjects = result.posterior[SUBJECT].values.astype(str)
    scores = result.posterior[SCORES].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    design = result.constant["design"].values
    fitted = design @ np.linalg.lstsq(design, scores, rcond=None)[0]
    shares, at = leverage(scores - fitted)
    return shares, [str(subjects[i]) for i in at]
