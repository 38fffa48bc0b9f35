"""Scores of the subjects by arm."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

from bayes_mdd.results.figures.style import (
    INK,
    MARKERS,
    PALETTE,
    SMALL,
    TEXT,
    open_panels,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.tables.scores import ScoreDraws, choose_factors, read_scores
from bayes_mdd.types import Array

_GOLDEN = (math.sqrt(5) - 1) / 2
#: Draws of an arm from which its density is estimated.
DENSITY_FROM = 3000


def plot_scores(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | Sequence[str] | None = None,
    points: bool = True,
    prob: float = 0.9,
    columns: int = 2,
    axes: Axes | Sequence[Axes] | npt.NDArray[Any] | None = None,
) -> Figure:
    """Plot the scores of the participants by arm.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    factors : pandas.DataFrame or sequence of str, optional
        What `classify_factors` returned, or names of factors; by default all that are used.
    points : bool, default True
        Whether to draw one mark per participant. Without, a box shows the middle half of the scores
        of the arm, and the figure can be shared.
    prob : float, default 0.9
        Of the equal-tailed intervals.
    columns : int, default 2
        Panels side by side.
    axes : sequence of matplotlib.axes.Axes, optional
        Where to draw, row by row, one for each factor; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per factor and one row per arm (controls too where they are an arm): the
        distribution of the scores over participants and draws, the mean of the arm with its
        interval, and the posterior mean of each participant with its interval, at heights that
        have no meaning.

    Raises
    ------
    DataContractError
        If the fit lacks scores, a factor is unknown or unused, or every factor is unused.

    Notes
    -----
    A score is in SD of the scores of an average arm, relative to the mean over arms in each draw
    (controls, where they are an arm): the data do not determine a constant that all participants
    share. The interval of the mean is that of the population of the arm. Scores are estimates from
    few participants; do not choose a treatment by them.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> bm.plotting.plot_scores(idata, factors=["F2", "F3"])  # doctest: +SKIP
    """
    result = read_result(idata)
    table = choose_factors(result, factors, "plot_scores")
    scores = read_scores(result, table["factor"].tolist())
    n = len(table)
    shape = math.ceil(n / columns), min(columns, n)
    width = 7.0 if shape[1] > 1 else 5.5
    height = shape[0] * (0.95 + 0.52 * len(scores.arms)) + 0.7
    empty = shape[0] * shape[1] - n
    if axes is None:
        figure, panels = open_panels(None, shape, width, height, sharex=True, sharey=True)
        for ax in panels[n:]:
            ax.set_visible(False)
    else:
        figure, panels = open_panels(axes, (1, n), width, height)
    low, high = _limits(scores, points=points, prob=prob)
    for i, (ax, name) in enumerate(zip(panels, name_factors(table), strict=False)):
        _draw_factor(ax, scores, i, points=points, prob=prob)
        room = panels[0].get_position().width * figure.get_figwidth()
        words = textwrap.wrap(name, max(20, int(room * 72 / (0.55 * (TEXT + 1)))))
        tidy(ax, title="\n".join(words), grid="x")
        ax.set_xlim(low, high)
        bottom = axes is not None or i >= n - shape[1]
        if bottom:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("score, SD of an average arm", fontsize=TEXT, color=INK)
    first = n - shape[1] + (empty if shape[0] > 1 else 0)
    write_caption(
        panels[first if axes is None else 0],
        _caption(scores, points=points, prob=prob),
        across=shape[1] if axes is None else 1,
    )
    return figure


def _limits(scores: ScoreDraws, *, points: bool, prob: float) -> tuple[float, float]:
    """Limits common to all panels."""
    tail = (1 - prob) / 2 if points else 0.005
    if points:
        low, high = np.quantile(scores.draws, [tail, 1 - tail], axis=0)
        ends = float(low.min()), float(high.max())
    else:
        per_arm = [scores.draws[:, scores.arm == a] for a in scores.arms]
        bounds = [np.quantile(d, [tail, 1 - tail], axis=(0, 1)) for d in per_arm]
        ends = float(np.min(bounds)), float(np.max(bounds))
    margin = 0.04 * (ends[1] - ends[0])
    return ends[0] - margin, ends[1] + margin


def _draw_factor(ax: Axes, scores: ScoreDraws, factor: int, *, points: bool, prob: float) -> None:
    """Draw one row per arm, the first on top."""
    ax.axvline(0, color="0.6", linewidth=1, zorder=1)
    tail = (1 - prob) / 2
    for a, arm in enumerate(scores.arms):
        row = len(scores.arms) - 1 - a
        colour, marker = PALETTE[a % len(PALETTE)], MARKERS[a % len(MARKERS)]
        drawn = scores.draws[:, scores.arm == arm, factor]
        _draw_cloud(ax, drawn, row, colour)
        if points:
            _draw_points(ax, drawn, row, colour, marker, tail)
        else:
            _draw_box(ax, drawn, row, colour)
        if len(scores.arms) == 1:
            continue
        mean = scores.arm_mean[:, a, factor]
        low, high = np.quantile(mean, [tail, 1 - tail])
        ax.hlines(row, low, high, color=INK, linewidth=2.6, zorder=4)
        ax.scatter(mean.mean(), row, s=24, c="white", marker="d", edgecolors=INK, zorder=5)
    counts = [int((scores.arm == a).sum()) for a in scores.arms]
    names = [f"{a}\nn = {c}" for a, c in zip(scores.arms, counts, strict=True)]
    ax.set_yticks(np.arange(len(names))[::-1], names, fontsize=SMALL)
    ax.set_ylim(-0.5, len(names) - 0.42)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _draw_cloud(ax: Axes, drawn: Array, row: int, colour: str) -> None:
    """Density over participants and draws above the row; all are equally high."""
    step = max(1, drawn.size // DENSITY_FROM)
    sample = drawn.ravel()[::step]
    if not sample.std() > 1e-9:
        return
    low, high = np.quantile(drawn, [0.002, 0.998])
    grid = np.linspace(low, high, 160)
    height = gaussian_kde(sample)(grid)
    top = row + 0.06 + 0.4 * height / height.max()
    ax.fill_between(grid, row + 0.06, top, color=colour, alpha=0.3, linewidth=0, zorder=2)
    ax.plot(grid, top, color=colour, linewidth=1.4, zorder=2)


def _draw_points(ax: Axes, drawn: Array, row: int, colour: str, marker: str, tail: float) -> None:
    """One mark per participant below the row; neighbours in score differ most in height."""
    mean = drawn.mean(axis=0)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    rank = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    at = row - 0.1 - 0.32 * ((rank * _GOLDEN) % 1)
    ax.hlines(at, low, high, color=colour, linewidth=0.8, alpha=0.35, zorder=2)
    ax.scatter(mean, at, s=13, c=colour, marker=marker, edgecolors="white", linewidths=0.4,
               zorder=3)  # fmt: skip


def _draw_box(ax: Axes, drawn: Array, row: int, colour: str) -> None:
    """Middle half of the scores over participants and draws."""
    low, middle, high = np.quantile(drawn, [0.25, 0.5, 0.75])
    ax.fill_between([low, high], row - 0.26, row - 0.12, color=colour, alpha=0.3, linewidth=0)
    ax.plot([low, high, high, low, low], row - np.array([0.26, 0.26, 0.12, 0.12, 0.26]),
            color=colour, linewidth=1.2)  # fmt: skip
    ax.vlines(middle, row - 0.26, row - 0.12, color=INK, linewidth=1.4)


def _caption(scores: ScoreDraws, *, points: bool, prob: float) -> str:
    whose = "of the arm" if scores.of_model else "of these participants"
    parts = [f"0: {scores.origin}", "cloud: scores over participants and draws"]
    if len(scores.arms) > 1:
        parts.append(f"diamond: mean {whose} with {prob:.0%} interval")
    if points:
        parts.append(f"points: posterior mean and {prob:.0%} interval of each participant")
    else:
        parts.append("box: middle half of the scores, with the median")
    tail = " Intervals are equal-tailed." if points or len(scores.arms) > 1 else ""
    return "; ".join(parts) + "." + tail
