"""One number per factor and region, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.sparse import coo_array

from bayes_mdd.dims import FACTOR, FEATURE, REGION
from bayes_mdd.results.maps import region_strength
from bayes_mdd.results.regions import is_edges, region_positions, region_table

#: Short names of the statistics in file names, and what they are, for edges and for regions.
EDGE_MEANING = {
    "mean": "posterior mean of the mean loading of the region's edges, signed",
    "lower": "lower end of the equal-tailed interval of the mean loading of the region's edges",
    "upper": "upper end of the equal-tailed interval of the mean loading of the region's edges",
    "ppositive": "posterior probability that the mean loading of the region's edges is above 0",
    "strength": "mean over the region's edges of the absolute posterior mean loading",
    "positive": "mean over the region's edges of the posterior mean loading where it is above 0, "
    "else 0",
    "negative": "mean over the region's edges of the posterior mean loading where it is below 0, "
    "else 0",
}
REGION_MEANING = {
    "mean": "posterior mean of the region's loading",
    "lower": "lower end of the interval of the region's loading",
    "upper": "upper end of the interval of the region's loading",
    "ppositive": "posterior probability that the region's loading is above 0",
}
NO_DRAWS = "The fit stores no draws of its maps: region maps have no interval and no probability."
_OF_FEATURES = {"mean": "mean", "lower": "lower", "upper": "upper", "ppositive": "p_positive"}


@dataclass(frozen=True, eq=False)
class RegionMaps:
    """Maps of the regions.

    Parameters
    ----------
    values : mapping of str to DataArray
        By statistic, dims ``(factor, region)``; NaN for a region that no feature touches.
    meaning : mapping of str to str
        What each statistic is.
    note : str
        What is missing, and why; empty where nothing is.
    """

    values: Mapping[str, xr.DataArray]
    meaning: Mapping[str, str]
    note: str = ""


def summarise_regions(sig: xr.Dataset, draws: xr.DataArray | None) -> RegionMaps:
    """Summarise the features of every region.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    draws : xarray.DataArray, optional
        Draws of whole maps, dims ``(loading_draw, factor, feature)`` in the order of `sig`.

    Returns
    -------
    RegionMaps
        For edges ``mean``, ``strength``, ``positive``, ``negative`` and, with draws, ``lower``,
        ``upper`` and ``ppositive`` of the signed mean, computed in each draw; for regional
        features the statistics of the loadings.
    """
    names = region_table(sig).index.to_numpy(dtype=str)
    coords = {FACTOR: sig[FACTOR].values, REGION: names}

    def _put(values: Any) -> xr.DataArray:
        return xr.DataArray(np.asarray(values), dims=(FACTOR, REGION), coords=coords)

    if not is_edges(sig):
        at = region_positions(sig, region_table(sig).index, "region_name")
        average = _averager(at, len(names))
        found = {
            short: _put(average(sig[name].transpose(FACTOR, FEATURE).values))
            for short, name in _OF_FEATURES.items()
        }
        return RegionMaps(found, REGION_MEANING)
    sides = [region_positions(sig, region_table(sig).index, f"region_{s}") for s in "ab"]
    average = _averager(np.concatenate(sides), len(names))
    mean = sig["mean"].transpose(FACTOR, FEATURE).values
    found = {
        "mean": region_strength(sig, "mean"),
        "strength": region_strength(sig, "mean_abs"),
        "positive": _put(average(np.tile(np.clip(mean, 0, None), 2))),
        "negative": _put(average(np.tile(np.clip(mean, None, 0), 2))),
    }
    if draws is None:
        return RegionMaps(found, {k: EDGE_MEANING[k] for k in found}, NO_DRAWS)
    tail = (1 - float(sig.attrs.get("ci_prob", 0.9))) / 2
    low, high, above = [], [], []
    for factor in sig[FACTOR].values:
        one = draws.sel({FACTOR: factor}).transpose(..., FEATURE).values.astype(np.float64)
        of_region = average(np.tile(one, 2))
        bounds = np.quantile(of_region, [tail, 1 - tail], axis=0)
        low.append(bounds[0])
        high.append(bounds[1])
        above.append(np.where(np.isfinite(bounds[0]), (of_region > 0).mean(axis=0), np.nan))
    shape = len(low), len(names)
    found |= {
        "lower": _put(np.reshape(low, shape)),
        "upper": _put(np.reshape(high, shape)),
        "ppositive": _put(np.reshape(above, shape)),
    }
    return RegionMaps({k: found[k] for k in EDGE_MEANING}, EDGE_MEANING)


def _averager(at: Any, n_regions: int) -> Callable[[Any], Any]:
    """Make a function that averages the features of each region; NaN where there is none."""
    count = np.bincount(at, minlength=n_regions).astype(float)
    entries = 1 / count[at], (at, np.arange(len(at)))
    weight = coo_array(entries, shape=(n_regions, len(at))).tocsr()

    def average(values: Any) -> Any:
        out = np.asarray((weight @ np.asarray(values).T).T)
        out[..., count == 0] = np.nan
        return out

    return average
