"""Features, design and symptoms by subject, as the draws of scores and loadings need them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayes_mdd.dims import FEATURE, SUBJECT
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.prior.arms import fixed_sharing
from bayes_mdd.shared_specific.prior.priors import Priors, build_priors
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class Rated:
    """A linked symptom, with what is known without scores.

    Parameters
    ----------
    rows : ndarray of int, shape (rated,)
        Positions of the subjects with a score.
    design : ndarray, shape (rated, column)
        Orthonormal columns that are projected out.
    value : ndarray, shape (rated,)
        Standardised scores.
    residual : ndarray, shape (rated,)
        The same with the design projected out.
    """

    rows: IntArray
    design: Array
    value: Array
    residual: Array


@dataclass(frozen=True, eq=False)
class Rows:
    """Features, design and symptoms by subject.

    Parameters
    ----------
    y : ndarray, shape (subject, feature)
        Features over the subjects' noise scales, sorted by block, with the design projected out.
    start : ndarray of int, shape (block + 1,)
        First feature of each block.
    weight : float
        Power of the likelihood.
    scale : ndarray, shape (subject,)
        Noise scale of each subject.
    design : ndarray, shape (subject, column)
        Orthonormal basis of the design over the scale.
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    n_arms : int
        Number of arms.
    rated : tuple of Rated
        Linked symptoms.
    priors : Priors
        Priors of the parameters.
    fixed : ndarray, shape (factor, arm)
        Sharing that is fixed; empty where it is estimated.
    reference : ndarray, shape (subject, factor)
        Orthonormal within each arm; determines the frame of a span, see `frame_of`.
    score_variance : ndarray, shape (factor,)
        See `Span`.
    """

    y: Array
    start: IntArray
    weight: float
    scale: Array
    design: Array
    arm: IntArray
    n_arms: int
    rated: tuple[Rated, ...]
    priors: Priors
    fixed: Array
    reference: Array
    score_variance: Array

    @cached_property
    def slices(self) -> tuple[Any, ...]:
        """Subjects of each arm: a slice where they follow each other, which needs no copy."""
        found = []
        for a in range(self.n_arms):
            at = np.flatnonzero(self.arm == a)
            together = at.size == at[-1] - at[0] + 1
            found.append(slice(at[0], at[-1] + 1) if together else at)
        return tuple(found)

    @cached_property
    def traces(self) -> Array:
        """Total sum of squares of each block, times the weight."""
        squares = np.einsum("np,np->p", self.y, self.y)
        return np.asarray(self.weight * np.add.reduceat(squares, self.start[:-1]))

    @property
    def block_size(self) -> Array:
        """Number of features of each block, times the weight."""
        return self.weight * np.diff(self.start)

    def seen(self, scores: Array) -> Array:
        """Scores as the features see them: over the noise scale, without the design.

        Parameters
        ----------
        scores : ndarray, shape (subject, factor)
            Scores.

        Returns
        -------
        ndarray, shape (subject, factor)
            Residuals.
        """
        even = scores / self.scale[:, None]
        return np.asarray(even - self.design @ (self.design.T @ even))


def read_rows(
    spec: SharedSpecificSpec, data: ModelData, scores: Array, score_variance: Array
) -> Rows:
    """Arrange the data of a fit by subject.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model, with as many factors as `scores`.
    data : ModelData
        From `prepare`.
    scores : ndarray, shape (subject, factor)
        Scores near the mode.
    score_variance : ndarray, shape (factor,)
        From `guess_score_variance`.

    Returns
    -------
    Rows
        The data.
    """
    code = data.code
    order = np.argsort(code, kind="stable")
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    y = y[:, order] / data.feature_noise[order] / data.subject_scale[:, None]
    design = np.linalg.qr(data.design.to_numpy() / data.subject_scale[:, None])[0]
    y -= design @ (design.T @ y)
    pattern = fixed_sharing(spec, data.arms)
    return Rows(
        y=np.ascontiguousarray(y),
        start=np.concatenate([[0], np.cumsum(np.bincount(code))]).astype(np.int64),
        weight=data.weight,
        scale=data.subject_scale,
        design=design,
        arm=data.arm.astype(np.int64),
        n_arms=len(data.arms),
        rated=_rated(data),
        priors=build_priors(spec, data.arms),
        fixed=np.empty((0, len(data.arms))) if pattern is None else pattern.astype(float),
        reference=_orthonormal_by_arm(scores, data.arm),
        score_variance=score_variance,
    )


def _orthonormal_by_arm(scores: Array, arm: IntArray) -> Array:
    out = np.empty_like(scores)
    for a in np.unique(arm):
        part = scores[arm == a] - scores[arm == a].mean(axis=0)
        u, _, v = np.linalg.svd(part / np.linalg.norm(part, axis=0), full_matrices=False)
        out[arm == a] = u @ v
    return out


def _rated(data: ModelData) -> tuple[Rated, ...]:
    found = []
    for s in data.symptoms:
        columns = data.symptom_design.to_numpy()[s.rated]
        u, size, _ = np.linalg.svd(columns, full_matrices=False)
        design = u[:, size > 1e-10 * size.max(initial=1e-300)]
        value = (s.score - s.mean) / s.sd
        found.append(Rated(s.rated, design, value, value - design @ (design.T @ value)))
    return tuple(found)
