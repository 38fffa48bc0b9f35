"""What the section on symptoms shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayes_mdd.results.participant_tables import (
    read_or_describe_sample,
)
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.report.symptom_tables import tabulate_links, tabulate_raw_scores
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links


@dataclass(frozen=True, eq=False)
class Links:
    """Symptom links of a fit.

    Parameters
    ----------
    weights : DataFrame or None
        One weight per factor and symptom; None without symptoms.
    contrasts : DataFrame or None
        Differences between arms; None where the model has one weight for all arms.
    """

    weights: pd.DataFrame | None = None
    contrasts: pd.DataFrame | None = None


def read_links(result: Result, table: pd.DataFrame, ci_prob: float) -> Links:
    """Read the symptom links of a fit.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    Links
        Without weights where the fit had no symptoms.
    """
    if not result.holds("posterior", "symptom_weight"):
        return Links()
    weights = summarise_symptom_links(result, ci_prob=ci_prob, factors=table)
    if not result.holds("posterior", "symptom_weight_by_arm"):
        return Links(weights)
    contrasts = summarise_symptom_links(result, ci_prob=ci_prob, by="difference", factors=table)
    return Links(weights, contrasts)


def gather_symptoms(result: Result, table: pd.DataFrame, links: Links, ci: str) -> dict[str, Any]:
    """Gather raw scores and symptom links.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    links : Links
        Symptom links.
    ci : str
        Probability of the intervals, e.g. ``"90%"``.

    Returns
    -------
    dict
        Values of the template; None in place of tables without rows.
    """
    if links.weights is None:
        return {"linked": False, "links": None, "link_differences": None, "raw_scores": None}
    sample, _ = read_or_describe_sample(result)
    differ = links.contrasts is not None
    return {
        "linked": True,
        "links": tabulate_links(links.weights, table, ci, averaged=differ)
        if len(links.weights)
        else None,
        "link_differences": tabulate_links(links.contrasts, table, ci, contrasts=True)
        if links.contrasts is not None and len(links.contrasts)
        else None,
        "raw_scores": tabulate_raw_scores(sample, list(read_link_units(result))),
    }
