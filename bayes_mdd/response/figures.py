"""Figures of treatment response."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import CHAIN, DRAW, FACTOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.fit import DRUG, MODERATION, PROGNOSIS
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    SMALL,
    TEXT,
    draw_intervals,
    name_rows,
    new_figure,
    pick_colours,
    tidy,
)
from bayes_mdd.types import Array

#: Columns of a table of benefits, as `evaluate_policy` names them.
BENEFIT_COLUMNS = (
    "benefit", "benefit_lower", "benefit_lower_50", "benefit_upper_50", "benefit_upper",
)  # fmt: skip


def plot_crossover(
    response: xr.DataTree, *, factor: str | None = None, axes: Sequence[Axes] | None = None
) -> Figure:
    """Plot outcomes of both arms, and the benefit, against a factor.

    Parameters
    ----------
    response : DataTree
        From `fit_response`, with a Gaussian or Student outcome.
    factor : str, optional
        The factor; default that with the largest moderation.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left: outcomes, adjusted for baseline, covariates and site, and the expected outcome on each
        drug with its 90% interval; the lines cross where the drugs are equally good. Right: the
        benefit of the other drug, in points.

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
    default, other = spec["default_arm"], str(response.attrs["other_arm"])
    sign = -1.0 if spec["higher_is_better"] else 1.0
    colours = pick_colours([default, other])
    score = constant["score_mean"].sel({FACTOR: factor}).values
    grid = np.linspace(score.min(), score.max(), 60)
    drug = posterior[DRUG].values.reshape(-1, 1)
    slope = posterior[MODERATION].sel({FACTOR: factor}).values.reshape(-1, 1)
    both = posterior[PROGNOSIS].sel({FACTOR: factor}).values.reshape(-1, 1)
    change = drug + slope * grid
    figure, (left, right) = _axes(axes, 2, 9.2, 3.9)
    received = observed["received"].values.astype(str)
    adjusted = observed["adjusted"].values
    level = float(adjusted.mean())
    for arm, half in ((default, -0.5), (other, 0.5)):
        own = received == arm
        left.scatter(score[own], adjusted[own], s=14, color=colours[arm], alpha=0.45, linewidths=0)
        _band(left, grid, level + both * grid + half * change, colours[arm], arm)
    left.legend(frameon=False, fontsize=SMALL)
    tidy(left, title="Outcome on each drug", xlabel=f"score of {factor}, SD", grid="y")
    better = "higher" if sign < 0 else "lower"
    left.set_ylabel(f"{spec['outcome']}, adjusted ({better} is better)", fontsize=TEXT, color=INK)
    _band(right, grid, -sign * change, INK, "")
    right.axhline(0, color=FADED, linewidth=1)
    minimum = float(constant["minimum"])
    right.axhspan(-minimum, minimum, color="0.93", linewidth=0)
    tidy(right, title=f"Benefit of {other} over {default}", xlabel=f"score of {factor}, SD")
    right.set_ylabel(f"points; shaded: less than {minimum:.2g}", fontsize=TEXT, color=INK)
    return figure


def plot_benefits(
    benefits: xr.Dataset | pd.DataFrame,
    *,
    minimum: float | None = None,
    arms: tuple[str, str] = ("default", "other"),
    ax: Axes | None = None,
) -> Figure:
    """Plot the benefit of each patient, sorted, without ids.

    Parameters
    ----------
    benefits : Dataset or DataFrame
        From `predict_benefit`, or ``people`` of `evaluate_policy` (held out).
    minimum : float, optional
        Points within which no drug is preferred; default that of the Dataset.
    arms : tuple of str, default ("default", "other")
        Names of the drugs, where `benefits` does not state them.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Mean, 50% and 90% interval of each patient; shaded where the expected benefit is too small
        for a preference.

    Raises
    ------
    DataContractError
        If there are no benefits.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = ["benefit", "benefit_lower", "benefit_lower_50", "benefit_upper_50"]
    >>> table = pd.DataFrame({c: [1.0, -2.0] for c in [*columns, "benefit_upper"]})
    >>> figure = plot_benefits(table, minimum=1.5)
    """
    if isinstance(benefits, xr.Dataset):
        attrs = benefits.attrs
        minimum = float(attrs["minimum"]) if minimum is None and "minimum" in attrs else minimum
        if "default_arm" in attrs:
            arms = (str(attrs["default_arm"]), str(attrs["other_arm"]))
        benefits = benefits.rename(benefit="draws", benefit_mean="benefit")
        names = [n for n in BENEFIT_COLUMNS if n in benefits]
        benefits = pd.DataFrame({n: benefits[n].values for n in names})
    if missing := [n for n in BENEFIT_COLUMNS if n not in benefits]:
        raise DataContractError("plot_benefits", [f"there is no {some(missing)}."])
    table = benefits.sort_values("benefit")
    rows = np.arange(len(table))
    figure, (ax,) = _axes(None if ax is None else [ax], 1, 7.5, 3.6)
    for low, high, width in (
        ("benefit_lower", "benefit_upper", 1.0),
        ("benefit_lower_50", "benefit_upper_50", 2.6),
    ):
        ax.vlines(rows, table[low], table[high], color=PALETTE[0], alpha=0.45, linewidth=width)
    ax.scatter(rows, table["benefit"], s=9, color=INK, zorder=3)
    ax.axhline(0, color=FADED, linewidth=1)
    if minimum is not None:
        ax.axhspan(-minimum, minimum, color="0.9", linewidth=0, zorder=0)
    tidy(ax, title="Benefit of each patient", xlabel="patients, sorted", grid="y")
    ax.set_xticks([])
    ax.set_ylabel(f"points; above 0: {arms[1]} better than {arms[0]}", fontsize=SMALL, color=INK)
    return figure


def plot_gain_curve(curve: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Plot what a rule gains against how often it states a preference.

    Parameters
    ----------
    curve : DataFrame
        ``curve`` of `evaluate_policy`.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One point with its 90% interval for each required probability of a benefit.

    Raises
    ------
    DataContractError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> curve = pd.DataFrame({"p_star": [0.5], "gain": [0.4], "se": [0.2], "decided": [0.6]})
    >>> figure = plot_gain_curve(curve)
    """
    _require(curve, "plot_gain_curve", ("p_star", "gain", "se", "decided"))
    figure, (ax,) = _axes(None if ax is None else [ax], 1, 4.6, 3.6)
    share = curve["decided"].to_numpy()
    ax.errorbar(
        share, curve["gain"], 1.645 * curve["se"], color=PALETTE[0], fmt="o-", markersize=4,
        linewidth=1, capsize=2,
    )  # fmt: skip
    for at in (0, len(curve) - 1):
        ax.annotate(
            f"P ≥ {curve['p_star'].iloc[at]:.2g}", (share[at], curve["gain"].iloc[at]),
            textcoords="offset points", xytext=(6, 6), fontsize=SMALL, color=INK,
        )  # fmt: skip
    ax.axhline(0, color=FADED, linewidth=1)
    tidy(ax, title="Gain of the rule", xlabel="share of patients with a preference", grid="y")
    ax.set_ylabel("points over the declared default (90%)", fontsize=SMALL, color=INK)
    return figure


def plot_benefit_calibration(calibration: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """Plot observed against predicted benefit in groups of held-out patients.

    Parameters
    ----------
    calibration : DataFrame
        ``calibration`` of `evaluate_policy`.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Groups with 90% intervals, and the line on which both are equal.

    Raises
    ------
    DataContractError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> groups = pd.DataFrame({"predicted": [-1.0, 1.0], "observed": [0.2, 1.4], "se": [0.6, 0.7]})
    >>> figure = plot_benefit_calibration(groups)
    """
    _require(calibration, "plot_benefit_calibration", ("predicted", "observed", "se"))
    figure, (ax,) = _axes(None if ax is None else [ax], 1, 4.6, 3.6)
    x = calibration["predicted"].to_numpy()
    ax.errorbar(
        x, calibration["observed"], 1.645 * calibration["se"], color=PALETTE[0], fmt="o",
        markersize=5, capsize=2,
    )  # fmt: skip
    ends = np.array([x.min(), x.max()])
    ax.plot(ends, ends, color=FADED, linewidth=1, linestyle="--")
    ax.axhline(0, color="0.85", linewidth=1)
    tidy(ax, title="Calibration of the benefit", xlabel="predicted benefit, points", grid="y")
    ax.set_ylabel("observed benefit, points (90%)", fontsize=SMALL, color=INK)
    return figure


def plot_response_factors(response: xr.DataTree, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Plot prognosis beside moderation of each factor.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Posterior means with 50% and 90% intervals. Left: change of the outcome per SD of the score
        on either drug. Right: change of the difference between the drugs.

    Raises
    ------
    DataContractError
        If the fit has no factor.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> figure = plot_response_factors(fitted)
    """
    posterior = response["posterior"].to_dataset()
    names = [str(f) for f in posterior[FACTOR].values]
    if not names:
        raise DataContractError("plot_response_factors", ["the fit has no factor."])
    spec = json.loads(response.attrs["spec"])
    figure, panels = _axes(axes, 2, 8.6, 1.5 + 0.42 * len(names))
    titles = {
        PROGNOSIS: "Prognosis: outcome on either drug",
        MODERATION: f"Moderation: {response.attrs['other_arm']} minus {spec['default_arm']}",
    }
    for ax, (name, title) in zip(panels, titles.items(), strict=True):
        draws = posterior[name].transpose(CHAIN, DRAW, FACTOR).values
        draw_intervals(
            ax, draws.reshape(-1, len(names)), np.arange(len(names)), [PALETTE[0]] * len(names)
        )
        ax.axvline(0, color=FADED, linewidth=1, zorder=1)
        tidy(ax, title=title, xlabel="points per SD of the score", grid="x")
        name_rows(ax, names)
    return figure


def _axes(axes: Sequence[Axes] | None, n: int, width: float, height: float) -> tuple[
    Figure, Sequence[Axes]
]:  # fmt: skip
    """Axes that were given, or those of a new figure."""
    if axes is None:
        figure = new_figure(width, height)
        return figure, list(np.atleast_1d(figure.subplots(1, n)))
    if len(axes) != n:
        raise DataContractError("axes", [f"expected {n}, got {len(axes)}."])
    found = axes[0].get_figure(root=True)
    if found is None:
        raise DataContractError("axes", ["they belong to no figure."])
    return found, list(axes)


def _band(ax: Axes, x: Array, draws: Array, colour: str, label: str) -> None:
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, draws.mean(axis=0), color=colour, linewidth=1.8, label=label or None)


def _require(table: pd.DataFrame, what: str, columns: Sequence[str]) -> None:
    if missing := [c for c in columns if c not in table]:
        raise DataContractError(what, [f"there is no column {some(missing)}."])
