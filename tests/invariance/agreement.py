"""Comparison of two fits by the names of participants, features, arms and blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import arviz as az
import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment

#: Draws of a fit, and what follows from them.
DRAWN = ("scores", "sharing", "symptom_weight", "explained")
#: Monte-Carlo standard errors by which results may differ; there are hundreds of comparisons.
STANDARD_ERRORS = 6.0
#: Posterior SDs of a loading by which its mean may differ.
LOADING_SDS = 0.6


def named(
    tree: xr.DataTree, group: str, like: xr.Dataset, names: Mapping[str, Callable]
) -> xr.Dataset:
    """A group under the names of another fit, in its order."""
    found = tree[group].to_dataset()
    for dim, old in names.items():
        if dim in found.dims:
            found = found.assign_coords({dim: [old(str(v)) for v in found[dim].values]})
    order = {
        d: like[d].values
        for d in ("subject", "arm", "block", "feature")
        if d in found.dims and d in like.dims
    }
    return found.sel(order)


def differences(
    first: xr.DataTree, second: xr.DataTree, names: Mapping[str, Callable]
) -> list[str]:
    """Variables that are not the same to the last bit."""
    unequal = []
    for group in ("posterior", "loadings", "sample_stats"):
        given = first[group].to_dataset()
        found = named(second, group, given, names)
        for name, values in given.data_vars.items():
            if values.dims != found[name].dims or not np.array_equal(
                values.values, found[name].values, equal_nan=True
            ):
                unequal.append(f"{group}/{name}")
    return unequal


def matched(first: xr.Dataset, second: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Factor of the second fit for each factor of the first, and its sign."""
    r = _correlations(first, second)
    own, other = linear_sum_assignment(-np.abs(r))
    order = np.argsort(own)
    own, other = own[order], other[order]
    return other, np.sign(r[own, other])


def found_again(
    first: xr.DataTree, second: xr.DataTree, names: Mapping[str, Callable], *, strongest: int
) -> np.ndarray:
    """Largest absolute correlation of the strongest factors of the first fit with any other."""
    given = first["posterior"].to_dataset()
    r = _correlations(given, named(second, "posterior", given[["scores"]], names))
    return np.abs(r).max(axis=1)[:strongest]


def _correlations(first: xr.Dataset, second: xr.Dataset) -> np.ndarray:
    a, b = (d["scores"].mean(("chain", "draw")).values for d in (first, second))
    return np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :]


def disagreement(
    first: xr.DataTree,
    second: xr.DataTree,
    names: Mapping[str, Callable],
    *,
    flipped: tuple[str, ...] = (),
    reversed_symptom: bool = False,
) -> dict[str, float]:
    """Largest differences: of drawn quantities in standard errors, of loadings in posterior SDs."""
    given = first["posterior"].to_dataset()
    found = named(second, "posterior", given, names)
    if found.sizes["factor"] != given.sizes["factor"]:
        return {"factors": float(found.sizes["factor"] - given.sizes["factor"]) * np.inf}
    at, sign = matched(given, found)
    found = found.isel(factor=at).assign_coords(factor=given["factor"].values)
    signs = xr.DataArray(sign, dims="factor", coords={"factor": given["factor"].values})
    found = found.assign(
        scores=found["scores"] * signs,
        symptom_weight=found["symptom_weight"] * signs * (-1.0 if reversed_symptom else 1.0),
    )
    names_of = [name for name in DRAWN if name in given]
    error = [az.mcse(d[names_of]) for d in (given, found)]
    out = {}
    for name in names_of:
        gap = np.abs(given[name].mean(("chain", "draw")) - found[name].mean(("chain", "draw")))
        size = np.hypot(error[0][name].transpose(*gap.dims), error[1][name].transpose(*gap.dims))
        out[name] = float((gap / size.where(size > 0, np.inf)).max())
    maps = first["loadings"].to_dataset()
    other = named(second, "loadings", maps, names).isel(factor=at)
    turn = np.ones(maps.sizes["feature"])
    if flipped:
        turn = np.where(np.arange(turn.size) == 5, -1.0, 1.0) if flipped == ("5",) else -turn
    mean = other["mean"].values * sign[:, None] * turn
    sd = np.maximum(maps["sd"].values, 0.05)
    out["loadings"] = float((np.abs(mean - maps["mean"].values) / sd).max())
    return out
