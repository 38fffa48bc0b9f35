r"""Maps of edges from whitened loadings that are shrunk by smoothness.

Errors of edges are large along smooth patterns; so are traits, as a rule, but each has its own
spectrum. In whitened features all errors are equal. The least-squares loadings of a factor are
therefore shrunk there, by bins of smoothness,

.. math:: \kappa_{kb} = \frac{s_{kb}}{s_{kb} + G_{kk} v_b}, \qquad
   s_{kb} = \max\Big(0, \overline{\hat\lambda_{kp}^2} - G_{kk} v_b\Big),

with :math:`v_b` the noise variance of a bin and :math:`G = (H_q^\top H_q)^{-1}`, and mapped back to
edges with a draw of their errors, which is then correlated between edges as it should be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.search.weightings import bin_features
from bayes_mdd.types import Array, IntArray

#: Numbers of 4 bytes that stored draws of whole maps may take, at most.
STORED_NUMBERS = 16_000_000


def summarise_edge_maps(
    data: ModelData,
    scores: Array,
    *,
    ci_prob: float,
    keep: int | None,
    rng: np.random.Generator,
) -> tuple[dict[str, Array], NDArray[np.float32]]:
    """Summarise the loadings of edges, given draws of the scores.

    Parameters
    ----------
    data : ModelData
        The fitted data, with whitened edges.
    scores : ndarray, shape (draw, subject, factor)
        Draws; factors that are not in the model are zero in all of them.
    ci_prob : float
        Probability of the equal-tailed interval.
    keep : int or None
        Draws of whole maps to return; by default as many as `STORED_NUMBERS` allows.
    rng : numpy.random.Generator
        For the errors of the loadings.

    Returns
    -------
    summary : dict of ndarray, shape (factor, feature)
        ``mean``, ``sd``, ``lower``, ``upper`` and ``p_positive``.
    draws : ndarray of float32, shape (loading_draw, factor, feature)
        Draws of whole maps.
    """
    n_draws, _, k = scores.shape
    p = data.shown.feature_noise.size
    n_keep = min(n_draws, keep or min(500, max(1, STORED_NUMBERS // (k * p))))
    rows = np.linspace(0, n_draws - 1, n_keep).round().astype(int)
    kept = np.zeros((n_keep, k, p), dtype=np.float32)
    summary = {name: np.zeros((k, p)) for name in ("mean", "sd", "lower", "upper")}
    summary["p_positive"] = np.full((k, p), 0.5)
    on = np.flatnonzero(scores.any(axis=(0, 1)))
    if not on.size:
        return summary, kept
    tails = ((1 - ci_prob) / 2, (1 + ci_prob) / 2)
    maps = _draw_maps(data, scores[..., on], rng)
    for i, factor in enumerate(on):
        of_factor = maps[:, i]
        summary["mean"][factor] = of_factor.mean(axis=0, dtype=float)
        summary["sd"][factor] = of_factor.std(axis=0, dtype=float)
        summary["p_positive"][factor] = (of_factor > 0).mean(axis=0)
        low, high = np.quantile(of_factor, tails, axis=0, method="weibull")
        summary["lower"][factor], summary["upper"][factor] = low, high
    kept[:, on] = maps[rows]
    return summary, kept


def _draw_maps(data: ModelData, scores: Array, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draws of the loadings of edges, shape (draw, factor, feature)."""
    white = data.whitening
    if white is None:
        raise ValueError("the features are not whitened")
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    x = data.stats.score_basis.T @ y
    bin_of = bin_features(white.map.smoothness).of
    h = np.einsum("nm,dnk->dmk", data.stats.score_basis, scores, optimize=True)
    noise, kept = _shrinkage(x, h.mean(axis=0), bin_of)
    out = np.empty((len(h), h.shape[2], data.shown.feature_noise.size), dtype=np.float32)
    # Errors of all whitened features span as many dimensions as there are edges; `back` drops the
    # part of white noise that is outside.
    wider = data.code.size / out.shape[2]
    root_noise, root_kept = np.sqrt(wider * noise)[bin_of], np.sqrt(kept)[:, bin_of]
    for d, draw in enumerate(h):
        inverse = np.linalg.inv(draw.T @ draw)
        loadings = inverse @ (draw.T @ x)
        error = np.linalg.cholesky(inverse) @ rng.standard_normal(loadings.shape)
        shrunk = root_kept * (root_kept * loadings + error * root_noise)
        out[d][:, white.order] = white.map.back(shrunk * white.unit)
    return out


def _shrinkage(x: Array, h: Array, bin_of: IntArray) -> tuple[Array, Array]:
    """Noise variance of each bin, and part of the loadings that is kept, (factor, bin)."""
    inverse = np.linalg.inv(h.T @ h)
    loadings = inverse @ (h.T @ x)
    size = np.bincount(bin_of)
    left = ((x - h @ loadings) ** 2).sum(axis=0) / (len(x) - h.shape[1])
    noise = np.bincount(bin_of, left) / size
    error = np.diag(inverse)[:, None] * noise
    square = np.stack([np.bincount(bin_of, row**2) / size for row in loadings])
    signal = np.maximum(square - error, 0.0)
    return noise, signal / (signal + error)
