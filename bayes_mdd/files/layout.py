"""Layout of a stored result: draws by chain, and a coordinate for every dimension."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, FEATURE, LOADING_DRAW, SUBJECT
from bayes_mdd.errors import RunFolderError
from bayes_mdd.types import Array, IntArray

LOADINGS: Final = "loadings"
#: Name of the draws of loadings in former results.
FORMER_DRAWS: Final = "draws"
#: Position, in its chain of the posterior, of the draw that a draw of loadings belongs to.
POSTERIOR_DRAW: Final = "posterior_draw"
#: Number of the present layout, and attribute that states it; results without it have layout 1.
LAYOUT: Final = 2
NUMBER: Final = "layout"
#: The model of results that do not name theirs, keys that its spec had once, and what those without
#: a key were.
FACTOR_MODEL: Final = "shared_specific"
FORMER_KEYS: Final = ("symptom_local_df",)
IMPLIED: Final = {"feature_dependence": "independent"}
#: Densities by block: former and present name of the group.
LIKELIHOOD, DENSITY = "log_likelihood", "block_log_density"
#: Groups whose coordinates name dimensions of other groups.
_NAMING: Final = ("posterior", "observed_data", "constant_data")


def by_chain(draws: np.ndarray[Any, Any], rows: IntArray, n_draws: int, chains: int) -> xr.Dataset:
    """Arrange draws of loadings by chain.

    Parameters
    ----------
    draws : ndarray, shape (loading_draw, factor, feature)
        Draws of whole maps.
    rows : ndarray of int, shape (loading_draw,)
        The draw of the posterior that each belongs to, all chains in a row.
    n_draws : int
        Draws of a chain of the posterior.
    chains : int
        Number of chains.

    Returns
    -------
    Dataset
        ``loadings`` (chain, draw, factor, feature), with the coordinates ``chain``, ``draw`` and
        ``posterior_draw`` (chain, draw). As many draws of each chain; those that are too many in a
        chain are left out, evenly spaced. If a chain has none, all draws are one chain.

    Examples
    --------
    >>> maps = np.arange(6.0).reshape(6, 1, 1)
    >>> found = by_chain(maps, np.array([0, 3, 6, 10, 13, 16]), n_draws=10, chains=2)
    >>> found["loadings"].values[..., 0, 0].tolist()
    [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    >>> found["posterior_draw"].values.tolist()
    [[0, 3, 6], [0, 3, 6]]
    """
    at = _positions(rows // n_draws, chains)
    if not at.size:
        at = np.arange(len(rows))[None]
    coords: dict[str, Any] = {
        CHAIN: np.arange(at.shape[0]),
        DRAW: np.arange(at.shape[1]),
        POSTERIOR_DRAW: ((CHAIN, DRAW), rows[at] % n_draws),
    }
    return xr.Dataset({LOADINGS: ((CHAIN, DRAW, FACTOR, FEATURE), draws[at])}, coords=coords)


def _positions(chain: IntArray, chains: int) -> IntArray:
    """Positions of equally many draws of each chain, shape (chain, draw)."""
    of = [np.flatnonzero(chain == c) for c in range(chains)]
    n = min(map(len, of))
    return np.stack([at[spaced(len(at), n)] for at in of])


def spaced(n: int, wanted: int) -> IntArray:
    """Choose evenly spaced positions.

    Parameters
    ----------
    n : int
        Number of positions.
    wanted : int
        How many of them.

    Returns
    -------
    ndarray of int
        From 0 to ``n - 1``.

    Examples
    --------
    >>> spaced(5, 3).tolist()
    [0, 2, 4]
    """
    return np.linspace(0, n - 1, wanted).round().astype(int)


def add_coordinates(tree: xr.DataTree) -> xr.DataTree:
    """Give every dimension of every group a coordinate.

    Parameters
    ----------
    tree : DataTree
        A result; it is not changed.

    Returns
    -------
    DataTree
        The same values. Where another group names a dimension of this size, its names are used;
        other dimensions are numbered from 0.
    """
    named: dict[str, xr.Variable] = {}
    for group in _NAMING:
        if group in tree.children:
            for name, coordinate in tree[group].coords.items():
                if coordinate.dims == (name,):
                    named.setdefault(str(name), coordinate.variable)
    out = tree.copy()
    for group, node in tree.children.items():
        missing = {
            str(dim): _name(named.get(str(dim)), str(dim), size)
            for dim, size in node.sizes.items()
            if dim not in node.coords
        }
        if missing:
            out[group] = node.to_dataset().assign_coords(missing)
    return out


def _name(known: xr.Variable | None, dim: str, size: int) -> tuple[str, Any]:
    return (dim, known.values if known is not None and known.size == size else np.arange(size))


def update_layout(tree: xr.DataTree) -> xr.DataTree:
    """Bring a result of an earlier version to the present layout.

    Parameters
    ----------
    tree : DataTree
        A result as it was stored; it is not changed.

    Returns
    -------
    DataTree
        Draws of loadings by chain, in place of ``draws`` with all chains in a row; a coordinate
        for every dimension; densities by block under their present name; a spec whose keys mean
        what they meant. A result of the present version is returned as it is.

    Raises
    ------
    RunFolderError
        If a later version wrote the result in another layout.
    """
    stated = int(tree.attrs.get(NUMBER, 1))
    if stated > LAYOUT:
        raise RunFolderError(
            f"the result has layout {stated}, which a later version of bayes-mdd wrote; this "
            f"version reads layouts up to {LAYOUT}: update bayes-mdd."
        )
    if stated == LAYOUT:
        return tree
    return _update_loadings(_rename_densities(_update_spec(tree)))


def _update_spec(tree: xr.DataTree) -> xr.DataTree:
    """Leave keys out that have no meaning any more, and state what was implied."""
    try:
        spec = json.loads(tree.attrs.get("spec", ""))
    except (TypeError, ValueError):
        return tree
    if tree.attrs.get("model", FACTOR_MODEL) != FACTOR_MODEL or not isinstance(spec, dict):
        return tree
    known = {k: v for k, v in spec.items() if k not in FORMER_KEYS}
    if "n_factors" in known:
        known = {**IMPLIED, **known}
    if known == spec:
        return tree
    out = tree.copy()
    out.attrs = tree.attrs | {"spec": json.dumps(known)}
    return out


def _rename_densities(tree: xr.DataTree) -> xr.DataTree:
    """Name densities by block as such; ArviZ would take them for observations."""
    former = tree.children.get(LIKELIHOOD)
    if former is None or DENSITY in tree.children or "features" not in former.data_vars:
        return tree
    if SUBJECT in former["features"].dims:
        return tree
    out = tree.copy()
    out[DENSITY] = former.to_dataset()
    del out[LIKELIHOOD]
    return out


def _update_loadings(tree: xr.DataTree) -> xr.DataTree:
    if LOADINGS not in tree.children or LOADING_DRAW not in tree[LOADINGS].dims:
        return tree
    out = tree.copy()
    maps = tree[LOADINGS].to_dataset()
    kept = maps[FORMER_DRAWS]
    flat = kept.transpose(LOADING_DRAW, FACTOR, FEATURE).values
    sizes = tree["posterior"].sizes if "posterior" in tree.children else {CHAIN: 1, DRAW: len(flat)}
    total = sizes[CHAIN] * sizes[DRAW]
    # Loadings were summarised over evenly spaced draws, and of these some are kept.
    summarised = spaced(total, int(maps.attrs.get("summary_draws", len(flat))))
    rows = summarised[spaced(len(summarised), len(flat))]
    drawn = by_chain(flat, rows, sizes[DRAW], sizes[CHAIN])
    drawn[LOADINGS].attrs = dict(kept.attrs)
    attrs = maps.attrs
    out[LOADINGS] = maps.drop_vars(FORMER_DRAWS).assign(drawn.data_vars).assign_coords(drawn.coords)
    out[LOADINGS].attrs = dict(attrs)
    return add_coordinates(out)


def merge_chains(loadings: xr.Dataset) -> xr.DataArray | None:
    """Read the draws of loadings with all chains in a row.

    Parameters
    ----------
    loadings : Dataset
        Group ``loadings`` of a result.

    Returns
    -------
    DataArray or None
        Dims ``(loading_draw, factor, feature)``; None where no draws are stored.
    """
    if LOADINGS not in loadings:
        return None
    drawn = loadings[LOADINGS].transpose(CHAIN, DRAW, FACTOR, FEATURE)
    values: Array = drawn.values.reshape(-1, *drawn.shape[2:])
    coords = {n: c for n, c in drawn.coords.items() if not {CHAIN, DRAW} & set(c.dims)}
    return xr.DataArray(values, coords=coords, dims=(LOADING_DRAW, *drawn.dims[2:]))
