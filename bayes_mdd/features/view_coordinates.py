"""Merging of the coordinates of several views: subjects, features and regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, MISSING, REGION, SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.features.repetition_time import REPETITION_TIME

#: Separator between the name of a view and that of a feature or block.
VIEW_SEPARATOR = ":"
#: Coordinates of the features that are prefixed with the name of their view.
PREFIXED = (FEATURE, BLOCK, "network", "network_a", "network_b")

type AnyArray = np.ndarray[Any, Any]


def subject_coordinates(views: Mapping[str, xr.Dataset]) -> tuple[dict[str, Any], list[str]]:
    """Merge the coordinates of the subjects.

    Parameters
    ----------
    views : mapping
        Feature sets of the same subjects in the same order.

    Returns
    -------
    coordinates : dict
        Name to ``("subject", values)``. A repetition time that differs from that of the first
        view is kept as ``repetition_time_<view>``.
    problems : list of str
        Coordinates that differ between views.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems = []
    for view, d in views.items():
        for key, coordinate in d.coords.items():
            name = str(key)
            if coordinate.dims != (SUBJECT,) or name == SUBJECT:
                continue
            values = coordinate.values
            if name not in merged:
                merged[name], origin[name] = (SUBJECT, values), view
                continue
            differs = ~same_values(merged[name][1], values)
            if differs.any() and name == REPETITION_TIME:  # each scan has its own
                merged[f"{name}_{view}"] = (SUBJECT, values)
            elif differs.any():
                problems.append(
                    f"'{name}' differs between {origin[name]} and {view} for "
                    f"{some(d[SUBJECT].values[differs])}: correct it, or rename one of them "
                    f"(e.g. {name}_{view})."
                )
    return merged, problems


def same_values(a: AnyArray, b: AnyArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Compare two columns of text or numbers element by element; NaN equals NaN.

    Parameters
    ----------
    a, b : numpy.ndarray
        Arrays of the same length.

    Returns
    -------
    numpy.ndarray of bool
        True where the values are equal.
    """
    if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        x, y = a.astype(np.float64), b.astype(np.float64)
        return np.asarray((x == y) | (np.isnan(x) & np.isnan(y)))
    return np.asarray(a.astype(str) == b.astype(str))


def feature_coordinates(views: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Merge the coordinates of the features.

    Regional features also get ``region_a`` and ``region_b``, both equal to their region, so that
    functions for edges (blocks, tables, maps) apply to all views. Names of networks are prefixed
    with the view, because maps of blocks show the same network separately for each kind of data.

    Parameters
    ----------
    views : mapping
        Feature sets by name.

    Returns
    -------
    dict
        Name to ``("feature", values)``, with ``view`` and ``units``.
    """
    parts = {view: _coordinates_of_view(view, d) for view, d in views.items()}
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    merged = {}
    for name in names:
        text = any(part[name].dtype.kind not in "fiub" for part in parts.values() if name in part)
        columns = []
        for view, d in views.items():
            n = d.sizes[FEATURE]
            blank: AnyArray = np.full(n, MISSING) if text else np.full(n, np.nan)
            values = parts[view].get(name, blank)
            columns.append(values.astype(str) if text else values.astype(np.float64))
        merged[name] = (FEATURE, np.concatenate(columns))
    return merged


def _coordinates_of_view(view: str, d: xr.Dataset) -> dict[str, AnyArray]:
    coords: dict[str, AnyArray] = {
        str(n): c.values for n, c in d.coords.items() if c.dims == (FEATURE,)
    }
    n = d.sizes[FEATURE]
    coords["view"] = np.full(n, view)
    coords["units"] = np.full(n, str(d.attrs.get("units", MISSING)))
    for pair, single in (("region", "region_name"), ("network", "network")):
        if single in coords:
            for side in "ab":
                coords.setdefault(f"{pair}_{side}", coords[single])
    for name in PREFIXED:
        if name in coords:
            coords[name] = np.array([f"{view}{VIEW_SEPARATOR}{v}" for v in coords[name]])
    return coords


def region_coordinates(views: Mapping[str, xr.Dataset]) -> tuple[dict[str, Any], list[str]]:
    """Merge the regions of all views by name.

    Parameters
    ----------
    views : mapping
        Feature sets by name.

    Returns
    -------
    coordinates : dict
        Name to ``("region", values)``.
    disagreeing : list of str
        Columns (coordinates, networks) on which two views differ for a region of the same name.
        These columns are omitted.
    """
    tables = [d for d in views.values() if REGION in d.dims and REGION in d.coords]
    if not tables:
        return {}, []
    names = list(dict.fromkeys(str(r) for d in tables for r in d[REGION].values))
    position = {name: i for i, name in enumerate(names)}
    coords: dict[str, Any] = {REGION: (REGION, np.array(names))}
    columns = dict.fromkeys(
        str(n) for d in tables for n, c in d.coords.items() if c.dims == (REGION,) and n != REGION
    )
    disagreeing = []
    for column in columns:
        merged = _merge_column(column, tables, position)
        if merged is None:
            disagreeing.append(column)
        else:
            coords[column] = (REGION, merged)
    return coords, disagreeing


def _merge_column(
    column: str, tables: list[xr.Dataset], position: Mapping[str, int]
) -> AnyArray | None:
    parts = [(d[REGION].values, d[column].values) for d in tables if column in d.coords]
    numeric = all(values.dtype.kind in "fiub" for _, values in parts)
    whole = all(values.dtype.kind in "iu" for _, values in parts)
    known: dict[int, Any] = {}
    for regions, values in parts:
        for region, value in zip(regions, values, strict=True):
            at = position[str(region)]
            plain = float(value) if numeric else str(value)
            if at in known and repr(known[at]) != repr(plain):  # repr, so that NaN equals NaN
                return None
            known[at] = plain
    blank: Any = np.nan if numeric else MISSING
    merged = np.array([known.get(i, blank) for i in range(len(position))])
    return merged.astype(np.int64) if whole and len(known) == len(position) else merged
