"""The edges or regions of a factor in the brain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.flat import draw_forest, draw_matrix
from bayes_mdd.results.figures.glass import draw_edges, draw_nodes, number_regions, open_brain
from bayes_mdd.results.figures.labels import shorten_names
from bayes_mdd.results.figures.style import (
    INK,
    SMALL,
    legend_mark,
    open_axes,
    pick_colours,
    pick_markers,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.images import XYZ, place_regions
from bayes_mdd.results.names import title_factor
from bayes_mdd.results.regions import edge_matrix, is_edges, region_positions, region_table
from bayes_mdd.types import Array

#: Colour, line and marker of positive and negative loadings, which differ without colour.
POSITIVE: Final[tuple[str, Any, str]] = ("#D55E00", "-", "o")
NEGATIVE: Final[tuple[str, Any, str]] = ("#0072B2", (0, (2.2, 1.2)), "D")
#: So many regions are named.
NUMBERED: Final = 8


@dataclass(frozen=True, eq=False)
class _Shown:
    """What is drawn of a factor, and how it was chosen."""

    one: xr.Dataset
    regions: pd.DataFrame
    placed: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]
    title: str
    caption: str

    @property
    def values(self) -> Array:
        """Loadings that are drawn."""
        return np.asarray(self.one["mean"].values[self.shown], dtype=float)

    def at(self, side: str) -> npt.NDArray[np.intp]:
        """Rows of `regions` at one end of the features that are drawn."""
        return region_positions(self.one, self.regions.index, side)[self.shown]


def plot_connectome(
    sig: xr.Dataset, factor: str, *, top: int = 30, ax: Axes | None = None
) -> Figure:
    """Plot the strongest certain loadings of a factor in the brain.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 30
        Shows at most this many edges (or regions): the largest absolute posterior means among
        those whose interval excludes 0. The caption says how many there were, and how many more
        touch regions without coordinates, which a brain cannot show.
    ax : Axes, optional
        Where to draw; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        A glass brain where regions have MNI coordinates: positive loadings solid, negative ones
        dashed, as wide as the loading is strong, and the regions with the strongest edges numbered
        and named in the caption. Without coordinates a matrix. For regional features a glass brain
        of regions (circles positive, diamonds negative), else a forest with intervals.

    Raises
    ------
    DataContractError
        If the factor is unknown, or features name no regions.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> figure = bm.plotting.plot_connectome(sig, "F1", top=20)  # doctest: +SKIP
    """
    known = [str(f) for f in sig[FACTOR].values]
    if factor not in known:
        raise DataContractError(
            "plot_connectome", [f"there is no factor '{factor}'; there are {some(known, 20)}."]
        )
    drawn = _choose(sig, factor, top)
    if not drawn.placed.any() or not drawn.shown.any():
        return _plot_flat(drawn, ax)
    figure, ax = open_axes(ax, 7.0, 4.25)
    tidy(ax, title=drawn.title)
    views = open_brain(ax)
    touched, handles = (_draw_edges if is_edges(sig) else _draw_regions)(views, drawn)
    xyz = drawn.regions[XYZ].to_numpy(dtype=float)
    others = np.flatnonzero(drawn.placed)
    number_regions(ax, views["z"], xyz[touched[:NUMBERED]], xyz[others])
    put_legend_above(ax, handles, columns=_columns(handles))
    short = shorten_names(drawn.regions.index.astype(str))
    named = [
        f"{i} {short[str(drawn.regions.index[t])]}" for i, t in enumerate(touched[:NUMBERED], 1)
    ]
    write_caption(ax, f"{drawn.caption} Strongest regions, numbered: {', '.join(named)}.")
    return figure


def _choose(sig: xr.Dataset, factor: str, top: int) -> _Shown:
    one = sig.sel({FACTOR: factor})
    regions = region_table(sig)
    placed = place_regions(regions)
    drawable = _find_drawable(one, regions, placed)
    shown, chosen = _select(one, top, "edges" if is_edges(sig) else "regions", drawable)
    label = str(one["label"].values) if "label" in one.coords else ""
    name = str(one["name"].values) if "name" in one.coords else f"{factor} {label}".strip()
    caption = f"{chosen[0].upper()}{chosen[1:]}."
    if shown.any():
        units = one.attrs.get("units", "unknown units")
        caption += f" Loadings: posterior means, {units}."
    return _Shown(one, regions, placed, shown, title_factor(name, label), caption)


def _find_drawable(
    one: xr.Dataset, regions: pd.DataFrame, placed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which features have coordinates; all, where no region has any."""
    if not placed.any():
        return np.ones(one.sizes["feature"], dtype=bool)
    sides = ("region_a", "region_b") if is_edges(one) else ("region_name",)
    ends = [placed[region_positions(one, regions.index, side)] for side in sides]
    return np.asarray(np.all(ends, axis=0))


def _select(
    one: xr.Dataset, top: int, what: str, drawable: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], str]:
    """Select the features to show, and describe the selection."""
    mean = one["mean"].values
    clear = ((one["lower"] > 0) | (one["upper"] < 0)).values
    hidden = int((clear & ~drawable).sum())
    tail = f" (not drawn: {hidden} more, of regions without coordinates)" if hidden else ""
    clear = clear & drawable
    order = np.argsort(np.where(clear, -np.abs(mean), np.inf), kind="stable")
    shown = np.zeros(len(mean), dtype=bool)
    shown[order[: min(top, int(clear.sum()))]] = True
    interval = f"{float(one.attrs.get('ci_prob', np.nan)):.0%} interval excludes 0"
    if not clear.any():
        return shown, f"no {what} have a {interval.replace('excludes', 'that excludes')}{tail}"
    count = f"{int(clear.sum())} {what} whose {interval}"
    which = f"the {top} strongest of" if clear.sum() > top else "all"
    return shown, f"{which} {count}{tail}"


def _draw_edges(views: dict[str, Axes], drawn: _Shown) -> tuple[npt.NDArray[np.intp], list[Artist]]:
    """Edges and their regions; the regions in the order of the loadings that they touch."""
    a, b, values = drawn.at("region_a"), drawn.at("region_b"), drawn.values
    xyz = drawn.regions[XYZ].to_numpy(dtype=float)
    strength = np.abs(values)
    limit = float(strength.max())
    handles: list[Artist] = []
    for words, sign, (colour, line, _) in (("positive", 1, POSITIVE), ("negative", -1, NEGATIVE)):
        mine = np.sign(values) == sign
        if mine.any():
            ends = np.stack([xyz[a[mine]], xyz[b[mine]]], axis=1)
            draw_edges(views, ends, _width(strength[mine], limit), colour, line)
            handles.append(legend_mark(words, colour, line=line))
    ends_of = sorted({float(f"{v:.2g}") for v in (strength.min(), limit)})
    handles += [
        legend_mark(f"|loading| {v:g}", INK, line="-", width=float(_width(np.array(v), limit)))
        for v in ends_of
    ]
    total = np.bincount(a, strength, len(xyz)) + np.bincount(b, strength, len(xyz))
    handles += _draw_networks(views, drawn, total > 0)
    order = np.argsort(-total, kind="stable")
    return order[total[order] > 0], handles


def _width(strength: Array, limit: float) -> Array:
    return np.asarray(0.5 + 1.8 * strength / limit)


def _draw_networks(
    views: dict[str, Axes], drawn: _Shown, touched: npt.NDArray[np.bool_]
) -> list[Artist]:
    """Regions with edges, by network; the others as small dots."""
    xyz = drawn.regions[XYZ].to_numpy(dtype=float)
    draw_nodes(views, xyz[drawn.placed & ~touched], 7, "0.55")
    if "network" not in drawn.regions:
        draw_nodes(views, xyz[touched], 30, INK)
        return []
    network = drawn.regions["network"].astype(str)
    names = list(dict.fromkeys(network))
    colours, markers = pick_colours(names), pick_markers(names)
    handles: list[Artist] = []
    for name in names:
        mine = (network == name).to_numpy() & touched
        if mine.any():
            draw_nodes(views, xyz[mine], 30, colours[name], markers[name])
            look: dict[str, Any] = {"markeredgecolor": INK, "markeredgewidth": 0.4}
            handles.append(
                legend_mark(name, colours[name], marker=markers[name], markersize=6, **look)
            )
    return handles


def _draw_regions(
    views: dict[str, Axes], drawn: _Shown
) -> tuple[npt.NDArray[np.intp], list[Artist]]:
    """Regions as large as their loadings; in the order of these."""
    at, values = drawn.at("region_name"), drawn.values
    xyz = drawn.regions[XYZ].to_numpy(dtype=float)
    strength = np.abs(values)
    limit = float(strength.max())
    rest = drawn.placed.copy()
    rest[at] = False
    draw_nodes(views, xyz[rest], 7, "0.55")
    handles: list[Artist] = []
    for words, sign, (colour, _, marker) in (("positive", 1, POSITIVE), ("negative", -1, NEGATIVE)):
        mine = np.sign(values) == sign
        if mine.any():
            draw_nodes(views, xyz[at[mine]], 12 + 90 * strength[mine] / limit, colour, marker)
            handles.append(legend_mark(words, colour, marker=marker, markersize=7))
    for v in sorted({float(f"{v:.2g}") for v in (strength.min(), limit)}):
        size = float(np.sqrt(12 + 90 * v / limit))
        handles.append(legend_mark(f"|loading| {v:g}", INK, marker="o", markersize=size))
    return at[np.argsort(-strength, kind="stable")], handles


def _columns(handles: list[Artist]) -> int:
    """How many entries of a legend stand side by side."""
    longest = max(len(str(h.get_label())) for h in handles)
    return min(len(handles), max(2, int(6.6 * 72 / (0.56 * SMALL * (longest + 6)))))


def _plot_flat(drawn: _Shown, ax: Axes | None) -> Figure:
    """Where there is no coordinate, or nothing to draw in a brain."""
    if not drawn.shown.any():
        figure, ax = open_axes(ax, 7.0, 1.5)
        tidy(ax, title=drawn.title)
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)
        write_caption(ax, drawn.caption)
        return figure
    if not is_edges(drawn.one):
        figure, ax = open_axes(ax, 7.0, 1.6 + 0.26 * max(int(drawn.shown.sum()), 2))
        draw_forest(ax, drawn.one, drawn.shown)
    else:
        figure, ax = open_axes(ax, 6.4, 6.2)
        matrix = edge_matrix(drawn.one, np.where(drawn.shown, drawn.one["mean"].values, np.nan))
        draw_matrix(ax, matrix, drawn.regions)
    tidy(ax, title=drawn.title)
    write_caption(ax, drawn.caption)
    return figure
