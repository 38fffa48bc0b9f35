"""Figures of the value of a rule: gain, priorities, calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.response.figures.frame import NINETY, NORMAL, label_y, require, say_n
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    SMALL,
    open_axes,
    tidy,
    write_caption,
)

#: Smallest share of patients whose mean is drawn: fewer vary too much to be read.
LEAST_SHARE = 0.1


def plot_gain_curve(curve: pd.DataFrame, *, n: int | None = None, ax: Axes | None = None) -> Figure:
    """Plot what a rule gains against how often it states a preference.

    Parameters
    ----------
    curve : DataFrame
        ``curve`` of `evaluate_policy`.
    n : int, optional
        Number of patients; default that of the table, where it is known.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One point with its 90% interval (normal approximation) for each required probability of a
        benefit.

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
    figure, ax = open_axes(ax, 5.2, 3.8)
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
    tidy(ax, title="Gain of the rule",
         xlabel=f"patients with a preference, %{say_n(_count(curve, n))}", grid="y")  # fmt: skip
    label_y(ax, "points over the default")
    write_caption(ax, f"points with {NORMAL}, by the required probability P of a benefit")
    return figure


def plot_priorities(toc: pd.DataFrame, *, n: int | None = None, ax: Axes | None = None) -> Figure:
    """Plot what patients of the highest predicted benefit gain beyond the average.

    Parameters
    ----------
    toc : DataFrame
        ``toc`` of `evaluate_policy`.
    n : int, optional
        Number of patients; default that of the table, where it is known.
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
    figure, ax = open_axes(ax, 5.2, 3.8)
    shown = toc[toc["share"] >= LEAST_SHARE]
    share, gain = 100 * shown["share"].to_numpy(), shown["gain"].to_numpy()
    if "se" in shown:
        half = NINETY * shown["se"].to_numpy()
        ax.fill_between(share, gain - half, gain + half, color=PALETTE[0], alpha=0.18, linewidth=0)
    ax.plot(share, gain, color=PALETTE[0], linewidth=1.6)
    ax.axhline(0, color=FADED, linewidth=1)
    areas = [f"{w} {toc.attrs[k]:.2f}" for w, k in (("AUTOC", "autoc"), ("Qini", "qini"))
             if k in toc.attrs]  # fmt: skip
    tidy(
        ax, title="Who gains most from the other drug",
        xlabel=f"patients of highest predicted benefit, %{say_n(_count(toc, n))}",
        grid="y",
    )  # fmt: skip
    label_y(ax, "points beyond the average")
    said = [f"pointwise {NORMAL}"] if "se" in shown else []
    said += [f"{', '.join(areas)} points (descriptive, not tested)"] if areas else []
    write_caption(ax, "; ".join(said))
    return figure


def plot_benefit_calibration(
    calibration: pd.DataFrame, *, n: int | None = None, ax: Axes | None = None
) -> Figure:
    """Plot observed against predicted benefit in groups of held-out patients.

    Parameters
    ----------
    calibration : DataFrame
        ``calibration`` of `evaluate_policy`.
    n : int, optional
        Number of patients; default that of the table, where it is known.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Groups with 90% intervals (normal approximation), and the line on which both are equal.

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
    figure, ax = open_axes(ax, 5.2, 3.8)
    x = calibration["predicted"].to_numpy()
    ax.errorbar(
        x, calibration["observed"], NINETY * calibration["se"], color=PALETTE[0], fmt="o",
        markersize=5, capsize=2,
    )  # fmt: skip
    ends = np.array([x.min(), x.max()]) + np.array([-0.1, 0.1]) * max(float(np.ptp(x)), 1e-6)
    ax.plot(ends, ends, color=INK, linewidth=1, linestyle="--")
    ax.axhline(0, color="0.85", linewidth=1)
    title = f"Calibration of the benefit ({len(calibration)} groups)"
    tidy(ax, title=title,
         xlabel=f"predicted benefit, points{say_n(_count(calibration, n))}", grid="y")  # fmt: skip
    label_y(ax, "observed benefit, points")
    write_caption(ax, f"points with {NORMAL}; dashed: predicted = observed")
    return figure


def _count(table: pd.DataFrame, n: int | None) -> int | None:
    """Count the patients, unless their number was given."""
    known = table.attrs.get("n")
    return n if n is not None else None if known is None else int(known)
