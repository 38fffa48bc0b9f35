"""Cells of maps by pair of networks: where they are, and the numbers and signs in them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from bayes_mdd.results.figures.style import INK, SMALL

#: From this share of the sum of squares on, loadings of a block count as of one sign.
ONE_SIGN: Final = 0.8


def fill_square(
    row: pd.Series[Any], blocks: pd.DataFrame, networks: list[str]
) -> npt.NDArray[np.float64]:
    """Arrange one number per block in a symmetric square.

    Parameters
    ----------
    row : pandas.Series
        Numbers by block.
    blocks : pandas.DataFrame
        Networks ``a`` and ``b`` of each block.
    networks : list of str
        Order of rows and columns.

    Returns
    -------
    ndarray, shape (network, network)
        NaN where there is no such block.
    """
    square = np.full((len(networks), len(networks)), np.nan)
    a = pd.Index(networks).get_indexer(pd.Index(blocks["a"]))
    b = pd.Index(networks).get_indexer(pd.Index(blocks["b"]))
    square[a, b] = square[b, a] = row.reindex(blocks.index).to_numpy()
    return square


def name_networks(ax: Axes, networks: list[str]) -> None:
    """Write networks below the columns of a map.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    networks : list of str
        One per column.
    """
    at = np.arange(len(networks))
    ax.set_xticks(at, networks, rotation=45, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)


def say_sign(positive: float) -> str:
    """Say which sign most loadings of a block have.

    Parameters
    ----------
    positive : float
        Share of the sum of squares that is of positive loadings.

    Returns
    -------
    str
        Plus, minus, plus-minus, or nothing where the share is NaN.

    Examples
    --------
    >>> say_sign(0.9), say_sign(0.5), say_sign(float("nan"))
    ('+', '±', '')
    """
    if not np.isfinite(positive):
        return ""
    return "+" if positive >= ONE_SIGN else "\N{MINUS SIGN}" if positive <= 1 - ONE_SIGN else "±"


def write_number(value: float, top: float) -> str:
    """Write a number of a map with as few decimals as its scale needs.

    Parameters
    ----------
    value, top : float
        The number, and the largest of the map.

    Returns
    -------
    str
        The number.

    Examples
    --------
    >>> write_number(12.3, 60), write_number(0.123, 0.5)
    ('12', '0.12')
    """
    return f"{value:.{0 if top >= 10 else 1 if top >= 1 else 2}f}"


def has_room(top: float, cell: float) -> bool:
    """Tell whether the longest number and its sign fit into a cell.

    Parameters
    ----------
    top : float
        Largest number of the map.
    cell : float
        Width of a cell in inches.

    Returns
    -------
    bool
        Whether numbers can be written.
    """
    return (len(write_number(top, top)) + 1) * 0.56 * (SMALL - 1) / 72 <= cell


def write_square(
    ax: Axes,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.float64],
    top: float,
    cell: float,
) -> None:
    """Write numbers below the diagonal and signs above; signs alone where cells are small.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    values, positive : ndarray, shape (network, network)
        Numbers, NaN where nothing is written; shares of positive loadings.
    top : float
        Largest number of the map.
    cell : float
        Width of a cell in inches.
    """
    numbers = has_room(top, cell)
    for (i, j), value in np.ndenumerate(values):
        text = say_sign(float(positive[i, j]))
        if numbers and i >= j:
            text = write_number(value, top) + (text if i == j else "")
        write_cell(ax, i, j, value, text, top)


def write_cell(ax: Axes, i: int, j: int, value: float, text: str, top: float) -> None:
    """Write into one cell, light on dark and dark on light.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    i, j : int
        Row and column.
    value : float
        Number of the cell; nothing is written where it is NaN.
    text : str
        What to write.
    top : float
        Largest number of the map.
    """
    if np.isfinite(value):
        colour = "white" if value > 0.6 * top else INK
        ax.text(j, i, text, ha="center", va="center", fontsize=SMALL - 1, color=colour)
