"""The statistic of regions that a map shows: its values, colours and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap

from bayes_mdd.dims import FACTOR
from bayes_mdd.errors import SpecError
from bayes_mdd.results.maps import REGION_STATISTICS, RegionStatistic, region_strength
from bayes_mdd.results.regions import is_edges

#: Colours by statistic, and the part of them that is used: 0 is pale, not white.
_COLOURS: Final = {
    "mean": ("RdBu_r", 0.0, 1.0),
    "strength": ("Purples", 0.2, 1.0),
    "positive": ("Oranges", 0.2, 1.0),
    "negative": ("Blues_r", 0.0, 0.8),
}
_WORDS: Final = {
    "mean": ("loading, averaged over edges with its sign", "loading"),
    "strength": ("strength (mean absolute loading)", "absolute loading"),
    "positive": ("loadings above 0, averaged over all edges", "loading where above 0"),
    "negative": ("loadings below 0, averaged over all edges", "loading where below 0"),
}


@dataclass(frozen=True, eq=False)
class RegionValues:
    """One number per region of a factor, and how it is drawn.

    Parameters
    ----------
    statistic : str
        "mean", "strength", "positive" or "negative".
    values : ndarray, shape (region,)
        NaN for a region that no feature touches.
    words : str
        What the numbers are.
    colours : Colormap
        Pale at 0; of two colours for signed numbers.
    low, high : float
        Ends of the colours.
    """

    statistic: str
    values: npt.NDArray[np.float64]
    words: str
    colours: Colormap
    low: float
    high: float


def choose_values(sig: xr.Dataset, factor: str, statistic: RegionStatistic | None) -> RegionValues:
    """Compute the numbers of the regions for a map of one factor.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        One of its factors.
    statistic : str or None
        See `region_strength`; None is "strength" for edges and "mean" for regional features.

    Returns
    -------
    RegionValues
        Numbers, colours and words.

    Raises
    ------
    SpecError
        If `statistic` is unknown.
    DataContractError
        If the features name no regions.
    """
    edges = is_edges(sig)
    if statistic is None:
        statistic = "strength" if edges else "mean"
    if statistic not in REGION_STATISTICS:
        raise SpecError(f"statistic must be one of {REGION_STATISTICS}, got {statistic!r}.")
    statistic = "strength" if statistic == "mean_abs" else statistic
    values = region_strength(sig, cast(RegionStatistic, statistic)).sel({FACTOR: factor}).values
    largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    name, start, end = _COLOURS[statistic]
    colours: Any = colormaps[name](np.linspace(start, end, 256))
    return RegionValues(
        statistic,
        values,
        _WORDS[statistic][0 if edges else 1],
        LinearSegmentedColormap.from_list(f"{name}_part", colours),
        0.0 if statistic in ("strength", "positive") else -largest,
        0.0 if statistic == "negative" else largest,
    )
