"""Figures of the value of a rule: gain, priorities, calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.response.figures.frame import NINETY, label_y, require, take_ax
from bayes_mdd.results.figures.style import FADED, INK, PALETTE, SMALL, tidy

#: Smallest share of patients whose mean is drawn: fewer vary too much to be read.
LEAST_SHARE = 0.1


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
    require(curve, "plot_gain_curve", ("p_star", "gain", "se", "decided"))
    figure, ax = take_ax(ax, 5.2, 3.8)
    share = 100 * curve["decided"].to_numpy()
    ax.errorbar(
        share, curve["gain"], NINETY * curve["se"], color=PALETTE[0], fmt="o-", markersize=4,
        linewidth=1, capsize=2,
    )  # fmt: skip
    top = (curve["gain"] + NINETY * curve["se"]).to_numpy()
    for at in {int(np.argmin(share)), int(np.argmax(share))}:
        ax.annotate(
            f"P ≥ {curve['p_star'].iloc[at]:.2g}", (share[at], top[at]), ha="center", va="bottom",
            textcoords="offset points", xytext=(0, 4), fontsize=SMALL, color=INK,
        )  # fmt: skip
    ax.axhline(0, color=FADED, linewidth=1)
    ax.margins(x=0.12, y=0.12)
    tidy(ax, title="Gain of the rule", xlabel="patients with a preference, %", grid="y")
    label_y(ax, "points over the default\n(90% interval)")
    return figure


def plot_priorities(toc: pd.DataFrame, *, n: int | None = None, ax: Axes | None = None) -> Figure:
    """Plot what patients of the highest predicted benefit gain beyond the average.

    Parameters
    ----------
    toc : DataFrame
        ``toc`` of `evaluate_policy`.
    n : int, optional
        Number of patients; default one for each row.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Targeting operator characteristic with its pointwise 90% band, and the areas under it.
        Descriptive: the folds share patients, so that neither band nor areas are a test.

    Raises
    ------
    DataContractError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> toc = pd.DataFrame({"share": [0.5, 1.0], "gain": [1.2, 0.0], "se": [0.6, 0.0]})
    >>> figure = plot_priorities(toc)
    """
    require(toc, "plot_priorities", ("share", "gain"))
    figure, ax = take_ax(ax, 5.2, 3.8)
    shown = toc[toc["share"] >= LEAST_SHARE]
    share, gain = 100 * shown["share"].to_numpy(), shown["gain"].to_numpy()
    if "se" in shown:
        half = NINETY * shown["se"].to_numpy()
        ax.fill_between(share, gain - half, gain + half, color=PALETTE[0], alpha=0.18, linewidth=0)
    ax.plot(share, gain, color=PALETTE[0], linewidth=1.6)
    ax.axhline(0, color=FADED, linewidth=1)
    areas = [f"{w} {toc.attrs[k]:.2f}" for w, k in (("AUTOC", "autoc"), ("Qini", "qini"))
             if k in toc.attrs]  # fmt: skip
    if areas:
        ax.annotate(
            f"{', '.join(areas)} points\n(descriptive, not tested)", (0.98, 0.97),
            xycoords="axes fraction", ha="right", va="top", fontsize=SMALL, color=INK,
        )  # fmt: skip
    tidy(
        ax, title="Who gains most from the other drug",
        xlabel=f"patients of highest predicted benefit, % of {len(toc) if n is None else n}",
        grid="y",
    )  # fmt: skip
    label_y(ax, "points beyond the average\n(pointwise 90% band)")
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
    require(calibration, "plot_benefit_calibration", ("predicted", "observed", "se"))
    figure, ax = take_ax(ax, 5.2, 3.8)
    x = calibration["predicted"].to_numpy()
    ax.errorbar(
        x, calibration["observed"], NINETY * calibration["se"], color=PALETTE[0], fmt="o",
        markersize=5, capsize=2,
    )  # fmt: skip
    ends = np.array([x.min(), x.max()]) + np.array([-0.1, 0.1]) * max(float(np.ptp(x)), 1e-6)
    ax.plot(ends, ends, color=INK, linewidth=1, linestyle="--", label="predicted = observed")
    ax.axhline(0, color="0.85", linewidth=1)
    ax.legend(frameon=False, fontsize=SMALL, loc="best")
    title = f"Calibration of the benefit ({len(calibration)} groups)"
    tidy(ax, title=title, xlabel="predicted benefit, points", grid="y")
    label_y(ax, "observed benefit, points\n(90% interval)")
    return figure
