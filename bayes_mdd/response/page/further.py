"""Parts of the page that come from other commands: baselines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from bayes_mdd.files.marks import read_mark
from bayes_mdd.response.figures.baselines import MEASURES, plot_baselines
from bayes_mdd.response.page.words import say_interval
from bayes_mdd.response.stored_tables import read_stored_table
from bayes_mdd.results.page import Column, Picture, Row, Table, embed

#: Files of the run folder that are shown where they exist.
BASELINES: Final = "baselines.tsv"
PAIRED: Final = "baselines_paired.tsv"
SENTENCES: Final = "baselines.json"
#: How to get the baselines.
BASELINES_COMMAND: Final = "bayes-mdd baselines SPEC COHORT -o RUN"


@dataclass(frozen=True, eq=False, kw_only=True)
class Further:
    """What other commands add to the page.

    Parameters
    ----------
    baselines : DataFrame, optional
        ``table`` of `compare_baselines`.
    paired : DataFrame, optional
        Its ``paired``.
    sentences : tuple of str
        Its ``sentences``.
    """

    baselines: pd.DataFrame | None = None
    paired: pd.DataFrame | None = None
    sentences: tuple[str, ...] = ()


def read_further(folder: str | Path) -> Further:
    """Read what other commands wrote to the folder of a second stage.

    Parameters
    ----------
    folder : str or Path
        ``RUN/response``.

    Returns
    -------
    Further
        With the tables that exist.

    Raises
    ------
    RunFolderError
        If a table cannot be read.
    """
    folder = Path(folder)
    said = read_mark(folder / SENTENCES).get("sentences", [])
    return Further(
        baselines=read_stored_table(folder, "baselines"),
        paired=read_stored_table(folder, "baselines_paired"),
        sentences=tuple(map(str, said)) if isinstance(said, list) else (),
    )


def describe_baselines(further: Further) -> dict[str, Any] | None:
    """Write the baselines as text and figures.

    Parameters
    ----------
    further : Further
        What there is.

    Returns
    -------
    dict or None
        Values of the template; None if the command was not run.
    """
    if further.baselines is None:
        return None
    table = further.baselines if "method" in further.baselines else further.baselines.reset_index()
    measures = [m for m in ("auc", "r2", "gain") if m in table and table[m].notna().any()]
    rows = []
    for _, row in table.iterrows():
        leaky = str(row.get("leaky", False)).lower() == "true"
        cells = [
            say_interval(row[m], row[f"{m}_lower"], row[f"{m}_upper"]) if pd.notna(row[m]) else ""
            for m in measures
        ]
        label = row.get("label", "")
        rows.append(
            {
                "method": str(row["method"]),
                "view": "" if pd.isna(row["view"]) else str(row["view"]),
                "cells": cells,
                "leaky": leaky,
                "label": "" if pd.isna(label) else str(label),
            }
        )
    names = [MEASURES[m][0] for m in measures]
    return {
        "measures": names,
        "rows": rows,
        "table": _tabulate(names, rows),
        "sentences": further.sentences,
        "pictures": [_draw(table, further.paired, m) for m in measures],
        "leaky": any(r["leaky"] for r in rows),
    }


def _tabulate(measures: list[str], rows: list[dict[str, Any]]) -> Table:
    labelled = any(r["label"] for r in rows)
    columns = ["method", "columns", *measures, *(["note"] if labelled else [])]
    return Table(
        "baselines",
        "Held-out patients, estimate and 90% interval",
        tuple(Column(c) for c in columns),
        tuple(
            Row(
                (r["method"], r["view"], *r["cells"], *((r["label"],) if labelled else ())),
                "leaky" if r["leaky"] else "",
            )
            for r in rows
        ),
    )


def _draw(table: pd.DataFrame, paired: pd.DataFrame | None, measure: str) -> Picture:
    return embed(
        plot_baselines(table, paired, measure=measure), f"{MEASURES[measure][0]} of each method",
        f"{MEASURES[measure][0]} of each method on held-out patients, with paired differences",
    )  # fmt: skip
