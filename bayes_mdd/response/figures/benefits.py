"""Benefits of patients, and what would happen to a hundred of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.figures.frame import label_y, patients
from bayes_mdd.results.figures.style import (
    FADED,
    INK,
    PALETTE,
    SMALL,
    TEXT,
    open_axes,
    say_intervals,
    tidy,
    write_caption,
)
from bayes_mdd.types import Array, IntArray

#: Columns of a table of benefits, as `evaluate_policy` names them.
BENEFIT_COLUMNS = (
    "benefit", "benefit_lower", "benefit_lower_50", "benefit_upper_50", "benefit_upper",
)  # fmt: skip
#: Marker, face and size of the icons of each group; the groups differ without colours.
ICONS = (
    ("s", PALETTE[0], 90.0),
    ("^", "#F5B183", 95.0),
    ("o", "white", 80.0),
    ("x", "#777777", 50.0),
)


def plot_benefits(
    benefits: xr.Dataset | pd.DataFrame,
    *,
    minimum: float | None = None,
    arms: tuple[str, str] = ("default", "other"),
    points: bool = True,
    ax: Axes | None = None,
) -> Figure:
    """Plot the benefit of each patient, sorted, without ids.

    Parameters
    ----------
    benefits : Dataset or DataFrame
        From `predict_benefit`, or ``people`` of `evaluate_policy` (held out).
    minimum : float, optional
        Benefit within which no drug is preferred; default that of the Dataset.
    arms : tuple of str, default ("default", "other")
        Names of the drugs, where `benefits` does not state them.
    points : bool, default True
        Whether each patient is a mark; False shows means of at most 20 groups of at least five
        patients with similar benefits.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Mean, 50% and 90% equal-tailed interval of each patient; shaded where the expected benefit
        is too small for a preference.

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
    unit = "points"
    if isinstance(benefits, xr.Dataset):
        attrs = benefits.attrs
        unit = str(attrs.get("unit", unit))
        minimum = float(attrs["minimum"]) if minimum is None and "minimum" in attrs else minimum
        if "default_arm" in attrs:
            arms = (str(attrs["default_arm"]), str(attrs["other_arm"]))
        benefits = benefits.rename(benefit="draws", benefit_mean="benefit")
        names = [n for n in BENEFIT_COLUMNS if n in benefits]
        benefits = pd.DataFrame({n: benefits[n].values for n in names})
    if missing := [n for n in BENEFIT_COLUMNS if n not in benefits]:
        raise DataContractError("plot_benefits", [f"there is no {some(missing)}."])
    n, table = len(benefits), benefits.sort_values("benefit")
    if not points:
        k = max(1, min(20, n // 5))
        table = table[list(BENEFIT_COLUMNS)].groupby(np.arange(n) * k // n).mean()
    rows = np.arange(len(table))
    figure, ax = open_axes(ax, 7.6, 3.8)
    thin = min(1.0, 120 / max(len(table), 1))
    for low, high, width in (
        ("benefit_lower", "benefit_upper", 1.0),
        ("benefit_lower_50", "benefit_upper_50", 2.8),
    ):
        ax.vlines(
            rows, table[low], table[high], color=PALETTE[0], alpha=0.45, linewidth=width * thin
        )
    ax.scatter(rows, table["benefit"], s=10 * thin, color=INK, zorder=3)
    ax.axhline(0, color=FADED, linewidth=1)
    said = say_intervals((0.5, 0.9))
    if minimum is not None:
        ax.axhspan(-minimum, minimum, color="0.9", linewidth=0, zorder=0)
        said += f"; shaded: less than {minimum:.2g} {unit}, no preference"
    tidy(ax, title=f"Benefit of {arms[1]} over {arms[0]}", grid="y")
    groups = "" if points else f", means of {len(table)} groups"
    ax.set_xlabel(f"{patients(n)}, sorted{groups}", fontsize=TEXT, color=INK)
    ax.set_xticks([])
    label_y(ax, f"{unit} (above 0: {arms[1]} is better)")
    write_caption(ax, said)
    return figure


def plot_icons(
    counts: Mapping[str, int], *, total: str = "100 patients like these", ax: Axes | None = None
) -> Figure:
    """Plot what would happen to a hundred patients, one symbol for each.

    Parameters
    ----------
    counts : mapping of str to int
        Number of patients by what happens to them, at most four groups, whose sum is 100.
    total : str, default "100 patients like these"
        Who they are.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Ten rows of ten symbols; the groups differ in shape and in brightness.

    Raises
    ------
    DataContractError
        If there are more than four groups or their sum is not 100.

    Examples
    --------
    >>> figure = plot_icons({"SNRI preferred": 12, "SSRI preferred": 8, "no preference": 80})
    """
    numbers = list(counts.values())
    if len(numbers) > len(ICONS) or sum(numbers) != 100 or min(numbers) < 0:
        raise DataContractError(
            "plot_icons",
            [f"expected at most {len(ICONS)} numbers of patients of sum 100, got {numbers}."],
        )
    labels = [f"{n}  {name}" for name, n in counts.items()]
    words = 0.27 * max(map(len, labels))
    figure, ax = open_axes(ax, 3.9 + 0.3 * words, 3.6)
    group = np.repeat(np.arange(len(numbers)), numbers)
    place: IntArray = np.arange(100)
    for i, label in enumerate(labels):
        own = group == i
        row = 3.0 + 1.2 * i
        _draw_icons(ax, i, place[own] % 10, place[own] // 10)
        _draw_icons(ax, i, np.array([11.0]), np.array([row]))
        ax.text(11.7, row, label, fontsize=SMALL, color=INK, va="center")
    ax.set_xlim(-0.7, 12.0 + words)
    ax.set_ylim(9.7, -0.7)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_axis_off()
    ax.set_title(total, fontsize=TEXT + 1, color=INK, loc="left")
    return figure


def _draw_icons(ax: Axes, group: int, x: Array | IntArray, y: Array | IntArray) -> None:
    marker, face, size = ICONS[group]
    if marker == "x":
        ax.scatter(x, y, s=size, marker=marker, linewidths=1.4, color=face)
    else:
        ax.scatter(x, y, s=size, marker=marker, linewidths=1.0, facecolors=face, edgecolors=INK)
