"""Regions of a factor on a glass brain or the cortical surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.results.figures.region_panels import (
    add_bar,
    caption_surface,
    draw_glass,
    draw_surface,
)
from bayes_mdd.results.figures.style import (
    INK,
    TEXT,
    open_panels,
    write_caption,
)
from bayes_mdd.results.images import build_label_canvas, build_sphere_canvas, place_regions
from bayes_mdd.results.maps import RegionStatistic
from bayes_mdd.results.region_choice import choose_values
from bayes_mdd.results.region_surface import place_on_surface
from bayes_mdd.results.regions import region_table
from bayes_mdd.results.strongest import describe_factor, select_factor

_CALLER: Final = "plot_regions"


def plot_regions(
    sig: xr.Dataset,
    factor: str,
    statistic: RegionStatistic | None = None,
    *,
    kind: Literal["glass", "surface"] = "glass",
    atlas: Any = None,
    surface_atlas: str | Path | None = None,
    mesh: Mapping[str, Any] | None = None,
    radius: float | None = None,
    axes: Axes | Sequence[Axes] | npt.NDArray[Any] | None = None,
) -> Figure:
    """Plot how much the regions take part in a factor.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    statistic : {"strength", "positive", "negative", "mean"}, optional
        The number of a region, see `region_strength`; by default "strength" for edges, which lets
        no loadings cancel, and "mean" for regional features.
    kind : {"glass", "surface"}, default "glass"
        A glass brain from three sides (the strongest region in depth is seen), or the cortex of
        both hemispheres from outside and inside.
    atlas : path or nibabel image, optional
        Label image of the regions; for a surface it must be in MNI space. Without an atlas, regions
        are spheres at their MNI coordinates.
    surface_atlas : str or Path, optional
        Surface atlas of the regions (``.dlabel.nii``); for ``kind="surface"``.
    mesh : mapping of str to path or mesh, optional
        ``left`` and ``right``: surface to draw, by default fsaverage5; see `view_surface`.
    radius : float, optional
        Of the spheres in mm, by default 8 (glass), or reach of a region on the surface, by
        default 10.
    axes : Axes or sequence of Axes, optional
        Where to draw: one for a glass brain; four with ``projection="3d"`` for a surface (left
        from outside, left from inside, right from inside, right from outside).

    Returns
    -------
    matplotlib.figure.Figure
        The figure that holds what was drawn. The colour bar has the unit of loadings, SD of the
        standardised feature per SD of the factor's score.

    Raises
    ------
    DataContractError
        If there is no such factor, the features name no regions or have several views, or the
        regions have no place.
    SpecError
        If `statistic` or `kind` is unknown, or `axes` do not fit.

    See Also
    --------
    bayes_mdd.view_surface : The surface, to be rotated.
    bayes_mdd.top_regions : The strongest regions by name, with intervals.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> figure = bm.plotting.plot_regions(sig, "F1")  # doctest: +SKIP
    >>> figure = bm.plotting.plot_regions(sig, "F1", "negative", kind="surface")  # doctest: +SKIP
    """
    one = select_factor(sig, factor, ("mean",), _CALLER)
    views = dict.fromkeys(map(str, sig["view"].values)) if "view" in sig.coords else {}
    if len(views) > 1:
        raise DataContractError(
            _CALLER,
            [
                "the features have several views: choose one with bm.select_view(sig, view); "
                f"there are {some(list(views))}."
            ],
        )
    if kind not in ("glass", "surface"):
        raise SpecError(f"kind must be 'glass' or 'surface', got {kind!r}.")
    shown = choose_values(sig, factor, statistic)
    about = describe_factor(one)
    regions = region_table(sig)
    known = int(np.isfinite(shown.values).sum())
    caption = f"n = {known} regions; posterior mean; "
    if kind == "glass":
        if surface_atlas is not None:
            raise SpecError("surface_atlas needs kind='surface'; give a label image as atlas.")
        canvas = (
            build_sphere_canvas(regions, radius=radius or 8.0)
            if atlas is None
            else build_label_canvas(regions, atlas)
        )
        hidden = 0 if atlas is not None else int((~place_regions(regions)).sum())
        how = f"spheres of {radius or 8:g} mm" if atlas is None else "regions of the label image"
        figure, panels = open_panels(axes, (1, 1), 7.5, 3.5)
        draw_glass(panels[0], canvas, shown)
    else:
        surface = place_on_surface(
            regions, atlas=atlas, surface_atlas=surface_atlas, mesh=mesh, radius=radius or 10.0
        )
        hidden, how = surface.n_hidden, surface.how
        figure, panels = open_panels(axes, (1, 4), 9.5, 2.9, subplot_kw={"projection": "3d"})
        draw_surface(figure, panels, surface, shown)
    title = f"{about['name']}\n{shown.words}"
    panels[0].set_title(title, fontsize=TEXT + 1, color=INK, loc="left")
    add_bar(figure, panels, shown, about["units"])
    tail = f"; {hidden} of {len(regions)} regions not shown" if hidden else ""
    caption = f"{caption}{how}{tail}."
    if kind == "glass" and shown.low < 0 < shown.high:
        caption = f"{caption.removesuffix('.')}; + and \N{MINUS SIGN}: sign of the strongest."
    if kind == "glass":
        write_caption(panels[0], caption)
    else:
        caption_surface(panels[0], caption)
    return figure
