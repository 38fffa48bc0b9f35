"""Symptoms in the report: raw scores by arm beside the links with factors."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.features.disclosure import WITHHELD
from bayes_mdd.features.sample import ALL_ARMS, CONTROLS
from bayes_mdd.results.page import Column, Row, Table
from bayes_mdd.results.rules import QUIET
from bayes_mdd.shared_specific.report.numbers import write_interval, write_probability


def tabulate_raw_scores(sample: pd.DataFrame, symptoms: Collection[str]) -> Table | None:
    """Tabulate the raw scores of the linked symptoms by arm.

    Parameters
    ----------
    sample : pandas.DataFrame
        Table 1, from `bayes_mdd.results.participant_tables.read_or_describe_sample`.
    symptoms : collection of str
        The linked symptoms.

    Returns
    -------
    Table or None
        None where the table holds none of them as a number.
    """
    rows = []
    chosen = sample["variable"].isin(list(symptoms)) & (sample["level"] == "")
    for _, r in sample[chosen & ~sample["group"].isin([ALL_ARMS])].iterrows():
        if r["group"] == CONTROLS and not r["n"]:
            continue
        hidden = r["mark"] == WITHHELD
        spread = f"{r['p5']:.1f} to {r['p95']:.1f}" if np.isfinite(r["p95"]) else MISSING
        rows.append(
            [
                str(r["variable"]),
                "healthy controls" if r["group"] == CONTROLS else str(r["group"]),
                f"{r['n']:.0f}",
                f"{r['missing']:.0f}",
                *(
                    (WITHHELD, WITHHELD, WITHHELD)
                    if hidden
                    else (_two_digits(r["mean"]), _two_digits(r["sd"]), spread)
                ),
            ]
        )
    if not rows:
        return None
    columns = [
        Column("symptom"),
        Column("group"),
        *(
            Column(name, numeric=True)
            for name in ("n", "missing", "mean", "SD", "5th to 95th percentile")
        ),
    ]
    note = (
        "Minimum and maximum are scores of single participants and are not shown; percentiles need "
        "20 ratings."
    )
    return Table("raw-scores", "Raw scores of the linked symptoms, by arm", columns, rows, note)


def _two_digits(value: float) -> str:
    """Write a number; an arm without ratings has none."""
    return f"{value:.2f}" if np.isfinite(value) else MISSING


def tabulate_links(
    links: pd.DataFrame,
    table: pd.DataFrame,
    ci: str,
    *,
    contrasts: bool = False,
    averaged: bool = False,
) -> Table:
    """Tabulate the links of factors with symptoms.

    Parameters
    ----------
    links : pandas.DataFrame
        What `summarise_symptom_links` returned.
    table : pandas.DataFrame
        What `classify_factors` returned.
    ci : str
        Probability of the intervals, e.g. ``"90%"``.
    contrasts : bool, default False
        Whether they are differences between arms.
    averaged : bool, default False
        Whether weights that differ between arms were averaged.

    Returns
    -------
    Table
        One row per factor and symptom; factors without a claim in grey.
    """
    labels = table.set_index("factor")["label"]
    rows = []
    for _, r in links.iterrows():
        cells = [str(r["factor"]), str(r["symptom"]), *([str(r[ARM])] if contrasts else [])]
        cells += ["log-odds" if r["kind"] == "ordinal" else "SD", write_interval(r, "mean")]
        cells.append(write_probability(float(r["p_positive"])))
        rows.append(Row(cells, "quiet" if labels[r["factor"]] in QUIET else ""))
    heads = ["factor", "symptom", *(["arms"] if contrasts else []), "unit"]
    columns = [
        *map(Column, heads),
        Column("difference" if contrasts else "weight", numeric=True),
        Column("P(> 0)", numeric=True),
    ]
    if contrasts:
        caption = f"Differences of weights between arms (mean and {ci} interval)"
        note = (
            "Where a factor has no variance in an arm, its weight there is determined by the prior "
            "alone."
        )
        return Table("link-differences", caption, columns, rows, note)
    caption = (
        "SD of a symptom, or log-odds of a higher rating of an item, per SD of the factor's score "
        f"(mean and {ci} interval)" + (", average over arms" if averaged else "")
    )
    return Table("links", caption, columns, rows)
