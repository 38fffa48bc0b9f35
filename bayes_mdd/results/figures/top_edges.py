"""The strongest loadings of a factor by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import FEATURE, MISSING
from bayes_mdd.results.figures.labels import shorten_names
from bayes_mdd.results.figures.style import (
    INK,
    PALETTE,
    SMALL,
    TEXT,
    name_rows,
    open_axes,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.regions import is_edges
from bayes_mdd.results.strongest import top_loadings
from bayes_mdd.results.text import format_probability

#: Colour and marker of the two signs.
POSITIVE, NEGATIVE = (PALETTE[1], "o"), (PALETTE[0], "D")
UNIT = "loading, SD of the feature per SD of the score"
#: Longest name of an edge that is written in one line, in characters.
ONE_LINE = 30


def plot_top_edges(
    sig: xr.Dataset, factor: str, *, top: int = 20, ax: Axes | None = None
) -> Figure:
    """Plot the strongest loadings of a factor by name, with their intervals.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 20
        At most so many rows: the largest absolute posterior means among the loadings whose
        interval excludes 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One row per edge (or regional feature): posterior mean (filled circle: positive, open
        diamond: negative), interval, networks and the probability of the sign. The title says how
        many loadings had an interval that excludes 0.

    Raises
    ------
    DataContractError
        If there is no such factor, or `sig` lacks a variable.
    SpecError
        If `top` is less than 1.

    See Also
    --------
    bayes_mdd.top_loadings : The same as a table.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> bm.plotting.plot_top_edges(sig, "F3", top=15)  # doctest: +SKIP
    """
    table = top_loadings(sig, factor, top)
    what = "edges" if is_edges(sig) else "features"
    names = name_loadings(table)
    height = 0.36 if any("\n" in name for name in names) else 0.235
    figure, ax = open_axes(ax, 7.0, 1.7 + height * max(len(table), 2))
    n_clear, prob = table.attrs["n_clear"], table.attrs["ci_prob"]
    shown = f"The {len(table)} strongest of {n_clear}" if n_clear > len(table) else f"All {n_clear}"
    count = f"{shown} {what} whose interval excludes 0 (of {table.attrs['n_features']})"
    tidy(ax, title=str(table.attrs["name"]), xlabel=UNIT, grid="x")
    ax.axvline(0, color="0.6", linewidth=1, zorder=1)
    if table.empty:
        ax.set_axis_off()
        nothing = f"No {what} have a {prob:.0%} interval that excludes 0."
        ax.text(0, 0.8, nothing, transform=ax.transAxes, fontsize=TEXT, color=INK)
        return figure
    for (colour, marker), part in (
        (POSITIVE, table[table["mean"] > 0]),
        (NEGATIVE, table[table["mean"] <= 0]),
    ):
        at = part.index.to_numpy(dtype=float)
        ax.hlines(at, part["lower"], part["upper"], color=colour, linewidth=2, zorder=2)
        face = colour if marker == POSITIVE[1] else "white"
        ax.scatter(part["mean"], at, s=34, c=face, edgecolors=colour, marker=marker,
                   linewidths=1.4, zorder=3)  # fmt: skip
    name_rows(ax, names)
    ax.tick_params(axis="y", labelsize=SMALL)
    _write_beside(ax, table)
    put_legend_above(ax, [_mark("positive", *POSITIVE), _mark("negative", *NEGATIVE)])
    write_caption(
        ax,
        f"{count}. Point: posterior mean; line: {prob:.0%} equal-tailed interval; P: probability "
        "of the sign.",
    )
    return figure


def name_loadings(table: pd.DataFrame) -> list[str]:
    """Name the rows of a table of loadings.

    Parameters
    ----------
    table : DataFrame
        From `top_loadings`.

    Returns
    -------
    list of str
        Both regions of an edge, in two lines where one would be long; else the region or the
        feature. Long names are shortened.
    """
    if {"region_a", "region_b"} <= set(table.columns):
        a, b = table["region_a"].astype(str), table["region_b"].astype(str)
        short = shorten_names([*a, *b], 30)
        pairs = [f"{short[x]} \N{EN DASH} {short[y]}" for x, y in zip(a, b, strict=True)]
        if max(map(len, pairs), default=0) > ONE_LINE:
            pairs = [p.replace(" \N{EN DASH} ", " \N{EN DASH}\n") for p in pairs]
        lost = (a == MISSING) | (b == MISSING)
    else:
        pairs = [""] * len(table)
        lost = pd.Series(True, index=table.index)
    own = table[FEATURE].astype(str)
    if "region" in table:
        own = table["region"].astype(str).where(table["region"] != MISSING, own)
        # Several measures of one region.
        own = own.where(~own.duplicated(keep=False), table[FEATURE].astype(str))
    alone = shorten_names(own, 40)
    return [alone[o] if gone else p for p, o, gone in zip(pairs, own, lost, strict=True)]


def _write_beside(ax: Axes, table: pd.DataFrame) -> None:
    """Write networks and the probability of the sign right of each row."""
    p = np.maximum(table["p_positive"], 1 - table["p_positive"])
    words = [format_probability(v) for v in p]
    networks = table["networks"].astype(str).tolist()
    width = max(map(len, networks))
    if any(n != MISSING for n in networks):
        _column(ax, 8, "networks", networks)
    else:
        width = 0
    _column(ax, 8 + (max(width, 8) + 1.5) * 0.62 * SMALL * bool(width), "P", words)


def _column(ax: Axes, right: float, title: str, words: list[str]) -> None:
    for row, text in enumerate(words):
        ax.annotate(
            text,
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(right, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=INK,
            annotation_clip=False,
        )
    ax.annotate(
        title,
        (1, 1),
        xycoords="axes fraction",
        xytext=(right, 3),
        textcoords="offset points",
        va="bottom",
        fontsize=SMALL,
        color="0.35",
        annotation_clip=False,
    )


def _mark(label: str, colour: str, marker: str) -> Line2D:
    face = colour if marker == POSITIVE[1] else "white"
    return Line2D([], [], color=colour, marker=marker, markerfacecolor=face, linewidth=2,
                  markersize=6, label=label)  # fmt: skip
