"""Figure of motion, outliers, and the correlation of features with motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import Quality
from bayes_mdd.results.figures.sites import STAGES
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    TEXT,
    legend_mark,
    name_rows,
    open_panels,
    put_legend_above,
    raise_title,
    tidy,
    write_caption,
)


def plot_quality(
    quality: Quality,
    *,
    max_motion: float = 0.5,
    outlier_z: float | None = None,
    participants: bool = True,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Plot motion and outliers of the subjects, and the correlation of features with motion.

    Parameters
    ----------
    quality : Quality
        What `check_quality` returned.
    max_motion : float, default 0.5
        Where to draw the line of motion, in mm.
    outlier_z : float, optional
        Where to draw the line of outliers; default the threshold named in the checks.
    participants : bool, default True
        Draw one mark for each subject; otherwise quantiles and numbers only, as in reports.
    axes : Axes or sequence of Axes, optional
        Where to draw, one for each panel; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Up to three panels, for what is known: motion by group; the most extreme value of each
        subject, in SD of the reference; and the distribution over features of their correlation
        with motion, before (dashed) and after (solid) nuisance was removed.

    Raises
    ------
    DataContractError
        If neither motion nor values are known.
    SpecError
        If there are not as many axes as panels.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> quality = bm.check_quality(bm.read_features("data/demo"))  # doctest: +SKIP
    >>> figure = bm.plotting.plot_quality(quality)  # doctest: +SKIP
    """
    subjects = quality.subjects
    counts = quality.distribution
    stages = [c for c in ("before", "after") if c in counts and counts[c].sum() > 0]
    known = {
        "motion": bool(subjects["motion"].notna().any()),
        "largest_z": bool(subjects["largest_z"].notna().any()),
        "qcfc": bool(stages),
    }
    shown = [name for name, there in known.items() if there]
    if not shown:
        raise DataContractError(
            "quality", ["neither motion nor values in SD are known: nothing to draw."]
        )
    groups = list(dict.fromkeys(subjects["group"]))
    figure, panels = open_panels(
        axes, (1, len(shown)), (4.4, 5.8, 7.0)[len(shown) - 1], 2.6 + 0.36 * len(groups)
    )
    for i, (ax, name) in enumerate(zip(panels, shown, strict=True)):
        if name == "qcfc":
            _draw_distribution(ax, counts, stages, quality.qcfc)
            continue
        limit = max_motion if name == "motion" else outlier_z or _limit(quality.checks)
        _draw_groups(ax, subjects, groups, name, limit, participants=participants)
        ax.tick_params(axis="y", labelleft=i == 0)
        raise_title(ax, len(stages))
    write_caption(panels[0], _caption(shown, quality.qcfc, participants), across=len(shown))
    return figure


def _caption(shown: Sequence[str], qcfc: pd.DataFrame, participants: bool) -> str:
    parts = []
    if set(shown) & {"motion", "largest_z"}:
        marks = (
            "one mark per participant (triangle: above the limit), bar: median"
            if participants
            else "bar: median, thick and thin line: quartiles and 5th to 95th percentile"
        )
        parts.append(f"{marks}; dashed: limit of the check")
    if "largest_z" in shown:
        parts.append("|z|: over all features of a participant, SD of the reference")
    if "qcfc" in shown:
        chance = float(qcfc["expected_abs_r"].iloc[-1])
        parts.append(
            "right: before and after nuisance was removed, dotted: median |r| expected by "
            f"chance, {chance:.2f}"
        )
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _limit(checks: pd.DataFrame) -> float:
    """Read the threshold out of the check's name, "values beyond 8 SD"."""
    named = checks["name"][checks["name"].str.startswith("values beyond ")]
    return float(named.iloc[0].split()[2]) if len(named) else np.nan


def _draw_groups(
    ax: Axes,
    subjects: pd.DataFrame,
    groups: list[str],
    column: str,
    limit: float,
    *,
    participants: bool,
) -> None:
    """One row per group: its subjects, or quantiles of them."""
    rng = np.random.default_rng(0)  # the jitter of a figure is always the same
    names = []
    for row, group in enumerate(groups):
        values = subjects.loc[subjects["group"] == group, column].to_numpy(dtype=float)
        values = values[np.isfinite(values)]
        names.append(f"{group} ({len(values)})")
        if not len(values):
            continue
        if participants:
            height = row + rng.uniform(-0.2, 0.2, len(values))
            over = values > limit
            ax.scatter(
                values[~over], height[~over], s=14, color=PALETTE[0], alpha=0.6, linewidths=0
            )
            ax.scatter(values[over], height[over], s=32, color=PALETTE[1], marker="^", linewidths=0)
        else:
            ends = np.quantile(values, [0.05, 0.95, 0.25, 0.75])
            ax.hlines(row, *ends[:2], color=PALETTE[0], linewidth=1.8)
            ax.hlines(row, *ends[2:], color=PALETTE[0], linewidth=8)
        ax.vlines(np.median(values), row - 0.32, row + 0.32, color=INK, linewidth=1.6)
    if np.isfinite(limit):
        ax.axvline(limit, color=PALETTE[1], linestyle="--", linewidth=1.2)
    ax.set_xlim(0, 1.04 * max(ax.get_xlim()[1], 1.1 * limit if np.isfinite(limit) else 0))
    name_rows(ax, names)
    if column == "motion":
        tidy(ax, title="Head motion", xlabel="mm", grid="x")
    else:
        tidy(ax, title="Most extreme feature", xlabel="largest |z|, SD", grid="x")


def _draw_distribution(
    ax: Axes, counts: pd.DataFrame, stages: list[str], qcfc: pd.DataFrame
) -> None:
    low = counts["low"].to_numpy(dtype=float)
    width = float(low[1] - low[0])
    median = qcfc.set_index("stage")["median_abs_r"]
    handles = []
    for stage in stages:
        colour, _, line = STAGES[stage]
        share = counts[stage].to_numpy(dtype=float)
        ax.stairs(
            100 * share / share.sum(),
            [*low, low[-1] + width],
            color=colour,
            linewidth=1.6,
            linestyle=line,
        )
        label = f"{stage}: median |r| {median[stage]:.2f}"
        handles.append(legend_mark(label, colour, line=line, width=1.6))
    chance = float(qcfc["expected_abs_r"].iloc[-1])
    for side in (-chance, chance):
        ax.axvline(side, color=FADED, linestyle=":", linewidth=1.4)
    most = np.flatnonzero(counts[stages].to_numpy().sum(axis=1))
    reach = max(abs(low[most[0]]), abs(low[most[-1]] + width), 2 * chance)
    ax.set_xlim(-reach, reach)
    tidy(ax, title="Features and motion", xlabel="r with motion", grid="y")
    ax.set_ylabel("% of features", fontsize=TEXT, color=INK)
    put_legend_above(ax, handles, columns=1)
