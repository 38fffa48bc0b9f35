"""What the figures of treatment response share: axes, bands, words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.style import INK, TEXT
from bayes_mdd.types import Array

#: Half-width of a 90% interval in standard errors.
NINETY = 1.645
#: What `draw_band` draws, and intervals of that half-width, in captions.
MEAN_AND_BAND = "line: posterior mean; band: 90% equal-tailed interval"
NORMAL = "90% intervals, normal approximation"


def draw_band(ax: Axes, x: Array, draws: Array, colour: str, label: str, style: str = "-") -> None:
    """Draw the mean of curves with their 90% interval.

    Parameters
    ----------
    ax : Axes
        Changed in place.
    x : ndarray, shape (point,)
        Positions.
    draws : ndarray, shape (draw, point)
        Curves.
    colour : str
        Of line and band.
    label : str
        Name of the line; none if empty.
    style : str, default "-"
        Of the line, so that two lines differ without colours.
    """
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, draws.mean(axis=0), style, color=colour, linewidth=1.8, label=label or None)


def label_y(ax: Axes, text: str) -> None:
    """Name the vertical axis.

    Parameters
    ----------
    ax : Axes
        Changed in place.
    text : str
        Quantity and unit.
    """
    ax.set_ylabel(text, fontsize=TEXT, color=INK)


def require(table: pd.DataFrame, what: str, columns: Sequence[str]) -> None:
    """Refuse a table without the columns that a figure shows.

    Parameters
    ----------
    table : DataFrame
        What was given.
    what : str
        Name of the function.
    columns : sequence of str
        Needed columns.

    Raises
    ------
    DataContractError
        If a column is missing, or there is no row.
    """
    if missing := [c for c in columns if c not in table]:
        raise DataContractError(what, [f"there is no column {some(missing)}."])
    if not len(table):
        raise DataContractError(what, ["the table has no row."])


def say_n(n: int | None) -> str:
    """Write a number of patients behind the name of an axis.

    Parameters
    ----------
    n : int or None
        How many, where it is known.

    Returns
    -------
    str
        For example ``" (n = 48)"``; empty where it is not known.
    """
    return "" if n is None else f" (n = {n})"


def patients(n: int) -> str:
    """Say a number of patients.

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    str
        With the noun.
    """
    return f"{n} patient{'' if n == 1 else 's'}"
