"""Variance explained by factor and arm, with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.results.figures.style import INK, SMALL, TEXT, open_axes, tidy, write_caption
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.population import count_by_arm
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.tables.arms import explained_by_arm
from bayes_mdd.shared_specific.tables.scores import choose_factors

CMAP = "YlGnBu"
#: Height of the gap above the totals, in rows.
GAP = 0.25


def plot_variance(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | Sequence[str] | None = None,
    prob: float = 0.9,
    ax: Axes | None = None,
) -> Figure:
    """Plot the variance explained by each factor in each arm as a heat map with numbers.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    factors : pandas.DataFrame or sequence of str, optional
        What `classify_factors` returned, or names of factors; by default all that are used.
    prob : float, default 0.9
        Of the equal-tailed intervals.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One row per factor and one column per arm: posterior mean of the share of the arm's variance
        over all features, in percent, with its interval. The last row is the total of all factors
        of the fit.

    Raises
    ------
    DataContractError
        If the fit lacks a variable, a factor is unknown or unused, or every factor is unused.

    See Also
    --------
    plot_explained : The same as intervals on an axis.
    bayes_mdd.explained_by_arm : The totals as a table.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> bm.plotting.plot_variance(bm.read_run("runs/demo"))  # doctest: +SKIP
    """
    result = read_result(idata)
    table = choose_factors(result, factors, "plot_variance")
    chosen = {FACTOR: table["factor"].tolist()}
    explained = result.group("posterior", ["explained"])["explained"].sel(chosen) * 100
    mean = explained.mean((CHAIN, DRAW)).transpose(FACTOR, ARM).values
    tail = [(1 - prob) / 2, (1 + prob) / 2]
    bounds = explained.quantile(tail, dim=(CHAIN, DRAW)).transpose("quantile", FACTOR, ARM).values
    total = explained_by_arm(result, ci_prob=prob)
    names, (n, n_arms) = name_factors(table), mean.shape
    words = 0.075 * max(map(len, names))
    figure, ax = open_axes(
        ax, min(7.5, max(4.0, 1.2 + words + 1.15 * n_arms)), 1.7 + 0.46 * (n + 1)
    )
    top = float(mean.max()) or 1.0
    ax.pcolormesh(np.arange(n_arms + 1) - 0.5, np.arange(n + 1) - 0.5, mean, cmap=CMAP, vmin=0,
                  vmax=top, edgecolors="white", linewidth=1.5)  # fmt: skip
    for (i, j), value in np.ndenumerate(mean):
        colour = "white" if value > 0.6 * top else INK
        _write(ax, j, i, value, bounds[0, i, j], bounds[1, i, j], colour)
    ends = total[["explained", "explained_lower", "explained_upper"]].to_numpy() * 100
    for j, row in enumerate(ends):
        _write(ax, j, n + GAP, row[0], row[1], row[2], INK)
    ax.axhline(n - 0.5 + GAP / 2, color=INK, linewidth=1)
    ax.set_ylim(n + 0.5 + GAP, -0.5)
    tidy(ax, title="Variance explained, %")
    ax.set_yticks([*range(n), n + GAP], [*names, "all factors"], fontsize=TEXT)
    of = count_by_arm(result)
    arms = [f"{a}\nn = {of.get(a, 0)}" for a in total["arm"]]
    ax.set_xticks(range(n_arms), arms, fontsize=TEXT)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    write_caption(
        ax,
        f"Share of the arm's variance over all features: posterior mean with {prob:.0%} "
        "equal-tailed interval. Darker: more.",
    )
    return figure


def _write(
    ax: Axes, column: float, row: float, mean: float, low: float, high: float, colour: str
) -> None:
    """Write a number and its interval into a cell."""
    ax.text(column, row - 0.17, f"{mean:.1f}", ha="center", va="center", fontsize=TEXT,
            color=colour)  # fmt: skip
    ax.text(column, row + 0.24, f"{low:.1f} to {high:.1f}", ha="center", va="center",
            fontsize=SMALL, color=colour)  # fmt: skip
