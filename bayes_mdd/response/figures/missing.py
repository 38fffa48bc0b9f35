"""The figure of what missing outcomes could change."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.response.figures.frame import label_y, require
from bayes_mdd.results.figures.style import (
    FADED,
    PALETTE,
    open_panels,
    put_legend_above,
    tidy,
    write_caption,
)

#: Lines of the arms: colour, style, marker, and shift along the axis in shares of a step.
_LINES = {
    "both": (PALETTE[0], "-", "o", 0.0),
    "other": (PALETTE[1], "--", "^", -0.06),
    "default": (PALETTE[2], ":", "s", 0.06),
}
_PANELS = {
    "average": ("average_benefit", "average_lower", "average_upper"),
    "gain": ("gain", "gain_lower", "gain_upper"),
}


def plot_tipping(table: pd.DataFrame, *, axes: Sequence[Axes] | None = None) -> Figure:
    """Plot average benefit and gain against what missing outcomes are assumed to be.

    Parameters
    ----------
    table : DataFrame
        From `missing_sensitivity`; missing outcomes of all reasons are shown.
    axes : sequence of two Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left: average benefit of the other drug with its 90% interval, where missing outcomes of
        both arms, of the other or of the default arm are worse. Right: gain of the learned rule.
        Crosses mark the tipping points within the grid.

    Raises
    ------
    DataContractError
        If a column is missing.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=80, n_factors=1, missing="not random")
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> figure = plot_tipping(
    ...     bm.missing_sensitivity(spec, trial.scores, trial.outcomes, trial.visits)
    ... )
    """
    columns = [c for names in _PANELS.values() for c in names]
    require(table, "plot_tipping", ("delta", "arms", "reasons", *columns))
    figure, panels = open_panels(axes, (1, 2), 7.8, 3.8)
    shown = table[table["reasons"] == "all"]
    names = {"both": "both arms", **table.attrs.get("arms", {})}
    tipping = pd.DataFrame(table.attrs.get("tipping", []))
    titles = ("Average benefit of the other drug", "Gain of the rule over the default")
    missing = table.attrs.get("missing")
    said = f"{f'{missing} missing' if missing else 'missing'} outcomes are worse in the arms named"
    results = ("average effect", "gain")
    for ax, key, title, result in zip(panels, _PANELS, titles, results, strict=True):
        _draw_lines(ax, shown, key, names)
        if len(tipping):
            _mark(ax, tipping, result, float(shown["delta"].max()))
        ax.axhline(0, color=FADED, linewidth=1, zorder=1)
        ax.set_xticks(sorted(set(shown["delta"])))
        tidy(ax, title=title, xlabel="missing outcomes worse by, points", grid="y")
        label_y(ax, "points, above 0: better")
        put_legend_above(ax)
        write_caption(ax, f"{said}; lines: 90% intervals; crosses: tipping points")
    return figure


def _draw_lines(ax: Axes, shown: pd.DataFrame, key: str, names: dict[str, str]) -> None:
    value, lower, upper = _PANELS[key]
    step = float(shown["delta"].max()) / 3
    for arms, (colour, style, marker, offset) in _LINES.items():
        rows = shown[shown["arms"] == arms].sort_values("delta")
        x = rows["delta"] + offset * step
        ax.plot(x, rows[value], style, marker=marker, markersize=4, color=colour,
                label=names.get(arms, arms))  # fmt: skip
        ax.vlines(x, rows[lower], rows[upper], color=colour, alpha=0.5, linewidth=1)


def _mark(ax: Axes, tipping: pd.DataFrame, result: str, largest: float) -> None:
    rows = tipping[(tipping["result"] == result) & (tipping["reasons"] == "all")]
    for arms, at in zip(rows["arms"], rows["tipping"], strict=True):
        if at <= largest:
            ax.plot([at], [0], "x", color=_LINES[arms][0], markersize=8, markeredgewidth=2,
                    zorder=4)  # fmt: skip
