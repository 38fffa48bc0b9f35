"""Figures of factors by pair of networks."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import BLOCK, FACTOR, FEATURE
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.figures.block_cells import (
    fill_square,
    has_room,
    name_networks,
    say_sign,
    write_cell,
    write_number,
    write_square,
)
from bayes_mdd.results.figures.style import (
    TEXT,
    open_panels,
    put_bar_beside,
    tidy,
    width_of,
    write_caption,
)
from bayes_mdd.results.names import break_name, title_factor
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.rules import QUIET, UNUSED

CMAP: Final = "YlGnBu"
#: Cells below this share of the largest variance bear no text.
SMALLEST: Final = 0.05
SIGNS: Final = "+: most loadings of the block are positive; \N{MINUS SIGN}: negative; ±: both"


@dataclass(frozen=True, eq=False)
class BlockValues:
    """One number per factor and block, with what is written about it.

    Parameters
    ----------
    values : pandas.DataFrame, shape (factor, block)
        The numbers, at least 0.
    positive : pandas.DataFrame, shape (factor, block)
        Share of the sum of squares of loadings that is of positive ones.
    blocks : pandas.DataFrame
        Networks ``a`` and ``b`` of each block, from `block_networks`.
    labels, names : dict of str to str
        Label and name of each factor.
    quantity : str
        Name of the colour bar.
    caption : str
        What is drawn, in a sentence.
    smallest : float
        Share of the largest number below which cells bear no text.
    """

    values: pd.DataFrame
    positive: pd.DataFrame
    blocks: pd.DataFrame
    labels: dict[str, str]
    names: dict[str, str]
    quantity: str
    caption: str
    smallest: float = SMALLEST

    def title(self, factor: str) -> str:
        """Name of a factor, with the label of one without name.

        Parameters
        ----------
        factor : str
            Its key.

        Returns
        -------
        str
            For a title.
        """
        return title_factor(self.names[factor], self.labels[factor])


def plot_map_blocks(
    sig: xr.Dataset,
    *,
    factors: Sequence[str] | None = None,
    columns: int = 3,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Plot the root mean square loading of each factor in each pair of networks.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    columns : int, default 3
        Panels side by side.
    axes : Axes or sequence of Axes, optional
        Where to draw, one for each factor; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        As `draw_blocks` draws it.

    Raises
    ------
    DataContractError
        If a factor is unknown or `sig` lacks a variable.
    """
    if "mean" not in sig:
        raise DataContractError("signature", ["'mean' is missing; pass what signatures returned."])
    known = [str(f) for f in sig[FACTOR].values]
    squares, positive = square_by_block(sig)
    marks = sig["label"].values if "label" in sig.coords else [""] * len(known)
    names = sig["name"].values if "name" in sig.coords else known
    drawn = BlockValues(
        squares.pow(0.5),
        positive,
        block_networks(sig),
        {f: str(m) for f, m in zip(known, marks, strict=True)},
        {f: str(n) for f, n in zip(known, names, strict=True)},
        "root mean square loading",
        "Root mean square of the posterior mean loadings of each pair of networks, "
        f"{sig.attrs.get('units', 'unknown units')}; {SIGNS}.",
        math.sqrt(SMALLEST),
    )
    return draw_blocks(drawn, factors, columns=columns, axes=axes)


def square_by_block(loadings: xr.Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean squared loading by factor and block, and the share of it that is of positive loadings.

    Parameters
    ----------
    loadings : xarray.Dataset
        With the posterior mean loadings ``mean`` and their blocks.

    Returns
    -------
    squares, positive : pandas.DataFrame, shape (factor, block)
        The share is NaN where all loadings are 0.
    """
    mean = loadings["mean"].transpose(FEATURE, FACTOR).values
    columns = [str(f) for f in loadings[FACTOR].values]
    block = loadings[BLOCK].values.astype(str)
    squares = pd.DataFrame(mean**2, columns=columns).groupby(block).mean()
    above = pd.DataFrame(np.where(mean > 0, mean**2, 0.0), columns=columns).groupby(block).mean()
    return squares.T, (above / squares.where(squares > 0)).T


def draw_blocks(
    drawn: BlockValues,
    factors: Sequence[str] | None = None,
    *,
    columns: int = 3,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Draw one number per factor and block.

    Parameters
    ----------
    drawn : BlockValues
        The numbers.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    columns : int, default 3
        Panels side by side.
    axes : Axes or sequence of Axes, optional
        Where to draw: one for each factor, or one for regional features.

    Returns
    -------
    matplotlib.figure.Figure
        One symmetric square of networks per factor, on one colour scale: numbers below the
        diagonal, signs above; for regional features one table of factors and networks.

    Raises
    ------
    DataContractError
        If a factor is unknown.
    SpecError
        If there are not as many axes as panels.
    """
    chosen = _choose(drawn.values.index.tolist(), drawn.labels, factors)
    top = float(np.nanmax(drawn.values.loc[chosen].to_numpy())) or 1.0
    blocks = drawn.blocks
    if (blocks["a"] == blocks["b"]).all():
        return _plot_table(drawn, chosen, top, axes)
    networks = list(dict.fromkeys([*blocks["a"], *blocks["b"]]))
    figure, panels, beside = _open(axes, len(chosen), columns, len(networks))
    for i, (ax, factor) in enumerate(zip(panels, chosen, strict=True)):
        square = fill_square(pd.Series(drawn.values.loc[factor]), blocks, networks)
        sign = fill_square(pd.Series(drawn.positive.loc[factor]), blocks, networks)
        image = ax.imshow(square, cmap=CMAP, vmin=0, vmax=top, aspect="equal")
        name_networks(ax, networks)
        ax.set_yticks(range(len(networks)), networks)
        width = width_of(ax)
        cell = 0.9 * width / len(networks)
        write_square(ax, np.where(square < drawn.smallest * top, np.nan, square), sign, top, cell)
        lines = break_name(drawn.title(factor)).splitlines()
        room = max(12, int(width * 72 / (0.56 * (TEXT + 1))))
        tidy(ax, title="\n".join(w for line in lines for w in textwrap.wrap(line, room)))
        for spine in ax.spines.values():
            spine.set_visible(False)
        if i == min(beside, len(chosen)) - 1:
            put_bar_beside(ax, image, drawn.quantity)
    first = len(chosen) - 1 - (len(chosen) - 1) % beside
    write_caption(panels[first], drawn.caption, across=max(len(chosen) - first, min(beside, 2)))
    return figure


def _open(
    axes: Axes | Sequence[Axes] | None, count: int, columns: int, n_networks: int
) -> tuple[Figure, list[Axes], int]:
    """One panel per factor, and how many stand side by side."""
    if axes is not None:
        return *open_panels(axes, (1, count), 1, 1), count
    beside = min(columns, count)
    rows = math.ceil(count / beside)
    width = 7.0 if beside > 1 else min(7.0, 2.6 + 0.45 * n_networks)
    height = (width - 0.8) / beside + (0.7 if beside > 1 else 0.3)
    figure, panels = open_panels(None, (rows, beside), width, rows * height + 0.6)
    for spare in panels[count:]:
        spare.remove()
    return figure, panels[:count], beside


def _choose(known: list[str], labels: dict[str, str], factors: Sequence[str] | None) -> list[str]:
    if factors is None:
        used = [f for f in known if labels[f] != UNUSED]
        if not used:
            raise DataContractError("plot_block_map", ["every factor is unused: nothing to draw."])
        return [f for f in used if labels[f] not in QUIET] or used
    unknown = [f for f in factors if f not in known]
    if unknown or not factors:
        raise DataContractError(
            "plot_block_map", [f"unknown factors: {some(unknown)}; there are {some(known, 20)}."]
        )
    return list(factors)


def _plot_table(
    drawn: BlockValues, chosen: list[str], top: float, axes: Axes | Sequence[Axes] | None
) -> Figure:
    """One row per factor, one column per network."""
    values = drawn.values.loc[chosen]
    figure, (ax,) = open_panels(
        axes, (1, 1), min(7.0, 3.4 + 0.55 * values.shape[1]), 2.0 + 0.45 * len(values)
    )
    image = ax.imshow(values.to_numpy(), cmap=CMAP, vmin=0, vmax=top, aspect="auto")
    name_networks(ax, [str(c) for c in values.columns])
    ax.set_yticks(np.arange(len(values)), [break_name(drawn.title(f)) for f in chosen])
    signs = drawn.positive.loc[chosen, values.columns].to_numpy()
    numbers = has_room(top, width_of(ax) / values.shape[1])
    for (i, j), value in np.ndenumerate(values.where(values >= drawn.smallest * top).to_numpy()):
        number = write_number(value, top) if numbers else ""
        write_cell(ax, i, j, value, f"{number}{say_sign(float(signs[i, j]))}", top)
    tidy(ax)
    for spine in ax.spines.values():
        spine.set_visible(False)
    put_bar_beside(ax, image, drawn.quantity)
    write_caption(ax, drawn.caption)
    return figure
