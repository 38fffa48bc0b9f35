"""The rules by which a table of factors was labelled."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from bayes_mdd.results.rules import Rules


def read_rules(table: pd.DataFrame) -> Rules:
    """Read the rules that came with a table of factors.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify_factors` returned.

    Returns
    -------
    Rules
        The defaults where the table states none.
    """
    known = {f.name for f in fields(Rules)}
    return Rules(**{k: v for k, v in table.attrs.get("rules", {}).items() if k in known})
