"""Loadings of a factor without a brain: a matrix of regions, or a forest of features."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from bayes_mdd.results.figures.labels import shorten_names
from bayes_mdd.results.figures.style import INK, PALETTE, SMALL, put_bar_beside, tidy

#: Blue to red through white: distinguishable with all kinds of colour vision.
CMAP: Final = "RdBu_r"


def draw_matrix(ax: Axes, matrix: pd.DataFrame, regions: pd.DataFrame) -> None:
    """Draw a matrix of regions by network: positive loadings below the diagonal, negative above.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    matrix : pandas.DataFrame, shape (region, region)
        Symmetric; NaN is not drawn.
    regions : pandas.DataFrame
        From `region_table`; its networks group the rows.
    """
    network = regions.get("network", pd.Series("", index=regions.index)).astype(str)
    first = {n: i for i, n in enumerate(dict.fromkeys(network))}
    order = np.argsort(network.map(first).to_numpy(), kind="stable")
    names = network.iloc[order].tolist()
    values = matrix.to_numpy()[np.ix_(order, order)]
    lower = np.tri(len(values), dtype=bool)
    values = np.where(lower == (values > 0), values, np.nan)
    limit = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    image = ax.imshow(values, cmap=CMAP, vmin=-limit, vmax=limit)
    ax.plot([-0.5, len(names) - 0.5], [-0.5, len(names) - 0.5], color="0.6", linewidth=0.8)
    edges = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    for edge in edges:
        ax.axhline(edge - 0.5, color="0.75", linewidth=0.8)
        ax.axvline(edge - 0.5, color="0.75", linewidth=0.8)
    starts, ends = [0, *edges], [*edges, len(names)]
    middles = [(s + e - 1) / 2 for s, e in zip(starts, ends, strict=True)]
    groups = [names[s] for s in starts]
    ax.set_xticks(middles, groups, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, groups)
    ax.tick_params(length=0)
    for x, y, words, sides in (
        (0.02, 0.02, "positive", ("left", "bottom")),
        (0.98, 0.98, "negative", ("right", "top")),
    ):
        place: dict[str, Any] = {"ha": sides[0], "va": sides[1], "transform": ax.transAxes}
        ax.text(x, y, words, fontsize=SMALL, color=INK, **place)
    put_bar_beside(ax, image, "loading")


def draw_forest(ax: Axes, one: xr.Dataset, shown: npt.NDArray[np.bool_]) -> None:
    """Draw features of one factor with their intervals, the strongest on top.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    one : xarray.Dataset
        Signature of one factor.
    shown : ndarray of bool, shape (feature,)
        Which features.
    """
    part = one.isel(feature=np.flatnonzero(shown))
    part = part.isel(feature=np.argsort(-np.abs(part["mean"].values), kind="stable"))
    rows = np.arange(part.sizes["feature"])
    short = shorten_names(part["feature"].values.astype(str))
    ax.axvline(0, color="0.6", linewidth=1)
    ax.hlines(rows, part["lower"].values, part["upper"].values, color=PALETTE[0], linewidth=2)
    ax.plot(part["mean"].values, rows, "o", color=PALETTE[0])
    ax.set_yticks(rows, [short[str(f)] for f in part["feature"].values])
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    level = float(one.attrs.get("ci_prob", np.nan))
    tidy(ax, xlabel=f"loading (posterior mean, {level:.0%} interval)", grid="x")
