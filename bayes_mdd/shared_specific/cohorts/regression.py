r"""Loadings and symptom weights of one cohort without their priors, given draws of the scores.

Priors of the cohorts must not be multiplied when cohorts are combined. Given a draw of the scores
H, least squares of features (or symptoms) on H and the design have the error covariance
:math:`v_p (H_q^\top H_q)^{-1}`; over draws, the variance of the estimates is added. Scores are
scaled to variance 1 within an average arm in each draw, so that the maps do not carry the
uncertainty of the size of a factor, which `bayes_mdd.shared_specific.cohorts.size` describes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class Subjects:
    """Who was fitted, as regressions need it.

    Parameters
    ----------
    arm : ndarray of int, shape (subject,)
        Arm of each subject.
    design : ndarray, shape (subject, covariate)
        Intercept and covariates.
    scale : ndarray, shape (subject,)
        Noise scales.
    """

    arm: IntArray
    design: Array
    scale: Array

    @property
    def n_arms(self) -> int:
        """Number of arms."""
        return int(self.arm.max()) + 1


@dataclass(frozen=True, eq=False)
class Estimates:
    """Least squares without a prior, averaged over draws.

    Parameters
    ----------
    mean, se : ndarray, shape (factor, column)
        Estimates and their standard errors.
    noise : ndarray, shape (column,)
        Residual variance.
    square : ndarray, shape (factor,)
        Mean square of the true values over columns: that of the estimates less that of the errors.
    """

    mean: Array
    se: Array
    noise: Array
    square: Array


def within_arms(subjects: Subjects, scores: Array) -> tuple[Array, Array]:
    """Take design and arm means out of scores.

    Parameters
    ----------
    subjects : Subjects
        Arms and design.
    scores : ndarray, shape (draw, subject, factor)
        Draws.

    Returns
    -------
    residual : ndarray, shape (draw, subject, factor)
        What is left.
    dof : ndarray, shape (arm,)
        Degrees of freedom of each arm.
    """
    member = np.eye(subjects.n_arms)[subjects.arm]
    basis = _orthonormal(np.column_stack([subjects.design, member]))
    residual = scores - basis @ (basis.T @ scores)
    leverage = (basis**2).sum(axis=1)
    dof = np.bincount(subjects.arm, 1.0 - leverage, subjects.n_arms)
    return residual, np.maximum(dof, 1.0)


def arm_variances(subjects: Subjects, residual: Array, dof: Array) -> Array:
    """Compute the variance of scores within arms.

    Parameters
    ----------
    subjects : Subjects
        Arms.
    residual : ndarray, shape (draw, subject, factor)
        From `within_arms`.
    dof : ndarray, shape (arm,)
        Degrees of freedom.

    Returns
    -------
    ndarray, shape (draw, arm, factor)
        Variances.
    """
    return np.stack(
        [(residual[:, subjects.arm == a] ** 2).sum(axis=1) / d for a, d in enumerate(dof)], axis=1
    )


def regress(
    subjects: Subjects, scores: Array, values: Array, keep: Array | None = None
) -> Estimates:
    """Regress columns of values on draws of scores and the design.

    Parameters
    ----------
    subjects : Subjects
        Design and noise scales.
    scores : ndarray, shape (draw, subject, factor)
        Scaled draws.
    values : ndarray, shape (subject, column)
        Features or symptoms, without missing values in the rows that are kept.
    keep : ndarray of bool, shape (subject,), optional
        Subjects to use; default all.

    Returns
    -------
    Estimates
        Averages over draws.
    """
    chosen = np.ones(len(values), dtype=bool) if keep is None else keep
    weight = 1.0 / subjects.scale[chosen, None]
    basis = _orthonormal(subjects.design[chosen] * weight)
    y = values[chosen] * weight
    y = y - basis @ (basis.T @ y)
    k = scores.shape[2]
    dof = max(len(y) - basis.shape[1] - k, 1)
    total = (y**2).sum(axis=0)
    first, second = np.zeros((k, y.shape[1])), np.zeros((k, y.shape[1]))
    inside, noise, square = np.zeros_like(first), np.zeros(y.shape[1]), np.zeros(k)
    for draw in scores:
        h = draw[chosen] * weight
        h = h - basis @ (basis.T @ h)
        inverse = np.linalg.inv(h.T @ h)
        cross = h.T @ y
        found = inverse @ cross
        left = np.maximum(total - (found * cross).sum(axis=0), 1e-12) / dof
        error = np.diag(inverse)[:, None] * left
        first, second, inside = first + found, second + found**2, inside + error
        noise = noise + left
        square = square + (found**2 - error).mean(axis=1)
    n = len(scores)
    mean = first / n
    between = np.maximum(second / n - mean**2, 0.0)
    return Estimates(mean, np.sqrt(inside / n + between), noise / n, square / n)


def _orthonormal(columns: Array) -> Array:
    """Orthonormal basis of the columns, whatever their rank."""
    u, s, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(u[:, s > 1e-9 * s.max()])
