"""Draws of the factor model as a sampler hands them on."""

from __future__ import annotations

from typing import Any

import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.shared_specific.density.density import OUTCOME_DIMS
from bayes_mdd.types import Array


def pack_draws(
    kept: dict[str, Array], shape: tuple[int, int], stats: xr.Dataset, **attrs: Any
) -> xr.DataTree:
    """Put draws into the shape of chains, beside what the sampler says of them.

    Parameters
    ----------
    kept : dict of ndarray, shape (chain * draw, ...)
        As `Density.outcome` returns it.
    shape : tuple of int
        Chains and draws.
    stats : Dataset
        Group ``sample_stats``.
    **attrs : object
        Attributes of the posterior.

    Returns
    -------
    DataTree
        Groups ``posterior`` and ``sample_stats``, as PyMC returns them.
    """
    posterior = xr.Dataset(
        {
            name: ((CHAIN, DRAW, *OUTCOME_DIMS[name]), x.reshape(*shape, *x.shape[1:]))
            for name, x in kept.items()
        },
        attrs=attrs,
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
