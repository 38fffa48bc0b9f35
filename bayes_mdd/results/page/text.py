"""Numbers and checks as text of a page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.checks import judge_check


def check_row(row: pd.Series[Any]) -> dict[str, str]:
    """Write one check as text for the page.

    Parameters
    ----------
    row : pandas.Series
        One row of a table of checks.

    Returns
    -------
    dict of str to str
        ``name``, ``value``, ``threshold``, ``state`` and ``advice``.
    """
    return {
        "name": str(row["name"]),
        "value": format_number(row["value"]),
        "threshold": format_number(row["threshold"]),
        "state": judge_check(row["passed"]),
        "advice": "" if row["advice"] is None or pd.isna(row["advice"]) else str(row["advice"]),
    }


def format_number(value: Any) -> str:
    """Write a number with four digits; what is missing becomes ``n/a``.

    Parameters
    ----------
    value : object
        A number, text or None.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> format_number(0.123456), format_number(float("nan")), format_number("< 1.01")
    ('0.1235', 'n/a', '< 1.01')
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)):
        return f"{value:.4g}"
    return str(value)
