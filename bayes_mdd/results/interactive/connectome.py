"""A factor in nilearn's rotatable brain."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.style import pick_colours
from bayes_mdd.results.images import XYZ
from bayes_mdd.results.interactive.choice import choose_features, find_placed, name_of
from bayes_mdd.results.regions import edge_matrix, is_edges
from bayes_mdd.results.strongest import select_factor

#: Orange and blue of the palette: loadings above and below 0 of regional features.
_SIGNS: Final = ("#D55E00", "#0072B2")
#: Names of regions are written by default up to this number.
FEW: Final = 20
_CALLER: Final = "view_connectome"
#: The icon of nilearn's pages is fetched from the internet.
_ICON: Final = re.compile(r'<link\s+rel="icon"[^>]*>')
NO_PLACES: Final = (
    "no region of the features has MNI coordinates: give regions.tsv columns x, y, z and fit again."
)


def view_connectome(
    sig: xr.Dataset,
    factor: str,
    *,
    top: int = 60,
    min_prob: float | None = None,
    labels: bool | None = None,
    title: str | None = None,
) -> Any:
    """Show the strongest certain loadings of a factor in a brain that can be rotated.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 60
        Shows at most this many edges (or regions): the largest absolute posterior means.
    min_prob : float, optional
        Smallest posterior probability of the sign of an edge that is shown, e.g. 0.99. By default
        edges are shown whose interval excludes 0.
    labels : bool, optional
        Whether the names of regions with edges are written (nilearn 0.14 and later). By default
        where there are at most 20 of them. Markers of regional features always have names.
    title : str, optional
        By default the name of the factor and what was chosen.

    Returns
    -------
    nilearn.plotting.html_connectome.ConnectomeView
        Shown by Jupyter; ``save_as_html(path)`` writes one file that needs no network, and
        ``open_in_browser()`` opens it. Colours are posterior mean loadings, in SD of the
        standardised feature per SD of the factor's score. Regional features are markers, orange
        above 0 and blue below, whose size grows with the absolute loading.

    Raises
    ------
    DataContractError
        If there is no such factor, the features name no regions or have several views, or no
        region has coordinates.
    SpecError
        If `top` or `min_prob` is out of range.

    See Also
    --------
    bayes_mdd.plotting.plot_connectome : The same as a figure.
    view_surface : Regions on the cortical surface.
    top_loadings : The same as a table.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> bm.view_connectome(sig, "F1", min_prob=0.99).save_as_html("F1.html")  # doctest: +SKIP
    """
    one = select_factor(sig, factor, ("mean", "lower", "upper", "p_positive"), _CALLER)
    check_one_view(sig, _CALLER)
    regions, placed = find_placed(sig)
    if not placed.any():
        raise DataContractError(_CALLER, [NO_PLACES])
    choice = choose_features(one, placed, top=top, min_prob=min_prob)
    edges = is_edges(sig)
    if title is None:
        title = f"{name_of(one)}<br>{choice.say('edges' if edges else 'regions')}"
    values = np.where(choice.shown, one["mean"].values, 0.0)
    if edges:
        return without_icon(_view_edges(one, regions, values, title, labels))
    return without_icon(_view_regions(one, values, title))


def check_one_view(sig: xr.Dataset, caller: str) -> None:
    """Check that one place in the brain does not hold the features of several views.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    caller : str
        Function that asks, for the error.

    Raises
    ------
    DataContractError
        If there are several views.
    """
    views = dict.fromkeys(map(str, sig["view"].values)) if "view" in sig.coords else {}
    if len(views) > 1:
        raise DataContractError(
            caller,
            [
                "the features have several views: choose one with bm.select_view(sig, view); "
                f"there are {', '.join(views)}."
            ],
        )


def without_icon(view: Any) -> Any:
    """Remove the icon from a page of nilearn, which a browser would fetch from the internet.

    Parameters
    ----------
    view : nilearn HTML document
        Changed in place.

    Returns
    -------
    nilearn HTML document
        `view`.
    """
    view.html = _ICON.sub("", view.html)
    return view


def _view_edges(
    one: xr.Dataset, regions: pd.DataFrame, values: Any, title: str, labels: bool | None
) -> Any:
    from nilearn import plotting

    matrix = edge_matrix(one, values)
    known = regions[XYZ].notna().all(axis=1).to_numpy()
    kept = regions[known]
    adjacency = np.nan_to_num(matrix.to_numpy()[np.ix_(known, known)])
    network = kept.get("network", pd.Series("region", index=kept.index)).astype(str)
    colours = pick_colours(list(dict.fromkeys(network)))
    touched = (adjacency != 0).any(axis=0)
    shown = touched & (labels or (labels is None and touched.sum() <= FEW))
    words = [str(name) if s else "" for name, s in zip(kept.index, shown, strict=True)]
    # nilearn 0.13 has no labels of nodes.
    able = "node_labels" in inspect.signature(plotting.view_connectome).parameters
    return plotting.view_connectome(
        adjacency,
        kept[XYZ].to_numpy(dtype=float),
        node_color=[colours[n] for n in network],
        node_size=np.where(touched, 6.0, 2.5),
        linewidth=5.0,
        title=title,
        title_fontsize=14,
        colorbar_fontsize=14,
        **({"node_labels": words} if able else {}),
    )


def _view_regions(one: xr.Dataset, values: Any, title: str) -> Any:
    from nilearn import plotting

    shown = np.flatnonzero(values)
    part, mean = one.isel({FEATURE: shown}), values[shown]
    places = np.stack([part[c].values.astype(float) for c in XYZ], axis=1)
    size = 4 + 12 * np.abs(mean) / (np.abs(mean).max() if len(mean) else 1.0)
    return plotting.view_markers(
        places,
        marker_color=[_SIGNS[int(m < 0)] for m in mean],
        marker_size=size,
        marker_labels=[
            f"{name}: {m:+.2f}"
            for name, m in zip(part["region_name"].values.astype(str), mean, strict=True)
        ],
        title=title,
        title_fontsize=14,
    )
