"""Scores of a factor against a symptom as it was rated."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bayes_mdd.results.figures.style import (
    INK,
    TEXT,
    open_axes,
    pick_colours,
    pick_markers,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.result import Result, read_with_participants
from bayes_mdd.results.text import format_probability
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.tables.scores import ScoreDraws, choose_factors, read_scores
from bayes_mdd.shared_specific.tables.symptom_curve import Curve, read_symptom, trace_symptom
from bayes_mdd.types import Array

#: Line styles of the arms, so that lines differ without colour.
_UNITS = {"gaussian": "SD per SD", "ordinal": "log-odds per SD"}
STYLES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 2, 1, 2)))


def plot_score_symptom(
    idata: xr.DataTree | Result,
    factor: str,
    symptom: str,
    *,
    symptoms: pd.DataFrame | None = None,
    factors: pd.DataFrame | None = None,
    prob: float = 0.9,
    ax: Axes | None = None,
) -> Figure:
    """Plot a symptom as it was rated against the scores of a factor.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    factor : str
        For example ``"F1"``.
    symptom : str
        A dimension or item that the fit linked, or a column of `symptoms`.
    symptoms : pandas.DataFrame, optional
        Ratings, indexed by participant. Needed where the run does not hold them, and for symptoms
        that the fit did not link, which are shown without line.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    prob : float, default 0.9
        Of the equal-tailed intervals.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One mark per rated participant: raw rating against posterior mean score with its interval,
        by arm. The line is the expected rating at the mean of covariates and of the other factors,
        with its interval; one per arm where links differ by arm. The caption counts missing ratings
        and gives the weight of the link.

    Raises
    ------
    DataContractError
        If the factor is unknown or unused, or ratings are not known.

    Notes
    -----
    The points are raw, the line is adjusted for covariates and the other factors, so that it need
    not go through the middle of the points. Scores and line are of one model, in which the symptom
    informs the scores. An association, not an effect of the drug.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> bm.plotting.plot_score_symptom(idata, "F3", "retardation")  # doctest: +SKIP
    """
    what = "plot_score_symptom"
    result = read_with_participants(idata, "scores and ratings")
    table = choose_factors(result, factors, what)
    row = _row(result, table, factor, what)
    rating = read_symptom(result, symptom, symptoms, what)
    scores = read_scores(result, result.factors)
    curves = trace_symptom(result, scores, factor, symptom, rating, prob)
    figure, ax = open_axes(ax, 5.6, 4.4)
    tidy(ax, title=name_factors(row)[0], xlabel="score, SD of an average arm", grid="y")
    ax.set_ylabel(f"{symptom.replace('_', ' ')}, points of the scale", fontsize=TEXT, color=INK)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    colours, markers = pick_colours(scores.arms), pick_markers(scores.arms)
    handles = []
    for a, arm in enumerate(scores.arms):
        members = (scores.arm == arm) & np.isfinite(rating)
        drawn = scores.of(factor)[:, members]
        _draw_points(ax, drawn, rating[members], colours[arm], markers[arm], prob)
        own = [c for c in curves if c.arm == arm]
        style: Any = STYLES[a % len(STYLES)] if own else "none"
        handles.append(
            Line2D(
                [],
                [],
                color=colours[arm],
                marker=markers[arm],
                linestyle=style,
                label=f"{arm} (n = {members.sum()})",
                markersize=6,
            )
        )
    for curve in curves:
        which = scores.arms.index(curve.arm) if curve.arm else 0
        colour = colours[curve.arm] if curve.arm else INK
        ax.fill_between(
            curve.score, curve.lower, curve.upper, color=colour, alpha=0.16, linewidth=0
        )
        ax.plot(curve.score, curve.mean, color=colour, linewidth=2, linestyle=STYLES[which % 4])
    put_legend_above(ax, handles)
    kind = read_link_units(result)[symptom][0] if curves else ""
    write_caption(ax, _caption(scores, rating, curves, symptom, _UNITS.get(kind, ""), prob))
    return figure


def _row(result: Result, table: pd.DataFrame, factor: str, what: str) -> pd.DataFrame:
    """Row of the factor, with an error that lists those there are."""
    if factor in set(table["factor"]):
        return table[table["factor"] == factor]
    return choose_factors(result, [factor], what)


def _draw_points(
    ax: Axes, drawn: Array, rating: Array, colour: str, marker: str, prob: float
) -> None:
    low, high = np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    ax.hlines(rating, low, high, color=colour, linewidth=0.8, alpha=0.35, zorder=2)
    ax.scatter(drawn.mean(axis=0), rating, s=26, c=colour, marker=marker, edgecolors="white",
               linewidths=0.6, zorder=3)  # fmt: skip


def _caption(
    scores: ScoreDraws, rating: Array, curves: list[Curve], symptom: str, unit: str, prob: float
) -> str:
    parts = [
        f"0: {scores.origin}. Points: rating as given and posterior mean score with {prob:.0%} "
        "equal-tailed interval."
    ]
    parts += [_say_weight(c, unit, prob) for c in curves]
    if curves:
        parts.append(
            f"Line: expected rating at the mean of covariates and other factors, with {prob:.0%} "
            "interval."
        )
    else:
        parts.append(f"The fit did not link {symptom}: no line.")
    missing = ~np.isfinite(rating)
    by_arm = [f"{a} {(missing & (scores.arm == a)).sum()}" for a in scores.arms]
    count = f"{missing.sum()} of {len(rating)} participants have no rating"
    told = f" ({', '.join(by_arm)})" if missing.any() and len(by_arm) > 1 else ""
    parts.append(f"{count}{told}." if missing.any() else "No rating is missing.")
    return " ".join(parts)


def _say_weight(curve: Curve, unit: str, prob: float) -> str:
    weight = curve.weight
    low, high = np.quantile(weight, [(1 - prob) / 2, (1 + prob) / 2])
    positive = float((weight > 0).mean())
    sign, p = (">", positive) if positive >= 0.5 else ("<", 1 - positive)
    who = f" in {curve.arm}" if curve.arm else ""
    return (
        f"Weight{who} {weight.mean():.2f} {unit} ({low:.2f} to {high:.2f}), "
        f"P({sign} 0) {format_probability(p)}."
    )
