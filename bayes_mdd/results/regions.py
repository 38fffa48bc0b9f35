"""Regions, blocks and edges behind the features of a signature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import BLOCK, REGION
from bayes_mdd.errors import DataContractError, some


def region_table(sig: xr.Dataset) -> pd.DataFrame:
    """List the regions behind the features of a signature.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features; see `signatures`.

    Returns
    -------
    pandas.DataFrame
        Indexed by region name, in atlas order where it is known; columns ``network`` and, where
        known, ``x``, ``y``, ``z`` (MNI, mm) and ``label`` (atlas value).

    Raises
    ------
    DataContractError
        If the features name no regions.
    """
    if REGION in sig.coords:
        names = [str(n) for n in sig[REGION].values]
        columns = {
            short: sig[f"region_{short}"].values
            for short in ("network", "x", "y", "z", "label")
            if f"region_{short}" in sig.coords
        }
        return pd.DataFrame(columns, index=pd.Index(names, name=REGION))
    if "region_name" in sig.coords:
        columns = {c: sig[c].values for c in ("network", "x", "y", "z") if c in sig.coords}
        names = [str(n) for n in sig["region_name"].values]
        table = pd.DataFrame(columns, index=pd.Index(names, name=REGION))
        return table[~table.index.duplicated()]
    if not is_edges(sig):
        raise DataContractError(
            "signature",
            [
                "features name no regions: expected the coordinates region_a and region_b "
                "(edges) or region_name (regional features)."
            ],
        )
    known: dict[str, str] = {}
    for side in "ab":
        names = [str(n) for n in sig[f"region_{side}"].values]
        nets = sig[f"network_{side}"].values if f"network_{side}" in sig.coords else names
        for name, network in zip(names, nets, strict=True):
            known.setdefault(name, str(network))
    return pd.DataFrame({"network": list(known.values())}, index=pd.Index(known, name=REGION))


def is_edges(sig: xr.Dataset) -> bool:
    """Whether the features are pairs of regions.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features.

    Returns
    -------
    bool
        True where both ends of every feature are named.
    """
    return {"region_a", "region_b"} <= set(map(str, sig.coords))


def region_positions(sig: xr.Dataset, regions: pd.Index[str], column: str) -> npt.NDArray[np.intp]:
    """Find the regions that features name, by name.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features.
    regions : pandas.Index
        Names of the regions; see `region_table`.
    column : str
        ``"region_a"``, ``"region_b"`` or ``"region_name"``.

    Returns
    -------
    ndarray of int, shape (feature,)
        Position of every feature's region in `regions`.

    Raises
    ------
    DataContractError
        If a feature names a region that the table does not have.
    """
    at = regions.get_indexer(pd.Index(sig[column].values.astype(str)))
    if (at < 0).any():
        lost = dict.fromkeys(sig[column].values[at < 0].tolist())
        raise DataContractError(
            "signature", [f"{column} names regions that the region table lacks: {some(lost)}."]
        )
    return np.asarray(at)


def edge_matrix(sig: xr.Dataset, values: npt.ArrayLike) -> pd.DataFrame:
    """Square symmetric table of one number per edge.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features.
    values : array_like, shape (feature,)
        One number per edge.

    Returns
    -------
    pandas.DataFrame, shape (region, region)
        Rows and columns are named; NaN on the diagonal and where an edge was not analysed.
    """
    regions = region_table(sig).index
    at = {side: region_positions(sig, regions, f"region_{side}") for side in "ab"}
    square = np.full((len(regions), len(regions)), np.nan)
    square[at["a"], at["b"]] = square[at["b"], at["a"]] = np.asarray(values, dtype=float)
    return pd.DataFrame(square, index=regions, columns=regions.rename(None))


def block_networks(sig: xr.Dataset) -> pd.DataFrame:
    """List the two networks of every block.

    Parameters
    ----------
    sig : xarray.Dataset
        With the metadata of the features.

    Returns
    -------
    pandas.DataFrame
        Indexed by block in order of appearance, columns ``a`` and ``b`` (equal within a network
        and for regional features) and ``size``, the number of features.
    """
    block = [str(b) for b in sig[BLOCK].values]
    sides = [
        sig[f"network_{s}"].values if f"network_{s}" in sig.coords else block for s in ("a", "b")
    ]
    table = pd.DataFrame({BLOCK: block, "a": sides[0], "b": sides[1]})
    first = table.drop_duplicates(BLOCK).set_index(BLOCK)
    return first.assign(size=table[BLOCK].value_counts().reindex(first.index))
