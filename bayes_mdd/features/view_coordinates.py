"""What several views say of people, features and regions, joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, MISSING, REGION, SUBJECT
from bayes_mdd.errors import some

#: Between the name of a view and that of a feature or block.
VIEW_SEPARATOR = ":"
#: Coordinates of the features that bear the name of their view.
PREFIXED = (FEATURE, BLOCK, "network", "network_a", "network_b")

type AnyArray = np.ndarray[Any, Any]


def subject_coordinates(views: Mapping[str, xr.Dataset]) -> tuple[dict[str, Any], list[str]]:
    """Join what the views say of the people.

    Parameters
    ----------
    views : mapping
        Feature sets of the same people in the same order.

    Returns
    -------
    coordinates : dict
        Name to ``("subject", values)``.
    problems : list of str
        What differs between views.
    """
    held: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems = []
    for view, d in views.items():
        for key, coordinate in d.coords.items():
            name = str(key)
            if coordinate.dims != (SUBJECT,) or name == SUBJECT:
                continue
            values = coordinate.values
            if name not in held:
                held[name], origin[name] = (SUBJECT, values), view
                continue
            differs = ~same_values(held[name][1], values)
            if differs.any():
                problems.append(
                    f"{name} differs between {origin[name]} and {view} for "
                    f"{some(d[SUBJECT].values[differs])}: correct it, or rename one "
                    f"(e.g. {name}_{view})."
                )
    return held, problems


def same_values(a: AnyArray, b: AnyArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Compare two columns, text or numbers, one by one; missing equals missing.

    Parameters
    ----------
    a, b : numpy.ndarray
        Of one length.

    Returns
    -------
    numpy.ndarray of bool
        True where they are equal.
    """
    if a.dtype.kind in "fiub" and b.dtype.kind in "fiub":
        x, y = a.astype(np.float64), b.astype(np.float64)
        return np.asarray((x == y) | (np.isnan(x) & np.isnan(y)))
    return np.asarray(a.astype(str) == b.astype(str))


def feature_coordinates(views: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Join what the views say of their features.

    A regional feature becomes a pair of its region with itself, so that whatever reads edges
    (blocks of networks, tables, maps) finds its way in every view. Networks bear the name of the
    view, because the same network in two kinds of data is two things in a map of blocks.

    Parameters
    ----------
    views : mapping
        Feature sets.

    Returns
    -------
    dict
        Name to ``("feature", values)``, with ``view`` and ``units``.
    """
    parts = {view: _own_coordinates(view, d) for view, d in views.items()}
    names = list(dict.fromkeys(n for own in parts.values() for n in own))
    out = {}
    for name in names:
        text = any(own[name].dtype.kind not in "fiub" for own in parts.values() if name in own)
        columns = []
        for view, d in views.items():
            n = d.sizes[FEATURE]
            blank: AnyArray = np.full(n, MISSING) if text else np.full(n, np.nan)
            own = parts[view].get(name, blank)
            columns.append(own.astype(str) if text else own.astype(np.float64))
        out[name] = (FEATURE, np.concatenate(columns))
    return out


def _own_coordinates(view: str, d: xr.Dataset) -> dict[str, AnyArray]:
    own: dict[str, AnyArray] = {
        str(n): c.values for n, c in d.coords.items() if c.dims == (FEATURE,)
    }
    n = d.sizes[FEATURE]
    own["view"] = np.full(n, view)
    own["units"] = np.full(n, str(d.attrs.get("units", MISSING)))
    for pair, single in (("region", "region_name"), ("network", "network")):
        if single in own:
            for side in "ab":
                own.setdefault(f"{pair}_{side}", own[single])
    for name in PREFIXED:
        if name in own:
            own[name] = np.array([f"{view}{VIEW_SEPARATOR}{v}" for v in own[name]])
    return own


def region_coordinates(views: Mapping[str, xr.Dataset]) -> tuple[dict[str, Any], list[str]]:
    """Join the regions of all views by name.

    Parameters
    ----------
    views : mapping
        Feature sets.

    Returns
    -------
    coordinates : dict
        Name to ``("region", values)``.
    disagreeing : list of str
        Columns (places, networks) on which two atlases differ for one name; these are left out.
    """
    tables = [d for d in views.values() if REGION in d.dims and REGION in d.coords]
    if not tables:
        return {}, []
    names = list(dict.fromkeys(str(r) for d in tables for r in d[REGION].values))
    place = {name: i for i, name in enumerate(names)}
    out: dict[str, Any] = {REGION: (REGION, np.array(names))}
    columns = dict.fromkeys(
        str(n) for d in tables for n, c in d.coords.items() if c.dims == (REGION,) and n != REGION
    )
    disagreeing = []
    for column in columns:
        merged = _merged(column, tables, place)
        if merged is None:
            disagreeing.append(column)
        else:
            out[column] = (REGION, merged)
    return out, disagreeing


def _merged(column: str, tables: list[xr.Dataset], place: Mapping[str, int]) -> AnyArray | None:
    held = [(d[REGION].values, d[column].values) for d in tables if column in d.coords]
    numeric = all(values.dtype.kind in "fiub" for _, values in held)
    whole = all(values.dtype.kind in "iu" for _, values in held)
    known: dict[int, Any] = {}
    for regions, own in held:
        for region, value in zip(regions, own, strict=True):
            at = place[str(region)]
            plain = float(value) if numeric else str(value)
            if at in known and repr(known[at]) != repr(plain):  # NaN is like NaN
                return None
            known[at] = plain
    blank: Any = np.nan if numeric else MISSING
    merged = np.array([known.get(i, blank) for i in range(len(place))])
    return merged.astype(np.int64) if whole and len(known) == len(place) else merged
