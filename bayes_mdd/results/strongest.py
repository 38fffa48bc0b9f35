"""The strongest loadings of a factor, by name and with their uncertainty."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import BLOCK, FACTOR, FEATURE, MISSING
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.results.regions import is_edges

#: Statistics of a loading in the table, as `signatures` names them.
_STATISTICS: Final = ("mean", "lower", "upper", "p_positive")


def top_loadings(sig: xr.Dataset, factor: str, top: int = 20) -> pd.DataFrame:
    """List the strongest loadings of a factor by name.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    top : int, default 20
        At most so many rows: the largest absolute posterior means among the loadings whose
        interval excludes 0.

    Returns
    -------
    pandas.DataFrame
        One row per edge (or regional feature), the strongest first: ``feature``, the key;
        ``region_a`` and ``region_b`` (regional features: ``region``); ``networks``, e.g.
        ``"DMN-CCN"``; ``mean``, ``lower`` and ``upper`` of the loading, in SD of the standardised
        feature per SD of the factor's score; ``p_positive``, the posterior probability that it is
        positive; and ``view`` where the features have several. ``attrs`` hold ``factor``, ``name``,
        ``n_clear`` (loadings whose interval excludes 0), ``n_features`` (all), ``ci_prob`` and
        ``units``. No rows where no interval excludes 0.

    Raises
    ------
    DataContractError
        If there is no such factor, or `sig` lacks a variable.
    SpecError
        If `top` is less than 1.

    See Also
    --------
    top_regions : The regions that take part most.
    bayes_mdd.plotting.plot_top_edges : The table as a figure.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> bm.top_loadings(sig, "F3", top=5)[["region_a", "region_b", "mean"]]  # doctest: +SKIP
    """
    one = select_factor(sig, factor, _STATISTICS, "top_loadings")
    check_top(top)
    mean = one["mean"].values
    clear = is_clear(one)
    order = np.argsort(np.where(clear, -np.abs(mean), np.inf), kind="stable")
    chosen = order[: min(top, int(clear.sum()))]
    columns: dict[str, Any] = {FEATURE: one[FEATURE].values.astype(str)}
    for name in ("region_a", "region_b") if is_edges(one) else ("region_name",):
        if name in one.coords:
            columns[name.removesuffix("_name")] = one[name].values.astype(str)
    columns["networks"] = one[BLOCK].values.astype(str) if BLOCK in one.coords else MISSING
    columns |= {name: one[name].values for name in _STATISTICS}
    if "view" in one.coords:
        columns["view"] = one["view"].values.astype(str)
    table = pd.DataFrame(columns).iloc[chosen].reset_index(drop=True)
    table.attrs = {**describe_factor(one), "n_clear": int(clear.sum()), "n_features": len(mean)}
    return table


def select_factor(sig: xr.Dataset, factor: str, needed: tuple[str, ...], what: str) -> xr.Dataset:
    """Take one factor out of the maps.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    factor : str
        For example ``"F1"``.
    needed : tuple of str
        Variables it must hold.
    what : str
        Name of the caller, for errors.

    Returns
    -------
    xarray.Dataset
        Without the dimension ``factor``.

    Raises
    ------
    DataContractError
        If there is no such factor, or a variable is missing.
    """
    missing = [n for n in needed if n not in sig]
    if missing or FACTOR not in sig.dims:
        lost = some(missing or [FACTOR])
        raise DataContractError(what, [f"{lost} missing; pass what signatures returned."])
    known = [str(f) for f in sig[FACTOR].values]
    if factor not in known:
        raise DataContractError(
            what, [f"there is no factor {factor!r}; there are {some(known, 20)}. Choose one."]
        )
    return sig.sel({FACTOR: factor})


def is_clear(one: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Tell which loadings have an interval that excludes 0.

    Parameters
    ----------
    one : xarray.Dataset
        Maps of one factor, from `select_factor`.

    Returns
    -------
    ndarray of bool, shape (feature,)
        True where ``lower`` is above or ``upper`` below 0.
    """
    return np.asarray((one["lower"].values > 0) | (one["upper"].values < 0))


def describe_factor(one: xr.Dataset) -> dict[Hashable, Any]:
    """Name a factor, its interval and its units.

    Parameters
    ----------
    one : xarray.Dataset
        Maps of one factor, from `select_factor`.

    Returns
    -------
    dict
        ``factor``, ``name`` (the key where it has no name), ``ci_prob`` and ``units``.
    """
    factor = str(one[FACTOR].values)
    name = str(one["name"].values) if "name" in one.coords else factor
    return {
        "factor": factor,
        "name": name,
        "ci_prob": float(one.attrs.get("ci_prob", np.nan)),
        "units": str(one.attrs.get("units", "unknown")),
    }


def check_top(top: int) -> None:
    """Check how many rows are asked for.

    Parameters
    ----------
    top : int
        Number of rows.

    Raises
    ------
    SpecError
        If it is less than 1.
    """
    if top < 1:
        raise SpecError(f"top must be at least 1, got {top}.")
