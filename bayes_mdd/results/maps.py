"""Signatures: the map of every factor over the features, with its uncertainty."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE, REGION
from bayes_mdd.errors import SpecError
from bayes_mdd.results.names import name_factors
from bayes_mdd.results.privacy import list_participants, share_provenance, withhold_notes
from bayes_mdd.results.region_average import average_by_region
from bayes_mdd.results.regions import region_table
from bayes_mdd.results.result import Result
from bayes_mdd.results.used import used_factors

RegionStatistic = Literal["mean", "strength", "positive", "negative", "mean_abs"]
#: Numbers of a region; the last is the former name of "strength".
REGION_STATISTICS: Final = ("mean", "strength", "positive", "negative", "mean_abs")
#: What a loading is measured in.
LOADING_UNITS: Final = "SD of the standardised feature per SD of the factor's score"
STATISTICS = ("mean", "sd", "lower", "upper", "p_positive")
#: Columns of the table of factors about reliability, where the model family has them.
STABILITY: Final = "stability"
RELIABILITIES: Final = (
    *("reliability", "reliability_lower", "reliability_upper", "p_reliable"),
    "leverage",
)
#: What maps of such a family are, and are not.
NOT_SIGNATURES: Final = (
    "Maps of factors whose stability is not 'stable' are not signatures: a state cannot be told "
    "from a trait (see docs/reliability.md)."
)


def gather_maps(
    result: Result, table: pd.DataFrame, *, with_participants: bool = False
) -> xr.Dataset:
    """Gather the map of every factor that is used, and its uncertainty.

    Parameters
    ----------
    result : Result
        A fit.
    table : pandas.DataFrame
        What `classify_factors` returned.
    with_participants : bool, default False
        Whether the attribute ``provenance`` names participants, command line and folders.

    Returns
    -------
    xarray.Dataset
        Dims ``(factor, feature)``: ``mean``, ``sd``, ``lower``, ``upper`` of the loadings,
        ``p_positive`` = posterior probability of a positive loading (and ``inclusion`` where the
        fit has it). All metadata of the features and regions come along; ``factor`` carries
        ``label``, ``networks`` and ``name`` and, where the table has them, ``stability``,
        ``reliability`` with ``reliability_lower``, ``reliability_upper`` and ``p_reliable``, and
        ``leverage``. The attributes name estimand, units, interval and reference; ``note`` says
        which maps are not signatures.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable.
    """
    loadings = result.group("loadings", STATISTICS)
    table = used_factors(table).set_index("factor")
    loadings = loadings.sel({FACTOR: [f for f in loadings[FACTOR].values if str(f) in table.index]})
    table = table.reindex([str(f) for f in loadings[FACTOR].values])
    chosen = [*STATISTICS, *(["inclusion"] if "inclusion" in loadings else [])]
    sig = loadings[chosen].transpose(FACTOR, FEATURE)
    if REGION in loadings.coords:
        own = [n for n, c in loadings.coords.items() if c.dims == (REGION,)]
        sig = sig.assign_coords({n: loadings.coords[n] for n in own})
    sig = sig.assign_coords(
        label=(FACTOR, table["label"].to_numpy(dtype=str)),
        networks=(FACTOR, table["networks"].to_numpy(dtype=str)),
        name=(FACTOR, np.asarray(name_factors(table.reset_index()), dtype=str)),
    )
    sig = sig.assign_coords(_reliability(table))
    if not with_participants:
        ids = list_participants(result)
        for variable in sig.variables.values():
            variable.attrs = withhold_notes(variable.attrs, ids)
    sig.attrs = {
        "estimand": result.estimand,
        "units": str(loadings.attrs.get("units", LOADING_UNITS)),
        "feature_units": result.units,
        "ci_prob": float(loadings.attrs.get("ci_prob", np.nan)),
        "ci_kind": str(loadings.attrs.get("ci_kind", "unknown")),
        "reference": result.reference,
        "provenance": str(result.tree.attrs.get("provenance", "{}"))
        if with_participants
        else share_provenance(result),
        **({"note": NOT_SIGNATURES} if STABILITY in sig.coords else {}),
    }
    return sig


def _reliability(table: pd.DataFrame) -> dict[str, tuple[str, npt.NDArray[Any]]]:
    """Stability and reliability of the factors as coordinates."""
    if STABILITY not in table:
        return {}
    found: dict[str, tuple[str, npt.NDArray[Any]]] = {
        STABILITY: (FACTOR, table[STABILITY].to_numpy(dtype=str))
    }
    return found | {
        name: (FACTOR, table[name].to_numpy(dtype=float)) for name in RELIABILITIES if name in table
    }


def region_strength(sig: xr.Dataset, statistic: RegionStatistic = "mean") -> xr.DataArray:
    """One number per factor and region: the mean over the region's features.

    Parameters
    ----------
    sig : xarray.Dataset
        What `signatures` returned.
    statistic : {"mean", "strength", "positive", "negative", "mean_abs"}, default "mean"
        "mean" averages the posterior mean loadings of all edges that touch the region, which is
        the posterior mean of the average loading; positive and negative edges cancel.
        "strength" averages their absolute values: how much the region takes part, without sign
        (not the posterior mean of that quantity, which would be larger). "positive" and
        "negative" are the parts of the edges above and below 0, each divided by the number of
        all edges of the region: ``strength = positive - negative`` and
        ``mean = positive + negative``. "mean_abs" is another name of "strength".

    Returns
    -------
    xarray.DataArray
        Dims ``(factor, region)``; NaN for a region that no feature touches. For regional
        features this is the loading itself, its absolute value, or its part above or below 0.

    Raises
    ------
    SpecError
        If `statistic` is unknown.
    DataContractError
        If the features name no regions.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> sig = bm.signatures(bm.read_run("runs/demo"))  # doctest: +SKIP
    >>> bm.region_strength(sig, "strength").sel(factor="F1").to_series()  # doctest: +SKIP
    """
    if statistic not in REGION_STATISTICS:
        raise SpecError(f"statistic must be one of {REGION_STATISTICS}, got {statistic!r}.")
    names = region_table(sig).index
    value = sig["mean"].transpose(FACTOR, FEATURE).values
    average = average_by_region(sig)(take_part(value, statistic))
    coords = {FACTOR: sig[FACTOR].values, REGION: names.to_numpy(dtype=str)}
    return xr.DataArray(average, dims=(FACTOR, REGION), coords=coords, name=statistic)


def take_part(value: npt.NDArray[Any], statistic: str) -> npt.NDArray[Any]:
    """Take the part of loadings that a statistic of regions averages.

    Parameters
    ----------
    value : ndarray
        Loadings.
    statistic : str
        Of `REGION_STATISTICS`.

    Returns
    -------
    ndarray
        As they are, their absolute values, or those above or below 0 with 0 elsewhere.
    """
    if statistic == "positive":
        return np.asarray(np.clip(value, 0, None))
    if statistic == "negative":
        return np.asarray(np.clip(value, None, 0))
    return value if statistic == "mean" else np.abs(value)
