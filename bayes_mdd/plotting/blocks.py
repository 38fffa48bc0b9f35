"""The figure of factors by pair of networks, for fits and for signatures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayes_mdd.results.figures.blocks import plot_map_blocks
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.figures.blocks import plot_explained_blocks
from bayes_mdd.shared_specific.tables.factors import tabulate_factors


def plot_block_map(
    result: xr.DataTree | xr.Dataset,
    *,
    factors: Sequence[str] | None = None,
    labels: pd.DataFrame | None = None,
    columns: int = 3,
    axes: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Plot how strongly each factor is present in each pair of networks.

    Parameters
    ----------
    result : xarray.DataTree or xarray.Dataset
        What `fit` returned (factor model): shows the variance explained within each block, in
        the arm where the factor explains most. Or what `signatures` returned: shows the root mean
        square of the posterior mean loadings of each block.
    factors : sequence of str, optional
        Which factors; by default all that are neither unused nor irreproducible.
    labels : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent, or read from
        the signatures.
    columns : int, default 3
        Panels side by side.
    axes : Axes or sequence of Axes, optional
        Where to draw: one for each factor, or one for regional features; default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One symmetric square of networks per factor, on one colour scale: numbers below the
        diagonal, and above it whether most loadings of the block are positive, negative or both.
        For regional features one table of factors and networks.

    Raises
    ------
    DataContractError
        If a factor is unknown or `result` lacks a variable.
    SpecError
        If there are not as many axes as panels.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> figure = bm.plotting.plot_block_map(idata, factors=["F1"])  # doctest: +SKIP
    """
    if isinstance(result, xr.Dataset):
        return plot_map_blocks(result, factors=factors, columns=columns, axes=axes)
    fitted = read_result(result)
    table = tabulate_factors(fitted) if labels is None else labels
    return plot_explained_blocks(fitted, table, factors=factors, columns=columns, axes=axes)
