r"""The effective number of independent features, from the eigenvalues of a cohort.

Edges that share a region share its error. The similarity matrix :math:`E E^\top` of n subjects
over P features with correlated noise fluctuates like that of c < P independent features. Its
eigenvalues then follow the Marchenko-Pastur distribution with :math:`\gamma = n / c`, whatever P
is. The effective number is the c for which

.. math:: \Big(\sum_{i > k} \lambda_i^2\Big) \Big/ \Big(\sum_{i > k} \lambda_i\Big)^2

is the same in the data and under the distribution. The k largest eigenvalues, which may belong to
factors, are left out on both sides: leaving them out of the data only would make noise look less
dependent than it is.

References
----------
.. [1] Marchenko, V. A. & Pastur, L. A. (1967). Distribution of eigenvalues for some sets of random
   matrices. Mathematics of the USSR-Sbornik, 1, 457-483.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from bayes_mdd.shared_specific.whitening.leading import (
    ALL_UP_TO,
    leading_of_similarity,
)
from bayes_mdd.types import Array

#: Points at which the Marchenko-Pastur distribution is integrated.
GRID = 4001
#: Shape, scale and shift of the gamma distribution that approximates that of Tracy and Widom.
TRACY_WIDOM_GAMMA = (46.446, 0.186054, 9.84801)
#: Smallest number of remaining eigenvalues from which an effective number is estimated.
LEAST_REMAINING = 5


def noise_spectrum(count: float, n: int) -> Array:
    """Compute the expected eigenvalues of the similarity of subjects for independent features.

    Parameters
    ----------
    count : float
        Number of independent features.
    n : int
        Number of eigenvalues.

    Returns
    -------
    ndarray, shape (n,)
        In descending order, with mean about 1: quantiles of the Marchenko-Pastur distribution.

    Examples
    --------
    >>> bool(abs(noise_spectrum(200, 50).mean() - 1) < 0.01)
    True
    >>> int((noise_spectrum(20, 50) > 0).sum())
    20
    """
    ratio = n / count
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    angle = np.linspace(0.0, np.pi, GRID)
    x = np.maximum((low + high) / 2 - (high - low) / 2 * np.cos(angle), 1e-12)
    mass = np.cumsum(np.sin(angle) ** 2 / x)
    # With fewer features than subjects the other eigenvalues are zero.
    zero = max(0.0, 1.0 - 1.0 / ratio)
    at = (np.arange(n, 0, -1) - 0.5) / n
    inside = np.interp((at - zero) / (1.0 - zero), mass / mass[-1], x)
    return np.where(at > zero, inside, 0.0)


def effective_count(similarity: Array, n_features: int, n_leading: int) -> float:
    """Estimate the number of independent features that would fluctuate as much.

    Parameters
    ----------
    similarity : ndarray, shape (n, n)
        Sum of outer products of equally noisy features, in a basis of the subjects that is
        orthogonal to the design.
    n_features : int
        Number of features.
    n_leading : int
        Eigenvalues that may belong to factors.

    Returns
    -------
    float
        Between 1 and `n_features`; `n_features` if fewer than 5 eigenvalues, or none above
        zero, remain.

    Examples
    --------
    >>> import numpy as np
    >>> e = np.repeat(np.random.default_rng(1).normal(size=(60, 100)), 5, axis=1)
    >>> bool(85 < effective_count(e @ e.T, 500, 2) < 115)
    True
    """
    n = len(similarity)
    if n - n_leading < LEAST_REMAINING:
        return float(n_features)
    if n <= ALL_UP_TO:
        values = np.maximum(np.linalg.eigvalsh(similarity)[::-1], 0.0)
        found = values[n_leading:]
        total, left, squares = values.sum(), found.sum(), (found**2).sum()
    else:
        leading = leading_of_similarity(similarity, n_leading)
        total = np.trace(similarity)
        left, squares = total - leading.sum(), (similarity**2).sum() - (leading**2).sum()
    if left <= 1e-10 * total:  # no more features than leading values
        return float(n_features)
    target = float(squares / left**2)

    def _excess(log_count: float) -> float:
        return _concentration(noise_spectrum(np.exp(log_count), n)[n_leading:]) - target

    # With about `n_leading` features or fewer no eigenvalue would remain.
    low, high = np.log(n_leading + 2.0), np.log(n_features)
    if low >= high or _excess(high) >= 0:
        return float(n_features)
    if _excess(low) <= 0:
        return float(np.exp(low))
    return float(np.exp(brentq(_excess, low, high, xtol=1e-3)))


def _concentration(values: Array) -> float:
    return float((values**2).sum() / values.sum() ** 2)


def draw_top(count: float, n: int, rng: np.random.Generator) -> float:
    """Draw the largest eigenvalue of noise relative to the mean eigenvalue.

    Parameters
    ----------
    count : float
        Effective number of features.
    n : int
        Number of subjects minus the rank of design and components found before.
    rng : numpy.random.Generator
        For the draw.

    Returns
    -------
    float
        For a Wishart matrix with `count` degrees of freedom.

    References
    ----------
    .. [1] Chiani, M. (2014). Distribution of the largest eigenvalue for real Wishart and Gaussian
       random matrices and a simple approximation for the Tracy-Widom distribution. Journal of
       Multivariate Analysis, 129, 69-81.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> edge = (1 + np.sqrt(500 / 2000)) ** 2
    >>> bool(abs(draw_top(2000, 500, rng) / edge - 1) < 0.03)
    True
    """
    if n > ALL_UP_TO:
        # The edge of the distribution, with fluctuations after Tracy and Widom [1]_.
        sum_of_roots = np.sqrt(count - 1.0) + np.sqrt(n)
        scale = sum_of_roots * (1 / np.sqrt(count - 1.0) + 1 / np.sqrt(n)) ** (1 / 3)
        shape, unit, shift = TRACY_WIDOM_GAMMA
        return float((sum_of_roots**2 + scale * (rng.gamma(shape, unit) - shift)) / count)
    if count < n:
        root = rng.standard_normal((n, max(1, round(count))))
    else:  # Bartlett's decomposition
        root = np.tril(rng.standard_normal((n, n)), -1)
        root[np.diag_indices(n)] = np.sqrt(rng.chisquare(count - np.arange(n)))
    values = np.linalg.svd(root, compute_uv=False) ** 2
    return float(values[0] * n / values.sum())
