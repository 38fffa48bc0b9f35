r"""Correlation of residuals between features, without a matrix of all pairs.

With unit vectors :math:`z_p` of the residuals of features p, the sum of all squared correlations
of a set g is the squared norm of a matrix of subjects by subjects:

.. math:: \sum_{p,q \in g} r_{pq}^2 = \Big\| \sum_{p \in g} z_p z_p^\top \Big\|_F^2

so that pairs of edges that share a region are counted region by region, exactly.

Effective number of features: sums of squares and products over P features with correlation
matrix R have the variance of :math:`P_{\text{eff}} = (\mathrm{tr} R)^2 / \mathrm{tr} R^2
= P / (1 + (P - 1)\, \overline{\rho^2})` independent ones (Satterthwaite).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.types import Array

Groups = tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, eq=False)
class SharedRegions:
    """Edges grouped by the regions they share.

    Parameters
    ----------
    edges : ndarray of int, shape (edge,)
        Positions of the features that are edges.
    by_region : tuple of ndarray of int
        Positions within `edges` of the edges that touch a region.
    same : ndarray of int, shape (pair, 2)
        Positions within `edges` of pairs between the same two regions (several views); by region
        they are counted twice.
    """

    edges: NDArray[np.int64]
    by_region: Groups
    same: NDArray[np.int64]

    @property
    def n_sharing(self) -> int:
        """Number of pairs of edges that share at least one region."""
        return sum(g.size * (g.size - 1) // 2 for g in self.by_region) - len(self.same)

    @property
    def n_apart(self) -> int:
        """Number of pairs of edges that share none."""
        return self.edges.size * (self.edges.size - 1) // 2 - self.n_sharing


def shared_regions(region_a: NDArray[np.str_], region_b: NDArray[np.str_]) -> SharedRegions:
    """Group edges by their regions.

    Parameters
    ----------
    region_a, region_b : ndarray of str, shape (feature,)
        The two ends of a feature; equal or blank (or ``n/a``) where it is not an edge.

    Returns
    -------
    SharedRegions
        Without the features that are not edges.

    Examples
    --------
    >>> import numpy as np
    >>> found = shared_regions(np.array(["a", "a", "c"]), np.array(["b", "c", "d"]))
    >>> found.n_sharing, found.n_apart
    (2, 1)
    """
    blank = np.isin(region_a, ("", "n/a")) | np.isin(region_b, ("", "n/a"))
    edges = np.flatnonzero((region_a != region_b) & ~blank)
    ends = np.stack([region_a[edges], region_b[edges]])
    _, code = np.unique(ends, return_inverse=True)
    low, high = np.sort(code.reshape(ends.shape), axis=0)
    n = int(code.max(initial=-1)) + 1
    by_region = tuple(np.flatnonzero((low == r) | (high == r)) for r in range(n))
    return SharedRegions(edges, by_region, _equal_pairs(low * n + high))


def _equal_pairs(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of all pairs with the same key."""
    order = np.argsort(key, kind="stable")
    found = []
    for step in range(1, key.size):
        alike = np.flatnonzero(key[order[step:]] == key[order[:-step]])
        if not alike.size:
            break
        found.append(np.stack([order[alike], order[alike + step]], axis=1))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def unit_columns(x: Array) -> Array:
    """Scale columns to length 1.

    Parameters
    ----------
    x : ndarray, shape (n, feature)
        Residuals.

    Returns
    -------
    ndarray
        Same shape.
    """
    return np.asarray(x / np.sqrt((x**2).sum(axis=0)))


def sum_squared(unit: Array, groups: Groups) -> float:
    """Sum the squared correlations of all pairs within groups.

    Parameters
    ----------
    unit : ndarray, shape (n, feature)
        Columns of length 1.
    groups : tuple of ndarray of int
        Positions of the members of each group.

    Returns
    -------
    float
        Each pair is counted once per group.
    """
    total = 0.0
    for members in groups:
        part = unit[:, members]
        gram = part @ part.T if part.shape[0] < part.shape[1] else part.T @ part
        total += (float((gram**2).sum()) - members.size) / 2
    return total


def mean_squared_apart(unit: Array, shared: SharedRegions) -> tuple[float, float]:
    """Mean squared correlation of edges that share a region, and of those that share none.

    Parameters
    ----------
    unit : ndarray, shape (n, feature)
        Columns of length 1.
    shared : SharedRegions
        Which columns are edges, and of which regions.

    Returns
    -------
    sharing, apart : float
        Means over all pairs of either kind.
    """
    edges = unit[:, shared.edges]
    twice = (edges[:, shared.same[:, 0]] * edges[:, shared.same[:, 1]]).sum(axis=0)
    touching = sum_squared(edges, shared.by_region) - float((twice**2).sum())
    everything = sum_squared(edges, (np.arange(shared.edges.size),))
    return touching / shared.n_sharing, (everything - touching) / shared.n_apart


def effective_number(n_features: float, mean_squared: float, chance: float) -> float:
    r"""Compute the effective number of features.

    Parameters
    ----------
    n_features : float
        Number of features P.
    mean_squared : float
        Observed mean squared residual correlation of their pairs.
    chance : float
        Expectation for independent features: one over the degrees of freedom :math:`\nu`.

    Returns
    -------
    float
        Between 1 and P.

    Notes
    -----
    To first order in :math:`\rho^2` the expectation of a squared correlation (through 0) is
    :math:`1/\nu + \rho^2 (\nu - 1) / (\nu + 2)`.

    Examples
    --------
    >>> effective_number(100, 1 / 50, chance=1 / 50)
    100.0
    >>> round(effective_number(100, 0.1, chance=1 / 50), 1)
    10.6
    """
    if n_features < 2:
        return float(n_features)
    true = np.clip((mean_squared - chance) * (1 + 2 * chance) / (1 - chance), 0.0, 1.0)
    return float(n_features / (1 + (n_features - 1) * true))
