r"""The likelihood of all features with loadings, covariates and intercept integrated out.

With :math:`Q` spanning the orthogonal complement of the design, :math:`H_q = Q^\top H`,
:math:`D_b = \mathrm{diag}(\tau_b)` and, computed once,
:math:`S_b = \sum_{p \in b} y_{qp} y_{qp}^\top`,

.. math::
    M_b = I_K + D_b H_q^\top H_q D_b, \qquad
    \log p = -\tfrac12 \sum_b \Big\{ P_b n \log(2\pi\sigma_b^2) + P_b \log|M_b|
    + \sigma_b^{-2} \big[\mathrm{tr} S_b
    - \mathrm{tr}(M_b^{-1} D_b H_q^\top S_b H_q D_b)\big] \Big\}

so that the cost of an evaluation does not depend on the number of features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.likelihood.cross_products import CrossProducts
from bayes_mdd.types import Array

#: Multiplications of a matrix product up to which OpenBLAS uses its kernels for small matrices; on
#: a thin right-hand side these are 7 to 10 times faster than the others (400 subjects, 8 factors).
SMALL_PRODUCT = 900_000


@dataclass(frozen=True, eq=False)
class BlockStatistics:
    """Sufficient statistics of the features, whose size does not depend on their number.

    Parameters
    ----------
    basis : ndarray, shape (subject, n)
        Orthonormal basis of the space orthogonal to the design.
    products : CrossProducts
        Sums over the features of a block of their outer products in that basis.
    block_size : ndarray of float, shape (block,)
        Number of features of a block, times the weight of the likelihood (see `weighted`).
    blocks : tuple of str
        Names of the blocks.
    subject_scale : ndarray of shape (subject,), optional
        Noise scale of each subject, by which features, design and scores are divided before `basis`
        applies. Default: all subjects have the same noise.
    """

    basis: Array
    products: CrossProducts
    block_size: Array
    blocks: tuple[str, ...]
    subject_scale: Array | None = None

    @property
    def cross_products(self) -> Array:
        """The sums as matrices, shape (block, n, n)."""
        return self.products.matrices

    @property
    def score_basis(self) -> Array:
        """Matrix whose transpose maps scores to what the likelihood depends on, as `basis`."""
        if self.subject_scale is None:
            return self.basis
        return np.asarray(self.basis / self.subject_scale[:, None])

    @property
    def design(self) -> Array:
        """Orthonormal columns that span the design over the scale, shape (subject, rank)."""
        return np.asarray(null_space(self.basis.T))

    @property
    def rotation(self) -> Array:
        """Orthogonal matrix: directions of scores that the likelihood sees, then the design."""
        if self.subject_scale is None:
            return np.column_stack([self.basis, self.design])
        hidden = np.linalg.qr(self.subject_scale[:, None] * self.design)[0]
        return np.column_stack([null_space(hidden.T), hidden])

    def weighted(self, weight: float) -> BlockStatistics:
        """Raise the likelihood of the features to a power, so that they count as fewer.

        Parameters
        ----------
        weight : float
            The power.

        Returns
        -------
        BlockStatistics
            Cross-products and numbers of features times `weight`, which has this effect.
        """
        if weight == 1.0:
            return self
        return replace(
            self,
            products=self.products.times(weight),
            block_size=weight * self.block_size,
        )

    @property
    def traces(self) -> Array:
        """Total sum of squares of each block, shape (block,)."""
        return self.products.traces


def reduce_features(
    y: Array,
    design: Array,
    block: NDArray[np.str_],
    subject_scale: Array | None = None,
) -> BlockStatistics:
    """Compute the cross-products of each block after projecting the design out.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Standardised features.
    design : ndarray, shape (subject, covariate)
        Intercept and covariates, of full column rank.
    block : ndarray of str, shape (feature,)
        Block of each feature.
    subject_scale : ndarray of shape (subject,), optional
        Noise scale of each subject. Default: the same for all.

    Returns
    -------
    BlockStatistics
        Blocks in the order of their first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.random.default_rng(0).normal(size=(6, 4))
    >>> stats = reduce_features(y, np.ones((6, 1)), np.array(["a", "a", "b", "a"]))
    >>> stats.blocks, stats.cross_products.shape, stats.block_size.tolist()
    (('a', 'b'), (2, 5, 5), [3.0, 1.0])
    """
    if subject_scale is not None:
        y, design = y / subject_scale[:, None], design / subject_scale[:, None]
    basis = np.linalg.qr(design, mode="complete")[0][:, design.shape[1] :]
    names, first, code = np.unique(block, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return BlockStatistics(
        basis=np.ascontiguousarray(basis),
        products=CrossProducts.of(basis.T @ y, place[code]),
        block_size=np.bincount(code)[order].astype(float),
        blocks=tuple(str(n) for n in names[order]),
        subject_scale=subject_scale,
    )


@compiled
def thin_product(square: Array, thin: Array) -> Array:
    """Multiply a matrix with one row per subject by one with few columns.

    Parameters
    ----------
    square : ndarray, shape (n, m)
        Stored row by row; several matrices to multiply by the same `thin` may be stacked.
    thin : ndarray, shape (m, few)
        Stored row by row.

    Returns
    -------
    ndarray, shape (n, few)
        The product, computed in panels within the reach of the kernels for small matrices.
    """
    out = np.empty((square.shape[0], thin.shape[1]))
    rows = max(1, int(SMALL_PRODUCT / max(thin.size, 1)))
    for begin in range(0, square.shape[0], rows):
        # Written in place: copying the product afterwards takes half as long again.
        np.dot(square[begin : begin + rows], thin, out[begin : begin + rows])
    return out


@compiled
def _cholesky_logdet(matrix: Array, chol: Array) -> float:
    """Write the lower Cholesky factor; loops beat LAPACK calls at K < 20."""
    size = matrix.shape[0]
    logdet = 0.0
    for j in range(size):
        s = matrix[j, j]
        for k in range(j):
            s -= chol[j, k] * chol[j, k]
        d = np.sqrt(s)
        chol[j, j] = d
        logdet += np.log(d)
        for i in range(j + 1, size):
            s = matrix[i, j]
            for k in range(j):
                s -= chol[i, k] * chol[j, k]
            chol[i, j] = s / d
    return 2.0 * logdet


@compiled
def inverse_and_logdet(matrix: Array, inverse: Array, chol: Array, work: Array) -> float:
    """Invert a small symmetric positive definite matrix.

    Parameters
    ----------
    matrix : ndarray, shape (k, k)
        The matrix.
    inverse : ndarray, shape (k, k)
        Receives the inverse.
    chol, work : ndarray, shape (k, k)
        Workspace, overwritten.

    Returns
    -------
    float
        Log determinant of `matrix`.
    """
    size = matrix.shape[0]
    logdet = _cholesky_logdet(matrix, chol)
    for j in range(size):
        work[j, j] = 1.0 / chol[j, j]
        for i in range(j + 1, size):
            s = 0.0
            for k in range(j, i):
                s -= chol[i, k] * work[k, j]
            work[i, j] = s / chol[i, i]
    for i in range(size):
        for j in range(i + 1):
            s = 0.0
            for k in range(i, size):
                s += work[k, i] * work[k, j]
            inverse[i, j] = s
            inverse[j, i] = s
    return logdet


@compiled
def collapsed_value_and_grad(
    scores_q: Array,
    block_scale: Array,
    noise: Array,
    cross_products: Array,
    traces: Array,
    block_size: Array,
    rows: int = 0,
) -> tuple[Array, Array, Array, Array]:
    """Log-likelihood of each block, and the gradient of their sum.

    Parameters
    ----------
    scores_q : ndarray, shape (n, factor)
        Scores in the basis that is orthogonal to the design.
    block_scale : ndarray, shape (block, factor)
        Prior SD of loadings, in units of the block's noise.
    noise : ndarray, shape (block,)
        Residual SD.
    cross_products, traces, block_size : ndarray
        As in `BlockStatistics`.
    rows : int, default 0
        Dimension of the features, where the scores and `cross_products` are confined to fewer
        directions. By default there are no others.

    Returns
    -------
    value : ndarray, shape (block,)
        Log-likelihood of each block.
    grad_scores : ndarray, shape (n, factor)
        Gradient of the sum of `value`.
    grad_scale : ndarray, shape (block, factor)
        Gradient of the sum of `value`.
    grad_noise : ndarray, shape (block,)
        Gradient of the sum of `value`.
    """
    n_blocks, n = cross_products.shape[0], cross_products.shape[1]
    k = scores_q.shape[1]
    h = np.ascontiguousarray(scores_q)
    gram = h.T @ h
    value = np.empty(n_blocks)
    grad_scores = np.zeros((n, k))
    grad_scale = np.empty((n_blocks, k))
    grad_noise = np.empty(n_blocks)
    from_gram = np.zeros((k, k))
    work = np.zeros((5, k, k))
    # All blocks in one call: for small matrices the overhead of a BLAS call matters.
    products = thin_product(cross_products.reshape(n_blocks * n, n), h).reshape(n_blocks, n, k)
    added, hsh, transposed = np.empty((n, k)), np.empty((k, k)), np.ascontiguousarray(h.T)
    for b in range(n_blocks):
        np.dot(transposed, products[b], hsh)
        value[b], grad_noise[b], weight = collapsed_block(
            hsh, gram, block_scale[b], noise[b], traces[b], block_size[b], max(rows, n),
            grad_scale[b], from_gram, work,
        )  # fmt: skip
        np.dot(products[b], weight, added)
        grad_scores += added
    grad_scores += h @ from_gram
    return value, grad_scores, grad_scale, grad_noise


@compiled
def collapsed_block(  # type: ignore[no-untyped-def]
    hsh, gram, scale, noise, trace, size, n, grad_scale, from_gram, work
):
    r"""Log-likelihood of one block from products of the size of the number of factors.

    Parameters
    ----------
    hsh, gram : ndarray, shape (factor, factor)
        :math:`H_q^\top S_b H_q` and :math:`H_q^\top H_q`.
    scale : ndarray, shape (factor,)
        Prior SD of loadings, in units of the noise.
    noise, trace, size, n : float
        Residual SD, sum of squares and number of features of the block, and rows of the basis.
    grad_scale : ndarray, shape (factor,)
        Receives the gradient in `scale`.
    from_gram : ndarray, shape (factor, factor)
        The block adds its part; :math:`H_q` times the sum is one part of the gradient in scores.
    work : ndarray, shape (5, factor, factor)
        Overwritten.

    Returns
    -------
    value : float
        Log-likelihood.
    grad_noise : float
        Its gradient in `noise`.
    weight : ndarray, shape (factor, factor)
        :math:`S_b H_q` times this is the other part of the gradient in scores.
    """
    k = scale.size
    m, w, a, weight, chol = work[0], work[1], work[2], work[3], work[4]
    var = noise * noise
    for i in range(k):
        for j in range(k):
            tt = scale[i] * scale[j]
            m[i, j] = tt * gram[i, j]
            a[i, j] = tt * hsh[i, j]
        m[i, i] += 1.0
    # `weight` is not in use yet and serves as workspace.
    logdet = inverse_and_logdet(m, w, chol, weight)
    wa = w @ a
    waw = wa @ w
    quad = trace - np.trace(wa)
    value = -0.5 * (size * (n * np.log(2.0 * np.pi * var) + logdet) + quad / var)
    for i in range(k):
        g = 0.0
        for j in range(k):
            tt = scale[i] * scale[j]
            slope = size * w[i, j] + waw[i, j] / var
            weight[i, j] = tt * w[i, j] / var
            from_gram[i, j] -= tt * slope
            g += scale[j] * (hsh[i, j] * w[j, i] / var - gram[i, j] * slope)
        grad_scale[i] = g
    return value, (quad / var - size * n) / noise, weight
