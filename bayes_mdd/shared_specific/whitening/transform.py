r"""Linear map from the edges of a correlation matrix to features with independent, equal errors.

A correlation matrix that is estimated from a finite series has errors with covariance

.. math:: \mathrm{cov}(s_{ij}, s_{kl}) = (c_{ik} c_{jl} + c_{il} c_{jk}) / \nu

before the series are standardised [1]_ [2]_, that is :math:`E = C^{1/2} G C^{1/2} / \sqrt\nu` with
a symmetric :math:`G` of independent entries. Multiplying by :math:`W = C^{-1/2}` on both sides
gives :math:`G` back. Standardising the series removes the scales of the regions, which adds
:math:`-(DC + CD)/2` with an unknown diagonal :math:`D`; the horizontal lift [3]_ projects these
directions out:

.. math::
    t = \left[\tfrac12 (I + C^{-1} \circ C)\right]^{-1} \mathrm{diag}(C^{-1} Z), \qquad
    E_h = W \left(Z - \tfrac12 (D_t C + C D_t)\right) W

where Z is the deviation of the correlations from C, with diagonal 0. The upper triangle of
:math:`V^\top E_h V`, its diagonal over :math:`\sqrt 2`, has R(R + 1)/2 features; their errors have
the covariance :math:`\nu^{-1}` times a projection of rank R(R - 1)/2, the number of edges. No
matrix of edges by edges is formed.

References
----------
.. [1] Isserlis, L. (1918). On a formula for the product-moment coefficient of any order of a normal
   frequency distribution in any number of variables. Biometrika, 12, 134-139.
.. [2] Olkin, I. & Siotani, M. (1976). Asymptotic distribution of functions of a correlation matrix.
   In Essays in Probability and Statistics, 235-251.
.. [3] Thanwerdas, Y. & Pennec, X. (2021). Geodesics and curvature of the quotient-affine metrics on
   full-rank correlation matrices. Geometric Science of Information, LNCS 12829, 93-102.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_mdd.dims import BLOCK_SEPARATOR
from bayes_mdd.types import Array, IntArray

#: Eigenvalues of the mean correlation matrix below this are raised to it.
LEAST_EIGENVALUE = 1e-3
#: Share of the directions of a network, the smoothest first, that count as coarse.
COARSE = 0.3
#: Name of the blocks of features between two coarse directions, and the numbers of the smoothest
#: features that they separate.
COARSE_BLOCK = "coarse"
COARSE_LIMITS = (15, 36, 80, 170, 370)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Map between edges and whitened features.

    Parameters
    ----------
    correlation : ndarray, shape (region, region)
        Mean correlation matrix, positive definite, with unit diagonal.
    edge_scale : ndarray, shape (edge,)
        Change of the correlation per unit of the edge, at the mean: ``1 - r**2`` for Fisher's z, 1
        for correlations, times the SD that the edge was divided by.
    basis : ndarray, shape (region, region)
        Orthogonal matrix; its columns are the directions between which the features are.
    block : ndarray of str, shape (whitened_feature,)
        Block of each feature.

    Notes
    -----
    Edges are in the order of ``numpy.triu_indices(R, 1)``, features in that of
    ``numpy.triu_indices(R)``.
    """

    correlation: Array
    edge_scale: Array
    basis: Array
    block: np.ndarray

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.correlation)

    @property
    def smoothness(self) -> Array:
        """Product of the variances of the two directions of each feature, largest where smooth."""
        variance = np.einsum("ri,rs,si->i", self.basis, self.correlation, self.basis, optimize=True)
        i, j = self._pairs
        return np.asarray(variance[i] * variance[j])

    @property
    def eigen_smoothness(self) -> Array:
        """Product of the two eigenvalues of each feature of ``forward(edges, smooth=True)``."""
        i, j = self._pairs
        return np.asarray(self.eigen[0][i] * self.eigen[0][j])

    @cached_property
    def eigen(self) -> tuple[Array, Array]:
        """Eigenvalues and eigenvectors of the mean correlation matrix, the largest first."""
        values, vectors = np.linalg.eigh(self.correlation)
        return values[::-1], vectors[:, ::-1]

    def forward(self, edges: Array, *, smooth: bool = False) -> Array:
        """Whiten deviations of edges.

        Parameters
        ----------
        edges : ndarray, shape (..., edge)
            Edges, up to an additive constant by edge.
        smooth : bool, default False
            Return the features between eigenvectors of the mean correlation matrix instead of
            those between the columns of `basis`.

        Returns
        -------
        ndarray, shape (..., whitened_feature)
            Whitened features.
        """
        deviation = unpack(edges * self.edge_scale, self.n_regions, diagonal=False)
        return self._lifted(deviation, smooth)

    def to_smooth(self, features: Array) -> Array:
        """Rotate features to those between eigenvectors of the mean correlation matrix.

        Parameters
        ----------
        features : ndarray, shape (..., whitened_feature)
            From `forward`.

        Returns
        -------
        ndarray, shape (..., whitened_feature)
            As ``forward(edges, smooth=True)`` gives them.
        """
        off = np.where(self._on_diagonal, np.sqrt(2.0), 1.0)
        turn = self.basis.T @ self.eigen[1]
        turned = turn.T @ unpack(features * off, self.n_regions, diagonal=True) @ turn
        return np.asarray(turned[..., *self._pairs] / off)

    def forward_products(self, products: Array) -> Array:
        """Whiten the matrices of cross-products of pieces of standardised series.

        The power of a region may differ between pieces; the lift removes it.

        Parameters
        ----------
        products : ndarray, shape (..., pair)
            Upper triangles with diagonal of ``x @ x.T / T``.

        Returns
        -------
        ndarray, shape (..., whitened_feature)
            Whitened features, up to an additive constant by feature.
        """
        return self._lifted(unpack(products, self.n_regions, diagonal=True), smooth=False)

    def back(self, features: Array) -> Array:
        """Map loadings of whitened features to loadings of edges.

        Parameters
        ----------
        features : ndarray, shape (..., whitened_feature)
            Loadings, or any deviation of whitened features.

        Returns
        -------
        ndarray, shape (..., edge)
            The corresponding deviation of the edges.
        """
        root = self._power(0.5) @ self.basis
        off = np.where(self._on_diagonal, np.sqrt(2.0), 1.0)
        change = root @ unpack(features * off, self.n_regions, diagonal=True) @ root.T
        own = np.diagonal(change, axis1=-2, axis2=-1)
        change = change - 0.5 * (own[..., :, None] + own[..., None, :]) * self.correlation
        i, j = np.triu_indices(self.n_regions, 1)
        return np.asarray(change[..., i, j] / self.edge_scale)

    def _lifted(self, deviation: Array, smooth: bool) -> Array:
        c, inverse, root = self.correlation, self._power(-1.0), self._power(-0.5)
        own = np.einsum("ij,...ij->...i", inverse, deviation, optimize=True)
        t = own @ self._lift
        lifted = deviation - 0.5 * (t[..., :, None] + t[..., None, :]) * c
        turn = root @ (self.eigen[1] if smooth else self.basis)
        features = (turn.T @ lifted @ turn)[..., *self._pairs]
        return np.asarray(features * np.where(self._on_diagonal, np.sqrt(0.5), 1.0))

    @cached_property
    def _lift(self) -> Array:
        """Inverse of the symmetric matrix of the lift."""
        middle = 0.5 * (self._power(-1.0) * self.correlation + np.eye(self.n_regions))
        return np.asarray(np.linalg.inv(middle))

    def _power(self, exponent: float) -> Array:
        values, vectors = self.eigen
        return np.asarray((vectors * values**exponent) @ vectors.T)

    @property
    def _pairs(self) -> tuple[IntArray, IntArray]:
        i, j = np.triu_indices(self.n_regions)
        return i, j

    @property
    def _on_diagonal(self) -> np.ndarray:
        i, j = self._pairs
        return np.asarray(i == j)


def build_whitening(
    correlation: Array, networks: Array | list[str], edge_scale: Array | None = None
) -> Whitening:
    """Build the map from a mean correlation matrix.

    Within each network the regions are rotated to the eigenvectors of their mean correlations. The
    first `COARSE` of these directions are coarse: features between two coarse directions form
    blocks by smoothness, because traits are smooth and differ in how smooth they are. All other
    features belong to their pair of networks. A rotation keeps errors independent.

    Parameters
    ----------
    correlation : ndarray, shape (region, region)
        Mean correlation matrix. Eigenvalues below `LEAST_EIGENVALUE` are raised.
    networks : sequence of str, one per region
        Network of each region.
    edge_scale : ndarray, shape (edge,), optional
        As in `Whitening`. Default: edges are correlations.

    Returns
    -------
    Whitening
        The map.

    Examples
    --------
    >>> import numpy as np
    >>> c = np.full((4, 4), 0.3) + 0.7 * np.eye(4)
    >>> whitening = build_whitening(c, ["A", "A", "B", "B"])
    >>> edges = np.random.default_rng(0).normal(size=(5, 6))
    >>> bool(np.allclose(whitening.back(whitening.forward(edges)), edges))
    True
    """
    c = positive_definite(np.asarray(correlation, dtype=float))
    network = np.asarray(networks, dtype=str)
    names = list(dict.fromkeys(network.tolist()))
    n_regions = len(c)
    basis = np.zeros((n_regions, n_regions))
    fine, of = np.zeros(n_regions, dtype=bool), np.zeros(n_regions, dtype=int)
    at = 0
    for position, name in enumerate(names):
        regions = np.flatnonzero(network == name)
        vectors = np.linalg.eigh(c[np.ix_(regions, regions)])[1][:, ::-1]
        columns = np.arange(at, at + regions.size)
        basis[np.ix_(regions, columns)] = vectors
        fine[columns] = np.arange(regions.size) >= max(1, round(COARSE * regions.size))
        of[columns] = position
        at += regions.size
    i, j = np.triu_indices(n_regions)
    variance = np.einsum("ri,rs,si->i", basis, c, basis, optimize=True)
    is_fine = fine[i] | fine[j]
    level = _coarse_levels(np.where(is_fine, -np.inf, variance[i] * variance[j]))
    block = [
        BLOCK_SEPARATOR.join((names[min(a, b)], names[max(a, b)])) if x else f"{COARSE_BLOCK} {n}"
        for a, b, x, n in zip(of[i], of[j], is_fine, level, strict=True)
    ]
    n_edges = n_regions * (n_regions - 1) // 2
    scale = np.ones(n_edges) if edge_scale is None else np.asarray(edge_scale, dtype=float)
    return Whitening(c, scale, basis, np.array(block, dtype=object))


def _coarse_levels(smoothness: Array) -> IntArray:
    """Assign coarse features to blocks by smoothness; block 1 is the smoothest."""
    rank = np.empty(smoothness.size, dtype=np.int64)
    rank[np.argsort(-smoothness, kind="stable")] = np.arange(smoothness.size)
    return np.searchsorted(COARSE_LIMITS, rank, side="right") + 1


def positive_definite(correlation: Array) -> Array:
    """Raise the small eigenvalues of a correlation matrix and restore its unit diagonal.

    Parameters
    ----------
    correlation : ndarray, shape (region, region)
        Symmetric.

    Returns
    -------
    ndarray, shape (region, region)
        Positive definite; unchanged where no eigenvalue is below `LEAST_EIGENVALUE`.
    """
    values, vectors = np.linalg.eigh(correlation)
    if values[0] >= LEAST_EIGENVALUE:
        return correlation
    raised = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    sd = np.sqrt(np.diag(raised))
    return np.asarray(raised / np.outer(sd, sd))


def shrink_mean(correlations: Array) -> tuple[Array, float]:
    """Mean of correlations over subjects, shrunk towards zero where subjects are few.

    Parameters
    ----------
    correlations : ndarray, shape (subject, edge)
        Correlations of each subject.

    Returns
    -------
    mean : ndarray, shape (edge,)
        Shrunk mean.
    shrinkage : float
        Weight of zero, between 0 and 1: sampling variance of the mean over its sum of squares [1]_.

    References
    ----------
    .. [1] Schaefer, J. & Strimmer, K. (2005). A shrinkage approach to large-scale covariance matrix
       estimation. Statistical Applications in Genetics and Molecular Biology, 4, 32.

    Examples
    --------
    >>> import numpy as np
    >>> r = 0.5 + 0.1 * np.random.default_rng(0).normal(size=(20, 50))
    >>> bool(0.0 < shrink_mean(r)[1] < 0.01)
    True
    """
    mean = correlations.mean(axis=0)
    sampling = float(correlations.var(axis=0, ddof=1).sum()) / len(correlations)
    shrinkage = min(1.0, sampling / max(float((mean**2).sum()), 1e-300))
    return np.asarray((1.0 - shrinkage) * mean), shrinkage


def unpack(values: Array, n_regions: int, *, diagonal: bool) -> Array:
    """Fill symmetric matrices from their upper triangles.

    Parameters
    ----------
    values : ndarray, shape (..., entry)
        Upper triangles row by row.
    n_regions : int
        Number of rows.
    diagonal : bool
        Whether the triangles contain the diagonal; else it is 0.

    Returns
    -------
    ndarray, shape (..., region, region)
        The matrices.
    """
    i, j = np.triu_indices(n_regions, 0 if diagonal else 1)
    out = np.zeros((*values.shape[:-1], n_regions, n_regions))
    out[..., i, j] = values
    out[..., j, i] = values
    return out
