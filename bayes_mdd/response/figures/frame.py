"""What the figures of treatment response share: axes, bands, words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.style import INK, TEXT, new_figure
from bayes_mdd.types import Array

#: Half-width of a 90% interval in standard errors.
NINETY = 1.645


def take_axes(
    axes: Sequence[Axes] | None, n: int, width: float, height: float
) -> tuple[Figure, Sequence[Axes]]:
    """Take axes that were given, or those of a new figure.

    Parameters
    ----------
    axes : sequence of Axes or None
        Where to draw.
    n : int
        How many are needed, side by side.
    width, height : float
        Of a new figure, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure of the axes.
    axes : sequence of Axes
        As many as needed.

    Raises
    ------
    DataContractError
        If their number is wrong or they belong to no figure.
    """
    if axes is None:
        figure = new_figure(width, height)
        return figure, list(np.atleast_1d(figure.subplots(1, n)))
    if len(axes) != n:
        raise DataContractError("axes", [f"expected {n}, got {len(axes)}."])
    found = axes[0].get_figure(root=True)
    if found is None:
        raise DataContractError("axes", ["they belong to no figure."])
    return found, list(axes)


def take_ax(ax: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """Take one pair of axes that was given, or that of a new figure.

    Parameters
    ----------
    ax : Axes or None
        Where to draw.
    width, height : float
        Of a new figure, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure of the axes.
    ax : Axes
        Where to draw.
    """
    figure, (found,) = take_axes(None if ax is None else [ax], 1, width, height)
    return figure, found


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
