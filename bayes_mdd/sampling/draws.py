"""Draws as chains of a DataTree, and which sampler produced them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from bayes_mdd import __version__
from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.types import Array

#: Attributes of a posterior that name its sampler, as ArviZ defines them.
LIBRARY, LIBRARY_VERSION = "inference_library", "inference_library_version"
#: The samplers of this package, as the attributes of a posterior name them.
OWN_SAMPLER = {LIBRARY: "bayes-mdd", LIBRARY_VERSION: __version__}


def pack_draws(
    kept: Mapping[str, Array],
    dims: Mapping[str, tuple[str, ...]],
    shape: tuple[int, int],
    stats: xr.Dataset,
    **attrs: Any,
) -> xr.DataTree:
    """Arrange draws by chain, with the statistics of the sampler.

    Parameters
    ----------
    kept : mapping of str to ndarray, shape (chain * draw, ...)
        Variables by name, see `bayes_mdd.sampling.density.LogDensity.outcome`.
    dims : mapping of str to tuple of str
        Dimensions of each variable, without chain and draw.
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
            name: ((CHAIN, DRAW, *dims[name]), x.reshape(*shape, *x.shape[1:]))
            for name, x in kept.items()
        },
        attrs=attrs,
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def sampler_version(drawn: xr.DataTree) -> str:
    """Name the sampler of a posterior and its version.

    Parameters
    ----------
    drawn : DataTree
        With a group ``posterior``.

    Returns
    -------
    str
        For example ``"nutpie 0.16.11"``.
    """
    attrs = drawn["posterior"].attrs
    return f"{attrs.get(LIBRARY, 'unknown')} {attrs.get(LIBRARY_VERSION, '')}".strip()
