r"""The likelihood with a noise variance for each feature, integrated out as well.

With :math:`\sigma_p^2 = \sigma_b^2 v_p`, :math:`v_p \sim \text{inverse-gamma}(\nu/2, \nu/2)` and
loadings :math:`\lambda_p \sim N(0, \sigma_p^2 D_b^2)`, a feature without the design is multivariate
t. With n, :math:`H_q`, :math:`D_b` and :math:`M_b` as in
`bayes_mdd.shared_specific.likelihood.collapsed`,

.. math::
    y_{qp} \sim t_\nu\big(0,\; \sigma_b^2 \Sigma_b\big), \qquad
    \Sigma_b = I + H_q D_b^2 H_q^\top, \qquad
    q_p = y_{qp}^\top \Sigma_b^{-1} y_{qp}

.. math::
    \log p = \sum_b \sum_{p \in b} \Big\{ \log\Gamma\tfrac{\nu+n}{2} - \log\Gamma\tfrac{\nu}{2}
    - \tfrac n2 \log(\nu\pi\sigma_b^2) - \tfrac12 \log|M_b|
    - \tfrac{\nu+n}{2} \log\Big(1 + \frac{q_p}{\nu\sigma_b^2}\Big) \Big\}

The gradient in scores, block scales and noise is that of the Gaussian likelihood in which every
feature has the weight :math:`w_p = (\nu+n)/(\nu\sigma_b^2 + q_p)`, its expected precision. Weights
change with the parameters, so there are no sufficient statistics and the cost grows with the
number of features.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, log1p, pi

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.kernels import compiled
from bayes_mdd.shared_specific.likelihood.collapsed import (
    SMALL_PRODUCT,
    inverse_and_logdet,
    thin_product,
)
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Features with the design projected out, one per row, sorted by block.

    Parameters
    ----------
    y : ndarray, shape (feature, n)
        In the basis orthogonal to the design.
    start : ndarray of int, shape (block + 1,)
        First row of each block, then the number of features.
    order : ndarray of int, shape (feature,)
        Position of each row among the features before sorting.
    """

    y: Array
    start: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def block(self) -> NDArray[np.int64]:
        """Position of each row's block, shape (feature,)."""
        return np.repeat(np.arange(self.start.size - 1), np.diff(self.start))


@compiled
def digamma(x: float) -> float:
    """Differentiate the log gamma function, for x above 0.

    Parameters
    ----------
    x : float
        Argument.

    Returns
    -------
    float
        Recurrence up to 10, then the asymptotic series.
    """
    shift = 0.0
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    return shift + log(x) - 0.5 / x - series


@compiled
def _explain(row: Array, projected: Array, w: Array, t: Array, loading: Array) -> float:
    """Write the expected loadings of one feature; return its residual sum of squares."""
    q = 0.0
    for i in range(row.size):
        q += row[i] * row[i]
    for i in range(t.size):
        s = 0.0
        for j in range(t.size):
            s += w[i, j] * t[j] * projected[j]
        loading[i] = t[i] * s
        q -= projected[i] * loading[i]
    return max(q, 0.0)


@compiled
def _matrix(gram: Array, t: Array, m: Array) -> None:
    """Write I + D G D."""
    for i in range(t.size):
        for j in range(t.size):
            m[i, j] = t[i] * t[j] * gram[i, j]
        m[i, i] += 1.0


@compiled
def student_value_and_grad(
    scores_q: Array,
    block_scale: Array,
    noise: Array,
    df: float,
    y: Array,
    start: NDArray[np.int64],
) -> tuple[Array, Array, Array, Array, float]:
    """Log-likelihood of each block, and the gradient of their sum.

    Parameters
    ----------
    scores_q : ndarray, shape (n, factor)
        Scores in the basis that is orthogonal to the design.
    block_scale : ndarray, shape (block, factor)
        Prior SD of loadings, in units of the feature's noise.
    noise : ndarray, shape (block,)
        Scale of the residuals of a block.
    df : float
        Degrees of freedom of the noise variances.
    y, start : ndarray
        As in `FeatureRows`.

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
    grad_df : float
        Gradient of the sum of `value`.
    """
    n_features, n = y.shape
    n_blocks, k = block_scale.shape
    h = np.ascontiguousarray(scores_q)
    rows = np.ascontiguousarray(y)
    gram = h.T @ h
    projected = thin_product(rows, h)
    constant = lgamma(0.5 * (df + n)) - lgamma(0.5 * df) - 0.5 * n * log(df * pi)
    slope = 0.5 * (digamma(0.5 * (df + n)) - digamma(0.5 * df) - n / df)
    value = np.empty(n_blocks)
    grad_scale = np.zeros((n_blocks, k))
    grad_noise = np.empty(n_blocks)
    grad_df = n_features * slope
    weighted = np.empty((n_features, k))
    from_gram = np.zeros((k, k))
    m, w = np.empty((k, k)), np.empty((k, k))
    chol, work = np.zeros((k, k)), np.zeros((k, k))
    loading = np.empty(k)
    for b in range(n_blocks):
        t, var = block_scale[b], noise[b] * noise[b]
        size = start[b + 1] - start[b]
        _matrix(gram, t, m)
        logdet = inverse_and_logdet(m, w, chol, work)
        logs, squares = 0.0, 0.0
        for p in range(start[b], start[b + 1]):
            q = _explain(rows[p], projected[p], w, t, loading)
            weight = (df + n) / (df * var + q)
            log_term = log1p(q / (df * var))
            logs += log_term
            squares += weight * q
            grad_df += 0.5 * (weight * q / df - log_term)
            for i in range(k):
                residual = projected[p, i]
                for j in range(k):
                    residual -= gram[i, j] * loading[j]
                    from_gram[i, j] -= weight * loading[i] * loading[j]
                weighted[p, i] = weight * loading[i]
                grad_scale[b, i] += weight * t[i] * residual * residual
        value[b] = size * (constant - n * log(noise[b]) - 0.5 * logdet) - 0.5 * (df + n) * logs
        grad_noise[b] = (squares - size * n) / noise[b]
        for i in range(k):
            for j in range(k):
                from_gram[i, j] -= size * t[i] * t[j] * w[i, j]
                grad_scale[b, i] -= size * t[j] * gram[i, j] * w[i, j]
    grad_scores = h @ from_gram
    panel = max(1, SMALL_PRODUCT // (n * k))
    for at in range(0, n_features, panel):
        grad_scores += (weighted[at : at + panel].T @ rows[at : at + panel]).T
    return value, grad_scores, grad_scale, grad_noise, grad_df
