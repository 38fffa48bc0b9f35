"""Regions of a factor on a rotatable cortical surface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from matplotlib.colors import to_hex

from bayes_mdd import __version__
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.interactive.choice import name_of
from bayes_mdd.results.interactive.connectome import check_one_view
from bayes_mdd.results.interactive.fragment import NO_LIBRARY
from bayes_mdd.results.interactive.library import pack, pack_library, pack_mesh
from bayes_mdd.results.interactive.parts import read_part, render, to_json
from bayes_mdd.results.maps import RegionStatistic
from bayes_mdd.results.region_choice import RegionValues, choose_values
from bayes_mdd.results.region_surface import RADIUS, SIDES, RegionSurface, place_on_surface
from bayes_mdd.results.regions import is_edges, region_table
from bayes_mdd.results.strongest import select_factor

_CALLER: Final = "view_surface"


def view_surface(
    sig: xr.Dataset,
    factor: str,
    *,
    statistic: RegionStatistic | None = None,
    atlas: Any = None,
    surface_atlas: str | Path | None = None,
    mesh: Mapping[str, Any] | None = None,
    radius: float = RADIUS,
    title: str | None = None,
) -> Any:
    """Show the regions of a factor on a cortical surface that can be rotated.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    statistic : {"strength", "positive", "negative", "mean"}, optional
        The number of a region, see `region_strength`; by default "strength" for edges and "mean"
        for regional features.
    atlas : path or nibabel image, optional
        Label image of the regions in MNI space; it is projected to the surface.
    surface_atlas : str or Path, optional
        Surface atlas of the regions (``.dlabel.nii``).
    mesh : mapping of str to path or mesh, optional
        ``left`` and ``right``, e.g. ``.surf.gii`` of the space of `surface_atlas`. By default
        fsaverage5, which nilearn ships.
    radius : float, default 10.0
        Without an atlas, a vertex belongs to the nearest region within this distance of its MNI
        coordinates, in mm. Regions below the cortex cannot be seen.
    title : str, optional
        By default the name of the factor.

    Returns
    -------
    nilearn HTMLDocument
        Shown by Jupyter; ``save_as_html(path)`` writes one file (about 1 MB) that needs no network,
        and ``open_in_browser()`` opens it. Units: SD of the standardised feature per SD of the
        factor's score. Vertices outside the regions are grey; buttons choose other statistics.

    Raises
    ------
    DataContractError
        If there is no such factor, the features name no regions or have several views, the regions
        have no place, or atlas and surface do not fit.
    SpecError
        If `statistic` is unknown, or both atlases are given.
    UnreadableFileError
        If a file cannot be read.

    See Also
    --------
    bayes_mdd.plotting.plot_regions : The same as a figure.
    view_connectome : Edges in the brain.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> view = bm.view_surface(sig, "F1", atlas="ATLAS.nii.gz")  # doctest: +SKIP
    >>> view.save_as_html("F1_surface.html")  # doctest: +SKIP
    """
    from nilearn.plotting.html_connectome import ConnectomeView

    one = select_factor(sig, factor, ("mean",), _CALLER)
    check_one_view(sig, _CALLER)
    shown, library = choose_values(sig, factor, statistic), pack_library()
    surface = place_on_surface(
        region_table(sig), atlas=atlas, surface_atlas=surface_atlas, mesh=mesh, radius=radius
    )
    if library is None:
        raise DataContractError(_CALLER, [NO_LIBRARY])
    body = make_surface(
        sig, factor, surface, library=library, brain=pack_mesh(surface.mesh), first=shown.statistic
    )
    page = render(
        "page.html.j2",
        title=name_of(one) if title is None else title,
        paragraphs=[],
        body=body,
        note=f"Written by bayes-mdd {__version__}.",
        begin=True,
        back="",
    )
    # The base class of nilearn's views, of which it has no public name.
    document: Any = next(c for c in ConnectomeView.__mro__ if c.__name__ == "HTMLDocument")
    return document(page, width=900, height=820)


def make_surface(
    sig: xr.Dataset, factor: str, surface: RegionSurface, *, library: str, brain: str, first: str
) -> str:
    """Make a viewer of the regions of a factor, as a part of a page.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        One of its factors.
    surface : RegionSurface
        Where regions are.
    library : str
        From `pack_library`.
    brain : str
        From `pack_mesh` of the same surface.
    first : str
        Statistic that is shown first; buttons choose the others.

    Returns
    -------
    str
        HTML that needs nothing else.
    """
    regions = region_table(sig)
    names = ("strength", "positive", "negative", "mean") if is_edges(sig) else ("mean",)
    statistics = {name: _describe(choose_values(sig, factor, name)) for name in (*names, first)}
    owner = np.concatenate([surface.region[side] for side in SIDES])
    seen = set(owner.tolist())
    network = regions["network"].astype(str) if "network" in regions else None
    note = f"Regions: {surface.how}."
    if surface.n_hidden:
        note += f" {surface.n_hidden} of {len(regions)} regions are not on the surface."
    data = {
        "regions": [
            [str(name), "" if network is None else network.iloc[i], i in seen]
            for i, name in enumerate(regions.index)
        ],
        "statistics": statistics,
        "first": first,
    }
    return render(
        "surface.html.j2",
        statistics=statistics,
        first=first,
        view="left",
        units=str(sig.attrs.get("units", "unknown units")),
        note=note,
        style=read_part("viewer.css"),
        common=read_part("common.js"),
        script=read_part("surface.js"),
        data=to_json(data),
        library=library,
        brain=brain,
        owner=pack(owner.astype("<i2").tobytes()),
    )


def _describe(shown: RegionValues) -> dict[str, Any]:
    return {
        "values": [round(float(v), 4) if np.isfinite(v) else None for v in shown.values],
        "words": shown.words,
        "low": shown.low,
        "high": shown.high,
        "colours": [to_hex(c) for c in shown.colours(np.linspace(0, 1, 64))],
    }
