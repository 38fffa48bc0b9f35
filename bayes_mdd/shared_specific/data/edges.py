"""From a FeatureSet of correlations to the map that makes the errors of its edges independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import CONTROL, DIAGNOSIS, FEATURE, SUBJECT
from bayes_mdd.shared_specific.whitening.transform import (
    Whitening,
    build_whitening,
    shrink_mean,
    unpack,
)
from bayes_mdd.types import Array, BoolArray, IntArray

#: Number of controls from which on the mean correlation matrix is theirs alone.
LEAST_CONTROLS: Final = 20
#: Units in which a correlation can be read, and the measures that are not plain correlations.
FISHER_Z, R = "fisher_z", "r"
OTHER_MEASURES: Final = ("partial correlation", "tangent", "covariance", "precision")
#: Correlations are kept at this distance from 1 when they are read back from standardised edges.
LEAST_DISTANCE: Final = 1e-6


@dataclass(frozen=True, eq=False)
class EdgeScale:
    """How the edges of a FeatureSet relate to correlations.

    Parameters
    ----------
    order : ndarray of int, shape (edge,)
        Positions of the features in the order of ``numpy.triu_indices``.
    networks : tuple of str
        Network of each region.
    mean, sd : ndarray, shape (edge,)
        Raw edges are ``mean + sd * y``, in the order of `order`.
    fisher_z : bool
        Whether raw edges are Fisher's z.
    """

    order: IntArray
    networks: tuple[str, ...]
    mean: Array
    sd: Array
    fisher_z: bool

    def correlations(self, y: Array) -> Array:
        """Convert features to correlations.

        Parameters
        ----------
        y : ndarray, shape (subject, feature)
            Features in the order of the FeatureSet.

        Returns
        -------
        ndarray, shape (subject, edge)
            Correlations, without the covariates that were regressed out.
        """
        raw = self.mean + self.sd * y[:, self.order]
        limit = 1.0 - LEAST_DISTANCE
        return np.clip(np.tanh(raw) if self.fisher_z else raw, -limit, limit)


def read_edge_scale(features: xr.Dataset) -> EdgeScale | str:
    """Read how features relate to correlations.

    Parameters
    ----------
    features : Dataset
        A FeatureSet.

    Returns
    -------
    EdgeScale or str
        The scale; where the features cannot be read as correlations between all pairs of regions,
        the reason.
    """
    needed = ("region_a", "region_b", "network_a", "network_b")
    lacking = [n for n in needed if n not in features.coords]
    if lacking:
        return f"the features are not edges (they have no coordinate {lacking[0]})"
    first, second = (features[n].values.astype(str) for n in ("region_a", "region_b"))
    order, names = _triangle(first, second)
    if order is None:
        return "the features are not the edges between all pairs of one set of regions"
    measure = str(features.attrs.get("measure", "correlation"))
    if measure in OTHER_MEASURES:
        return f"the measure is {measure}, not correlation"
    standardised = "raw_sd" in features.coords and "raw_mean" in features.coords
    units = str(features.attrs.get("raw_units" if standardised else "units", "not stated"))
    if units not in (FISHER_Z, R):
        return (
            f"the units are {units}: means and SDs of the correlations are not known, because the "
            "features were standardised by another tool"
            if not standardised
            else f"the units before standardisation are {units}"
        )
    network = dict(zip(first, features["network_a"].values.astype(str), strict=True))
    network |= dict(zip(second, features["network_b"].values.astype(str), strict=True))
    size = features.sizes[FEATURE]
    mean = features["raw_mean"].values if standardised else np.zeros(size)
    sd = features["raw_sd"].values if standardised else np.ones(size)
    return EdgeScale(
        order=order,
        networks=tuple(network[n] for n in names),
        mean=np.asarray(mean, dtype=float)[order],
        sd=np.asarray(sd, dtype=float)[order],
        fisher_z=units == FISHER_Z,
    )


def region_order(features: xr.Dataset) -> list[str]:
    """List the regions of edges in the order in which a `Whitening` of them has its rows.

    Parameters
    ----------
    features : Dataset
        A FeatureSet of edges.

    Returns
    -------
    list of str
        Names, in the order of their first appearance.
    """
    first, second = (features[n].values.astype(str) for n in ("region_a", "region_b"))
    return _in_order_of_appearance(first, second)


def _in_order_of_appearance(first: np.ndarray, second: np.ndarray) -> list[str]:
    return list(dict.fromkeys([first[0], *second.tolist(), *first.tolist()]))


def _triangle(first: np.ndarray, second: np.ndarray) -> tuple[IntArray | None, list[str]]:
    """Positions of all pairs of regions, regions in the order of their first appearance."""
    names = _in_order_of_appearance(first, second)
    n_edges = len(names) * (len(names) - 1) // 2
    if n_edges != first.size:
        return None, names
    a, b = (pd.Index(names).get_indexer(pd.Index(x)) for x in (first, second))
    low, high = np.minimum(a, b), np.maximum(a, b)
    key = low * len(names) + high
    i, j = np.triu_indices(len(names), 1)
    order = pd.Index(key).get_indexer(pd.Index(i * len(names) + j)) if _unique(key) else None
    return (None if order is None or (order < 0).any() else np.asarray(order)), names


def _unique(key: IntArray) -> bool:
    return np.unique(key).size == key.size


@dataclass(frozen=True)
class MeanMatrix:
    """Whose mean correlation matrix whitens the edges.

    Parameters
    ----------
    subjects : str
        "controls" or "all subjects".
    n : int
        Their number.
    shrinkage : float
        Weight of zero in the mean.
    least_eigenvalue : float
        Smallest eigenvalue of the matrix.
    """

    subjects: str
    n: int
    shrinkage: float
    least_eigenvalue: float


def whiten_edges(features: xr.Dataset, scale: EdgeScale) -> tuple[Whitening, MeanMatrix]:
    """Build the map from the mean correlations of controls, or of all subjects.

    Parameters
    ----------
    features : Dataset
        A FeatureSet with all its subjects.
    scale : EdgeScale
        From `read_edge_scale`.

    Returns
    -------
    whitening : Whitening
        The map from features, in the order of ``scale.order``, to whitened features.
    mean : MeanMatrix
        Whose mean it uses.
    """
    control = _controls(features)
    enough = int(control.sum()) >= LEAST_CONTROLS
    y = features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    r = scale.correlations(y[control] if enough else y)
    mean, shrinkage = shrink_mean(r)
    n_regions = len(scale.networks)
    matrix = unpack(mean, n_regions, diagonal=False) + np.eye(n_regions)
    plain = r.mean(axis=0)
    slope = 1.0 - plain**2 if scale.fisher_z else np.ones_like(plain)
    whitening = build_whitening(matrix, list(scale.networks), slope * scale.sd)
    least = float(whitening.eigen[0][-1])
    return whitening, MeanMatrix("controls" if enough else "all subjects", len(r), shrinkage, least)


def _controls(features: xr.Dataset) -> BoolArray:
    if DIAGNOSIS not in features.coords:
        return np.zeros(features.sizes[SUBJECT], dtype=bool)
    return np.asarray(features[DIAGNOSIS].values.astype(str) == CONTROL)
