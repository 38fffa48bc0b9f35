"""Digest of anything that a reader returns, to tell the same values from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr


def digest(found: object) -> str:
    """Compute a digest of values, names and types; paths do not count.

    Parameters
    ----------
    found : object
        What a reader returned.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    state = hashlib.sha256()
    _add(state, found)
    return state.hexdigest()


def _add(state: Any, found: Any) -> None:
    state.update(type(found).__name__.encode())
    if isinstance(found, np.ndarray):
        _add_array(state, found)
    elif isinstance(found, str | bytes | bool | int | float | None | np.generic):
        state.update(repr(found).encode("utf-8", "backslashreplace"))
    elif isinstance(found, Mapping):
        for key in sorted(found, key=str):
            _add(state, str(key))
            _add(state, found[key])
    else:
        for part in _parts(found):
            _add(state, part)


def _parts(found: Any) -> Iterable[object]:
    """Take a value apart into values that `_add` knows or takes apart."""
    if isinstance(found, list | tuple):
        return found
    if isinstance(found, pd.DataFrame):
        columns = [found.iloc[:, i].to_numpy() for i in range(found.shape[1])]
        return [str(c) for c in found.columns], [str(i) for i in found.index], columns
    if isinstance(found, xr.DataTree):
        nodes = {path: node.to_dataset() for path, node in found.subtree_with_keys}
        return nodes, {path: dict(node.attrs) for path, node in found.subtree_with_keys}
    if isinstance(found, xr.Dataset):
        # Of attributes the names only, because times and paths are among the values.
        variables = {str(k): (v.dims, v.values) for k, v in found.variables.items()}
        return variables, sorted(map(str, found.attrs))
    if hasattr(found, "dataobj"):
        return np.asarray(found.dataobj), np.asarray(getattr(found, "affine", None))
    if is_dataclass(found) and not isinstance(found, type):
        return [(f.name, getattr(found, f.name)) for f in fields(found)]
    return ()


def _add_array(state: Any, found: np.ndarray) -> None:
    state.update(repr(found.shape).encode())
    if found.dtype.kind in "OSUT" or found.dtype.names:
        state.update(repr(found.tolist()).encode("utf-8", "backslashreplace"))
    else:
        state.update(np.ascontiguousarray(found).tobytes())
