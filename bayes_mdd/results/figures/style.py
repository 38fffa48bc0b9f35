"""Style shared by all figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, DrawingArea

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
#: Markers in the order of the colours, so that arms differ without colour.
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
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


def pick_markers(names: Sequence[str]) -> dict[str, str]:
    """Assign a marker to every name.

    Parameters
    ----------
    names : sequence of str
        Arms, stages, ...

    Returns
    -------
    dict
        Name to marker; the list starts again after eight names.

    Examples
    --------
    >>> pick_markers(["SSRI", "SNRI"])
    {'SSRI': 'o', 'SNRI': 's'}
    """
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(names)}


def say_intervals(probs: tuple[float, float]) -> str:
    """Say what points and lines of `draw_intervals` are.

    Parameters
    ----------
    probs : tuple of float
        Of the thick and the thin interval.

    Returns
    -------
    str
        For the caption of a figure.

    Examples
    --------
    >>> say_intervals((0.5, 0.9))
    'point: posterior mean; lines: 50% and 90% equal-tailed intervals'
    """
    return f"point: posterior mean; lines: {probs[0]:.0%} and {probs[1]:.0%} equal-tailed intervals"


def write_caption(ax: Axes, text: str, *, across: int = 1) -> None:
    """Write a caption below the axes and its label, left-aligned with it.

    Room is made for its lines, and it never makes the axes narrower. Call it after the label of
    the axis is set.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    text : str
        The caption; lines are broken where it would be wider than the axes.
    across : int, default 1
        How many panels side by side the caption may cross.
    """
    # On average a character is a little wider than half its size.
    room = max(24, int(width_of(ax, across) * 72 / (0.56 * SMALL)))
    lines = textwrap.wrap(text, room, break_on_hyphens=False)
    place = ("axes fraction", ax.xaxis.label)
    shown = ax.annotate(
        "\n".join(lines),
        (0, 0),
        xycoords=place,
        xytext=(0, -5),
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
        color="0.3",
        annotation_clip=False,
    )
    # The layout makes room for a box of the same height, but without width.
    shown.set_in_layout(False)
    height = 1.25 * SMALL * len(lines) + 2
    ax.add_artist(
        AnnotationBbox(
            DrawingArea(0.1, height),
            (0, 0),
            xycoords=place,
            xybox=(0, -5),
            boxcoords="offset points",
            box_alignment=(0, 1),
            frameon=False,
            pad=0,
            annotation_clip=False,
        )
    )


def width_of(ax: Axes, across: int = 1) -> float:
    """Estimate the width of panels that a layout will leave beside the names of rows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The first panel.
    across : int, default 1
        How many panels side by side.

    Returns
    -------
    float
        In inches.
    """
    page = cast(Figure, ax.get_figure(root=True)).get_figwidth()
    place = ax.get_subplotspec()
    if place is None:
        return float(across * ax.get_position().width * page)
    cell = across * page * len(place.colspan) / place.get_gridspec().ncols
    names = [t.get_text() for t in ax.get_yticklabels() if t.get_visible()]
    longest = max((len(line) for n in names for line in n.splitlines()), default=0)
    width = cell - 0.35 - longest * 0.56 * TEXT / 72 - (0.25 if ax.get_ylabel() else 0)
    return float(min(width, _half_beside(ax, width)) if across == 1 else width)


def _half_beside(ax: Axes, width: float) -> float:
    """Width right of the left edge of axes of fixed aspect, which stand amid their place."""
    if ax.get_aspect() == "auto":
        return width
    height = ax.get_position().height * cast(Figure, ax.get_figure(root=True)).get_figheight()
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    box = min(width, height * abs(right - left) / abs(high - low))
    return (width + box) / 2


def put_legend_above(
    ax: Axes, handles: Sequence[Artist] | None = None, *, columns: int | None = None
) -> None:
    """Put a legend between the axes and its title, without a frame.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place; set the title first.
    handles : sequence of Artist, optional
        What to name; by default whatever has a label.
    columns : int, optional
        Entries side by side; by default all in one row.
    """
    found = list(handles) if handles is not None else ax.get_legend_handles_labels()[0]
    ax.legend(
        handles=found,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns or max(len(found), 1),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0.1,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    raise_title(ax, -(-len(found) // (columns or max(len(found), 1))))


def legend_mark(
    label: str, colour: str, *, line: Any = "", width: float = 2, **look: Any
) -> Line2D:
    """Make one entry of a legend.

    Parameters
    ----------
    label : str
        Its words.
    colour : str
        Of line and marker.
    line : str or tuple, default ""
        Style of the line; none by default.
    width : float, default 2
        Of the line, in points.
    **look
        For `matplotlib.lines.Line2D`, e.g. ``marker="s"``.

    Returns
    -------
    Line2D
        Without data.
    """
    return Line2D([], [], color=colour, linestyle=line, linewidth=width, label=label, **look)


def put_bar_beside(ax: Axes, image: Any, name: str) -> None:
    """Put a colour bar into the margin to the right of the axes, to which it belongs.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    image : matplotlib.cm.ScalarMappable
        What has the colours.
    name : str
        Quantity and unit.
    """
    inner = ax.inset_axes((1.04, 0.0, 0.045, 1.0))
    bar = cast(Figure, ax.get_figure(root=True)).colorbar(image, cax=inner)
    inner.set_label("<colorbar>")
    bar.set_label(name, fontsize=SMALL, color=INK)
    inner.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)


def raise_title(ax: Axes, lines: int = 1) -> None:
    """Lift the title, for words or a legend below it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place; set the title first.
    lines : int, default 1
        By how many lines.
    """
    title = ax.get_title(loc="left")
    ax.set_title(title, fontsize=TEXT + 1, color=INK, loc="left", pad=(0.5 + 1.7 * lines) * SMALL)


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
    marker: str = "o",
    hollow: npt.ArrayLike | None = None,
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
    marker : str, default "o"
        Of the points.
    hollow : array_like of bool, shape (row,), optional
        Rows whose point is only an outline.
    """
    rows = np.asarray(rows, dtype=float)
    for prob, width in zip(probs, (5.0, 1.8), strict=True):
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        ax.hlines(rows, low, high, color=list(colours), linewidth=width, alpha=0.85, zorder=2)
    empty = np.zeros(len(rows), bool) if hollow is None else np.asarray(hollow, dtype=bool)
    ax.scatter(
        draws.mean(axis=0),
        rows,
        s=38,
        c=["white" if h else c for c, h in zip(colours, empty, strict=True)],
        marker=marker,
        edgecolors=[c if h else "white" for c, h in zip(colours, empty, strict=True)],
        linewidths=[1.4 if h else 0.9 for h in empty],
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
