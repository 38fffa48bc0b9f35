"""Measures of the regions of a weighted graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import shortest_path

from bayes_mdd.features.loading import Floats


def strength(weights: Floats) -> Floats:
    """Compute the strength of each region: the sum of the weights of its edges.

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
    r"""Compute the participation coefficient: how evenly edges are distributed over networks.

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, not negative, diagonal 0.
    module : numpy.ndarray of int, shape (region,)
        Network of each region, numbered from 0.

    Returns
    -------
    numpy.ndarray, shape (region,)
        :math:`1 - \sum_m (k_{im} / k_i)^2`: 0 if all edges connect to one network or there are no
        edges; close to 1 if they are distributed evenly over many networks.

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
    r"""Compute the clustering coefficient: how strongly neighbours are connected to each other.

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
    """Compute the nodal efficiency: the mean inverse path length to all other regions.

    Parameters
    ----------
    weights : numpy.ndarray, shape (region, region)
        Symmetric, not negative, diagonal 0; an edge of weight w has length 1 / w.

    Returns
    -------
    numpy.ndarray, shape (region,)
        Mean of 1 / (length of the shortest path) over the other regions; unreachable regions
        contribute 0.

    References
    ----------
    .. [1] Latora, V. and Marchiori, M. (2001). Efficient behavior of small-world networks.
       Physical Review Letters, 87, 198701.
    """
    length = np.full(weights.shape, np.inf)
    np.divide(1.0, weights, out=length, where=weights > 0)
    distance = shortest_path(length, method="FW", directed=False)
    inverse = np.zeros_like(distance)
    np.divide(1.0, distance, out=inverse, where=distance > 0)
    mean: Floats = inverse.sum(axis=1) / (len(weights) - 1)
    return mean


#: Units of the measures.
UNITS = {
    "strength": "sum of weights",
    "participation": "coefficient",
    "clustering": "coefficient",
    "efficiency": "1 / path length",
}
