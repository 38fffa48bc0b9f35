"""The viewer of all factors in one page: one copy of the library and of the brain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from bayes_mdd.dims import FACTOR
from bayes_mdd.results.figures.style import pick_colours
from bayes_mdd.results.images import XYZ
from bayes_mdd.results.interactive.choice import find_placed, name_of, sign_probability
from bayes_mdd.results.interactive.library import pack_brain, pack_library
from bayes_mdd.results.interactive.parts import read_part, render, to_json
from bayes_mdd.results.regions import is_edges, region_positions

#: Largest number of features that the slider offers, and how many are shown first.
MOST: Final = 200
FIRST: Final = 40
#: Smallest posterior probability of the sign: positions of its slider.
LEVELS: Final = (0.5, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995)
#: The position at first, that of a 90% interval which excludes 0.
FIRST_LEVEL: Final = 0.95
NO_LIBRARY: Final = (
    "The interactive brain was left out: the pages of the installed nilearn hold its drawing "
    "library in an unexpected way. Figures and tables are complete without it."
)
NO_PLACES: Final = (
    "There is no interactive brain: the regions have no MNI coordinates (columns x, y, z of "
    "regions.tsv)."
)
NO_REGIONS: Final = "There is no interactive brain: the features name no regions."
SEVERAL: Final = (
    "There is no interactive brain, because the features have several views. "
    "bayes_mdd.view_connectome shows one of them: pass it select_view(sig, view)."
)


def interactive_connectome(sig: xr.Dataset, names: Mapping[str, str] | None = None) -> str:
    """Make a viewer of the edges of all factors in a rotatable brain, as a part of a page.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    names : mapping of str to str, optional
        Name of each factor for its button; by default the coordinate ``name`` of `sig`.

    Returns
    -------
    str
        HTML that needs nothing else: styles, data, library and brain are inside, once for all
        factors (about 1 MB), and the library is unpacked when the reader asks for the brain. Use
        it once in a page. Where there is nothing to draw, a paragraph that says why.

    Notes
    -----
    Buttons choose the factor; sliders set the number of features (at most 200) and the smallest
    posterior probability of their sign. Edges above 0 are solid, edges below 0 dashed. The list of
    what is drawn works without WebGL.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> part = interactive_connectome(sig)  # doctest: +SKIP
    """
    if reason := why_no_viewer(sig):
        return render("line.html.j2", reason=reason)
    library = pack_library()
    if library is None:
        return render("line.html.j2", reason=NO_LIBRARY)
    edges = is_edges(sig)
    return render(
        "viewer.html.j2",
        what="edges" if edges else "regions",
        edges=edges,
        factors=[_name(sig, str(f), names) for f in sig[FACTOR].values],
        units=str(sig.attrs.get("units", "unknown units")),
        ci=f"{float(sig.attrs.get('ci_prob', 0.9)):.0%}",
        most=MOST,
        first=FIRST,
        levels=LEVELS,
        first_level=LEVELS.index(FIRST_LEVEL),
        style=read_part("viewer.css"),
        common=read_part("common.js"),
        script=read_part("viewer.js"),
        data=to_json(_gather(sig, names)),
        library=library,
        brain=pack_brain(),
    )


def why_no_viewer(sig: xr.Dataset) -> str:
    """Say why signatures cannot be shown in a brain.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.

    Returns
    -------
    str
        Empty where they can.
    """
    if not (is_edges(sig) or "region_name" in sig.coords):
        return NO_REGIONS
    if "view" in sig.coords and len(set(map(str, sig["view"].values))) > 1:
        return SEVERAL
    if not sig.sizes[FACTOR]:
        return "There is no interactive brain: no factor is used."
    return "" if find_placed(sig)[1].any() else NO_PLACES


def _name(sig: xr.Dataset, factor: str, names: Mapping[str, str] | None) -> dict[str, str]:
    known = name_of(sig.sel({FACTOR: factor})) if names is None else names.get(factor, factor)
    return {"key": factor, "name": str(known)}


def _gather(sig: xr.Dataset, names: Mapping[str, str] | None) -> dict[str, Any]:
    """Collect regions and the strongest features of every factor."""
    regions, placed = find_placed(sig)
    sides = ("region_a", "region_b") if is_edges(sig) else ("region_name",)
    ends = [region_positions(sig, regions.index, side) for side in sides]
    network = regions["network"].astype(str) if "network" in regions else None
    colours = {} if network is None else pick_colours(list(dict.fromkeys(network)))
    places = regions[XYZ].to_numpy(dtype=float)
    rows = {
        str(f): _strongest(sig.sel({FACTOR: f}), placed, ends) for f in map(str, sig[FACTOR].values)
    }
    return {
        "regions": [
            [str(name), "" if network is None else network.iloc[i], *_rounded(places[i])]
            for i, name in enumerate(regions.index)
        ],
        "colours": colours,
        "ends": len(ends),
        "levels": LEVELS,
        "factors": {
            key: {"name": _name(sig, key, names)["name"], "features": found}
            for key, found in rows.items()
        },
    }


def _strongest(
    one: xr.Dataset, placed: npt.NDArray[np.bool_], ends: list[npt.NDArray[np.intp]]
) -> list[list[float | None]]:
    """List what any position of the sliders can show, the strongest first."""
    mean, sure = one["mean"].values, sign_probability(one)
    order = np.argsort(-np.abs(mean), kind="stable")
    order = order[(placed & (mean != 0))[order]]
    kept = np.zeros(len(mean), dtype=bool)
    for level in LEVELS:
        kept[order[sure[order] >= level][:MOST]] = True
    low, high = one["lower"].values, one["upper"].values
    return [
        [*(int(end[i]) for end in ends), *_rounded([mean[i], low[i], high[i], sure[i]], 4)]
        for i in order[kept[order]]
    ]


def _rounded(values: npt.ArrayLike, digits: int = 1) -> list[float | None]:
    """JSON has no NaN."""
    return [round(float(v), digits) if np.isfinite(v) else None for v in np.asarray(values)]
