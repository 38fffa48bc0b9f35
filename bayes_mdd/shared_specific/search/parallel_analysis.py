"""Patterns that stand out of noise: of all people, of one arm, of one block.

Noise is what remains when the signs of the entries are drawn anew: sizes stay, patterns go. The
null of the next pattern is made of what is left after the patterns found so far (deflation), on
the same complement of the design and of these patterns, and scaled to the same energy. A null of
the features themselves would hold the energy of the strong patterns and hide weak ones behind it.

References
----------
.. [1] Dobriban, E. & Owen, A. B. (2019). Deterministic parallel analysis: an improved method for
   selecting factors and principal components. Journal of the Royal Statistical Society B, 81,
   163-183.
.. [2] Hong, D., Sheng, Y. & Dobriban, E. (2020). Selecting the number of components in PCA via
   random signflips. arXiv:2012.02985.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.likelihood.effective_features import draw_top, effective_count
from bayes_mdd.types import Array

#: A pattern must exceed so many sign-flipped copies of what is left,
FLIPS = 40
#: by this ratio: what patterns found before leave of themselves reaches 1.04 in simulations, weak
#: true patterns begin at 1.15, and scores of a pattern in between could not be estimated.
MARGIN = 1.07
#: Further copies are not drawn where a pattern exceeds the first by this ratio.
CLEARLY = 1.25
#: Patterns of correlated noise stand out of as many independent features as it is worth by up to
#: this much more (errors of regions: .27 in 24 draws), because few of its directions hold most of
#: it; features that are worth more than half their number get a part of it.
DEPENDENT = 0.3
#: A block pattern must explain this many times what it explains of sign-flipped features.
STANDS_OUT = 1.5
BLOCK_FLIPS = 20


def complement(y: Array, taken: Array) -> Array:
    """Take what `taken` predicts out of features.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features.
    taken : ndarray, shape (subject, m)
        Orthonormal columns.

    Returns
    -------
    ndarray
        Same shape as `y`.
    """
    return np.asarray(y - taken @ (taken.T @ y))


def orthonormal(*columns: Array) -> Array:
    """Span the columns of matrices by orthonormal ones, leaving out what adds nothing.

    Parameters
    ----------
    *columns : ndarray, shape (subject, any)
        Matrices with the same rows.

    Returns
    -------
    ndarray, shape (subject, rank)
        The basis.
    """
    u, s, _ = np.linalg.svd(np.column_stack(columns), full_matrices=False)
    return np.asarray(u[:, s > 1e-10 * s.max(initial=1e-300)])


def top_pattern(
    left: Array, taken: Array, rng: np.random.Generator, weight: float = 1.0
) -> tuple[Array | None, float]:
    """Find the leading pattern of what is left, if it stands out of noise.

    Parameters
    ----------
    left : ndarray, shape (subject, feature)
        Features without what `taken` predicts.
    taken : ndarray, shape (subject, m)
        Orthonormal columns of design and patterns found before.
    rng : numpy.random.Generator
        For the signs.
    weight : float, default 1.0
        Effective over actual number of features. Below 1 noise is drawn with as many features as
        they are worth: signs drawn anew would take its correlations away.

    Returns
    -------
    scores : ndarray of shape (subject,) or None
        Unit scores of the pattern.
    ratio : float
        Its energy over what it must exceed.
    """
    values, vectors = np.linalg.eigh(left @ left.T)
    energy, free = float(values.sum()), len(left) - taken.shape[1]
    top, limit = float(values[-1]), 0.0
    for flip in range(FLIPS):
        noise = (
            _top_of_noise(left, taken, rng)
            if weight == 1.0
            else _uneven(weight) * draw_top(weight * left.shape[1], free, rng) * energy / free
        )
        limit = max(limit, MARGIN * noise)
        if top <= limit or (flip == 0 and top > CLEARLY * limit):
            break
    if not top > limit:
        return None, 0.0
    return np.asarray(vectors[:, -1]), top / limit


def arm_pattern(
    y: Array,
    arm: NDArray[np.integer],
    taken: Array,
    rng: np.random.Generator,
    weight: float = 1.0,
) -> Array | None:
    """Find the pattern that stands out most within an arm.

    Half of the people double the contrast of a pattern that the other half does not have.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features without what `taken` predicts.
    arm : ndarray of int, shape (subject,)
        Arm of each person.
    taken : ndarray, shape (subject, m)
        Orthonormal columns of design and patterns found before.
    rng : numpy.random.Generator
        For the signs.
    weight : float, default 1.0
        As in `top_pattern`.

    Returns
    -------
    ndarray of shape (subject,) or None
        Scores of all people on that pattern.
    """
    best, scores = 0.0, None
    for a in np.unique(arm):
        at = arm == a
        # The mean of an arm is a pattern of all people, not one within the arm.
        inside = orthonormal(taken[at], np.ones((at.sum(), 1)))
        if inside.shape[1] >= at.sum() - 1:
            continue
        left = complement(y[at], inside)
        found, ratio = top_pattern(left, inside, rng, weight)
        if found is not None and ratio > best:
            best, scores = ratio, y @ (left.T @ found)
    return None if scores is None else np.asarray(scores / np.linalg.norm(scores))


def block_pattern(
    left: Array,
    code: NDArray[np.integer],
    rng: np.random.Generator,
    free: int,
    weight: float = 1.0,
) -> Array | None:
    """Find the block pattern that stands out most of what is left, if any does.

    Parameters
    ----------
    left : ndarray, shape (subject, feature)
        Features without design and patterns found before.
    code : ndarray of int, shape (feature,)
        Block of each feature.
    rng : numpy.random.Generator
        For the signs.
    free : int
        Dimensions that design and patterns leave.
    weight : float, default 1.0
        As in `top_pattern`; what the features of a block are worth is counted block by block.
        Below 1 a block must stand out of the typical block, too: correlated errors are alike in
        all of them, and a pattern of most blocks has been found before.

    Returns
    -------
    ndarray of shape (subject,) or None
        Unit scores.
    """
    # What the pooled patterns leave of themselves in the blocks they carry reaches 1.4.
    limit, ratio = STANDS_OUT, []
    parts = [left[:, code == b] for b in np.unique(code)]
    for part in parts:
        if weight == 1.0:
            null = np.array([_top(_flipped(part, rng)) for _ in range(BLOCK_FLIPS)])
        else:
            null = _dependent_tops(part, free, rng)
        limit = max(limit, float(null.max() / null.mean()))
        ratio.append(_top(part) / null.mean())
    best = int(np.argmax(ratio))
    if weight < 1.0:
        limit *= max(_uneven(weight), float(np.median(ratio)))
    if ratio[best] <= limit:
        return None
    return np.asarray(np.linalg.eigh(parts[best] @ parts[best].T)[1][:, -1])


def _dependent_tops(part: Array, free: int, rng: np.random.Generator) -> Array:
    """Largest eigenvalues of noise that is worth as many features as a block's, of its energy."""
    basis = np.linalg.svd(part, full_matrices=False)[0][:, :free]
    inside = basis.T @ part
    similarity = np.zeros((free, free))
    similarity[: len(inside), : len(inside)] = inside @ inside.T
    count = effective_count(similarity, part.shape[1], 1)
    energy = float((part**2).sum()) / free
    return np.array([draw_top(count, free, rng) * energy for _ in range(BLOCK_FLIPS)])


def _uneven(weight: float) -> float:
    return 1.0 + DEPENDENT * min(1.0, 1.0 / weight - 1.0)


def _top_of_noise(left: Array, taken: Array, rng: np.random.Generator) -> float:
    noise = complement(_flipped(left, rng), taken)
    gram = noise @ noise.T
    return float(np.linalg.eigvalsh(gram)[-1] * (left**2).sum() / np.trace(gram))


def _flipped(y: Array, rng: np.random.Generator) -> Array:
    return np.where(rng.integers(0, 2, size=y.shape, dtype=np.uint8) > 0, y, -y)


def _top(y: Array) -> float:
    return float(np.linalg.eigvalsh(y @ y.T)[-1])
