"""Numbers of the tables of a fit as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.text import format_probability


def write_probability(value: float) -> str:
    """Write a probability for a cell.

    Parameters
    ----------
    value : float
        NaN where unknown.

    Returns
    -------
    str
        For example ``"0.93"``, ``"> 0.99"`` or ``"n/a"``.

    Examples
    --------
    >>> write_probability(0.93), write_probability(1.0), write_probability(float("nan"))
    ('0.93', '> 0.99', 'n/a')
    """
    if not np.isfinite(value):
        return MISSING
    return format_probability(float(value)).removeprefix("= ")


def write_interval(row: pd.Series[Any], name: str) -> str:
    """Write a mean with its interval.

    Parameters
    ----------
    row : pandas.Series
        With `name`, and ``<name>_lower`` and ``<name>_upper`` or ``lower`` and ``upper``.
    name : str
        The mean.

    Returns
    -------
    str
        For example ``"0.60 [0.41, 0.79]"``.

    Examples
    --------
    >>> write_interval(pd.Series({"mean": 0.6, "lower": 0.41, "upper": 0.79}), "mean")
    '0.60 [0.41, 0.79]'
    """
    ends = (f"{name}_lower", f"{name}_upper") if f"{name}_lower" in row else ("lower", "upper")
    mean, low, high = (f"{float(row[k]):.2f}" for k in (name, *ends))
    return f"{mean} [{low}, {high}]".replace("-0.00", "0.00")


def write_share(row: pd.Series[Any], name: str) -> str:
    """Write a share of variance with its interval.

    Parameters
    ----------
    row : pandas.Series
        With `name`, ``<name>_lower`` and ``<name>_upper``.
    name : str
        The share.

    Returns
    -------
    str
        For example ``"12.0% [9.1%, 15.2%]"``.

    Examples
    --------
    >>> write_share(pd.Series({"x": 0.12, "x_lower": 0.091, "x_upper": 0.152}), "x")
    '12.0% [9.1%, 15.2%]'
    """
    mean, low, high = (f"{float(row[f'{name}{end}']):.1%}" for end in ("", "_lower", "_upper"))
    return f"{mean} [{low}, {high}]"


def write_mean(row: pd.Series[Any], arm: str) -> str:
    """Write the mean score of an arm with its interval.

    Parameters
    ----------
    row : pandas.Series
        A row of `classify_factors`.
    arm : str
        The arm.

    Returns
    -------
    str
        For example ``"+0.30 [+0.10, +0.50]"``; ``"n/a"`` where the model has no means.
    """
    middle, low, high = (float(row[f"mean_{arm}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]" if np.isfinite(middle) else MISSING
