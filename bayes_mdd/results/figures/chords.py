"""Pairs of networks of a factor as chords of a circle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Patch, PathPatch

from bayes_mdd.dims import BLOCK
from bayes_mdd.results.figures.circle_geometry import (
    LABELS,
    band,
    place_arcs,
    ribbon,
    spread,
)
from bayes_mdd.results.figures.circle_text import (
    set_limit,
    square_side,
    text_length,
    write_radially,
)
from bayes_mdd.results.figures.style import (
    INK,
    PALETTE,
    TEXT,
    pick_colours,
    put_legend_above,
    write_caption,
)
from bayes_mdd.results.regions import block_networks

#: Share of squared loadings of one sign from which a chord has that sign.
ONE_SIGN = 0.75
#: Networks and pairs of networks with a smaller share are left out.
LEAST = 0.01
#: Blocks that the caption names.
NAMED = 3
#: Colour and hatch of each sign.
STYLES = {"positive": (PALETTE[1], ""), "negative": (PALETTE[0], "////"), "mixed": ("0.6", "..")}


def share_by_block(one: xr.Dataset) -> pd.DataFrame:
    """Compute the share of every pair of networks in the sum of squared loadings.

    Parameters
    ----------
    one : xarray.Dataset
        Maps of one factor.

    Returns
    -------
    pandas.DataFrame
        Indexed by block, the largest first: ``a``, ``b``, ``share`` (sums to 1 where there is any
        loading), ``positive``, the part of it with positive loadings, and ``sign``.
    """
    blocks = block_networks(one)
    mean = one["mean"].values.astype(float)
    parts = pd.DataFrame(
        {"block": one[BLOCK].values.astype(str), "all": mean**2, "up": np.clip(mean, 0, None) ** 2}
    )
    sums = parts.groupby("block", sort=False)[["all", "up"]].sum().reindex(blocks.index)
    total = float(sums["all"].sum()) or 1.0
    positive = (sums["up"] / sums["all"].where(sums["all"] > 0)).fillna(0.5)
    table = blocks.assign(share=sums["all"] / total, positive=positive)
    table["sign"] = np.select(
        [positive >= ONE_SIGN, positive <= 1 - ONE_SIGN], ["positive", "negative"], "mixed"
    )
    return table.sort_values("share", ascending=False, kind="stable")


def draw_chords(ax: Axes, one: xr.Dataset) -> None:
    """Draw chords between networks, with legend and caption.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    one : xarray.Dataset
        Maps of one factor.
    """
    table = share_by_block(one)
    order = list(dict.fromkeys([*block_networks(one)["a"], *block_networks(one)["b"]]))
    of = {n: table[(table["a"] == n) | (table["b"] == n)] for n in order}
    # A block within a network has both ends there.
    size = {n: float((t["share"] * (1 + (t["a"] == t["b"]))).sum()) for n, t in of.items()}
    networks = [n for n in order if size[n] >= LEAST]
    if not networks:
        write_caption(ax, "All loadings are 0.")
        return
    starts, ends = place_arcs([size[n] for n in networks])
    pieces = _divide(table, networks, starts, ends)
    colours = pick_colours(networks)
    for network, start, end in zip(networks, starts, ends, strict=True):
        ax.add_patch(PathPatch(band(start, end), facecolor=colours[network], edgecolor="none"))
    signs = table["sign"].to_dict()
    # A factor that is spread over many pairs has none of 1%.
    least = min(LEAST, float(table["share"].max()) / 2)
    drawn = table[table["share"] >= least]
    for block in drawn.index[::-1]:
        if len(pieces.get(str(block), [])) == 2:
            colour, hatch = STYLES[signs[str(block)]]
            first, second = pieces[str(block)]
            ax.add_patch(PathPatch(ribbon(first, second), **_look(colour, hatch)))
    _write_networks(ax, networks, (starts + ends) / 2, size)
    used = [s for s in STYLES if s in set(drawn["sign"])]
    put_legend_above(ax, [Patch(**_look(*STYLES[s]), label=s) for s in used])
    largest = ", ".join(f"{b} {s:.0%}" for b, s in table["share"].head(NAMED).items())
    write_caption(
        ax,
        f"Width: share of a pair of networks in the sum of squared posterior mean loadings of "
        f"{one.sizes['feature']} edges; the largest: {largest}; pairs below {least:.1%} are "
        f"not drawn. Positive, negative: at least {ONE_SIGN:.0%} of the share.",
    )


def _look(colour: str, hatch: str) -> dict[str, Any]:
    """Colours of a chord; hatched chords are light."""
    return {
        "facecolor": (*_rgb(colour), 0.28 if hatch else 0.6),
        "edgecolor": colour,
        "hatch": hatch or None,
        "linewidth": 0.8,
    }


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _divide(
    table: pd.DataFrame, networks: list[str], starts: Any, ends: Any
) -> dict[str, list[tuple[float, float]]]:
    """Give every block its part of the arcs of its two networks, so that chords cross little."""
    pieces: dict[str, list[tuple[float, float]]] = {}
    for i, network in enumerate(networks):
        mine = table[(table["a"] == network) | (table["b"] == network)]
        other = mine["b"].where(mine["a"] == network, mine["a"])
        # Opposite ends first in clockwise order: the chord to the next network leaves last.
        steps = [(networks.index(o) - i) % len(networks) if o in networks else 0 for o in other]
        mine = mine.assign(step=steps).sort_values("step", ascending=False, kind="stable")
        widths = mine["share"] * (1 + (mine["a"] == mine["b"]))
        scale = (ends[i] - starts[i]) / max(float(widths.sum()), 1e-300)
        at = float(starts[i])
        for block, width, within in zip(
            mine.index, widths * scale, mine["a"] == mine["b"], strict=True
        ):
            cuts = [at, at + width / 2, at + width] if within else [at, at + width]
            found = pieces.setdefault(str(block), [])
            found += pairwise(cuts)
            at += width
    return pieces


def _write_networks(ax: Axes, networks: list[str], middle: Any, size: dict[str, float]) -> None:
    side = square_side(ax)
    room = text_length(networks, TEXT) + 0.1
    limit = LABELS / (1 - min(2 * room / side, 0.7))
    set_limit(ax, limit)
    inch = 2 * limit / side
    least = min(1.3 * TEXT / 72 * inch / LABELS, 2 * np.pi / len(networks))
    for name, angle in zip(networks, spread(np.asarray(middle), least), strict=True):
        write_radially(ax, name, angle, LABELS - 0.02, fontsize=TEXT, fontweight="bold", color=INK)
