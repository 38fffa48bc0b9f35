"""Measures of the regions of one weighted graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import shortest_path

from bayes_mdd.features.loading import Floats


def strength(weights: Floats) -> Floats:
    """Sum the weights of every region's edges.

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, not negative, diagonal 0.

    Returns
    -------
    numpy.ndarray, shape (region,)
        In the units of the weights.
    """
    total: Floats = weights.sum(axis=1)
    return total


def participation(weights: Floats, module: npt.NDArray[np.intp]) -> Floats:
    r"""Measure how evenly a region's edges spread over the networks.

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, not negative, diagonal 0.
    module : numpy.ndarray of int, shape (region,)
        Network of every region, numbered from 0.

    Returns
    -------
    numpy.ndarray, shape (region,)
        :math:`1 - \sum_m (k_{im} / k_i)^2`: 0 where all edges go to one network (or there are
        none), towards 1 where they are spread out.

    References
    ----------
    .. [1] Guimera, R. and Amaral, L. A. N. (2005). Functional cartography of complex metabolic
       networks. Nature, 433, 895-900.
    """
    to_module = weights @ np.eye(int(module.max()) + 1)[module]
    total = weights.sum(axis=1, keepdims=True)
    share = np.zeros_like(to_module)
    np.divide(to_module, total, out=share, where=total > 0)
    spread: Floats = np.where(total[:, 0] > 0, 1 - (share**2).sum(axis=1), 0.0)
    return spread


def clustering(weights: Floats) -> Floats:
    r"""Measure how strongly the neighbours of a region are connected with each other.

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, between 0 and 1, diagonal 0.

    Returns
    -------
    numpy.ndarray, shape (region,)
        Mean over pairs of neighbours of the geometric mean of the three weights of the triangle,
        0 for regions with fewer than two neighbours.

    References
    ----------
    .. [1] Onnela, J.-P., Saramaki, J., Kertesz, J. and Kaski, K. (2005). Intensity and coherence
       of motifs in weighted complex networks. Physical Review E, 71, 065103.
    """
    root = np.cbrt(weights)
    triangles = np.einsum("ij,ji->i", root @ root, root)
    degree = (weights > 0).sum(axis=1)
    pairs = degree * (degree - 1)
    mean = np.zeros(len(weights))
    np.divide(triangles, pairs, out=mean, where=pairs > 0)
    return mean


def efficiency(weights: Floats) -> Floats:
    """Measure how near a region is to all others (nodal global efficiency).

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, not negative, diagonal 0; an edge of weight w has the length 1 / w.

    Returns
    -------
    numpy.ndarray, shape (region,)
        Mean over the other regions of 1 / (length of the shortest path); 0 for those out of reach.

    References
    ----------
    .. [1] Latora, V. and Marchiori, M. (2001). Efficient behavior of small-world networks.
       Physical Review Letters, 87, 198701.
    """
    length = np.full(weights.shape, np.inf)
    np.divide(1.0, weights, out=length, where=weights > 0)
    distance = shortest_path(length, method="FW", directed=False)
    near = np.zeros_like(distance)
    np.divide(1.0, distance, out=near, where=distance > 0)
    mean: Floats = near.sum(axis=1) / (len(weights) - 1)
    return mean


#: What each measure is in.
UNITS = {
    "strength": "sum of weights",
    "participation": "coefficient",
    "clustering": "coefficient",
    "efficiency": "1 / path length",
}
