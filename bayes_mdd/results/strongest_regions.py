"""The regions that take part most in a factor, by name and with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.maps import take_part
from bayes_mdd.results.region_average import average_by_region
from bayes_mdd.results.region_maps import PARTS
from bayes_mdd.results.regions import is_edges, region_positions, region_table
from bayes_mdd.results.strongest import check_top, describe_factor, is_clear, select_factor

#: Draws that are averaged at once.
AT_ONCE: Final = 50
SEVERAL_VIEWS: Final = (
    "the features have several views: choose one with bm.select_view(sig, view); there are {}."
)


def top_regions(
    sig: xr.Dataset, factor: str, top: int = 10, *, draws: xr.DataArray | None = None
) -> pd.DataFrame:
    """List the regions that take part most in a factor, by name.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 10
        At most so many rows, by ``strength``.
    draws : xarray.DataArray, optional
        Draws of the loadings, dims ``(chain, draw, factor, feature)``:
        ``idata["loadings"]["loadings"]``. Adds the ends of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per region, the strongest first: ``region``; ``network``, where known;
        ``n_features``, the number of its edges; ``n_clear``, how many of them have an interval that
        excludes 0; ``strength``, the mean over its edges of the absolute posterior mean loading;
        ``positive`` and ``negative``, the parts of edges above and below 0 in the mean loading
        (``strength`` is ``positive - negative``). With `draws` each has ``_lower`` and ``_upper``,
        the ends of the equal-tailed interval of this mean when each edge keeps the sign of its
        posterior mean. ``attrs`` as in `top_loadings`, with ``n_regions``.

    Raises
    ------
    DataContractError
        If there is no such factor, the features name no regions or have several views, or `draws`
        belong to other features.
    SpecError
        If `top` is less than 1.

    See Also
    --------
    region_strength : One number for every region.
    top_loadings : The strongest edges.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> sig = bm.signatures(idata)  # doctest: +SKIP
    >>> draws = idata["loadings"]["loadings"]  # doctest: +SKIP
    >>> bm.top_regions(sig, "F3", draws=draws)  # doctest: +SKIP
    """
    one = select_factor(sig, factor, ("mean", "lower", "upper"), "top_regions")
    check_top(top)
    views = list(dict.fromkeys(map(str, sig["view"].values))) if "view" in sig.coords else []
    if len(views) > 1:
        raise DataContractError("top_regions", [SEVERAL_VIEWS.format(some(views, 12))])
    regions = region_table(sig)
    sides = ("region_a", "region_b") if is_edges(sig) else ("region_name",)
    at = np.concatenate([region_positions(one, regions.index, side) for side in sides])
    count = np.bincount(at, minlength=len(regions))
    touched = np.flatnonzero(count > 0)
    average = average_by_region(one)
    mean = one["mean"].values
    columns: dict[str, Any] = {"region": regions.index.to_numpy(dtype=str)[touched]}
    if "network" in regions:
        columns["network"] = regions["network"].to_numpy(dtype=str)[touched]
    columns["n_features"] = count[touched]
    columns["n_clear"] = np.rint((average(is_clear(one)) * count)[touched]).astype(int)
    drawn = {} if draws is None else _draw_parts(_match_draws(draws, one, factor), mean, average)
    tail = (1 - float(one.attrs.get("ci_prob", 0.9))) / 2
    for name in PARTS:
        columns[name] = average(take_part(mean, name))[touched]
        if drawn:
            low, high = np.quantile(drawn[name][:, touched], [tail, 1 - tail], axis=0)
            columns |= {f"{name}_lower": low, f"{name}_upper": high}
    table = pd.DataFrame(columns)
    order = np.argsort(-table["strength"].to_numpy(), kind="stable")[:top]
    table = table.iloc[order].reset_index(drop=True)
    table.attrs = {**describe_factor(one), "n_regions": len(touched)}
    return table


def _draw_parts(
    drawn: npt.NDArray[Any], mean: npt.NDArray[Any], average: Callable[[Any], Any]
) -> dict[str, npt.NDArray[np.float64]]:
    """Draws of the parts of every region; each edge keeps the sign of its posterior mean."""
    # In pieces: all draws of a large map at once take much memory.
    pieces = [drawn[i : i + AT_ONCE] for i in range(0, len(drawn), AT_ONCE)]
    up = np.concatenate([average(p * (mean > 0)) for p in pieces])
    down = np.concatenate([average(p * (mean < 0)) for p in pieces])
    return {"strength": up - down, "positive": up, "negative": down}


def _match_draws(draws: xr.DataArray, one: xr.Dataset, factor: str) -> npt.NDArray[Any]:
    """Draws of a factor's loadings in the order of its map, shape (draw, feature)."""
    if FACTOR not in draws.dims or FEATURE not in draws.dims:
        raise DataContractError(
            "top_regions",
            [f"draws have the dimensions {draws.dims}; pass idata['loadings']['loadings']."],
        )
    known = pd.Index(draws[FEATURE].values.astype(str))
    positions = known.get_indexer(pd.Index(one[FEATURE].values.astype(str)))
    if (positions < 0).any() or factor not in draws[FACTOR].values.astype(str):
        raise DataContractError(
            "top_regions", ["draws belong to another fit: its factors or features differ."]
        )
    values = draws.sel({FACTOR: factor}).isel({FEATURE: positions})
    return np.asarray(values.transpose(..., FEATURE).values.reshape(-1, len(positions)))
