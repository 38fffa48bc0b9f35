r"""Scores of equal pieces of each scan, with loadings learned from the other subjects.

Loadings learned from all subjects contain the noise of subject i, which is part of every piece of
the scan of i and would count as trait. The loadings for subject i are therefore least-squares
estimates from the rows of the others, obtained by downdating sums over rows, and shrunk block by
block. The score of a piece is the generalised least-squares projection of its features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class PieceScores:
    """Scores of pieces, and their sampling variance.

    Parameters
    ----------
    scores : ndarray, shape (subject, piece, factor)
        In the units of the scores of the fit; the mean over subjects is removed piece by piece.
    sampling : ndarray, shape (factor,)
        Variance that the score of a piece would have from errors that are equal in all directions:
        within-subject variance of the features of a block, times the squared weights.
    """

    scores: Array
    sampling: Array


@dataclass(frozen=True, eq=False)
class _Sums:
    """Rows of the fit and their weighted sums."""

    scores: Array  # row, factor
    features: NDArray[np.floating]  # row, feature
    weight: Array  # row
    owner: IntArray  # row
    code: IntArray  # feature
    gram: Array  # factor, factor
    cross: Array  # factor, feature
    noise: float  # residual variance of a feature


def score_pieces(
    pieces: NDArray[np.floating],
    scores: Array,
    features: NDArray[np.floating],
    noise_scale: Array,
    owner: IntArray,
    code: IntArray,
) -> PieceScores:
    """Score each piece of each scan on each factor.

    Parameters
    ----------
    pieces : ndarray, shape (subject, piece, feature)
        Whitened features of equal consecutive pieces of the scans. They are processed subject by
        subject; single precision or a memory map is enough.
    scores : ndarray, shape (row, factor)
        Posterior mean scores of all rows of the fit, in the units of `features`: means and
        differences of halves, subjects with and without series.
    features : ndarray, shape (row, feature)
        Whitened features of the rows, with the design projected out.
    noise_scale : ndarray, shape (row,)
        Noise scale of each row relative to the others.
    owner : ndarray of int, shape (row,)
        Position in `pieces` of the subject of each row; -1 for subjects without series.
    code : ndarray of int, shape (feature,)
        Block of each feature.

    Returns
    -------
    PieceScores
        Scores and sampling variances.
    """
    n, n_pieces = pieces.shape[:2]
    rows = _sum_rows(scores, features, noise_scale, owner, code)
    level, variance = _moments(pieces, code)
    found = np.empty((n, n_pieces, scores.shape[1]))
    sampling = np.zeros(scores.shape[1])
    for i in range(n):
        weights = _weights(_other_loadings(rows, i), variance)
        found[i] = (pieces[i] - level) @ weights
        sampling += variance @ weights**2 / n
    return PieceScores(found - found.mean(axis=0), sampling)


def _sum_rows(
    scores: Array,
    features: NDArray[np.floating],
    noise_scale: Array,
    owner: IntArray,
    code: IntArray,
) -> _Sums:
    weight = 1 / noise_scale**2
    weighted = scores * weight[:, None]
    gram = weighted.T @ scores
    cross = weighted.T.astype(features.dtype) @ features
    loadings = np.linalg.pinv(gram, hermitian=True) @ cross
    total = sum(
        float(w) * float(np.square(y - h @ loadings).sum())
        for w, y, h in zip(weight, features, scores, strict=True)
    )
    return _Sums(scores, features, weight, owner, code, gram, cross, total / features.size)


def _moments(pieces: NDArray[np.floating], code: IntArray) -> tuple[Array, Array]:
    """Mean over subjects (piece, feature); within-subject variance of the block of a feature."""
    n, n_pieces, n_features = pieces.shape
    level, variance = np.zeros((n_pieces, n_features)), np.zeros(n_features)
    for x in pieces:
        level += x / n
    # The level differs between pieces: remove it before looking at subjects.
    for x in pieces:
        variance += (x - level).var(axis=0, ddof=1) / n
    size = np.maximum(np.bincount(code), 1)
    return level, np.asarray((np.bincount(code, variance) / size)[code])


def _other_loadings(rows: _Sums, subject: int) -> Array:
    """Estimate block-shrunk loadings (factor, feature) from the rows of the other subjects."""
    own = np.flatnonzero(rows.owner == subject)
    weighted = rows.scores[own] * rows.weight[own, None]
    gram = rows.gram - weighted.T @ rows.scores[own]
    inverse = np.linalg.pinv(gram, hermitian=True)
    loadings = inverse @ (rows.cross - weighted.T @ rows.features[own])
    error = rows.noise * np.diag(inverse)[:, None]
    size = np.maximum(np.bincount(rows.code), 1)
    square = np.stack([np.bincount(rows.code, x**2) / size for x in loadings])
    signal = np.maximum(square - error, 0.0)
    keep = np.divide(signal, signal + error, out=np.ones_like(signal), where=signal + error > 0)
    return np.asarray(loadings * keep[:, rows.code])


def _weights(loadings: Array, variance: Array) -> Array:
    """Generalised least-squares weights (feature, factor) under one noise variance per block."""
    precision = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    scaled = loadings * precision
    return np.asarray(scaled.T @ np.linalg.pinv(scaled @ loadings.T, hermitian=True))
