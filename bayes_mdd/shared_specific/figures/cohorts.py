"""Figure of factors over cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, MISSING
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.figures.style import (
    INK,
    SMALL,
    TEXT,
    draw_intervals,
    name_rows,
    open_axes,
    pick_colours,
    pick_markers,
    put_legend_above,
    say_intervals,
    tidy,
    write_caption,
)
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.figures.factors import mark_arms
from bayes_mdd.shared_specific.tables.cohorts import LEAST_ALIKE, match_cohorts
from bayes_mdd.types import Array

Shown = Literal["explained", "sharing"]


@dataclass(frozen=True)
class _Row:
    """One line of the figure: a heading, a cohort, or which cohorts have no such factor."""

    words: str
    cohort: str = ""
    factor: str = ""
    right: str = ""


def plot_cohorts(
    runs: Mapping[str, xr.DataTree | Result],
    *,
    show: Shown = "explained",
    least: float = LEAST_ALIKE,
    probs: tuple[float, float] = (0.5, 0.9),
    ax: Axes | None = None,
) -> Figure:
    """Plot the factors of several cohorts below each other, matched by their maps.

    Parameters
    ----------
    runs : mapping of str to DataTree
        Fits of the factor model by the name of the cohort, two or more; the first is the reference.
    show : {"explained", "sharing"}, default "explained"
        The share of each arm's variance that a factor explains, or the part of the factor's
        variance that the second arm holds (two arms, the same in all cohorts).
    least : float, default 0.5
        Smallest absolute correlation of two maps that is called a match.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One heading per pattern with its name in the first cohort that has it, and one row per
        cohort with the label there and ``|r|``, the absolute correlation of its map with that of
        the first; cohorts without a match are named. Cohorts are fitted apart and not pooled.

    Raises
    ------
    DataContractError
        If runs cannot be matched (see `match_cohorts`), or ``show="sharing"`` and the arms are not
        the same two.
    SpecError
        If `show` or `least` is out of range.

    See Also
    --------
    bayes_mdd.match_cohorts : The table behind the figure.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> runs = {"Lyon": bm.read_run("runs/lyon"), "Utrecht": bm.read_run("runs/utrecht")}
    ... # doctest: +SKIP
    >>> figure = bm.plotting.plot_cohorts(runs)  # doctest: +SKIP
    """
    if show not in ("explained", "sharing"):
        raise SpecError(f"show must be 'explained' or 'sharing', got {show!r}.")
    results = {str(name): read_result(run) for name, run in runs.items()}
    matched = match_cohorts(results, least=least)
    arms = list(dict.fromkeys(a for r in results.values() for a in r.arms))
    if show == "sharing" and any(sorted(r.arms) != sorted(arms) for r in results.values()):
        raise DataContractError("plot_cohorts", [_differing(results)])
    if show == "sharing" and len(arms) != 2:
        raise DataContractError(
            "plot_cohorts", [f"sharing is shown for two arms, and there are {len(arms)}."]
        )
    rows = _list_rows(matched)
    figure, ax = open_axes(ax, 7.0, 1.9 + 0.3 * len(rows))
    shown = arms if show == "explained" else arms[1:]
    for i, row in enumerate(rows):
        if row.factor:
            _draw_row(ax, i, results[row.cohort], row.factor, show, shown, arms, probs)
    _finish(ax, rows, show, arms)
    write_caption(
        ax,
        f"{say_intervals(probs)}; |r|: absolute correlation of maps over "
        f"{matched.attrs['features']} features; below {least:g} no match",
    )
    return figure


def _differing(results: Mapping[str, Result]) -> str:
    said = "; ".join(f"{n}: {', '.join(r.arms)}" for n, r in results.items())
    return f"sharing needs the same two arms in all cohorts ({said}): use show='explained'."


def _list_rows(matched: pd.DataFrame) -> list[_Row]:
    rows = []
    for _, group in matched.groupby("pattern", sort=False):
        there = group[group["factor"] != MISSING]
        rows.append(_Row(str(there.iloc[0]["name"])))
        first = str(there.iloc[0]["cohort"])
        for row in there.itertuples():
            words = f"{row.cohort} {row.factor} (n = {row.participants})"
            alike = ", reference" if row.cohort == first else f", |r| {row.alike:.2f}"
            rows.append(_Row(words, str(row.cohort), str(row.factor), f"{row.label}{alike}"))
        absent = [
            f"{row.cohort} (|r| {row.alike:.2f})"
            for row in group[group["factor"] == MISSING].itertuples()
        ]
        if absent:
            rows.append(_Row(f"no match: {', '.join(absent)}"))
    return rows


def _draw_row(
    ax: Axes,
    at: int,
    result: Result,
    factor: str,
    show: Shown,
    shown: list[str],
    arms: list[str],
    probs: tuple[float, float],
) -> None:
    drawn = result.group("posterior", [show])[show].sel({FACTOR: factor})
    colours, markers = pick_colours(arms), pick_markers(arms)
    own = [a for a in shown if a in result.arms]
    apart = 0.46 / max(len(shown), 1)
    for arm in own:
        values: Array = drawn.sel({ARM: arm}).transpose(CHAIN, DRAW).values.reshape(-1, 1)
        shift = apart * (shown.index(arm) - (len(shown) - 1) / 2)
        colour, marker = (colours[arm], markers[arm]) if len(shown) > 1 else (INK, "o")
        scale = 100 if show == "explained" else 1
        draw_intervals(ax, scale * values, [at + shift], [colour], probs=probs, marker=marker)


def _finish(ax: Axes, rows: list[_Row], show: Shown, arms: list[str]) -> None:
    if show == "explained":
        ax.set_xlim(left=-0.02 * ax.get_xlim()[1])
        tidy(ax, title="Factors over cohorts", xlabel="% of the arm's variance", grid="x")
    else:
        ax.axvline(0.5, color="0.6", linewidth=1, linestyle=":", zorder=1)
        ax.set_xlim(-0.02, 1.02)
        xlabel = f"share of the factor's variance in {arms[1]} (rest: {arms[0]})"
        tidy(ax, title="Factors over cohorts", xlabel=xlabel, grid="x")
    name_rows(ax, [row.words if row.factor else "" for row in rows])
    for i, row in enumerate(rows):
        if row.factor:
            _write(ax, 1, i, f" {row.right}", SMALL)
        else:
            heading = not row.words.startswith("no match")
            ax.axhspan(i - 0.5, i + 0.5, color="white", zorder=1.5)
            _write(ax, 0, i, f" {row.words}", TEXT if heading else SMALL)
            if heading and i:
                ax.axhline(i - 0.5, color="0.8", linewidth=0.8, zorder=1.6)
    for label in ax.get_yticklabels():
        label.set_fontsize(SMALL)
    if show == "explained":
        put_legend_above(ax, mark_arms(arms))


def _write(ax: Axes, x: float, row: int, words: str, size: float) -> None:
    ax.annotate(
        words, (x, row), xycoords=("axes fraction", "data"), va="center", fontsize=size,
        color=INK, annotation_clip=False, zorder=5,
    )  # fmt: skip
