"""Crossover plots: outcomes of both arms, and the benefit, against a factor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import CHAIN, DRAW, FACTOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.figures.frame import MEAN_AND_BAND, draw_band, label_y
from bayes_mdd.response.fit import DRUG, MODERATION, PROGNOSIS
from bayes_mdd.response.scores import factor_names
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    open_panels,
    pick_colours,
    put_legend_above,
    raise_title,
    tidy,
    write_caption,
)
from bayes_mdd.types import Array

#: Style and marker of the default and of the other drug, which differ without colours.
STYLES = {"default": ("-", "o"), "other": ("--", "^")}


@dataclass(frozen=True, eq=False)
class _Panel:
    """What both panels show."""

    factor: str
    name: str
    arms: tuple[str, str]
    outcome: str
    sign: float
    minimum: float
    grid: Array
    score: Array
    adjusted: Array
    received: Array
    either: Array
    change: Array


def plot_crossover(
    response: xr.DataTree,
    *,
    factor: str | None = None,
    points: bool = True,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot outcomes of both arms, and the benefit, against a factor.

    Parameters
    ----------
    response : DataTree
        From `fit_response`, with a Gaussian or Student outcome.
    factor : str, optional
        The factor; default that with the largest moderation.
    points : bool, default True
        Whether each patient is a mark; False shows means of groups of at least five patients with
        similar scores, within the central 90% of the scores.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left: outcomes, adjusted for baseline, covariates and site, and the expected outcome on each
        drug with its 90% equal-tailed interval; the lines cross where the drugs are equally good.
        Right: the benefit of the other drug, in points, with the same interval; ticks are patients.

    Raises
    ------
    DataContractError
        If there is no such factor, or the outcome is not in points.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> figure = plot_crossover(fitted)
    """
    shown = _read(response, factor, points)
    figure, (left, right) = open_panels(axes, (1, 2), 7.8, 4.0)
    _draw_outcomes(left, shown, points)
    _draw_benefit(right, shown, points)
    return figure


def _read(response: xr.DataTree, factor: str | None, points: bool) -> _Panel:
    posterior = response["posterior"].to_dataset()
    observed = response["observed_data"].to_dataset()
    constant = response["constant_data"].to_dataset()
    names = posterior[FACTOR].values.astype(str)
    if "adjusted" not in observed:
        raise DataContractError("plot_crossover", ["the outcome is not in points."])
    if not names.size:
        raise DataContractError("plot_crossover", ["the fit has no factor."])
    if factor is None:
        size = abs(posterior[MODERATION].mean((CHAIN, DRAW))).values
        factor = str(names[int(np.argmax(size))])
    if factor not in names:
        raise DataContractError(
            "plot_crossover", [f"there is no factor '{factor}', only {some(names)}."]
        )
    spec = json.loads(response.attrs["spec"])
    score = constant["score_mean"].sel({FACTOR: factor}).values
    ends = (0.0, 1.0) if points else (0.05, 0.95)
    low, high = (float(np.quantile(score, end)) for end in ends)
    grid = np.linspace(low, high, 60)
    slope, both = (
        posterior[n].sel({FACTOR: factor}).values.reshape(-1, 1) for n in (MODERATION, PROGNOSIS)
    )
    return _Panel(
        factor=factor,
        name=factor_names(response)[factor],
        arms=(str(spec["default_arm"]), str(response.attrs["other_arm"])),
        outcome=str(spec["outcome"]),
        sign=-1.0 if spec["higher_is_better"] else 1.0,
        minimum=float(constant["minimum"]),
        grid=grid,
        score=score,
        adjusted=observed["adjusted"].values,
        received=observed["received"].values.astype(str),
        either=both * grid,
        change=posterior[DRUG].values.reshape(-1, 1) + slope * grid,
    )


def _draw_outcomes(ax: Axes, shown: _Panel, points: bool) -> None:
    colours = pick_colours(shown.arms)
    level = float(np.nanmean(shown.adjusted))
    for arm, half, (style, marker) in zip(shown.arms, (-0.5, 0.5), STYLES.values(), strict=True):
        own = (shown.received == arm) & np.isfinite(shown.adjusted)
        x, y = shown.score[own], shown.adjusted[own]
        if not points:
            x, y = _average(x, y)
        ax.scatter(
            x, y, s=16 if points else 40, marker=marker, color=colours[arm],
            alpha=0.45 if points else 0.9, linewidths=0,
        )  # fmt: skip
        curves = level + shown.either + half * shown.change
        label = f"{arm} (n = {int(own.sum())})"
        draw_band(ax, shown.grid, curves, colours[arm], label, style)
    better = "higher" if shown.sign < 0 else "lower"
    tidy(ax, title="Outcome on each drug", xlabel=f"score of {shown.factor}, SD", grid="y")
    put_legend_above(ax)
    named = f"{shown.name}. " if shown.name != shown.factor else ""
    marks = "patients" if points else "means of patients with similar scores"
    write_caption(ax, f"{named}Marks: {marks}; {MEAN_AND_BAND}")
    label_y(ax, f"{shown.outcome}, adjusted, points ({better} is better)")


def _average(x: Array, y: Array) -> tuple[Array, Array]:
    """Average groups of neighbours in x: at most six groups, each of at least five patients."""
    groups = np.array_split(np.argsort(x, kind="stable"), max(1, min(6, len(x) // 5)))
    kept = [g for g in groups if g.size >= 5]
    return np.array([x[g].mean() for g in kept]), np.array([y[g].mean() for g in kept])


def _draw_benefit(ax: Axes, shown: _Panel, points: bool) -> None:
    default, other = shown.arms
    ax.axhspan(-shown.minimum, shown.minimum, color="0.93", linewidth=0)
    draw_band(ax, shown.grid, -shown.sign * shown.change, INK, "")
    ax.axhline(0, color=FADED, linewidth=1)
    if points:  # Where the patients are.
        ax.plot(
            shown.score, np.zeros_like(shown.score), "|", color=INK, markersize=7, alpha=0.35,
            transform=ax.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    tidy(ax, title=f"Benefit of {other} over {default}", xlabel=f"score of {shown.factor}, SD")
    # The legend of the other panel lifts its title.
    raise_title(ax)
    label_y(ax, f"points (above 0: {other} is better)")
    ticks = "; ticks: patients" if points else "; central 90% of the scores"
    said = f"{MEAN_AND_BAND}{ticks}; shaded: less than {shown.minimum:.2g} points"
    write_caption(ax, said)
