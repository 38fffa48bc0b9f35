"""Figures of sharing and of the variance explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    SMALL,
    draw_intervals,
    legend_mark,
    name_rows,
    open_axes,
    open_panels,
    pick_colours,
    pick_markers,
    put_legend_above,
    raise_title,
    say_intervals,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import break_name, read_names
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import NOT_NAMEABLE, PRESENT, QUIET, RULES, UNDECIDED, Rules
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.tables.factors import tabulate_factors

LABELS = {"shared": INK, UNDECIDED: "#CC79A7", NOT_NAMEABLE: "#8A6D00", PRESENT: INK}


def plot_sharing(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    specific_below: float = RULES.specific_below,
    probs: tuple[float, float] = (0.5, 0.9),
    axes: Axes | Sequence[Axes] | None = None,
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
    axes : Axes or sequence of Axes, optional
        Where to draw: one with two arms, one per arm with more; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        With two arms, one axis from one arm to the other; with more, one panel per arm. Rows bear
        the names of the factors. Points of factors with a label are filled; those of factors
        without (undecided, not nameable, not reproducible) are outlines. Unused factors are left
        out.

    Raises
    ------
    DataContractError
        If the fit has one arm, lacks a variable, or every factor is unused.
    SpecError
        If there are not as many axes as panels.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_sharing(bm.read_run("runs/demo"))  # doctest: +SKIP
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
    shown = arms[1:] if len(arms) == 2 else arms
    figure, panels = open_panels(
        axes, (1, len(shown)), 7.0, 1.7 + 0.45 * len(table), sharey=len(shown) > 1
    )
    colours = _colour_rows(table, arms)
    hollow = table["label"].isin([UNDECIDED, NOT_NAMEABLE, *QUIET]).to_numpy()
    for ax, arm in zip(panels, shown, strict=True):
        _shade(ax, len(arms), specific_below)
        values = sharing.sel({ARM: arm}).transpose("sample", FACTOR).values
        draw_intervals(ax, values, np.arange(len(table)), colours, probs=probs, hollow=hollow)
        name_rows(ax, [break_name(n) for n in read_names(table)])
        ax.tick_params(axis="y", labelleft=ax is panels[0])
        tidy(ax, title=arm, xlabel="share of variance", grid="x")
    if len(arms) == 2:
        _name_ends(panels[0], arms)
    write_caption(
        panels[0],
        f"{_start(result)}{say_intervals(probs)} (outline: no claim; hidden where "
        "narrower than the point); shaded: an arm holds less than "
        f"{specific_below:.0%} of the factor's variance and takes no part; dotted: equal "
        "shares.",
        across=len(shown),
    )
    return figure


def _start(result: Result) -> str:
    people = count_people(result)
    return f"{people}; " if people else ""


def _colour_rows(table: pd.DataFrame, arms: list[str]) -> list[str]:
    """Give the factors of one arm its colour, and grey to those not to be put forward."""
    colours = {f"{arm}-specific": c for arm, c in pick_colours(arms).items()} | LABELS
    return [FADED if label in QUIET else colours.get(label, INK) for label in table["label"]]


def _shade(ax: Axes, n_arms: int, specific_below: float) -> None:
    """Mark where an arm takes no part, and where all arms share alike."""
    ax.axvspan(0, specific_below, color="0.92", linewidth=0)
    if n_arms == 2:
        ax.axvspan(1 - specific_below, 1, color="0.92", linewidth=0)
    ax.axvline(1 / n_arms, color="0.6", linewidth=1, linestyle=":")
    ax.set_xlim(-0.015, 1.015)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1] if n_arms == 2 else [0, 0.5, 1])
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")


def _name_ends(ax: Axes, arms: list[str]) -> None:
    """Say above the axes what its ends mean."""
    tidy(
        ax,
        title="How the arms share each factor",
        xlabel=f"share of the factor's variance in {arms[1]} (rest: {arms[0]})",
    )
    for x, words, side in ((0, f"{arms[0]} only", "left"), (1, f"{arms[1]} only", "right")):
        ax.annotate(
            words,
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha=side,
            fontsize=SMALL,
            color=INK,
        )
    raise_title(ax)


def plot_explained(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    probs: tuple[float, float] = (0.5, 0.9),
    ax: Axes | None = None,
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
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One row per factor that is used, one colour and marker per arm.

    Raises
    ------
    DataContractError
        If `idata` lacks a variable, or every factor is unused.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_explained(bm.read_run("runs/demo"))  # doctest: +SKIP
    """
    result = read_result(idata)
    table = tabulate_factors(result) if factors is None else factors
    table = _used(table, "plot_explained")
    explained = _flat(result, "explained", table) * 100
    arms = [str(a) for a in explained[ARM].values]
    colours, markers = pick_colours(arms), pick_markers(arms)
    figure, ax = open_axes(ax, 7.0, 1.7 + (0.34 + 0.12 * len(arms)) * len(table))
    offsets = (np.arange(len(arms)) - (len(arms) - 1) / 2) * 0.6 / max(len(arms), 2)
    for arm, offset in zip(arms, offsets, strict=True):
        values: npt.NDArray[np.float64] = (
            explained.sel({ARM: arm}).transpose("sample", FACTOR).values
        )
        rows = np.arange(len(table)) + offset
        each = [colours[arm]] * len(table)
        draw_intervals(ax, values, rows, each, probs=probs, marker=markers[arm])
    ax.set_xlim(left=-0.015 * ax.get_xlim()[1])
    tidy(ax, title="What each factor explains", xlabel="% of the arm's variance", grid="x")
    name_rows(ax, [break_name(n) for n in read_names(table)])
    put_legend_above(ax, mark_arms(arms))
    write_caption(ax, f"{_start(result)}{say_intervals(probs)}.")
    return figure


def mark_arms(arms: Sequence[str]) -> list[Line2D]:
    """Make one mark per arm for a legend, as `draw_intervals` draws them.

    Parameters
    ----------
    arms : sequence of str
        Names.

    Returns
    -------
    list of Line2D
        With colour, marker and name.
    """
    colours, markers = pick_colours(arms), pick_markers(arms)
    look: dict[str, Any] = {"markersize": 6, "markeredgecolor": "white", "markeredgewidth": 0.9}
    return [
        legend_mark(a, colours[a], line="-", width=1.8, marker=markers[a], **look) for a in arms
    ]


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
