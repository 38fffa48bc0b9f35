"""Unused factors: no result, so that tables, maps, figures and exports leave them out."""

from __future__ import annotations

import pandas as pd

from bayes_mdd.results.rules import UNUSED


def used_factors(table: pd.DataFrame) -> pd.DataFrame:
    """Leave unused factors out of a table of factors.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    pandas.DataFrame
        The other rows, with the attributes of the table.

    Examples
    --------
    >>> table = pd.DataFrame({"factor": ["F1", "F2"], "label": ["shared", "unused"]})
    >>> used_factors(table)["factor"].tolist()
    ['F1']
    """
    kept = table[table["label"] != UNUSED].reset_index(drop=True)
    kept.attrs = dict(table.attrs)
    return kept
