"""Participants whose features are the same up to rounding: one scan under two ids."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.errors import some
from bayes_mdd.features.provenance import extend_provenance

log = logging.getLogger("bayes_mdd.features")

#: Distance of two subjects, relative to their size, up to which they are the same scan: files hold
#: four digits or more, and halves of one scan differ by about 1.
SAME = 1e-4
#: Fewest features that vary; with fewer, values may be the same by chance.
LEAST_FEATURES = 10
#: Features, evenly spaced, with which candidates are found. They are then compared in all features.
SEARCHED = 1000


def find_copies(features: xr.Dataset) -> list[tuple[str, ...]]:
    """Find subjects whose features are the same up to rounding.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.

    Returns
    -------
    list of tuple of str
        Groups of subjects with the same features, each in the order of the feature set. Empty where
        fewer than 10 features vary, because values may then be the same by chance.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=(4, 20))
    >>> y[3] = y[1]
    >>> on = {"subject": ["s1", "s2", "s3", "s4"], "feature": [f"e{i}" for i in range(20)]}
    >>> find_copies(xr.Dataset({"y": (("subject", "feature"), y)}, on))
    [('s2', 's4')]
    """
    y = features["y"].transpose(SUBJECT, FEATURE).values.astype(float, copy=False)
    low, high = y.min(axis=0), y.max(axis=0)
    known = np.isfinite(low) & np.isfinite(high)  # false where a value is missing or infinite
    usable = np.flatnonzero(known & (high > low))
    if usable.size < LEAST_FEATURES:
        return []
    with np.errstate(invalid="ignore"):
        centre, width = y.mean(axis=0), high - low
    searched = usable[:: -(-usable.size // SEARCHED)]
    near = _may_be_same((y[:, searched] - centre[searched]) / width[searched])
    group = connected_components(csr_array(near), directed=False)[1]
    names = features[SUBJECT].values.astype(str)
    found = []
    for g in np.flatnonzero(np.bincount(group) > 1):
        at = np.flatnonzero(group == g)
        z = (y[np.ix_(at, usable)] - centre[usable]) / width[usable]
        same = at[np.linalg.norm(z - z[0], axis=1) <= SAME * np.linalg.norm(z[0])]
        if same.size > 1:
            found.append(tuple(names[same].tolist()))
    return found


def say_copies(copies: Sequence[tuple[str, ...]]) -> str:
    """Say who has the features of another participant, and what to do.

    Parameters
    ----------
    copies : sequence of tuple of str
        From `find_copies`, at least one group.

    Returns
    -------
    str
        A sentence or two.

    Examples
    --------
    >>> say_copies([("s2", "s4")]).split(":")[0]
    's2, s4 have the same features'
    """
    listed = "; ".join(some(group) for group in copies[:3])
    more = f"; and {len(copies) - 3} more groups" if len(copies) > 3 else ""
    return (
        f"{listed}{more} have the same features: a scan under two ids counts twice and can appear "
        "as a pattern. Keep one of the ids, or correct the files."
    )


def warn_of_copies(features: xr.Dataset) -> None:
    """Log a warning about subjects with the same features, unless the quality was recorded.

    Parameters
    ----------
    features : xarray.Dataset
        A feature set.
    """
    if "quality" in json.loads(extend_provenance(features.attrs.get("provenance"))):
        return  # a check of its own
    if copies := find_copies(features):
        log.warning("%s", say_copies(copies))


def _may_be_same(z: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark pairs that may be the same: rounding of products allows for more than `SAME`."""
    z = z / np.sqrt((z**2).mean(axis=0))
    product = z @ z.T
    size = np.diagonal(product)
    total = size[:, None] + size
    return np.asarray(total - 2 * product <= 1e-6 * total)
