"""The edges of a factor in the brain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.style import (
    INK,
    PALETTE,
    SMALL,
    TEXT,
    new_figure,
    pick_colours,
    tidy,
)
from bayes_mdd.results.images import XYZ, place_regions
from bayes_mdd.results.regions import edge_matrix, is_edges, region_positions, region_table

#: Blue to red through white: distinguishable with all kinds of colour vision.
CMAP = "RdBu_r"


def plot_connectome(sig: xr.Dataset, factor: str, *, top: int = 60) -> Figure:
    """Plot the strongest certain loadings of a factor in the brain.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 60
        Shows at most this many edges (or regions): the largest absolute posterior means among
        those whose interval excludes 0. The title says how many there were, and how many more
        touch regions without coordinates, which a brain cannot show.

    Returns
    -------
    matplotlib.figure.Figure
        A glass brain where regions have MNI coordinates, else a matrix; for regional features
        a glass brain of regions, else a forest.

    Raises
    ------
    DataContractError
        If the factor is unknown, or features name no regions.
    """
    known = [str(f) for f in sig[FACTOR].values]
    if factor not in known:
        raise DataContractError(
            "plot_connectome", [f"there is no factor '{factor}'; there are {some(known, 20)}."]
        )
    one = sig.sel({FACTOR: factor})
    regions = region_table(sig)
    placed = place_regions(regions)
    drawable = _find_drawable(one, regions, placed)
    shown, title = _select(one, top, "edges" if is_edges(sig) else "regions", drawable)
    label = f"  ({one['label'].values})" if "label" in one.coords else ""
    title = f"{factor}{label}: {title}"
    if not is_edges(sig):
        return _plot_regions(one, regions, shown, title, in_brain=bool(placed.any()))
    matrix = edge_matrix(one, np.where(shown, one["mean"].values, np.nan))
    if placed.any():
        return _plot_brain(matrix, regions, placed, title)
    return _plot_matrix(matrix, regions, title)


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
    tail = f"\n(not drawn: {hidden} more, of regions without coordinates)" if hidden else ""
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


def _plot_brain(
    matrix: pd.DataFrame, regions: pd.DataFrame, placed: npt.NDArray[np.bool_], title: str
) -> Figure:
    from nilearn import plotting

    # nilearn does not accept NaN; here 0 means "not drawn".
    adjacency = np.nan_to_num(matrix.to_numpy()[np.ix_(placed, placed)])
    kept = regions[placed]
    network = kept.get("network", pd.Series("region", index=kept.index)).astype(str)
    colours = pick_colours(list(dict.fromkeys(network)))
    touched = (adjacency != 0).any(axis=0)
    limit = float(np.abs(adjacency).max()) or 1.0
    figure = Figure(figsize=(9.0, 4.0))
    plotting.plot_connectome(
        adjacency,
        kept[XYZ].to_numpy(dtype=float),
        node_color=[colours[n] for n in network],
        node_size=np.where(touched, 30, 3 if len(kept) > 60 else 14),
        edge_cmap=CMAP,
        edge_vmin=-limit,
        edge_vmax=limit,
        edge_kwargs={"linewidth": 1.6},
        figure=figure,
        axes=(0.0, 0.13, 0.97, 0.72),
        colorbar=bool(touched.any()),
    )
    used = [
        n
        for n in colours
        if len(colours) <= len(PALETTE) or touched[(network == n).to_numpy()].any()
    ]
    return _finish(figure, title, {n: colours[n] for n in used}, with_bar=bool(touched.any()))


def _finish(figure: Figure, title: str, colours: dict[str, str], *, with_bar: bool) -> Figure:
    figure.suptitle(title, fontsize=TEXT + 1, color=INK, x=0.02, ha="left", y=0.98)
    if with_bar:
        figure.text(0.945, 0.87, "loading", fontsize=SMALL, color=INK, ha="center")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=c, markersize=6, label=n)
        for n, c in colours.items()
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            ncols=4 if len(handles) > 5 else max(len(handles), 1),
            columnspacing=1.4,
            frameon=False,
            fontsize=SMALL,
        )
    return figure


def _plot_matrix(matrix: pd.DataFrame, regions: pd.DataFrame, title: str) -> Figure:
    """Draw a matrix of regions ordered by network, where there are no coordinates."""
    network = regions.get("network", pd.Series("", index=regions.index)).astype(str)
    first = {n: i for i, n in enumerate(dict.fromkeys(network))}
    order = np.argsort(network.map(first).to_numpy(), kind="stable")
    names = network.iloc[order].tolist()
    values = matrix.to_numpy()[np.ix_(order, order)]
    limit = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    figure = new_figure(7.0, 6.2)
    ax = figure.subplots()
    image = ax.imshow(values, cmap=CMAP, vmin=-limit, vmax=limit)
    edges = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    for edge in edges:
        ax.axhline(edge - 0.5, color="0.6", linewidth=0.8)
        ax.axvline(edge - 0.5, color="0.6", linewidth=0.8)
    starts, ends = [0, *edges], [*edges, len(names)]
    middles = [(s + e - 1) / 2 for s, e in zip(starts, ends, strict=True)]
    groups = [names[s] for s in starts]
    ax.set_xticks(middles, groups, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, groups)
    ax.tick_params(length=0)
    tidy(ax, title=title)
    _bar(figure, image, ax)
    return figure


def _plot_regions(
    one: xr.Dataset,
    regions: pd.DataFrame,
    shown: npt.NDArray[np.bool_],
    title: str,
    *,
    in_brain: bool,
) -> Figure:
    values = pd.Series(one["mean"].values, index=one["region_name"].values.astype(str))
    drawn = values[shown]
    if not in_brain or drawn.empty:
        return _plot_forest(one, shown, title)
    from nilearn import plotting

    limit = float(np.abs(drawn).max()) or 1.0
    figure = Figure(figsize=(9.0, 4.0))
    plotting.plot_markers(
        drawn.to_numpy(),
        regions.loc[drawn.index, XYZ].to_numpy(dtype=float),
        node_size=60,
        node_cmap=CMAP,
        node_vmin=-limit,
        node_vmax=limit,
        alpha=1.0,
        node_kwargs={"edgecolors": "0.3", "linewidths": 0.6},
        figure=figure,
        axes=(0.0, 0.05, 0.97, 0.8),
    )
    return _finish(figure, title, {}, with_bar=True)


def _plot_forest(one: xr.Dataset, shown: npt.NDArray[np.bool_], title: str) -> Figure:
    part = one.isel(feature=np.flatnonzero(shown))
    part = part.isel(feature=np.argsort(-np.abs(part["mean"].values), kind="stable"))
    rows = np.arange(part.sizes["feature"])
    figure = new_figure(7.0, 1.4 + 0.24 * max(len(rows), 2))
    ax = figure.subplots()
    ax.axvline(0, color="0.6", linewidth=1)
    ax.hlines(rows, part["lower"].values, part["upper"].values, color=PALETTE[0], linewidth=2)
    ax.plot(part["mean"].values, rows, "o", color=PALETTE[0])
    ax.set_yticks(rows, [str(f) for f in part["feature"].values])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    tidy(ax, title=title, xlabel=f"loading ({one.attrs.get('units', 'unknown units')})", grid="x")
    return figure


def _bar(figure: Figure, image: Any, ax: Any) -> None:
    bar = figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02, aspect=25)
    bar.set_label("loading", fontsize=TEXT, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
