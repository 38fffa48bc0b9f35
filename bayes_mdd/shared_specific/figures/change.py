"""Figure of a change map: follow-up minus baseline by pair of networks and arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    INK,
    SMALL,
    TEXT,
    name_rows,
    open_panels,
    pick_colours,
    pick_markers,
    put_legend_above,
    raise_title,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import read_names
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.figures.factors import mark_arms
from bayes_mdd.shared_specific.tables.change import tabulate_change
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array

#: Blue to red through white; signs are written, too.
CMAP = "RdBu_r"
#: Most networks whose cells hold numbers; in larger maps they hold the sign.
WRITE_UP_TO = 8
MINUS = "\N{MINUS SIGN}"


def plot_change_maps(
    idata: xr.DataTree | Result,
    factor: str,
    *,
    top: int = 8,
    ci_prob: float = 0.9,
    factors: pd.DataFrame | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot along which pairs of networks a factor of change moves, and how far in each arm.

    Parameters
    ----------
    idata : DataTree
        A fit of the factor model to follow-up minus baseline, from `change_features`.
    factor : str
        For example ``"F1"``.
    top : int, default 8
        Pairs of networks with intervals: those of the largest absolute change.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.
    factors : DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    axes : sequence of Axes, optional
        Where to draw: two for edges, one for regional features; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left, for edges: the signed mean change of every pair of networks in the arm where it is
        larger, bold where the interval excludes 0. Right: the largest with intervals, by arm. Both
        in SD of the reference, for a score one SD above the mean of the arm. The sign of a whole
        factor is arbitrary; those of its blocks relative to each other are not.

    Raises
    ------
    DataContractError
        If the run is not of change, there is no such factor, or draws of loadings are not stored.
    SpecError
        If there are not as many axes as panels.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_change_maps(bm.read_run("runs/change"), "F1")  # doctest: +SKIP
    """
    result = read_result(idata)
    table = tabulate_change(result, factor, ci_prob=ci_prob)
    named = tabulate_factors(result) if factors is None else factors
    name = dict(zip(named["factor"], read_names(named), strict=True))[factor]
    edges = bool((table["a"] != table["b"]).any())
    size = table.groupby("block", sort=False)["mean"].agg(lambda m: np.abs(m).max())
    strongest = size.sort_values(ascending=False, kind="stable").index[:top].tolist()
    height = max(4.2 if edges else 2.4, 1.9 + 0.32 * len(strongest))
    figure, panels = open_panels(axes, (1, 1 + edges), 4.0 + 3.8 * edges, height)
    if edges:
        _draw_triangle(figure, panels[0], table)
        tidy(panels[0], title=f"{name}: change")
        raise_title(panels[0])
    _draw_blocks(panels[-1], table, strongest)
    people = count_people(result)
    said = f"point: posterior mean; lines: {ci_prob:.0%} equal-tailed intervals"
    title = "Largest changes" if edges else f"{name}: change"
    xlabel = "follow-up minus baseline,\nSD of the reference per SD of scores"
    tidy(panels[-1], title=title, xlabel=xlabel, grid="x")
    put_legend_above(panels[-1], mark_arms(result.arms))
    write_caption(panels[-1], f"{people}; {said}" if people else said)
    if edges:
        which = "bold" if _is_small(table) else f"+ or {MINUS}"
        write_caption(
            panels[0],
            f"change per SD of scores in the arm where it is larger; {which}: interval excludes 0",
        )
    return figure


def _is_small(table: pd.DataFrame) -> bool:
    return len({*table["a"], *table["b"]}) <= WRITE_UP_TO


def _say(size: float) -> str:
    """Write a number as short as a cell is narrow."""
    return f"{size:.2f}".removeprefix("0") if size < 0.995 else f"{size:.1f}"


def _draw_triangle(figure: Figure, ax: Axes, table: pd.DataFrame) -> None:
    order = table["mean"].abs().groupby(table["block"], sort=False).idxmax()
    largest = table.loc[order]
    networks = list(dict.fromkeys([*largest["a"], *largest["b"]]))
    at = {n: i for i, n in enumerate(networks)}
    square: Array = np.full((len(networks), len(networks)), np.nan)
    limit = float(largest["mean"].abs().max()) or 1.0
    small = _is_small(table)
    values = largest[["mean", "lower", "upper"]].to_numpy(dtype=float)
    for a, b, (mean, lower, upper) in zip(largest["a"], largest["b"], values, strict=True):
        i, j = sorted((at[a], at[b]), reverse=True)
        square[i, j] = mean
        sure = lower > 0 or upper < 0
        sign = "+" if mean > 0 else MINUS
        ax.text(
            j, i, f"{sign}{_say(abs(mean))}" if small else sign if sure else "",
            ha="center", va="center", fontsize=SMALL, fontweight="bold" if sure else "normal",
            color="white" if abs(mean) > 0.65 * limit else INK,
        )  # fmt: skip
    image = ax.imshow(square, cmap=CMAP, vmin=-limit, vmax=limit)
    ax.set_xticks(
        np.arange(len(networks)), networks, rotation=45, ha="right", rotation_mode="anchor"
    )
    ax.set_yticks(np.arange(len(networks)), networks)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    bar = figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02, aspect=25)
    bar.set_label("SD of the reference", fontsize=TEXT, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)


def _draw_blocks(ax: Axes, table: pd.DataFrame, blocks: list[str]) -> None:
    arms = list(dict.fromkeys(table[ARM]))
    colours, markers = pick_colours(arms), pick_markers(arms)
    for i, arm in enumerate(arms):
        own = table[table[ARM] == arm].set_index("block").loc[blocks]
        rows = np.arange(len(blocks)) + 0.4 / len(arms) * (i - (len(arms) - 1) / 2)
        ax.hlines(rows, own["lower"], own["upper"], color=colours[arm], linewidth=1.8, zorder=2)
        ax.scatter(
            own["mean"], rows, s=38, color=colours[arm], marker=markers[arm], edgecolors="white",
            linewidths=0.9, zorder=3,
        )  # fmt: skip
    ax.axvline(0, color="0.6", linewidth=1, zorder=1)
    name_rows(ax, blocks)
