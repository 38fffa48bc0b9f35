"""Spans of the scores of each arm: their frames, and what the density within them depends on."""

from __future__ import annotations

import numpy as np

from bayes_mdd.shared_specific.density.frame import Span
from bayes_mdd.shared_specific.density.symptoms import Ratings
from bayes_mdd.shared_specific.posterior.subject_rows import Rows
from bayes_mdd.types import Array


def frame_of(rows: Rows, scores: Array) -> tuple[Array, Array]:
    r"""Split scores into frames of their spans within arms, and coordinates.

    The frame :math:`Q` of an arm of n subjects spans the centred scores, has
    :math:`Q^\top Q = n I`, and is the closest one to the reference: the orthogonal factor of the
    polar decomposition of the reference's projection onto the span.

    Parameters
    ----------
    rows : Rows
        The data.
    scores : ndarray, shape (subject, factor)
        Scores.

    Returns
    -------
    frame : ndarray, shape (subject, factor)
        Frames of all arms; depends on the spans only.
    z : ndarray, shape (arm * (factor + 1), factor)
        Coordinates of each arm, then its mean.
    """
    k = scores.shape[1]
    frame, z = np.empty_like(scores), np.empty((rows.n_arms, k + 1, k))
    for a in range(rows.n_arms):
        at = rows.arm == a
        mean = scores[at].mean(axis=0)
        basis = np.linalg.qr(scores[at] - mean)[0]
        u, _, v = np.linalg.svd(basis.T @ rows.reference[at])
        frame[at] = np.sqrt(len(basis)) * basis @ (u @ v)
        z[a, :k] = frame[at].T @ (scores[at] - mean) / len(basis)
        z[a, k] = mean
    return frame, z.reshape(-1, k)


def join_scores(rows: Rows, frame: Array, z: Array) -> Array:
    """Compute scores from frames and coordinates.

    Parameters
    ----------
    rows : Rows
        For the arm of each subject.
    frame : ndarray, shape (subject, factor)
        From `frame_of`.
    z : ndarray, shape (arm * (factor + 1), factor)
        Coordinates.

    Returns
    -------
    ndarray, shape (subject, factor)
        Scores.
    """
    k = frame.shape[1]
    by_arm = z.reshape(rows.n_arms, k + 1, k)
    scores = by_arm[rows.arm, k]
    for a in range(rows.n_arms):
        scores[rows.arm == a] += frame[rows.arm == a] @ by_arm[a, :k]
    return scores


def describe_span(rows: Rows, frame: Array) -> tuple[Span, Array]:
    """Compute what the density within spans depends on.

    Parameters
    ----------
    rows : Rows
        The data.
    frame : ndarray, shape (subject, factor)
        From `frame_of`.

    Returns
    -------
    span : Span
        Input of `span_value_and_grad`.
    projected : ndarray, shape (column, feature)
        Products of frames and features.
    """
    k = frame.shape[1]
    columns = rows.n_arms * (k + 1)
    apart = np.zeros((len(frame), columns))
    projected = np.empty((columns, rows.y.shape[1]))
    for a in range(rows.n_arms):
        at, own = rows.arm == a, slice(a * (k + 1), (a + 1) * (k + 1))
        part = np.column_stack([frame[at], np.ones(at.sum())])
        apart[at, own] = part
        # Features are orthogonal to the design.
        projected[own] = (part / rows.scale[at, None]).T @ rows.y[rows.slices[a]]
    seen = rows.seen(apart)
    parts = [projected[:, a:b] for a, b in zip(rows.start, rows.start[1:], strict=False)]
    span = Span(
        rows=float(len(frame)),
        free=len(frame) - rows.design.shape[1],
        gram=seen.T @ seen,
        products=rows.weight * np.stack([part @ part.T for part in parts]),
        traces=rows.traces,
        block_size=rows.block_size,
        arm_size=np.bincount(rows.arm, minlength=rows.n_arms).astype(float),
        mean_variance=rows.priors.arm_mean.variance,
        score_variance=rows.score_variance,
        fixed=rows.fixed,
        prior=rows.priors.constants,
        ratings=_ratings_in_frame(rows, apart),
    )
    return span, projected


def _ratings_in_frame(rows: Rows, frame: Array) -> Ratings:
    """Symptoms in an orthonormal basis of frames and symptom, which is all the density needs."""
    k, d = frame.shape[1], len(rows.rated)
    basis, value = np.zeros((d, k + 1, k)), np.zeros((d, k + 1))
    for row, s in enumerate(rows.rated):
        part = frame[s.rows]
        part = part - s.design @ (s.design.T @ part)
        found = np.linalg.qr(np.column_stack([part, s.residual]), mode="r")
        basis[row, : len(found)], value[row, : len(found)] = found[:, :k], found[:, k]
    n = [s.rows.size - s.design.shape[1] for s in rows.rated]
    transposed = np.ascontiguousarray(np.swapaxes(basis, 1, 2))
    return Ratings(basis, transposed, value, np.array(n, dtype=np.int64))
