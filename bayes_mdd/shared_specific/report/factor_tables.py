"""Tables of all factors of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.page import Cell, Column, Row, Table
from bayes_mdd.results.result import Result
from bayes_mdd.results.rules import QUIET, Rules
from bayes_mdd.shared_specific.report.numbers import (
    write_interval,
    write_mean,
    write_probability,
    write_share,
)
from bayes_mdd.shared_specific.tables.arms import explained_by_arm
from bayes_mdd.shared_specific.tables.stability import tabulate_reliability

#: Sources of reliability as the report names them.
SOURCE_NAMES: Final = {
    "halves": "halves of the scan",
    "pieces": "pieces of the scan",
    "sessions": "two sessions (ICC)",
}


def tabulate_factors(used: pd.DataFrame, arms: Sequence[str], ci_prob: float) -> Table:
    """Tabulate the factors that are used.

    Parameters
    ----------
    used : pandas.DataFrame
        Rows of `classify_factors`, without unused factors.
    arms : sequence of str
        Names of the arms.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    Table
        Label, probabilities, variance by arm, blocks and reliability; factors without a claim in
        grey.
    """
    several, partial = len(arms) > 1, "p_partial" in used
    columns = [Column("factor"), Column("label")]
    if several:
        columns += [
            Column(f"P({what})", numeric=True)
            for what in ("shared", *(f"{a}-specific" for a in arms))
        ]
        columns += [Column("P(some arms)", numeric=True)] if partial else []
    columns += [Column(f"variance in {a}, %", numeric=True) for a in arms]
    agree = bool(used["reproducible"].all())
    columns += [Column("blocks"), Column("reliability")]
    columns += [] if agree else [Column("chains agree")]
    rows = []
    for _, row in used.iterrows():
        quiet = row["label"] in QUIET
        cells: list[str | Cell] = [
            str(row["factor"])
            if quiet
            else Cell(str(row["factor"]), href=f"#factor-{row['factor']}"),
            str(row["label"]),
        ]
        if several:
            names = ["p_shared", *(f"p_specific_{a}" for a in arms)]
            names += ["p_partial"] if partial else []
            cells += [write_probability(float(row[name])) for name in names]
        cells += [_write_percent(row, f"explained_{a}") for a in arms]
        blocks = str(row["networks"]).replace("-", "\N{NON-BREAKING HYPHEN}")
        cells += [blocks, MISSING if quiet else str(row["stability"])]
        cells += [] if agree else ["yes" if row["reproducible"] else "no"]
        rows.append(Row(cells, "quiet" if quiet else ""))
    caption = (
        f"Posterior probabilities, and variance of each arm explained (mean and {ci_prob:.0%} "
        "interval)"
        if several
        else f"Variance explained (mean and {ci_prob:.0%} interval)"
    )
    return Table("factors", caption, columns, rows)


def _write_percent(row: pd.Series[Any], name: str) -> str:
    """Write a share with its interval in percent, without the sign."""
    mean, low, high = (100 * float(row[f"{name}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def tabulate_reliabilities(result: Result, table: pd.DataFrame, rules: Rules) -> Table | None:
    """Tabulate the reliability of the factors by source.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    rules : Rules
        Thresholds.

    Returns
    -------
    Table or None
        None where no reliability is known.
    """
    by_factor = table.set_index("factor")
    rows = [
        [
            str(r["factor"]),
            SOURCE_NAMES.get(str(r["source"]), str(r["source"])),
            write_interval(r, "reliability"),
            write_probability(float(r["p_reliable"])),
            str(r["stability"]),
            "yes" if r["decides"] else "no",
            f"{by_factor.loc[r['factor'], 'leverage']:.0%}",
        ]
        for _, r in tabulate_reliability(result, rules).iterrows()
        if by_factor.loc[r["factor"], "label"] not in QUIET
    ]
    if not rows:
        return None
    columns = [
        *map(Column, ("factor", "source")),
        Column("reliability", numeric=True),
        Column(f"P(> {rules.reliability_above:g})", numeric=True),
        *map(Column, ("verdict of this source", "decides")),
        Column("largest share of one participant", numeric=True),
    ]
    caption = (
        "Stable part of the variance of each factor, by source (posterior mean and shortest "
        f"{rules.ci_prob:.0%} interval), and the largest share of the factor's variance that one "
        f"participant holds (limit for a label: {rules.leverage:.0%})"
    )
    note = (
        "Two sessions decide over pieces of the scan, and pieces over halves. Reliability is that "
        "of the factor, not of the score of one participant."
    )
    return Table("reliability", caption, columns, rows, note)


def tabulate_totals(result: Result, ci_prob: float) -> Table:
    """Tabulate what all factors together explain in each arm.

    Parameters
    ----------
    result : Result
        A fit.
    ci_prob : float
        Probability of the intervals.

    Returns
    -------
    Table
        One row per arm.
    """
    rows = [
        [str(r["arm"]), write_share(r, "explained"), write_probability(float(r["p_most"]))]
        for _, r in explained_by_arm(result, ci_prob=ci_prob).iterrows()
    ]
    columns = [
        Column("arm"),
        Column("variance explained", numeric=True),
        Column("P(largest of all arms)", numeric=True),
    ]
    note = "An arm may vary more along shared patterns; that is not a pattern of its own."
    caption = f"Variance that all factors together explain (mean and {ci_prob:.0%} interval)"
    return Table("totals", caption, columns, rows, note)


def tabulate_means(used: pd.DataFrame, arms: Sequence[str], rules: Rules, against: str) -> Table:
    """Tabulate the mean scores of the arms.

    Parameters
    ----------
    used : pandas.DataFrame
        Rows of `classify_factors`, without unused factors.
    arms : sequence of str
        Names of the arms.
    rules : Rules
        Thresholds.
    against : str
        What means are relative to.

    Returns
    -------
    Table
        One row per factor.
    """
    rows = [
        Row(
            [
                str(row["factor"]),
                *(write_mean(row, a) for a in arms),
                write_probability(float(row["p_mean_differs"])),
                str(row["mean_label"]),
            ],
            "quiet" if row["label"] in QUIET else "",
        )
        for _, row in used.iterrows()
    ]
    columns = [
        Column("factor"),
        *(Column(a, numeric=True) for a in arms),
        Column(f"P(one arm exceeds another by more than {rules.mean_rope:g})", numeric=True),
        Column("label"),
    ]
    caption = (
        f"Mean expression by arm, in SD of the factor's score, {against} (mean and "
        f"{rules.ci_prob:.0%} interval)"
    )
    note = (
        "An arm can express a factor more strongly by varying more along it or by having a higher "
        "mean score (this table). These are different findings."
    )
    return Table("means", caption, columns, rows, note)
