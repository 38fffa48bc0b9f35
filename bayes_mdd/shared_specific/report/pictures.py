"""Figures of the report but the maps of single factors."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bayes_mdd.results.page import Picture, embed
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.figures.blocks import plot_explained_blocks
from bayes_mdd.shared_specific.figures.factors import plot_explained, plot_sharing
from bayes_mdd.shared_specific.figures.scores import plot_scores
from bayes_mdd.shared_specific.figures.symptoms import plot_symptom_links


def draw_pictures(
    result: Result, table: pd.DataFrame, *, factors: Sequence[str]
) -> dict[str, list[Picture]]:
    """Draw the figures by the section they belong to.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    factors : sequence of str
        Factors about which something is said.

    Returns
    -------
    dict of str to list of Picture
        ``first`` (the figure of the first screen), ``arms``, ``blocks`` and ``links``; empty where
        nothing was found.
    """
    empty: dict[str, list[Picture]] = {"first": [], "arms": [], "blocks": [], "links": []}
    if used_factors(table).empty:
        return empty
    arms = list(result.arms)
    explained = embed(
        plot_explained(result, factors=table),
        "Variance explained",
        "variance explained by factor and arm",
        "What each factor explains in each arm.",
    )
    links = []
    if result.holds("posterior", "symptom_weight"):
        figure = plot_symptom_links(result, factors=table)
        links.append(embed(figure, "Symptom links", "weight of each factor in each symptom"))
    if result.holds("posterior", "symptom_weight_by_arm"):
        figure = plot_symptom_links(result, factors=table, by_arm=True)
        links.append(embed(figure, "Symptom links by arm", "weight of each factor within arms"))
    blocks = plot_explained_blocks(result, table, factors=list(factors) or None)
    drawn = {
        "blocks": [
            embed(blocks, "Blocks", "variance explained within each pair of networks, by factor")
        ],
        "links": links,
    }
    if len(arms) < 2:
        return empty | drawn | {"first": [explained]}
    below = table.attrs.get("rules", {}).get("specific_below", RULES.specific_below)
    sharing = embed(
        plot_sharing(result, factors=table, specific_below=below),
        "Which arm each pattern belongs to",
        "share of each factor's variance in each arm",
        _explain_sharing(arms),
    )
    scores = embed(
        plot_scores(result, factors=table, points=False),
        "Scores by arm",
        "distribution of the scores of each arm, without single participants",
    )
    return empty | drawn | {"first": [sharing], "arms": [explained, scores]}


def _explain_sharing(arms: list[str]) -> str:
    if len(arms) == 2:
        return (
            "In a shaded zone at an edge, only the arm named there differs along the pattern; "
            "between the zones both do."
        )
    return "In the shaded zone an arm takes no part in a pattern."
