"""Machine-learning baselines beside each other, with paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError
from bayes_mdd.response.figures.frame import require, say_n
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    SMALL,
    name_rows,
    open_panels,
    tidy,
    write_caption,
)
from bayes_mdd.types import Array, BoolArray

#: Colour of methods whose features were screened outside the folds.
RED = "#B00020"
#: Words of each measure, and its value where nothing is predicted.
MEASURES = {
    "auc": ("area under the curve", 0.5),
    "r2": ("R²", 0.0),
    "gain": ("gain over the declared default, points", 0.0),
    "balanced_accuracy": ("balanced accuracy", 0.5),
}


def plot_baselines(
    table: pd.DataFrame,
    paired: pd.DataFrame | None = None,
    *,
    measure: str = "auc",
    n: int | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Plot methods that predict the outcome or choose the drug, the best on top.

    Parameters
    ----------
    table : DataFrame
        ``table`` of `compare_baselines`: indexed by, or with the columns, ``method`` and ``view``;
        the measure with ``_lower`` and ``_upper``, and ``leaky``.
    paired : DataFrame, optional
        Its ``paired``: differences on the same folds.
    measure : {"auc", "r2", "gain", "balanced_accuracy"}, default "auc"
        What is compared.
    n : int, optional
        Number of patients.
    axes : sequence of Axes, optional
        Where to draw, one, or two with `paired`; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Left: the measure with its 90% interval over patients. Right: method minus the best one,
        with the 95% interval of the corrected resampled t test. Methods that saw the outcomes of
        held-out patients are red and marked.

    Raises
    ------
    DataContractError
        If the measure or a column is missing.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"method": ["ridge"], "view": ["imaging"], "auc": [0.52], "auc_lower": [0.4],
    ...      "auc_upper": [0.63], "leaky": [False]}
    ... )
    >>> figure = plot_baselines(table)
    """
    if measure not in MEASURES:
        raise DataContractError(
            "plot_baselines", [f"measure must be one of {', '.join(MEASURES)}, got '{measure}'."]
        )
    shown = table if "method" in table else table.reset_index()
    columns = ("method", "view", measure, f"{measure}_lower", f"{measure}_upper", "leaky")
    require(shown, "plot_baselines", columns)
    shown = shown.dropna(subset=[measure]).sort_values(measure, ascending=False, kind="stable")
    if shown.empty:
        raise DataContractError("plot_baselines", [f"no method has the measure '{measure}'."])
    leaky = shown["leaky"].astype(str).str.lower().eq("true").to_numpy()
    pairs = None if paired is None else paired[paired["measure"] == measure]
    width = 7.8 if pairs is not None else 5.6
    figure, panels = open_panels(axes, (1, 1 + (pairs is not None)), width, 1.6 + 0.3 * len(shown))
    ends = shown[[f"{measure}_lower", f"{measure}_upper"]].to_numpy(dtype=float)
    _draw_rows(panels[0], shown[measure].to_numpy(dtype=float), ends, leaky)
    words, nothing = MEASURES[measure]
    panels[0].axvline(nothing, color=FADED, linewidth=1, zorder=1)
    tidy(panels[0], title="Held-out patients", xlabel=f"{words}{say_n(n)}", grid="x")
    write_caption(panels[0], "90% intervals over patients")
    names = [_name(str(r.method), str(r.view)) for r in shown.itertuples()]
    name_rows(panels[0], [f"LEAKY: {n}" if bad else n for n, bad in zip(names, leaky, strict=True)])
    for label, bad in zip(panels[0].get_yticklabels(), leaky, strict=True):
        label.set_fontsize(SMALL)
        label.set_color(RED if bad else INK)
    if pairs is not None:
        _draw_pairs(panels[1], shown, pairs, leaky)
    return figure


def _draw_pairs(ax: Axes, shown: pd.DataFrame, pairs: pd.DataFrame, leaky: BoolArray) -> None:
    best = shown.iloc[0]
    own = pairs[
        (pairs["reference_method"] == best["method"]) & (pairs["reference_view"] == best["view"])
    ].set_index(["method", "view"])
    middle = np.full(len(shown), np.nan)
    ends = np.full((len(shown), 2), np.nan)
    for i, row in enumerate(shown.itertuples()):
        # The first row is the reference itself.
        if i and (row.method, row.view) in own.index:
            found = own.loc[(row.method, row.view)]
            # The table has the best minus the method.
            middle[i] = -found["difference"]
            ends[i] = -found["upper"], -found["lower"]
    _draw_rows(ax, middle, ends, leaky)
    ax.axvline(0, color=FADED, linewidth=1, zorder=1)
    ax.text(0, 0, "reference ", ha="right", va="center", fontsize=SMALL, color=INK)
    tidy(ax, title="On the same folds", xlabel="minus the best method", grid="x")
    write_caption(ax, "95% intervals, corrected resampled t test")
    name_rows(ax, [""] * len(shown))


def _draw_rows(ax: Axes, middle: Array, ends: Array, leaky: BoolArray) -> None:
    rows = np.arange(len(middle))
    for bad, colour, marker in ((False, PALETTE[0], "o"), (True, RED, "X")):
        own = (leaky == bad) & np.isfinite(middle)
        ax.hlines(rows[own], ends[own, 0], ends[own, 1], color=colour, linewidth=1.8, zorder=2)
        ax.scatter(
            middle[own], rows[own], s=38, marker=marker, color=colour, edgecolors="white",
            linewidths=0.8, zorder=3,
        )  # fmt: skip


def _name(method: str, view: str) -> str:
    if view in ("", "none", "nan"):
        return method
    return f"{method} only" if view == method else f"{method} ({view})"
