"""Style shared by all figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import SpecError

#: Okabe and Ito's palette, distinguishable with all kinds of colour vision.
PALETTE: Final = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
INK: Final = "#222222"
FADED: Final = "#9A9A9A"
TEXT: Final = 10
SMALL: Final = 9


def new_figure(width: float, height: float) -> Figure:
    """Make a figure outside pyplot, which need not be closed.

    Parameters
    ----------
    width, height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        Empty, with constrained layout.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    return figure


def open_axes(ax: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """Take the axes of the caller, or make a figure with one axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Where to draw. Then size and layout of the figure are left as they are.
    width, height : float
        Of a new figure, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        New, or the one that holds `ax`.
    ax : matplotlib.axes.Axes
        Where to draw.

    Examples
    --------
    >>> figure = new_figure(6, 3)
    >>> left, right = figure.subplots(1, 2)
    >>> open_axes(left, 4, 3) == (figure, left)
    True
    """
    figure, panels = open_panels(None if ax is None else [ax], (1, 1), width, height)
    return figure, panels[0]


def open_panels(
    axes: Axes | Sequence[Axes] | npt.NDArray[Any] | None,
    shape: tuple[int, int],
    width: float,
    height: float,
    **subplots: Any,
) -> tuple[Figure, list[Axes]]:
    """Take the axes of the caller, or make a figure with a grid of axes.

    Parameters
    ----------
    axes : Axes or sequence of Axes, optional
        Where to draw, row by row, one for each panel. Then size and layout of the figure are left
        as they are.
    shape : tuple of int
        Rows and columns of panels.
    width, height : float
        Of a new figure, in inches.
    **subplots
        For `matplotlib.figure.Figure.subplots`, e.g. ``sharey=True``; only for a new figure.

    Returns
    -------
    figure : matplotlib.figure.Figure
        New, or the one that holds the axes.
    axes : list of Axes
        Row by row.

    Raises
    ------
    SpecError
        If there are not as many axes as panels.

    Examples
    --------
    >>> figure, (left, right) = open_panels(None, (1, 2), 8, 3, sharey=True)
    >>> len(figure.axes)
    2
    """
    count = shape[0] * shape[1]
    if axes is None:
        figure = new_figure(width, height)
        return figure, list(np.ravel(figure.subplots(*shape, squeeze=False, **subplots)))
    given: list[Axes] = list(np.ravel(np.asarray(axes, dtype=object)))
    if len(given) != count:
        raise SpecError(f"axes must be {count} Axes, one for each panel, got {len(given)}.")
    return cast(Figure, given[0].get_figure(root=True)), given


def pick_colours(names: Sequence[str]) -> dict[str, str]:
    """Assign a colour to every name.

    Parameters
    ----------
    names : sequence of str
        Arms, networks, ...

    Returns
    -------
    dict
        Name to colour; the palette starts again after eight names.

    Examples
    --------
    >>> pick_colours(["SSRI", "SNRI"])
    {'SSRI': '#0072B2', 'SNRI': '#D55E00'}
    """
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def tidy(ax: Axes, *, title: str = "", xlabel: str = "", grid: str | None = None) -> None:
    """Set text sizes and remove spines without information.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    title, xlabel : str
        Left out when empty.
    grid : {"x", "y"}, optional
        Draws light lines across this axis.
    """
    if title:
        ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    if xlabel:
        ax.set_xlabel(xlabel, fontsize=TEXT, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if grid is not None:
        ax.grid(axis="x" if grid == "x" else "y", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)


def draw_intervals(
    ax: Axes,
    draws: npt.NDArray[np.float64],
    rows: npt.ArrayLike,
    colours: Sequence[str],
    *,
    probs: tuple[float, float] = (0.5, 0.9),
) -> None:
    """Draw one point with two intervals per row.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    draws : ndarray, shape (draw, row)
        Posterior draws of each quantity.
    rows : array_like, shape (row,)
        Heights.
    colours : sequence of str
        One per row.
    probs : tuple of float, default (0.5, 0.9)
        Of the thick and the thin equal-tailed interval; the point is the posterior mean.
    """
    rows = np.asarray(rows, dtype=float)
    for prob, width in zip(probs, (5.0, 1.8), strict=True):
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        ax.hlines(rows, low, high, color=list(colours), linewidth=width, alpha=0.85, zorder=2)
    ax.scatter(
        draws.mean(axis=0),
        rows,
        s=34,
        c=list(colours),
        edgecolors="white",
        linewidths=0.9,
        zorder=3,
    )


def name_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Write one name per row, the first on top.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    labels : sequence of str
        Names of rows 0, 1, ...
    """
    ax.set_yticks(np.arange(len(labels)), list(labels), fontsize=TEXT)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
