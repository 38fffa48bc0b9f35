"""Reliability and leverage of factors as columns of the table of factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import Rules
from bayes_mdd.shared_specific.reliability.verdict import (
    Reliability,
    Source,
    deciding,
    describe,
    leverage,
    leverage_sentence,
)
from bayes_mdd.shared_specific.schema import RELIABILITY, SCORES, SOURCE


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
    subjects = result.posterior[SUBJECT].values.astype(str)
    estimates = [_estimates(result, k, rules) for k in range(len(result.factors))]
    chosen = [deciding(*found) for found in estimates]
    return {
        "stability": [c.verdict for c in chosen],
        "reliability": [c.mean for c in chosen],
        "reliability_lower": [c.lower for c in chosen],
        "reliability_upper": [c.upper for c in chosen],
        "p_reliable": [c.p_above for c in chosen],
        "leverage": shares,
        "_stability_text": [describe(*found) for found in estimates],
        "_leverage_text": [
            leverage_sentence(float(share), str(subjects[at]), rules.leverage)
            for share, at in zip(shares, holders, strict=True)
        ],
    }


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


def _leverage(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Largest share of each factor that one subject holds, and the position of that subject."""
    scores = result.posterior[SCORES].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    design = result.constant["design"].values
    fitted = design @ np.linalg.lstsq(design, scores, rcond=None)[0]
    return leverage(scores - fitted)
