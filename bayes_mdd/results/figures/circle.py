"""The edges of a factor on a circle of regions, or of networks."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.figures.chords import draw_chords
from bayes_mdd.results.figures.circle_geometry import (
    LABELS,
    OUTER,
    Array,
    band,
    curve,
    place_arcs,
    point,
    spread,
)
from bayes_mdd.results.figures.circle_text import (
    set_limit,
    square_side,
    text_length,
    write_around,
    write_radially,
)
from bayes_mdd.results.figures.labels import shorten_names
from bayes_mdd.results.figures.style import (
    PALETTE,
    SMALL,
    TEXT,
    open_axes,
    pick_colours,
    put_legend_above,
    tidy,
    write_caption,
)
from bayes_mdd.results.regions import is_edges, region_table
from bayes_mdd.results.strongest import describe_factor, select_factor, top_loadings

#: Colour and line style of the two signs.
POSITIVE: Final[tuple[str, Any]] = PALETTE[1], "-"
NEGATIVE: Final[tuple[str, Any]] = PALETTE[0], (0, (4, 1.6))
#: Width of the lines of the weakest and of the strongest edge, in points.
WIDTHS = (0.7, 3.2)
#: Labels of regions may take this share of the width.
LABELS_AT_MOST = 0.66
#: Longest name of a region, in characters.
LONGEST = 16


def plot_circle(
    sig: xr.Dataset,
    factor: str,
    *,
    by: Literal["edge", "network"] = "edge",
    top: int = 60,
    ax: Axes | None = None,
) -> Figure:
    """Plot the strongest edges of a factor on a circle, ordered by network.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned, of edges.
    factor : str
        For example ``"F1"``.
    by : {"edge", "network"}, default "edge"
        One curve per edge, or one chord per pair of networks.
    top : int, default 60
        At most so many edges: the largest absolute posterior means among those whose interval
        excludes 0. Not used for networks.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        Regions on a circle, in networks. Curves of positive loadings are solid, of negative ones
        dashed; the stronger, the wider. Names of regions that no curve touches are left out, and
        all names where there is no room. By network, the width of a chord is the share of the pair
        of networks in the sum of squared loadings; chords whose loadings are mostly negative are
        hatched.

    Raises
    ------
    DataContractError
        If there is no such factor, or the features are not edges.
    SpecError
        If `by` or `top` is out of range.

    See Also
    --------
    plot_connectome : The same edges in the brain.
    plot_top_edges : The same edges by name.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> bm.plotting.plot_circle(sig, "F3", by="network")  # doctest: +SKIP
    """
    if by not in ("edge", "network"):
        raise SpecError(f"by must be 'edge' or 'network', got {by!r}.")
    one = select_factor(sig, factor, ("mean", "lower", "upper"), "plot_circle")
    if not is_edges(sig):
        raise DataContractError(
            "plot_circle", ["the features are no edges: use plot_top_edges or plot_connectome."]
        )
    table = top_loadings(sig, factor, top)
    regions = region_table(sig)
    if "network" not in regions:
        regions = regions.assign(network="")
    figure, ax = open_axes(ax, 7.0, 7.4)
    tidy(ax, title=str(describe_factor(one)["name"]))
    ax.set_aspect("equal", adjustable="datalim")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    if by == "network":
        draw_chords(ax, one)
        return figure
    shown = _draw_edges(ax, table, regions.astype({"network": str}))
    put_legend_above(
        ax,
        [
            Line2D([], [], color=c, linestyle=s, linewidth=2, label=label)
            for label, (c, s) in (("positive", POSITIVE), ("negative", NEGATIVE))
        ],
    )
    write_caption(ax, _caption(table, named=shown))
    return figure


def _draw_edges(ax: Axes, table: pd.DataFrame, regions: pd.DataFrame) -> bool:
    """Draw band, curves and names; tells whether regions could be named."""
    networks = list(dict.fromkeys(regions["network"]))
    members = {n: regions.index[regions["network"] == n].astype(str).tolist() for n in networks}
    starts, ends = place_arcs([len(members[n]) for n in networks])
    at: dict[str, float] = {}
    for network, start, end in zip(networks, starts, ends, strict=True):
        step = (end - start) / len(members[network])
        at |= {r: start + (i + 0.5) * step for i, r in enumerate(members[network])}
    colours = pick_colours(networks)
    for network, start, end in zip(networks, starts, ends, strict=True):
        ax.add_patch(PathPatch(band(start, end), facecolor=colours[network], edgecolor="none"))
    largest = float(table["mean"].abs().max()) if len(table) else 1.0
    # The strongest on top.
    edges = table[["region_a", "region_b"]].astype(str).to_numpy().tolist()
    for (a, b), mean in reversed(list(zip(edges, table["mean"].tolist(), strict=True))):
        colour, style = POSITIVE if mean > 0 else NEGATIVE
        width = WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * abs(mean) / largest
        path = curve(at[a], at[b])
        ax.add_patch(PathPatch(path, fill=False, edgecolor=colour, linestyle=style,
                               linewidth=width, alpha=0.75, capstyle="butt"))  # fmt: skip
    touched = list(dict.fromkeys([*table["region_a"], *table["region_b"]]))
    named, radius = _write_names(ax, touched, at, networks)
    held = {str(regions.loc[r, "network"]) for r in touched} if named else set()
    radii = np.array([radius if n in held else LABELS for n in networks])
    _write_networks(ax, networks, starts, ends, radii)
    return named or not touched


def _write_names(
    ax: Axes, touched: list[str], at: dict[str, float], networks: list[str]
) -> tuple[bool, float]:
    """Write the regions that curves touch; returns where the next ring begins, and sets limits."""
    short = shorten_names(touched, LONGEST)
    side = square_side(ax)
    outside = text_length(["M" * 3], TEXT) + 0.12
    across = text_length(list(short.values())) + 0.08
    unit = 2 * LABELS / (side * (1 - min(2 * (across + outside) / side, 0.999)))
    least = 1.25 * SMALL / 72 * unit / LABELS
    fits = bool(touched) and 2 * (across + outside) / side <= LABELS_AT_MOST
    if not fits or least * len(touched) > 0.98 * 2 * np.pi:
        limit = LABELS / (1 - 2 * (outside + text_length(networks, TEXT) * 0.5) / side)
        set_limit(ax, limit)
        return False, LABELS
    set_limit(ax, unit * side / 2)
    true = np.array([at[r] for r in touched])
    placed = spread(true, least)
    for region, own, angle in zip(touched, true, placed, strict=True):
        ax.plot(*np.array([point(own, OUTER), point(angle, LABELS - 0.01)]).T, color="0.7",
                linewidth=0.6, zorder=1)  # fmt: skip
        write_radially(ax, short[region], angle, LABELS)
    return True, LABELS + across * unit


def _write_networks(ax: Axes, networks: list[str], starts: Array, ends: Array, at: Array) -> None:
    """Write the names of networks: along the circle where there is room, else along the radius."""
    if networks == [""]:
        return
    half = float(ax.dataLim.x1)
    inch = 2 * half / square_side(ax)
    middle = (starts + ends) / 2
    lengths = np.array([text_length([n], TEXT) for n in networks]) * inch
    rings = at + 0.1 * inch
    style: dict[str, Any] = {"fontsize": TEXT, "fontweight": "bold"}
    if (lengths <= np.abs(ends - starts) * rings).all():
        for name, angle, ring in zip(networks, middle, rings, strict=True):
            write_around(ax, name, angle, ring, **style)
        return
    apart = spread(middle, min(1.3 * TEXT / 72 * inch / LABELS, 2 * np.pi / len(networks)))
    set_limit(ax, max(half, float((at + lengths).max())))
    for name, angle, ring in zip(networks, apart, at, strict=True):
        write_radially(ax, name, angle, ring, **style)


def _caption(table: pd.DataFrame, *, named: bool) -> str:
    n_clear, prob = table.attrs["n_clear"], table.attrs["ci_prob"]
    if table.empty:
        return f"No edges have a {prob:.0%} interval that excludes 0."
    which = f"The {len(table)} strongest of" if n_clear > len(table) else "All"
    tail = "" if named else " There is no room for the names of regions."
    return (
        f"{which} {n_clear} edges whose {prob:.0%} equal-tailed interval excludes 0 (of "
        f"{table.attrs['n_features']}). Width: absolute posterior mean loading, at most "
        f"{table['mean'].abs().max():.2f} SD per SD of the score.{tail}"
    )
