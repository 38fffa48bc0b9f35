"""Figure of motion, outliers, and the correlation of features with motion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import Quality
from bayes_mdd.results.figures.style import FADED, INK, PALETTE, SMALL, name_rows, new_figure, tidy


def plot_quality(
    quality: Quality, *, max_motion: float = 0.5, outlier_z: float | None = None
) -> Figure:
    """Plot motion and outliers of every subject, and the correlation of features with motion.

    Parameters
    ----------
    quality : Quality
        What `check_quality` returned.
    max_motion : float, default 0.5
        Where to draw the line of motion, in mm.
    outlier_z : float, optional
        Where to draw the line of outliers; default the threshold named in the checks.

    Returns
    -------
    matplotlib.figure.Figure
        Up to three panels: motion by group, the largest value of each subject in SD of the
        reference, and the distribution of the correlation of features with motion before (grey) and
        after (colour) nuisance was removed.

    Raises
    ------
    DataContractError
        If neither motion nor values are known.
    """
    subjects = quality.subjects
    counts = quality.distribution
    stages = [c for c in ("before", "after") if c in counts and counts[c].sum() > 0]
    panels = [
        name
        for name, shown in (
            ("motion", subjects["motion"].notna().any()),
            ("outliers", subjects["largest_z"].notna().any()),
            ("qcfc", bool(stages)),
        )
        if shown
    ]
    if not panels:
        raise DataContractError(
            "quality", ["neither motion nor values in SD are known: nothing to draw."]
        )
    groups = list(dict.fromkeys(subjects["group"]))
    figure = new_figure(4.3 * len(panels), max(2.6, 1.5 + 0.4 * len(groups)))
    for ax, name in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        if name == "qcfc":
            _draw_distribution(ax, counts, stages, quality.qcfc)
        elif name == "motion":
            _draw_subjects(ax, subjects, groups, "motion", max_motion)
            tidy(ax, title="Motion", xlabel="mm", grid="x")
        else:
            limit = _limit(quality.checks) if outlier_z is None else outlier_z
            _draw_subjects(ax, subjects, groups, "largest_z", limit)
            tidy(ax, title="Largest value of each participant", xlabel="|z|", grid="x")
    return figure


def _limit(checks: pd.DataFrame) -> float:
    """Read the threshold out of the check's name, "values beyond 8 SD"."""
    named = checks["name"][checks["name"].str.startswith("values beyond ")]
    return float(named.iloc[0].split()[2]) if len(named) else np.nan


def _draw_subjects(
    ax: Axes, subjects: pd.DataFrame, groups: list[str], column: str, limit: float
) -> None:
    rng = np.random.default_rng(0)  # the jitter of a figure is always the same
    for row, group in enumerate(groups):
        values = subjects.loc[subjects["group"] == group, column].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        height = row + rng.uniform(-0.2, 0.2, len(values))
        over = values > limit
        ax.scatter(values[~over], height[~over], s=14, color=PALETTE[0], alpha=0.6, linewidths=0)
        ax.scatter(values[over], height[over], s=26, color=PALETTE[1], linewidths=0)
        if len(values):
            ax.vlines(np.median(values), row - 0.32, row + 0.32, color=INK, linewidth=1.6)
    if np.isfinite(limit):
        ax.axvline(limit, color=PALETTE[1], linestyle="--", linewidth=1)
    ax.set_xlim(left=0)
    name_rows(ax, groups)


def _draw_distribution(
    ax: Axes, counts: pd.DataFrame, stages: list[str], qcfc: pd.DataFrame
) -> None:
    low = counts["low"].to_numpy(dtype=float)
    width = float(low[1] - low[0])
    median = qcfc.set_index("stage")["median_abs_r"]
    for stage in stages:
        share = counts[stage].to_numpy(dtype=float)
        after = stage == "after"
        ax.stairs(
            share / share.sum(),
            [*low, low[-1] + width],
            fill=not after,
            color=PALETTE[0] if after else "0.8",
            linewidth=1.6,
            label=f"{stage} (median |r| {median[stage]:.2f})",
        )
    chance = float(qcfc["expected_abs_r"].iloc[-1])
    for side in (-chance, chance):
        ax.axvline(side, color=FADED, linestyle=":", linewidth=1)
    most = np.flatnonzero(counts[stages].to_numpy().sum(axis=1))
    reach = max(abs(low[most[0]]), abs(low[most[-1]] + width), 2 * chance)
    ax.set_xlim(-reach, reach)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(top=1.45 * ax.get_ylim()[1])  # room for the legend
    ax.legend(fontsize=SMALL, frameon=False, loc="upper center")
    tidy(ax, title="Features and motion", xlabel="r (dotted: median |r| by chance)")
