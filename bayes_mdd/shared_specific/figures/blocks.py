"""Figure of the variance that factors explain by pair of networks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR
from bayes_mdd.results.figures.blocks import SIGNS, BlockValues, draw_blocks, square_by_block
from bayes_mdd.results.figures.people import count_people
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.result import Result


def plot_explained_blocks(
    result: Result,
    table: pd.DataFrame,
    *,
    factors: Sequence[str] | None = None,
    columns: int = 3,
    axes: Axes | Sequence[Axes] | None = None,
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
    axes : Axes or sequence of Axes, optional
        Where to draw, one for each factor; default a new figure.

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
    known = [str(f) for f in table["factor"]]
    names = table["name"] if "name" in table else name_factors(table)
    where = ", in the arm where it is largest" if len(result.arms) > 1 else ""
    people = count_people(result)
    drawn = BlockValues(
        values,
        square_by_block(result.loadings)[1],
        block_networks(result.loadings),
        dict(zip(known, map(str, table["label"]), strict=True)),
        dict(zip(known, map(str, names), strict=True)),
        "variance explained, %",
        f"Variance that the factor explains within each pair of networks{where}, posterior mean"
        f"{f'; {people}' if people else ''}; {SIGNS}.",
    )
    return draw_blocks(drawn, factors, columns=columns, axes=axes)
