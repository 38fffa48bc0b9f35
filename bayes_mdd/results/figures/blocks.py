"""Figures of factors by pair of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import BLOCK, FACTOR, FEATURE
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.style import INK, SMALL, TEXT, new_figure, tidy
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.rules import QUIET, UNUSED

CMAP = "YlGnBu"
#: Numbers are written into the cells of maps of at most this many networks.
WRITE_UP_TO = 8


def plot_map_blocks(
    sig: xr.Dataset, *, factors: Sequence[str] | None = None, columns: int = 3
) -> Figure:
    """Plot the root mean square loading of each factor in each pair of networks.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    columns : int, default 3
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        As `draw_blocks` draws it.

    Raises
    ------
    DataContractError
        If a factor is unknown or `sig` lacks a variable.
    """
    if "mean" not in sig:
        raise DataContractError("signature", ["'mean' is missing; pass what signatures returned."])
    squares = pd.DataFrame(
        sig["mean"].transpose(FEATURE, FACTOR).values ** 2,
        columns=[str(f) for f in sig[FACTOR].values],
    )
    by_block = squares.groupby(sig[BLOCK].values.astype(str)).mean().pow(0.5)
    marks = sig["label"].values if "label" in sig.coords else [""] * squares.shape[1]
    labels = {f: str(m) for f, m in zip(squares.columns, marks, strict=True)}
    name = "root mean square\nloading"
    return draw_blocks(by_block.T, block_networks(sig), labels, name, factors, columns=columns)


def draw_blocks(
    values: pd.DataFrame,
    blocks: pd.DataFrame,
    labels: dict[str, str],
    name: str,
    factors: Sequence[str] | None = None,
    *,
    columns: int = 3,
) -> Figure:
    """Draw one number per factor and block.

    Parameters
    ----------
    values : pandas.DataFrame, shape (factor, block)
        The numbers.
    blocks : pandas.DataFrame
        Networks ``a`` and ``b`` of each block, from `block_networks`.
    labels : dict of str to str
        Label of each factor.
    name : str
        Name of the colour bar.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    columns : int, default 3
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        One triangle of networks per factor, on one colour scale; for regional features one table
        of factors and networks.

    Raises
    ------
    DataContractError
        If a factor is unknown.
    """
    chosen = _choose(values.index.tolist(), labels, factors)
    values = values.loc[chosen]
    if (blocks["a"] == blocks["b"]).all():
        return _plot_table(values, labels, name)
    networks = list(dict.fromkeys([*blocks["a"], *blocks["b"]]))
    n_columns = min(columns, len(chosen))
    n_rows = math.ceil(len(chosen) / n_columns)
    side = max(2.6, 0.42 * len(networks) + 1.2)
    figure = new_figure(side * n_columns + 1.0, side * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    top = float(np.nanmax(values.to_numpy())) or 1.0
    image: Any = None
    for ax, factor in zip(panels, chosen, strict=False):
        square = _square(pd.Series(values.loc[factor]), blocks, networks)
        image = _draw_triangle(ax, square, networks, top)
        tidy(ax, title=f"{factor}  ({labels[factor]})")
        for spine in ax.spines.values():
            spine.set_visible(False)
    for ax in panels[len(chosen) :]:
        ax.set_visible(False)
    _add_bar(figure, image, panels.tolist(), name)
    return figure


def _choose(known: list[str], labels: dict[str, str], factors: Sequence[str] | None) -> list[str]:
    if factors is None:
        used = [f for f in known if labels[f] != UNUSED]
        if not used:
            raise DataContractError("plot_block_map", ["every factor is unused: nothing to draw."])
        return [f for f in used if labels[f] not in QUIET] or used
    unknown = [f for f in factors if f not in known]
    if unknown or not factors:
        raise DataContractError(
            "plot_block_map", [f"unknown factors: {some(unknown)}; there are {some(known, 20)}."]
        )
    return list(factors)


def _square(
    row: pd.Series[Any], blocks: pd.DataFrame, networks: list[str]
) -> npt.NDArray[np.float64]:
    """Fill the lower triangle; NaN where there is no such block."""
    square = np.full((len(networks), len(networks)), np.nan)
    a = pd.Index(networks).get_indexer(pd.Index(blocks["a"]))
    b = pd.Index(networks).get_indexer(pd.Index(blocks["b"]))
    square[np.maximum(a, b), np.minimum(a, b)] = row.reindex(blocks.index).to_numpy()
    return square


def _draw_triangle(
    ax: Axes, square: npt.NDArray[np.float64], networks: list[str], top: float
) -> Any:
    image = ax.imshow(square, cmap=CMAP, vmin=0, vmax=top, aspect="equal")
    at = np.arange(len(networks))
    ax.set_xticks(at, networks, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(at, networks)
    ax.tick_params(length=0)
    if len(networks) <= WRITE_UP_TO:
        _write_cells(ax, square, top)
    return image


def _write_cells(ax: Axes, values: npt.NDArray[np.float64], top: float) -> None:
    decimals = 0 if top >= 10 else 1 if top >= 1 else 2
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value > 0.6 * top else INK
            ax.text(
                j,
                i,
                f"{value:.{decimals}f}",
                ha="center",
                va="center",
                fontsize=SMALL - 1,
                color=colour,
            )


def _plot_table(values: pd.DataFrame, labels: dict[str, str], name: str) -> Figure:
    """One row per factor, one column per network."""
    figure = new_figure(3.0 + 0.55 * values.shape[1], 1.5 + 0.45 * len(values))
    ax = figure.subplots()
    top = float(np.nanmax(values.to_numpy())) or 1.0
    image = ax.imshow(values.to_numpy(), cmap=CMAP, vmin=0, vmax=top, aspect="auto")
    ax.set_xticks(
        np.arange(values.shape[1]), values.columns, rotation=45, ha="right", rotation_mode="anchor"
    )
    ax.set_yticks(np.arange(len(values)), [f"{f}  ({labels[f]})" for f in values.index])
    ax.tick_params(length=0)
    if values.shape[1] <= 2 * WRITE_UP_TO:
        _write_cells(ax, values.to_numpy(), top)
    tidy(ax)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _add_bar(figure, image, [ax], name)
    return figure


def _add_bar(figure: Figure, image: Any, panels: list[Axes], name: str) -> None:
    bar = figure.colorbar(image, ax=panels, shrink=0.8, pad=0.02, aspect=25)
    bar.set_label(name, fontsize=TEXT, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)
