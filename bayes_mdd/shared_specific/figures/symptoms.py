"""Figure of the symptom links."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    SMALL,
    TEXT,
    draw_intervals,
    name_rows,
    new_figure,
    pick_colours,
    tidy,
)
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import QUIET
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array

#: Short names of units, for the title of a panel.
_SHORT = {"gaussian": "SD", "ordinal": "log-odds"}


def plot_symptom_links(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    probs: tuple[float, float] = (0.5, 0.9),
    columns: int = 3,
    by_arm: bool = False,
) -> Figure:
    """Plot the weight of each factor in each symptom.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned, with symptoms.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval around the posterior mean.
    columns : int, default 3
        Panels side by side.
    by_arm : bool, default False
        One interval per arm, for fits with ``symptom_links="by_arm"``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per symptom, in SD for dimensions and log-odds for ordinal items; panels of a kind
        have one scale. Coloured where the wider interval excludes 0; grey otherwise, and for
        factors that are not reproducible; unused factors are left out. By arm the colour is that of
        the arm, pale where it would be grey.

    Raises
    ------
    DataContractError
        If the fit had no symptoms, no links by arm where they are asked for, or every factor is
        unused.
    """
    result = read_result(idata)
    table = used_factors(tabulate_factors(result) if factors is None else factors)
    if table.empty:
        raise DataContractError("plot_symptom_links", ["every factor is unused: nothing to draw."])
    units = read_link_units(result)
    name = "symptom_weight_by_arm" if by_arm else "symptom_weight"
    weight = result.group("posterior", [name])[name].sel({FACTOR: table["factor"].to_list()})
    arms = [str(a) for a in weight[ARM].values] if by_arm else []
    # xarray's stack, not pandas'.
    weight = weight.stack(sample=(CHAIN, DRAW), create_index=False)
    axes = ("sample", *([ARM] if by_arm else []), FACTOR)
    values = {s: weight.sel({SYMPTOM: s}).transpose(*axes).values for s in units}
    n_columns = min(columns, len(units))
    n_rows = math.ceil(len(units) / n_columns)
    row = 0.34 + 0.13 * max(0, len(arms) - 1)
    figure = new_figure(2.0 + 2.7 * n_columns, 1.0 + n_rows * (1.0 + row * len(table)))
    panels = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
    quiet = table["label"].isin(QUIET).to_numpy()
    reach = _reach(values, units, probs[1])
    for ax, (symptom, (kind, _)) in zip(panels, units.items(), strict=False):
        ax.axvline(0, color="0.6", linewidth=1, zorder=1)
        if by_arm:
            _draw_arms(ax, values[symptom], quiet, arms, probs)
        else:
            _draw_rows(ax, values[symptom], quiet, probs)
        unit = f" ({_SHORT[kind]})" if kind != "gaussian" else ""
        tidy(ax, title=symptom.replace("_", " ") + unit, grid="x")
        ax.set_xlim(-reach[kind], reach[kind])
    names = [f"{f}  ({lab})" for f, lab in zip(table["factor"], table["label"], strict=True)]
    for ax in panels[: len(units)]:
        name_rows(ax, names)
        ax.tick_params(axis="y", labelsize=TEXT)
    for ax in panels[len(units) :]:
        ax.set_visible(False)
    figure.supxlabel(_caption(units, arms, probs), fontsize=SMALL, color="0.25")
    if by_arm:
        marks = [
            Line2D([], [], color=c, linewidth=4, label=arm) for arm, c in pick_colours(arms).items()
        ]
        figure.legend(handles=marks, loc="outside upper right", ncols=len(arms), frameon=False)
    return figure


def _bounds(draws: Array, prob: float) -> Array:
    return np.asarray(np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0))


def _reach(
    values: dict[str, Array], units: dict[str, tuple[str, str]], prob: float
) -> dict[str, float]:
    """Half-width of the panels of each kind."""
    reach: dict[str, float] = {}
    for symptom, (kind, _) in units.items():
        furthest = 1.15 * float(np.abs(_bounds(values[symptom], prob)).max())
        reach[kind] = max(reach.get(kind, 0.05), furthest)
    return reach


def _draw_rows(
    ax: Axes, draws: Array, quiet: npt.NDArray[np.bool_], probs: tuple[float, float]
) -> None:
    low, high = _bounds(draws, probs[1])
    clear = ((low > 0) | (high < 0)) & ~quiet
    colours = [PALETTE[0] if c else FADED for c in clear]
    draw_intervals(ax, draws, np.arange(draws.shape[1]), colours, probs=probs)


def _draw_arms(
    ax: Axes,
    draws: Array,
    quiet: npt.NDArray[np.bool_],
    arms: Sequence[str],
    probs: tuple[float, float],
) -> None:
    rows = np.arange(draws.shape[2])
    apart = np.linspace(-0.22, 0.22, len(arms)) if len(arms) > 1 else [0.0]
    for a, (shift, colour) in enumerate(zip(apart, pick_colours(arms).values(), strict=True)):
        low, high = _bounds(draws[:, a], probs[1])
        clear = ((low > 0) | (high < 0)) & ~quiet
        colours = [colour if c else f"{colour}55" for c in clear]
        draw_intervals(ax, draws[:, a], rows + shift, colours, probs=probs)


def _caption(
    units: dict[str, tuple[str, str]], arms: Sequence[str], probs: tuple[float, float]
) -> str:
    what = "; ".join(dict.fromkeys(unit for _, unit in units.values()))
    look = (
        "pale where the wider one includes 0" if arms else "coloured where the wider one excludes 0"
    )
    return (
        f"{what}\npoint: posterior mean; lines: {probs[0]:.0%} and {probs[1]:.0%} intervals; {look}"
    )
