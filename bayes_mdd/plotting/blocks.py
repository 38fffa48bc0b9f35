"""The figure of factors by pair of networks, for fits and for signatures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr
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

    Returns
    -------
    matplotlib.figure.Figure
        One triangle of networks per factor, on one colour scale; for regional features one table
        of factors and networks.

    Raises
    ------
    DataContractError
        If a factor is unknown or `result` lacks a variable.
    """
    if isinstance(result, xr.Dataset):
        return plot_map_blocks(result, factors=factors, columns=columns)
    fitted = read_result(result)
    table = tabulate_factors(fitted) if labels is None else labels
    return plot_explained_blocks(fitted, table, factors=factors, columns=columns)
