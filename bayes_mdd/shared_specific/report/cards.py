"""One card for each factor of the report: what it is, where it is, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, LOADING_DRAW, MISSING
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.connectome import plot_connectome
from bayes_mdd.results.figures.top_edges import plot_top_edges
from bayes_mdd.results.names import read_names
from bayes_mdd.results.page import Column, Picture, Table, embed
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET
from bayes_mdd.results.strongest import top_loadings
from bayes_mdd.results.strongest_regions import top_regions
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.report.numbers import (
    write_interval,
    write_mean,
    write_probability,
    write_share,
)

#: Rows of the figure of edges, and of the two tables of a card.
SHOWN: Final = 12
EDGES: Final = 30
REGIONS: Final = 6
#: Numbers (draws x features) from which intervals of regions are computed, at most.
MOST_NUMBERS: Final = 2 * 10**7


@dataclass(frozen=True, kw_only=True)
class FactorCard:
    """What the report says about one factor.

    Parameters
    ----------
    id : str
        Place in the page.
    title : str
        Name of the factor.
    verdict : str
        Sentence with its probabilities.
    facts : sequence of (str, str)
        Names and values: probabilities, variance by arm, reliability, blocks, symptoms.
    pictures : sequence of Picture
        Its map, and its strongest loadings by name.
    edges, regions : sequence of Table
        Strongest edges and regions by name; empty where no interval excludes 0.
    """

    id: str
    title: str
    verdict: str
    facts: Sequence[tuple[str, str]]
    pictures: Sequence[Picture] = ()
    edges: Sequence[Table] = ()
    regions: Sequence[Table] = ()


def make_cards(
    result: Result,
    table: pd.DataFrame,
    sig: xr.Dataset,
    factors: Sequence[str],
    *,
    links: pd.DataFrame | None,
    top_edges: int,
    ci_prob: float,
) -> list[FactorCard]:
    """Make the cards of factors.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    sig : xarray.Dataset
        What `gather_maps` returned.
    factors : sequence of str
        Keys of the factors, in the order of the cards.
    links : pandas.DataFrame, optional
        What `summarise_symptom_links` returned.
    top_edges : int
        Edges in the map.
    ci_prob : float
        Probability of the intervals of the table.

    Returns
    -------
    list of FactorCard
        One for each factor.
    """
    names = dict(zip(table["factor"].astype(str), read_names(table), strict=True))
    draws = _thin(result)
    cards = []
    for factor in factors:
        row = table[table["factor"].astype(str) == factor].iloc[0]
        name = names[factor]
        brain = plot_connectome(sig, factor, top=top_edges)
        alt = f"strongest loadings of {name} in the brain"
        words = "Strongest loadings; the exported maps contain all of them."
        pictures = [embed(brain, f"{factor} in the brain", alt, words)]
        edges = _tabulate_edges(sig, factor)
        if edges:
            strongest = plot_top_edges(sig, factor, top=SHOWN)
            alt = f"strongest loadings of {name} by name, with intervals"
            words = "Names, intervals, blocks, and the posterior probability of the sign."
            pictures.append(embed(strongest, f"Strongest loadings of {factor}", alt, words))
        cards.append(
            FactorCard(
                id=f"factor-{factor}",
                title=name,
                verdict=str(row["verdict"]),
                facts=_list_facts(row, list(result.arms), links, ci_prob),
                pictures=pictures,
                edges=edges,
                regions=_tabulate_regions(sig, factor, draws),
            )
        )
    return cards


def _thin(result: Result) -> xr.DataArray | None:
    """Take some draws of the loadings, no more than intervals of regions need."""
    draws = result.loading_draws
    if draws is None:
        return None
    kept = max(1, MOST_NUMBERS // max(draws.sizes[FEATURE], 1))
    return draws.isel({LOADING_DRAW: slice(None, None, -(-draws.sizes[LOADING_DRAW] // kept))})


def _list_facts(
    row: pd.Series[Any], arms: list[str], links: pd.DataFrame | None, ci_prob: float
) -> list[tuple[str, str]]:
    facts = []
    if len(arms) > 1:
        chances = [("shared", row["p_shared"])]
        chances += [(f"specific to {a}", row[f"p_specific_{a}"]) for a in arms]
        chances += [("some arms only", row["p_partial"])] if len(arms) > 2 else []
        said = [f"{what} {_equal(p)}" for what, p in chances if np.isfinite(p)]
        facts.append(("Probability", "; ".join(said) or MISSING))
    explained = [f"{a} {write_share(row, f'explained_{a}')}" for a in arms]
    facts.append((f"Variance explained ({ci_prob:.0%} interval)", "; ".join(explained)))
    if np.isfinite(row["reliability"]):
        value = write_interval(row, "reliability")
        facts.append(("Reliability", f"{value}, {row['stability']}"))
    share = row.get("networks_share", np.nan)
    held = f" (hold {share:.0%} of what it explains)" if np.isfinite(share) else ""
    facts.append(("Network blocks", f"{row['networks']}{held}"))
    if row["mean_label"] != MISSING:
        means = "; ".join(f"{a} {write_mean(row, a)}" for a in arms)
        facts.append(("Mean score by arm (SD)", f"{means}: {row['mean_label']}"))
    if links is not None:
        facts.append((f"Symptom links ({ci_prob:.0%} interval)", _say_links(links, row)))
    return facts


def _equal(p: float) -> str:
    return format_probability(float(p)).removeprefix("= ")


def _say_links(links: pd.DataFrame, row: pd.Series[Any]) -> str:
    own = links[links["factor"].astype(str) == str(row["factor"])]
    if own.empty or row["label"] in QUIET:
        return MISSING
    return "; ".join(
        f"{r['symptom']} {write_interval(r, 'mean')} "
        + ("log-odds" if r["kind"] == "ordinal" else "SD")
        for _, r in own.iterrows()
    )


def _tabulate_edges(sig: xr.Dataset, factor: str) -> list[Table]:
    found = top_loadings(sig, factor, EDGES)
    edges = is_edges(sig)
    what = "edges" if edges else "features"
    prob, n = found.attrs["ci_prob"], found.attrs["n_features"]
    if found.empty:
        return []
    rows = [
        [
            _name_feature(r),
            str(r["networks"]),
            f"{r['mean']:+.2f} [{r['lower']:+.2f}, {r['upper']:+.2f}]",
            write_probability(max(r["p_positive"], 1 - r["p_positive"])),
        ]
        for _, r in found.iterrows()
    ]
    columns = [
        Column("edge" if edges else "feature"),
        Column("block"),
        Column(f"loading [{prob:.0%} interval]", numeric=True),
        Column("P(sign)", numeric=True),
    ]
    caption = (
        f"{factor}: the {len(found)} strongest of {found.attrs['n_clear']} {what} whose interval "
        f"excludes 0 (of {n}). Loading: SD of the feature per SD of the score"
    )
    return [Table(f"edges-{factor}", caption, columns, rows)]


def _name_feature(row: pd.Series[Any]) -> str:
    if "region_a" in row and "region_b" in row:
        view = f"{row['view']}: " if "view" in row else ""
        return f"{view}{row['region_a']} \N{EN DASH} {row['region_b']}"
    return str(row.get("region", row["feature"]))


def _tabulate_regions(sig: xr.Dataset, factor: str, draws: xr.DataArray | None) -> list[Table]:
    if not is_edges(sig):  # a region is a feature, and stands in the table of these
        return []
    try:
        found = top_regions(sig, factor, REGIONS, draws=draws)
    except DataContractError:  # features of several views, or without regions
        return []
    found = found[found["n_clear"] > 0]
    if found.empty:
        return []
    known = "strength_lower" in found

    def part(row: pd.Series[Any], name: str) -> str:
        if not known:
            return f"{row[name]:.2f}"
        return f"{row[name]:.2f} [{row[f'{name}_lower']:.2f}, {row[f'{name}_upper']:.2f}]"

    rows = [
        [
            str(r["region"]),
            str(r.get("network", MISSING)),
            part(r, "strength"),
            f"{r['n_clear']} of {r['n_features']}",
        ]
        for _, r in found.iterrows()
    ]
    columns = [
        Column("region"),
        Column("network"),
        Column(
            "strength" + (f" [{found.attrs['ci_prob']:.0%} interval]" if known else ""),
            numeric=True,
        ),
        Column("edges that exclude 0", numeric=True),
    ]
    caption = (
        f"{factor}: regions that take part most. Strength: mean absolute loading of the region's "
        "edges"
    )
    return [Table(f"regions-{factor}", caption, columns, rows)]
