"""Figure of the symptom links."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    draw_intervals,
    name_rows,
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
from bayes_mdd.results.rules import QUIET
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.figures.factors import mark_arms
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array

#: Short names of units, for the axis of a panel.
_SHORT = {"gaussian": "SD per SD of the score", "ordinal": "log-odds per SD"}
BY_ARM = "symptom_weight_by_arm"


def plot_symptom_links(
    idata: xr.DataTree | Result,
    *,
    factors: pd.DataFrame | None = None,
    probs: tuple[float, float] = (0.5, 0.9),
    columns: int = 3,
    by_arm: bool = False,
    axes: Axes | Sequence[Axes] | None = None,
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
    axes : Axes or sequence of Axes, optional
        Where to draw, one for each symptom; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per symptom, in SD for dimensions and log-odds for ordinal items; panels of a kind
        have one scale. Points are filled where the wider interval excludes 0, and outlines
        otherwise and for factors that are not reproducible; unused factors are left out. By arm,
        arms have colours and markers.

    Raises
    ------
    DataContractError
        If the fit had no symptoms, no links by arm where they are asked for, or every factor is
        unused.
    SpecError
        If there are not as many axes as symptoms.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> figure = bm.plotting.plot_symptom_links(bm.read_run("runs/demo"))  # doctest: +SKIP
    """
    result = read_result(idata)
    table = used_factors(tabulate_factors(result) if factors is None else factors)
    if table.empty:
        raise DataContractError("plot_symptom_links", ["every factor is unused: nothing to draw."])
    units = _read_units(result, by_arm=by_arm)
    weight = _read_weights(result, table, by_arm=by_arm)
    arms = [str(a) for a in weight[ARM].values] if by_arm else []
    kept = ("sample", *([ARM] if by_arm else []), FACTOR)
    values = {s: weight.sel({SYMPTOM: s}).transpose(*kept).values for s in units}
    figure, panels = _open(axes, len(units), columns, len(table), len(arms))
    quiet = table["label"].isin(QUIET).to_numpy()
    reach = _reach(values, units, probs[1])
    names = [break_name(n) for n in read_names(table)]
    for i, (ax, (symptom, (kind, _))) in enumerate(zip(panels, units.items(), strict=True)):
        ax.axvline(0, color="0.6", linewidth=1, zorder=1)
        title = "\n".join(textwrap.wrap(symptom.replace("_", " "), 22))
        tidy(ax, title=title, xlabel=_SHORT[kind], grid="x")
        if by_arm:
            _draw_arms(ax, values[symptom], quiet, arms, probs)
            raise_title(ax)
            if i == 0:
                put_legend_above(ax, mark_arms(arms))
        else:
            _draw_rows(ax, values[symptom], quiet, probs)
        ax.set_xlim(-reach[kind], reach[kind])
        name_rows(ax, names)
        ax.tick_params(axis="y", labelleft=_leads(panels, i))
    first = next(i for i, ax in enumerate(panels) if _height(ax) == _height(panels[-1]))
    write_caption(panels[first], _caption(result, units, probs), across=len(panels) - first)
    return figure


def _read_units(result: Result, *, by_arm: bool) -> dict[str, tuple[str, str]]:
    """Kind and unit of each symptom; refuses what the fit does not hold."""
    if by_arm and not result.holds("posterior", BY_ARM):
        raise DataContractError(
            "plot_symptom_links",
            [
                "by_arm=True, but this fit has one link for all arms: fit with "
                "symptom_links='by_arm' to estimate a link for each arm."
                if result.holds("posterior", "symptom_weight")
                else "this fit had no symptoms: name them in the spec ('symptoms') and fit again."
            ],
        )
    if not result.holds("posterior", "symptom_weight"):
        raise DataContractError(
            "plot_symptom_links",
            ["this fit had no symptoms: name them in the spec ('symptoms') and fit again."],
        )
    return read_link_units(result)


def _read_weights(result: Result, table: pd.DataFrame, *, by_arm: bool) -> xr.DataArray:
    """All draws of the weights of the factors of a table, along ``sample``."""
    name = BY_ARM if by_arm else "symptom_weight"
    weight = result.group("posterior", [name])[name].sel({FACTOR: table["factor"].to_list()})
    # xarray's stack, not pandas'.
    return weight.stack(sample=(CHAIN, DRAW), create_index=False)


def _open(
    axes: Axes | Sequence[Axes] | None, count: int, columns: int, n_factors: int, n_arms: int
) -> tuple[Figure, list[Axes]]:
    """Panels of the symptoms, whose rows grow with the arms."""
    if axes is not None:
        return open_panels(axes, (1, count), 1, 1)
    beside = min(columns, count)
    rows = math.ceil(count / beside)
    height = 0.45 + 0.13 * max(0, n_arms - 1)
    caption = 1.1 if beside == 1 else 0.8
    figure, panels = open_panels(
        None,
        (rows, beside),
        min(7.0, 2.6 + 2.2 * beside),
        caption + rows * (1.0 + height * n_factors),
    )
    for spare in panels[count:]:
        spare.remove()
    return figure, panels[:count]


def _height(ax: Axes) -> float:
    return round(float(ax.get_position().y0), 3)


def _leads(panels: Sequence[Axes], i: int) -> bool:
    """Whether a panel is the first of its row."""
    return i == 0 or _height(panels[i]) != _height(panels[i - 1])


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
    clear = _is_clear(draws, quiet, probs)
    colours = [PALETTE[0] if c else FADED for c in clear]
    draw_intervals(ax, draws, np.arange(draws.shape[1]), colours, probs=probs, hollow=~clear)


def _draw_arms(
    ax: Axes,
    draws: Array,
    quiet: npt.NDArray[np.bool_],
    arms: Sequence[str],
    probs: tuple[float, float],
) -> None:
    rows = np.arange(draws.shape[2])
    apart = np.linspace(-0.22, 0.22, len(arms)) if len(arms) > 1 else [0.0]
    colours, markers = pick_colours(arms), pick_markers(arms)
    for a, (shift, arm) in enumerate(zip(apart, arms, strict=True)):
        draw_intervals(
            ax,
            draws[:, a],
            rows + shift,
            [colours[arm]] * len(rows),
            probs=probs,
            marker=markers[arm],
            hollow=~_is_clear(draws[:, a], quiet, probs),
        )


def _is_clear(
    draws: Array, quiet: npt.NDArray[np.bool_], probs: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Rows whose wider interval excludes 0."""
    low, high = _bounds(draws, probs[1])
    return np.asarray(((low > 0) | (high < 0)) & ~quiet)


def _caption(result: Result, units: dict[str, tuple[str, str]], probs: tuple[float, float]) -> str:
    what = "; ".join(dict.fromkeys(unit for _, unit in units.values()))
    people = count_people(result)
    return (
        f"Links: {what}. {f'{people}; ' if people else ''}{say_intervals(probs)} "
        "(outline: the wider interval includes 0)."
    )
