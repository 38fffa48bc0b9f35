"""Panels of regions: a glass brain from three sides, and the cortex from four."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, DrawingArea
from nibabel.affines import apply_affine

from bayes_mdd.errors import SpecError
from bayes_mdd.results.figures.glass import VIEWS, open_brain
from bayes_mdd.results.figures.style import INK, SMALL
from bayes_mdd.results.images import Canvas
from bayes_mdd.results.region_choice import RegionValues
from bayes_mdd.results.region_surface import RegionSurface

#: Hemisphere and side of view of the four panels of a surface.
PANELS: Final = (
    ("left", "lateral"),
    ("left", "medial"),
    ("right", "medial"),
    ("right", "lateral"),
)
#: Regions of at least this part of the largest number bear their sign.
MARKED: Final = 0.6
#: Characters of a line below four panels.
LINE: Final = 118


def draw_glass(ax: Axes, canvas: Canvas, shown: RegionValues) -> None:
    """Project the voxels of regions; of those behind each other, the strongest is seen.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    canvas : Canvas
        Voxels of the regions.
    shown : RegionValues
        Their numbers and colours.
    """
    voxels = np.argwhere(canvas.region >= 0)
    world = apply_affine(canvas.affine, voxels)
    values = shown.values[canvas.region[tuple(voxels.T)]]
    seen = np.isfinite(values)
    world, values = world[seen], values[seen]
    step = float(np.sqrt((canvas.affine[:3, :3] ** 2).sum(axis=0)).max())
    # The weakest first, so that the strongest stays.
    order = np.argsort(np.abs(values), kind="stable")
    insets = open_brain(ax)
    if not len(world):
        return
    for view, (i, j) in VIEWS.items():
        inner, limits = insets[view], (insets[view].get_xlim(), insets[view].get_ylim())
        low = world[:, [i, j]].min(axis=0) - step / 2
        cell = ((world[:, [i, j]] - low) / step).astype(int)
        grid = np.full(cell.max(axis=0) + 1, np.nan)
        grid[tuple(cell[order].T)] = values[order]
        high = low + step * np.array(grid.shape)
        inner.imshow(
            grid.T,
            extent=(low[0], high[0], low[1], high[1]),
            origin="lower",
            aspect="auto",
            cmap=shown.colours,
            vmin=shown.low,
            vmax=shown.high,
            interpolation="nearest",
            zorder=2,
        )
        inner.set(xlim=limits[0], ylim=limits[1])
    if shown.low < 0 < shown.high:
        _mark_signs(insets, canvas, shown)


def _mark_signs(insets: dict[str, Axes], canvas: Canvas, shown: RegionValues) -> None:
    """Write the sign on the strongest regions, which colours show by hue alone."""
    strong = np.abs(np.nan_to_num(shown.values)) >= MARKED * shown.high
    for region in np.flatnonzero(strong):
        voxels = np.argwhere(canvas.region == region)
        if not len(voxels):
            continue
        centre = apply_affine(canvas.affine, voxels).mean(axis=0)
        for view, (i, j) in VIEWS.items():
            insets[view].text(
                centre[i],
                centre[j],
                "\N{MINUS SIGN}" if shown.values[region] < 0 else "+",
                ha="center",
                va="center",
                fontsize=SMALL,
                fontweight="bold",
                color="white",
                zorder=4,
            )


def draw_surface(
    figure: Figure, panels: Sequence[Axes], surface: RegionSurface, shown: RegionValues
) -> None:
    """Draw both hemispheres from outside and inside.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Holds the panels.
    panels : sequence of Axes
        Four in three dimensions; changed in place.
    surface : RegionSurface
        Vertices of the regions.
    shown : RegionValues
        Their numbers and colours.

    Raises
    ------
    SpecError
        If the axes have two dimensions.
    """
    from nilearn import plotting

    if any(ax.name != "3d" for ax in panels):
        raise SpecError(
            "kind='surface' draws in three dimensions: make the axes with "
            "figure.subplots(1, 4, subplot_kw={'projection': '3d'})."
        )
    image = surface.paint(shown.values)
    for ax, (side, view) in zip(panels, PANELS, strict=True):
        plotting.plot_surf_stat_map(
            surface.mesh.parts[side],
            image.data.parts[side],
            bg_map=None if surface.depth is None else surface.depth.data.parts[side],
            hemi=side,
            view=view,
            cmap=shown.colours,
            vmin=shown.low,
            vmax=shown.high,
            symmetric_cbar=False,
            colorbar=False,
            engine="matplotlib",
            axes=ax,
            figure=figure,
        )
        # Matplotlib has no types for axes in three dimensions.
        solid: Any = ax
        solid.set_box_aspect(None, zoom=1.5)
        solid.text2D(
            *(0.5, -0.02, f"{side}, {view}"),
            **{"ha": "center", "va": "top", "fontsize": SMALL, "color": INK},
            transform=ax.transAxes,
        )


def caption_surface(ax: Axes, caption: str) -> None:
    """Write below the first panel; axes in three dimensions have no label that leads there.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    caption : str
        The caption.
    """
    lines = textwrap.wrap(caption, LINE, break_on_hyphens=False)
    place: dict[str, Any] = {"xycoords": "axes fraction", "annotation_clip": False}
    shown = ax.annotate(
        "\n".join(lines),
        (0, 0),
        xytext=(0, -18),
        textcoords="offset points",
        va="top",
        fontsize=SMALL,
        color="0.3",
        **place,
    )
    # The layout makes room for a box of the same height, but without width.
    shown.set_in_layout(False)
    room = DrawingArea(0.1, 18 + 1.3 * SMALL * len(lines))
    ax.add_artist(AnnotationBbox(room, (0, 0), box_alignment=(0, 1), frameon=False, pad=0, **place))


def add_bar(figure: Figure, panels: Sequence[Axes], shown: RegionValues, units: str) -> None:
    """Add the colours of the numbers beside panels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Holds the panels.
    panels : sequence of Axes
        Made smaller.
    shown : RegionValues
        Numbers and colours.
    units : str
        Of loadings.
    """
    colours = ScalarMappable(Normalize(shown.low, shown.high), shown.colours)
    bar = figure.colorbar(colours, ax=list(panels), shrink=0.75, pad=0.02, aspect=18)
    bar.ax.tick_params(labelsize=SMALL)
    bar.set_label(f"loading\n({shorten_units(units)})", fontsize=SMALL, color=INK)


def shorten_units(units: str) -> str:
    """Shorten the unit of loadings for a colour bar.

    Parameters
    ----------
    units : str
        As in the attributes of signatures.

    Returns
    -------
    str
        Short for the usual one, else as it is.

    Examples
    --------
    >>> shorten_units("SD of the standardised feature per SD of the factor's score")
    'SD of feature per SD of score'
    """
    return "SD of feature per SD of score" if units.startswith("SD of the stand") else units
