"""Averages of features over the regions that they touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from scipy.sparse import coo_array

from bayes_mdd.results.regions import is_edges, region_positions, region_table


def average_by_region(sig: xr.Dataset) -> Callable[[Any], Any]:
    """Make a function that averages features by region.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features; see `signatures`.

    Returns
    -------
    callable
        Takes an array of shape (..., feature) with at most two dimensions and returns one of shape
        (..., region), in the order of `region_table`. An edge counts for both of its regions; a
        region that no feature touches is NaN.

    Raises
    ------
    DataContractError
        If the features name no regions.
    """
    names = region_table(sig).index
    sides = ("region_a", "region_b") if is_edges(sig) else ("region_name",)
    ends = [region_positions(sig, names, side) for side in sides]
    at = np.concatenate(ends)
    feature = np.tile(np.arange(len(ends[0])), len(ends))
    count = np.bincount(at, minlength=len(names)).astype(float)
    entries = 1 / count[at], (at, feature)
    weight = coo_array(entries, shape=(len(names), len(ends[0]))).tocsr()

    def _average(values: Any) -> Any:
        out = np.asarray((weight @ np.asarray(values, dtype=float).T).T)
        out[..., count == 0] = np.nan
        return out

    return _average
