"""Forest plot of the patterns of several cohorts and of their combination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    SMALL,
    TEXT,
    draw_intervals,
    name_rows,
    open_axes,
    pick_colours,
    pick_markers,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.rules import UNUSED
from bayes_mdd.shared_specific.cohorts.combined import COHORT
from bayes_mdd.shared_specific.cohorts.table import require_combined, summarise_combined
from bayes_mdd.shared_specific.figures.factors import mark_arms
from bayes_mdd.types import Array

Shown = Literal["explained", "sharing"]


@dataclass(frozen=True)
class _Row:
    """One line: a heading, a cohort, the combination, or a new cohort."""

    kind: Literal["heading", "cohort", "combined", "new"]
    words: str
    factor: str = ""
    cohort: str = ""
    right: str = ""


def plot_combined(
    combined: xr.DataTree,
    *,
    show: Shown = "explained",
    probs: tuple[float, float] = (0.5, 0.9),
    ax: Axes | None = None,
) -> Figure:
    """Plot the patterns of several cohorts: each cohort alone, all combined, and a new cohort.

    Parameters
    ----------
    combined : DataTree
        What `combine_cohorts` returned.
    show : {"explained", "sharing"}, default "explained"
        The share of each arm's variance that a pattern explains, or the part of the pattern's
        variance that the second arm holds (two arms).
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Per pattern a heading with its name, one row per cohort (hollow points: from its estimates
        alone, 90% interval) with ``|r|``, the correlation of its map with that of the others, one
        row for the combination and one, dashed, for a new cohort that has the pattern. Cohorts
        that did not find the pattern have the probability that they have it.

    Raises
    ------
    DataContractError
        If `combined` is something else, no pattern is used, or ``show="sharing"`` and there are
        not two arms.
    SpecError
        If `show` is neither.

    See Also
    --------
    bayes_mdd.plotting.plot_cohorts : Factors of runs, matched but not combined.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_combined(bm.read_combined("combined"))  # doctest: +SKIP
    """
    if show not in ("explained", "sharing"):
        raise SpecError(f"show must be 'explained' or 'sharing', got {show!r}.")
    table = summarise_combined(require_combined(combined))
    table = table[table["label"] != UNUSED]
    if table.empty:
        raise DataContractError("plot_combined", ["every pattern is unused: nothing to draw."])
    cohorts = combined["cohorts"].to_dataset()
    arms = [str(a) for a in cohorts[ARM].values]
    if show == "sharing" and len(arms) != 2:
        raise DataContractError(
            "plot_combined", [f"sharing is shown for two arms, and there are {len(arms)}."]
        )
    rows = list(_list_rows(combined, cohorts, table))
    figure, ax = open_axes(ax, 7.0, 1.9 + 0.28 * len(rows))
    shown = arms if show == "explained" else arms[1:]
    for at, row in enumerate(rows):
        if row.kind == "cohort" and not row.right.startswith("not found"):
            _draw_cohort(ax, at, cohorts.sel({FACTOR: row.factor, COHORT: row.cohort}), show, shown)
        elif row.kind in ("combined", "new"):
            _draw_all(ax, at, combined, row, show, shown, probs)
    _finish(ax, rows, show, arms)
    return figure


def _list_rows(combined: xr.DataTree, cohorts: xr.Dataset, table: pd.DataFrame) -> Iterator[_Row]:
    present = combined["posterior"]["present"].mean((CHAIN, DRAW))
    for pattern in table.itertuples():
        factor = str(pattern.factor)
        yield _Row("heading", str(pattern.name), factor)
        for name in cohorts[COHORT].values:
            one = cohorts.sel({FACTOR: factor, COHORT: name})
            n = int(one["n"].sum())
            p = float(present.sel({FACTOR: factor, COHORT: name}))
            own, alike = str(one["own_factor"].values), float(one["alike"])
            said = f"|r| {abs(alike):.2f}" if np.isfinite(alike) else "alone"
            right = f"not found, P {p:.2f}" if own == MISSING else said
            words = f"{name} (n = {n})" if own == MISSING else f"{name} {own} (n = {n})"
            yield _Row("cohort", words, factor, str(name), right)
        yield _Row("combined", "combined", factor, right=str(pattern.label))
        yield _Row("new", "new cohort", factor)


def _places(at: int, shown: list[str], arm: str) -> float:
    apart = 0.46 / max(len(shown), 1)
    return at + apart * (shown.index(arm) - (len(shown) - 1) / 2)


def _look(shown: list[str], arm: str, arms: list[str]) -> tuple[str, str]:
    if len(shown) == 1:
        return INK, "o"
    return pick_colours(arms)[arm], pick_markers(arms)[arm]


def _draw_cohort(ax: Axes, at: int, one: xr.Dataset, show: Shown, shown: list[str]) -> None:
    scale = 100 if show == "explained" else 1
    arms = [str(a) for a in one[ARM].values]
    for arm in shown:
        own = one.sel({ARM: arm})
        colour, marker = _look(shown, arm, arms)
        y = _places(at, shown, arm)
        low, high = (scale * float(own[f"{show}_{end}"]) for end in ("lower", "upper"))
        ax.hlines(y, low, high, color=colour, linewidth=1.2, alpha=0.7, zorder=2)
        ax.scatter(
            [scale * float(own[show])], [y], s=26, c="white", marker=marker, edgecolors=colour,
            linewidths=1.2, zorder=3,
        )  # fmt: skip


def _draw_all(
    ax: Axes,
    at: int,
    combined: xr.DataTree,
    row: _Row,
    show: Shown,
    shown: list[str],
    probs: tuple[float, float],
) -> None:
    scale = 100 if show == "explained" else 1
    name = show if row.kind == "combined" else f"new_{show}"
    drawn = combined["posterior"].to_dataset()[name].sel({FACTOR: row.factor})
    arms = [str(a) for a in drawn[ARM].values]
    for arm in shown:
        values: Array = scale * drawn.sel({ARM: arm}).values.reshape(-1, 1)
        colour, marker = _look(shown, arm, arms)
        y = _places(at, shown, arm)
        if row.kind == "combined":
            draw_intervals(ax, values, [y], [colour], probs=probs, marker=marker)
            continue
        low, high = np.quantile(values, [(1 - probs[1]) / 2, (1 + probs[1]) / 2])
        ax.hlines(y, low, high, color=colour, linewidth=1.2, linestyles=(0, (3, 2)), zorder=2)


def _finish(ax: Axes, rows: list[_Row], show: Shown, arms: list[str]) -> None:
    if show == "explained":
        ax.set_xlim(left=-0.02 * ax.get_xlim()[1])
        xlabel = "% of the arm's variance"
    else:
        ax.axvline(0.5, color="0.6", linewidth=1, linestyle=":", zorder=1)
        ax.set_xlim(-0.02, 1.02)
        xlabel = f"share of the pattern's variance in {arms[1]} (rest: {arms[0]})"
    tidy(ax, title="Cohorts and their combination", xlabel=xlabel, grid="x")
    name_rows(ax, ["" if row.kind == "heading" else row.words for row in rows])
    for at, row in enumerate(rows):
        if row.kind == "heading":
            ax.axhspan(at - 0.5, at + 0.5, color="white", zorder=1.5)
            _write(ax, 0, at, f" {row.words}", TEXT, INK)
            if at:
                ax.axhline(at - 0.5, color="0.8", linewidth=0.8, zorder=1.6)
        elif row.right:
            _write(ax, 1, at, f" {row.right}", SMALL, INK if row.kind == "combined" else FADED)
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontsize(SMALL)
        label.set_fontweight("bold" if row.kind == "combined" else "normal")
    if show == "explained":
        put_legend_above(ax, mark_arms(arms))
    write_caption(
        ax,
        "hollow points: a cohort alone, 90% interval; full points: posterior mean of the "
        "combination with 50% and 90% intervals; dashed: 90% interval of a new cohort; |r|: "
        "correlation of a cohort's map with that of the others, corrected for errors",
    )


def _write(ax: Axes, x: float, row: int, words: str, size: float, colour: str) -> None:
    ax.annotate(
        words, (x, row), xycoords=("axes fraction", "data"), va="center", fontsize=size,
        color=INK if colour == INK else "0.3", annotation_clip=False, zorder=5,
    )  # fmt: skip
