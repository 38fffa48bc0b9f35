"""Figures of sharing and of the variance explained."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    SMALL,
    draw_intervals,
    name_rows,
    new_figure,
    pick_colours,
    tidy,
)
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import QUIET, RULES, Rules
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.tables.factors import NOT_NAMEABLE, tabulate_factors

LABELS = {"shared": INK, "undecided": "#CC79A7", NOT_NAMEABLE: "#8A6D00", "present": INK}


def plot_sharing(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    specific_below: float = RULES.specific_below,
    probs: tuple[float, float] = (0.5, 0.9),
) -> Figure:
    """Plot how the variance of each factor is divided among the arms.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned, with at least two arms.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with `specific_below` when absent.
    specific_below : float, default 0.10
        An arm with a smaller share takes no part; these zones are shaded.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.

    Returns
    -------
    matplotlib.figure.Figure
        With two arms, one axis from one arm to the other; with more, one panel per arm. Factors
        that are not reproducible are grey; those that are undecided or not nameable have colours
        of their own. Unused factors are left out.

    Raises
    ------
    DataContractError
        If the fit has one arm, lacks a variable, or every factor is unused.
    """
    result = read_result(idata)
    table = factors
    if table is None:
        table = tabulate_factors(result, Rules(specific_below=specific_below))
    table = _used(table, "plot_sharing")
    sharing = _flat(result, "sharing", table)
    arms = [str(a) for a in sharing[ARM].values]
    if len(arms) < 2:
        raise DataContractError(
            "plot_sharing", [f"the fit has one arm ({arms[0]}): there is nothing to share."]
        )
    shown = arms[:1] if len(arms) == 2 else arms
    colours = _colour_rows(table, arms)
    figure = new_figure(4.6 + 2.4 * len(shown), 1.6 + 0.42 * len(table))
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for ax, arm in zip(panels, shown, strict=True):
        _shade(ax, len(arms), specific_below)
        values = sharing.sel({ARM: arm}).transpose("sample", FACTOR).values
        draw_intervals(ax, values, np.arange(len(table)), colours, probs=probs)
        title = "How the arms share each factor" if len(shown) == 1 else arm
        tidy(ax, title=title, xlabel=f"share of the factor's variance in {arm}", grid="x")
    name_rows(panels[0], table["factor"].tolist())
    if len(arms) == 2:
        panels[0].set_xlabel(
            f"{arms[1]} only  \N{LEFTWARDS ARROW}   share of the factor's variance in {arms[0]}   "
            f"\N{RIGHTWARDS ARROW}  {arms[0]} only"
        )
    _write_labels(panels[-1], table, colours)
    figure.supxlabel(
        f"point: posterior mean; lines: {probs[0]:.0%} and {probs[1]:.0%} intervals; "
        f"shaded: share below {specific_below:.0%}",
        fontsize=SMALL,
        color="0.35",
    )
    return figure


def _colour_rows(table: pd.DataFrame, arms: list[str]) -> list[str]:
    """Give the factors of one arm its colour, and grey to those not to be put forward."""
    colours = {f"{arm}-specific": c for arm, c in pick_colours(arms).items()} | LABELS
    return [FADED if label in QUIET else colours.get(label, INK) for label in table["label"]]


def _shade(ax: Axes, n_arms: int, specific_below: float) -> None:
    """Mark where an arm takes no part, and where all arms share alike."""
    ax.axvspan(0, specific_below, color="0.93", linewidth=0)
    if n_arms == 2:
        ax.axvspan(1 - specific_below, 1, color="0.93", linewidth=0)
    ax.axvline(1 / n_arms, color="0.75", linewidth=1, linestyle=":")
    ax.set_xlim(-0.015, 1.015)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _write_labels(ax: Axes, table: pd.DataFrame, colours: list[str]) -> None:
    """Put each factor's label to the right of its row."""
    for row, (label, colour) in enumerate(zip(table["label"], colours, strict=True)):
        ax.annotate(
            label,
            (1.02, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=SMALL,
            color=colour,
            annotation_clip=False,
        )


def plot_explained(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    probs: tuple[float, float] = (0.5, 0.9),
) -> Figure:
    """Plot the share of each arm's variance that each factor explains.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.

    Returns
    -------
    matplotlib.figure.Figure
        One row per factor that is used, one colour per arm.

    Raises
    ------
    DataContractError
        If `idata` lacks a variable, or every factor is unused.
    """
    result = read_result(idata)
    table = tabulate_factors(result) if factors is None else factors
    table = _used(table, "plot_explained")
    explained = _flat(result, "explained", table) * 100
    arms = [str(a) for a in explained[ARM].values]
    colours = pick_colours(arms)
    figure = new_figure(7.0, 1.6 + (0.3 + 0.16 * len(arms)) * len(table))
    ax = figure.subplots()
    offsets = (np.arange(len(arms)) - (len(arms) - 1) / 2) * 0.6 / max(len(arms), 2)
    for arm, offset in zip(arms, offsets, strict=True):
        values: npt.NDArray[np.float64] = (
            explained.sel({ARM: arm}).transpose("sample", FACTOR).values
        )
        rows = np.arange(len(table)) + offset
        draw_intervals(ax, values, rows, [colours[arm]] * len(table), probs=probs)
        ax.scatter([], [], c=colours[arm], s=34, label=arm)
    names = [f"{f}  ({lab})" for f, lab in zip(table["factor"], table["label"], strict=True)]
    ax.set_xlim(left=-0.015 * ax.get_xlim()[1])
    tidy(ax, title="What each factor explains", xlabel="% of the arm's variance", grid="x")
    name_rows(ax, names)
    ax.legend(
        frameon=False,
        fontsize=SMALL,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(arms),
        borderaxespad=0.1,
    )
    figure.supxlabel(
        f"point: posterior mean; lines: {probs[0]:.0%} and {probs[1]:.0%} intervals",
        fontsize=SMALL,
        color="0.35",
    )
    return figure


def _used(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Rows of the factors to draw."""
    used = used_factors(table)
    if used.empty:
        raise DataContractError(what, ["every factor is unused: nothing to draw."])
    return used


def _flat(result: Result, name: str, table: pd.DataFrame) -> xr.DataArray:
    """All draws of the factors of a table along one axis, ``sample``."""
    posterior = result.group("posterior", [name])
    values = posterior[name].sel({FACTOR: table["factor"].to_list()})
    # xarray's stack, not pandas'.
    return values.stack(sample=(CHAIN, DRAW), create_index=False)
