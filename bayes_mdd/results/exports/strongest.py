"""Tables of the strongest loadings and regions of all factors."""

from __future__ import annotations

from typing import Final

import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE
from bayes_mdd.results.strongest import top_loadings
from bayes_mdd.results.strongest_regions import top_regions

#: Rows per factor.
ROWS: Final = 100


def tabulate_strongest(sig: xr.Dataset, draws: xr.DataArray | None) -> dict[str, pd.DataFrame]:
    """Tabulate the strongest loadings and regions of every factor.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    draws : xarray.DataArray, optional
        Draws of whole maps, dims ``(loading_draw, factor, feature)`` in the order of `sig`.

    Returns
    -------
    dict of str to DataFrame
        ``top_loadings`` and ``top_regions``, at most 100 rows per factor, with ``factor`` and
        ``name`` first. No ``top_regions`` where features name no regions or have several views;
        tables without rows are left out.
    """
    if draws is not None:
        draws = draws.assign_coords({FEATURE: sig[FEATURE].values})
    factors = [str(f) for f in sig[FACTOR].values]
    tables = {"top_loadings": [top_loadings(sig, f, ROWS) for f in factors]}
    views = set(map(str, sig["view"].values)) if "view" in sig.coords else set()
    named = "region_a" in sig.coords or "region_name" in sig.coords
    if named and len(views) < 2:
        tables["top_regions"] = [top_regions(sig, f, ROWS, draws=draws) for f in factors]
    found = {name: _join(parts) for name, parts in tables.items()}
    return {name: table for name, table in found.items() if len(table)}


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of the factors."""
    filled = [p for p in parts if len(p)]
    if not filled:
        return pd.DataFrame()
    named = []
    for part in filled:
        table = part.copy()
        table.attrs = {}
        table.insert(0, "name", str(part.attrs["name"]))
        table.insert(0, "factor", str(part.attrs["factor"]))
        named.append(table)
    return pd.concat(named, ignore_index=True)
