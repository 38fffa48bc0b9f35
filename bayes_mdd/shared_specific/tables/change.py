"""Change maps: the signed loadings of a factor of change by pair of networks and arm."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, CHAIN, DRAW, FACTOR, FEATURE, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.files.layout import POSTERIOR_DRAW, spaced
from bayes_mdd.results.regions import block_networks
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.types import Array

CHANGE: Final = "change"
#: What the numbers are.
UNIT: Final = "mean change of the block's features, SD of the reference, per SD of the arm's scores"


def tabulate_change(
    idata: xr.DataTree | Result, factor: str, *, ci_prob: float = 0.9
) -> pd.DataFrame:
    """Tabulate how features change along a factor of a fit to follow-up minus baseline.

    Parameters
    ----------
    idata : DataTree
        A fit of the factor model to features of `change_features`.
    factor : str
        For example ``"F1"``.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        One row per block and arm: ``block``, its networks ``a`` and ``b``, number of ``features``,
        ``arm``; ``mean``, ``lower`` and ``upper`` of the signed change, follow-up minus baseline:
        the mean loading of the block's features times the SD of the scores in the arm; ``p_up``,
        the posterior probability that it is positive. The sign of a whole factor is arbitrary.

    Raises
    ------
    DataContractError
        If the run is not of change, there is no such factor, or draws of loadings are not stored.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> tabulate_change(bm.read_run("runs/change"), "F1")  # doctest: +SKIP
    """
    result = read_result(idata)
    problems = []
    if result.estimand != CHANGE:
        problems.append(
            f"the estimand of the run is '{result.estimand}', not '{CHANGE}': fit features of "
            "change_features, or draw the map with plot_connectome or plot_block_map."
        )
    if factor not in result.factors:
        problems.append(f"there is no factor '{factor}'; there are {some(result.factors, 20)}.")
    if not result.holds("loadings", "loadings"):
        problems.append("the run stores no draws of loadings: fit it again.")
    if problems:
        raise DataContractError("change map", problems)
    blocks = block_networks(result.loadings)
    drawn = _block_means(result.loadings["loadings"].sel({FACTOR: factor}), blocks.index)
    spread = _spread_of_scores(result, factor)
    tail = (1 - ci_prob) / 2
    rows = []
    for arm in result.arms:
        values = drawn * spread[arm][:, None]
        low, high = np.quantile(values, [tail, 1 - tail], axis=0)
        rows.append(
            pd.DataFrame(
                {
                    "block": blocks.index,
                    "a": blocks["a"].to_numpy(),
                    "b": blocks["b"].to_numpy(),
                    "features": blocks["size"].to_numpy(),
                    ARM: arm,
                    "mean": values.mean(axis=0),
                    "lower": low,
                    "upper": high,
                    "p_up": (values > 0).mean(axis=0),
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    table.attrs.update(factor=factor, ci_prob=ci_prob, unit=UNIT)
    return table


def _block_means(drawn: xr.DataArray, blocks: pd.Index[str]) -> Array:
    """Mean loading of each block's features, shape (draw, block)."""
    flat = drawn.transpose(CHAIN, DRAW, FEATURE).values.reshape(-1, drawn.sizes[FEATURE])
    own = drawn[BLOCK].values.astype(str)
    return np.stack([flat[:, own == b].mean(axis=1, dtype=float) for b in blocks], axis=1)


def _spread_of_scores(result: Result, factor: str) -> dict[str, Array]:
    """SD of the scores in each arm, in the draws of which loadings are stored."""
    scores = result.group("posterior", ["scores"])["scores"].sel({FACTOR: factor})
    own = result.constant[ARM].values.astype(str)
    kept = result.loadings
    n_chains, n_draws = kept.sizes[CHAIN], kept.sizes[DRAW]
    values = scores.transpose(CHAIN, DRAW, SUBJECT).values
    if POSTERIOR_DRAW in kept.coords and n_chains == len(values):
        at = kept[POSTERIOR_DRAW].transpose(CHAIN, DRAW).values
        of = np.take_along_axis(values, at[:, :, None], axis=1).reshape(-1, values.shape[2])
    else:
        flat = values.reshape(-1, values.shape[2])
        of = flat[spaced(len(flat), n_chains * n_draws)]
    return {arm: of[:, own == arm].std(axis=1, ddof=1) for arm in result.arms}
