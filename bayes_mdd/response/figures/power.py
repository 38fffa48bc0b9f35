"""How many patients a trial needs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from bayes_mdd.errors import DataContractError
from bayes_mdd.response.figures.frame import label_y, require
from bayes_mdd.results.figures.style import INK, PALETTE, SMALL, open_axes, tidy

#: Styles of lines, which differ without colours.
STYLES = ("-", "--", "-.", ":")
#: Numbers of patients that are written at the axis.
TICKS = (8, 15, 30, 60, 120, 250, 500, 1000, 2000, 5000)


def plot_power(
    table: pd.DataFrame,
    *,
    trial: tuple[float, float] | None = None,
    power: float = 0.8,
    ax: Axes | None = None,
) -> Figure:
    """Plot the number of patients per arm against the SD of the benefit.

    Parameters
    ----------
    table : DataFrame
        ``benefit_sd`` in SD of the outcome, ``reliability`` and ``n_per_arm``, e.g. rows of
        `bayes_mdd.plan_power` for several sizes; NaN where no number suffices.
    trial : tuple of float, optional
        SD of the benefit that a trial could have found, and its patients per arm.
    power : float, default 0.8
        For the title.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One line for each reliability of the scores.

    Raises
    ------
    DataContractError
        If a column is missing, or every number of patients.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"benefit_sd": [0.4, 0.6], "reliability": [0.8, 0.8], "n_per_arm": [208, 97]}
    ... )
    >>> figure = plot_power(table, trial=(0.75, 60))
    """
    require(table, "plot_power", ("benefit_sd", "reliability", "n_per_arm"))
    if table["n_per_arm"].isna().all():
        raise DataContractError("plot_power", ["no number of patients is known: nothing to draw."])
    figure, ax = open_axes(ax, 6.2, 4.0)
    for i, (reliability, rows) in enumerate(table.groupby("reliability")):
        shown = rows.dropna(subset=["benefit_sd", "n_per_arm"]).sort_values("benefit_sd")
        ax.plot(
            shown["benefit_sd"], shown["n_per_arm"].astype(float), STYLES[i % len(STYLES)],
            color=PALETTE[i % len(PALETTE)], linewidth=1.8, label=f"{reliability:g}",
        )  # fmt: skip
    if trial is not None:
        ax.scatter(*trial, marker="*", s=150, color=INK, zorder=3, label="this trial")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(FixedLocator([t for t in TICKS if low <= t <= high]))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    legend = ax.legend(frameon=False, fontsize=SMALL, title="reliability of the scores")
    legend.get_title().set_fontsize(SMALL)
    tidy(
        ax, title=f"Patients needed for a power of {power:g}",
        xlabel="SD of the benefit, in SD of the outcome", grid="y",
    )  # fmt: skip
    label_y(ax, "patients per arm (log scale)")
    return figure
