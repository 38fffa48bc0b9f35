"""One order of subjects and features, so that results do not depend on the order of the input.

Random numbers are drawn row by row, and sums are rounded in the order of their terms. What is
computed from a feature set in its standard order is therefore the same to the last bit in whatever
order its subjects and features were given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, REGION, SUBJECT
from bayes_mdd.types import IntArray


def natural_order(names: Iterable[object]) -> IntArray:
    """Sort names as a reader would: numbers within them by value.

    Parameters
    ----------
    names : iterable of object
        Ids of participants, converted to text.

    Returns
    -------
    ndarray of int, shape (name,)
        Positions of the names in ascending order.

    Examples
    --------
    >>> names = ["sub-10", "sub-2", "sub-1"]
    >>> [names[i] for i in natural_order(names)]
    ['sub-1', 'sub-2', 'sub-10']
    """
    texts = [str(name) for name in names]
    return np.array(sorted(range(len(texts)), key=lambda i: _key(texts[i])), dtype=np.int64)


def in_standard_order(features: xr.Dataset) -> xr.Dataset:
    """Sort the subjects by id, and the features in the order of the regions.

    Parameters
    ----------
    features : Dataset
        A FeatureSet.

    Returns
    -------
    Dataset
        The same values. Subjects are in natural order of their ids. Edges and regional values are
        in the order of the coordinate ``region``; other features stay as they are.

    Examples
    --------
    >>> coords = {"subject": ["s10", "s9"], "feature": ["a--b"]}
    >>> given = xr.Dataset({"y": (("subject", "feature"), [[1.0], [2.0]])}, coords)
    >>> in_standard_order(given)["subject"].values.tolist()
    ['s9', 's10']
    """
    order = {SUBJECT: natural_order(features[SUBJECT].values), FEATURE: _feature_order(features)}
    moved = {dim: at for dim, at in order.items() if (at != np.arange(at.size)).any()}
    return features.isel(moved) if moved else features


def in_order_of(result: xr.Dataset, given: xr.Dataset) -> xr.Dataset:
    """Bring a feature set back to the order of another one.

    Parameters
    ----------
    result : Dataset
        A FeatureSet in its standard order.
    given : Dataset
        A FeatureSet of the same subjects and features in any order.

    Returns
    -------
    Dataset
        `result` in the order of `given`.
    """
    moved = {}
    for dim in (SUBJECT, FEATURE):
        at = pd.Index(result[dim].values).get_indexer(pd.Index(given[dim].values))
        if (at != np.arange(at.size)).any():
            moved[dim] = at
    return result.isel(moved) if moved else result


def _feature_order(features: xr.Dataset) -> IntArray:
    """Positions of the features in the order of their regions; as given where that is not known."""
    given = np.arange(features.sizes[FEATURE])
    names = ("region_a", "region_b") if "region_a" in features.coords else ("region_name",) * 2
    if REGION not in features.coords or any(
        n not in features.coords or features[n].dims != (FEATURE,) for n in names
    ):
        return given
    known = pd.Index(features[REGION].values.astype(str))
    if not known.is_unique:
        return given
    ends = np.stack([known.get_indexer(features[n].values.astype(str)) for n in names])
    ends.sort(axis=0)
    pairs = ends[0] * len(known) + ends[1]
    if (ends < 0).any() or np.unique(pairs).size < pairs.size:
        return given
    return np.argsort(pairs, kind="stable")


def _key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Parts of a name that compare as numbers or as text; then the name, for 1 and 01."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], text
