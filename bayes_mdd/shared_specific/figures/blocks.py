"""Figure of the variance that factors explain by pair of networks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR
from bayes_mdd.results.figures.blocks import draw_blocks
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.result import Result


def plot_explained_blocks(
    result: Result,
    table: pd.DataFrame,
    *,
    factors: Sequence[str] | None = None,
    columns: int = 3,
) -> Figure:
    """Plot the variance explained within each block, in the arm where it is largest.

    Parameters
    ----------
    result : Result
        A fit of the factor model.
    table : pandas.DataFrame
        What `classify_factors` returned.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    columns : int, default 3
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        As `bayes_mdd.results.figures.blocks.draw_blocks` draws it.

    Raises
    ------
    DataContractError
        If a factor is unknown or the result lacks a variable.
    """
    within = result.group("posterior", ["explained_block"])["explained_block"]
    largest = within.mean((CHAIN, DRAW)).max(ARM).transpose(FACTOR, BLOCK)
    values = pd.DataFrame(
        largest.values * 100,
        index=[str(f) for f in within[FACTOR].values],
        columns=[str(b) for b in within[BLOCK].values],
    )
    labels = {str(k): str(v) for k, v in zip(table["factor"], table["label"], strict=True)}
    name = "variance explained\nwithin the block, %"
    blocks = block_networks(result.loadings)
    return draw_blocks(values, blocks, labels, name, factors, columns=columns)
