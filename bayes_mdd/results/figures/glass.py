"""A glass brain in one axes: three projections on one scale, nodes, edges and numbered regions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.path import Path

from bayes_mdd.results.figures.style import INK, SMALL
from bayes_mdd.types import Array

#: Projections: seen from the right, from behind and from above; the axes that each shows.
VIEWS: Final = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}
#: Left, right, bottom and top of each projection in mm of MNI space.
BOUNDS: Final = {
    "x": (-113.0, 83.0, -76.0, 87.0),
    "y": (-77.0, 77.0, -77.0, 88.0),
    "z": (-75.0, 77.0, -112.5, 80.0),
}
GAP: Final = 6.0
#: Width and height of the three projections side by side, in mm.
WIDTH: Final = sum(b[1] - b[0] for b in BOUNDS.values()) + 2 * GAP
HEIGHT: Final = max(b[3] - b[2] for b in BOUNDS.values())
#: Size of a number on the page, and distances from its region at which it is tried, in points.
NUMBER: Final = 9.5
DISTANCES: Final = (9.0, 14.0, 20.0, 27.0, 35.0, 44.0)


def open_brain(ax: Axes) -> dict[str, Axes]:
    """Draw the outlines of a brain from three sides.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place; keeps its title.

    Returns
    -------
    dict of str to Axes
        Insets of `ax` in mm of MNI space: ``"x"`` from the right, ``"y"`` from behind, ``"z"``
        from above.
    """
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect="equal", xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    views, start = {}, 0.0
    for view, (left, right, low, high) in BOUNDS.items():
        width, height = right - left, high - low
        place = (start, (HEIGHT - height) / 2, width, height)
        inner = ax.inset_axes(place, transform=ax.transData)
        inner.set(xlim=(left, right), ylim=(low, high), aspect="auto")
        inner.set_axis_off()
        paths, look = _read_outline(view)
        # One artist instead of hundreds; the layout need not look into the insets.
        outline = PathCollection(paths, **look, alpha=0.35, zorder=0.5, transform=inner.transData)
        inner.add_collection(outline, autolim=False)
        inner.set_in_layout(False)
        views[view] = inner
        start += width + GAP
    for view in ("y", "z"):
        left, right, _, high = BOUNDS[view]
        for x, side in ((left + 4, "L"), (right - 4, "R")):
            views[view].text(x, high - 4, side, ha="center", va="top", fontsize=SMALL, color=INK)
    return views


@cache
def _read_outline(view: str) -> tuple[list[Path], dict[str, Any]]:
    """Lines of a brain in mm, and how they look, as nilearn draws them."""
    from nilearn.plotting.displays import GlassBrainAxes

    ax = Figure().subplots()
    GlassBrainAxes(ax, view, None)
    lines = list(ax.patches)
    paths = [(p.get_transform() - ax.transData).transform_path(p.get_path()) for p in lines]
    return paths, {
        "facecolors": "none",
        "edgecolors": [p.get_edgecolor() for p in lines],
        "linewidths": [p.get_linewidth() for p in lines],
    }


def draw_edges(views: dict[str, Axes], ends: Array, width: Array, colour: str, line: Any) -> None:
    """Draw straight edges.

    Parameters
    ----------
    views : dict of str to Axes
        From `open_brain`.
    ends : ndarray, shape (edge, 2, 3)
        MNI coordinates of both ends, in mm.
    width : ndarray, shape (edge,)
        In points.
    colour : str
        Of all edges.
    line : str or tuple
        Style of their lines.
    """
    for view, (i, j) in VIEWS.items():
        views[view].add_collection(
            LineCollection(
                list(ends[:, :, [i, j]]),
                linewidths=width,
                colors=colour,
                linestyles=line,
                alpha=0.9,
                zorder=2,
            ),
            autolim=False,
        )


def draw_nodes(
    views: dict[str, Axes], xyz: Array, size: float | Array, colour: str, marker: str = "o"
) -> None:
    """Draw regions.

    Parameters
    ----------
    views : dict of str to Axes
        From `open_brain`.
    xyz : ndarray, shape (region, 3)
        MNI coordinates in mm.
    size : float or ndarray, shape (region,)
        Area in square points.
    colour, marker : str
        Of all of them.
    """
    for view, (i, j) in VIEWS.items():
        views[view].scatter(
            xyz[:, i],
            xyz[:, j],
            s=size,
            c=colour,
            marker=marker,
            edgecolors=INK,
            linewidths=0.4,
            zorder=3,
        )


def number_regions(ax: Axes, view: Axes, xyz: Array, avoid: Array) -> None:
    """Write 1, 2, ... beside regions in the projection from above, none on another.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes that hold the brain.
    view : matplotlib.axes.Axes
        The projection, ``"z"`` of `open_brain`.
    xyz : ndarray, shape (region, 3)
        Regions to number, in order.
    avoid : ndarray, shape (other, 3)
        Regions that numbers should leave visible.
    """
    scale = _points_per_mm(ax)
    for number, (at, offset) in enumerate(
        zip(xyz[:, :2], _place_numbers(xyz[:, :2] * scale, avoid[:, :2] * scale), strict=True), 1
    ):
        view.annotate(
            str(number),
            at,
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=SMALL,
            fontweight="bold",
            color=INK,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.7, "shrinkA": 4},
            bbox={"boxstyle": "circle,pad=0.1", "facecolor": "white", "linewidth": 0, "alpha": 0.8},
            annotation_clip=False,
            zorder=5,
        )


def _points_per_mm(ax: Axes) -> float:
    box, page = ax.get_position(), cast(Figure, ax.get_figure(root=True)).get_size_inches()
    place = ax.get_subplotspec()
    width = box.width * page[0]
    if place is not None:
        width = page[0] * len(place.colspan) / place.get_gridspec().ncols - 0.2
    return float(72 * width / WIDTH)


def _place_numbers(at: Array, avoid: Array) -> list[tuple[float, float]]:
    """Offset of each number in points: the nearest free place, else the least crowded."""
    angles = np.deg2rad(np.arange(0, 360, 30) + 45)
    taken: Sequence[npt.NDArray[np.float64]] = []
    out = []
    for point in at:
        tries = np.array([(d * np.cos(a), d * np.sin(a)) for d in DISTANCES for a in angles])
        places = point + tries
        cost = np.repeat(np.arange(len(DISTANCES)) * 0.4, len(angles))
        for other in taken:
            cost += 100 * (np.abs(places - other).max(axis=1) < 1.25 * NUMBER)
        near = np.linalg.norm(places[:, None] - avoid[None], axis=2) < 0.8 * NUMBER
        cost += near.sum(axis=1)
        best = int(np.argmin(cost))
        taken = [*taken, places[best]]
        out.append((float(tries[best, 0]), float(tries[best, 1])))
    return out
