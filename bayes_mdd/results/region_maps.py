"""One number per factor and region, with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE, REGION
from bayes_mdd.results.maps import take_part
from bayes_mdd.results.region_average import average_by_region
from bayes_mdd.results.regions import is_edges, region_table

#: Intervals of signed parts: the sign of an edge is that of its posterior mean in every draw.
_FIXED = "over draws in which each edge keeps the sign of its posterior mean"
#: Short names of the statistics in file names, and what they are, for edges and for regions.
EDGE_MEANING = {
    "mean": "posterior mean of the mean loading of the region's edges, signed (edges of opposite "
    "sign cancel)",
    "lower": "lower end of the equal-tailed interval of the mean loading of the region's edges",
    "upper": "upper end of the equal-tailed interval of the mean loading of the region's edges",
    "ppositive": "posterior probability that the mean loading of the region's edges is above 0",
    "strength": "mean over the region's edges of the absolute posterior mean loading; equals "
    "positive minus negative",
    "positive": "mean over the region's edges of the posterior mean loading where it is above 0, "
    "else 0",
    "negative": "mean over the region's edges of the posterior mean loading where it is below 0, "
    "else 0",
}
PARTS = ("strength", "positive", "negative")
ENDS = ("lower", "upper")
EDGE_MEANING |= {
    f"{part}{end}": f"{end} end of the equal-tailed interval of '{part}', {_FIXED}"
    for part in PARTS
    for end in ENDS
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
        ``upper`` and ``ppositive`` of the signed mean, and ``strengthlower``, ``strengthupper``
        and so on of the parts, computed in each draw with the sign that the posterior mean of each
        edge has; for regional features the statistics of the loadings.
    """
    names = region_table(sig).index.to_numpy(dtype=str)
    coords = {FACTOR: sig[FACTOR].values, REGION: names}

    def _put(values: Any) -> xr.DataArray:
        return xr.DataArray(np.asarray(values), dims=(FACTOR, REGION), coords=coords)

    average = average_by_region(sig)
    if not is_edges(sig):
        found = {
            short: _put(average(sig[name].transpose(FACTOR, FEATURE).values))
            for short, name in _OF_FEATURES.items()
        }
        return RegionMaps(found, REGION_MEANING)
    mean = sig["mean"].transpose(FACTOR, FEATURE).values
    found = {part: _put(average(take_part(mean, part))) for part in ("mean", *PARTS)}
    if draws is None:
        return RegionMaps(found, {k: EDGE_MEANING[k] for k in found}, NO_DRAWS)
    tail = (1 - float(sig.attrs.get("ci_prob", 0.9))) / 2
    bounds: dict[str, list[Any]] = {part: [] for part in ("mean", *PARTS)}
    above = []
    for i, factor in enumerate(sig[FACTOR].values):
        one = draws.sel({FACTOR: factor}).transpose(..., FEATURE).values.astype(np.float64)
        up, down = mean[i] > 0, mean[i] < 0
        weights = {"mean": 1.0, "strength": up * 1.0 - down, "positive": up, "negative": down}
        for part, weight in weights.items():
            of_region = average(one * weight)
            bounds[part].append(np.quantile(of_region, [tail, 1 - tail], axis=0))
            if part == "mean":
                known = np.isfinite(of_region[0])
                above.append(np.where(known, (of_region > 0).mean(axis=0), np.nan))
    shape = len(above), len(names)
    for part, of_part in bounds.items():
        for k, end in enumerate(ENDS):
            ends = np.reshape([pair[k] for pair in of_part], shape)
            found[end if part == "mean" else f"{part}{end}"] = _put(ends)
    found["ppositive"] = _put(np.reshape(above, shape))
    return RegionMaps({k: found[k] for k in EDGE_MEANING}, EDGE_MEANING)
