r"""The arrays of the second stage: outcomes, arms and moments of scores.

For subject i with arm code :math:`A_i` (-1/2 default drug, +1/2 other drug),

.. math:: y_i = x_i^\top b + \beta^\top \eta_i + A_i (\delta + \theta^\top \eta_i) + e_i,
    \qquad \eta_i \mid \mathrm{scan} \sim N(m_i, V_i) .

`y` is oriented so that lower is better. The benefit of the other drug,
:math:`-(\delta + \theta^\top \eta_i)`, is the number of points that it saves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayes_mdd.types import Array, BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Trial:
    """Subjects of one trial with an outcome.

    Parameters
    ----------
    outcome : ndarray, shape (subject,)
        Lower is better, in points; NaN where only earlier visits are known.
    other : ndarray of bool, shape (subject,)
        Whether the subject received the other drug rather than the default.
    mean : ndarray, shape (subject, factor)
        Posterior means of the scores, centred, in units in which scores have variance 1 over
        subjects.
    covariance : ndarray, shape (subject, factor, factor)
        Posterior covariances of the scores.
    design : ndarray, shape (subject, column)
        Intercept, baseline, covariates and sites.
    design_sd : ndarray, shape (column,)
        Prior SD of the coefficient of each column, in residual SD of the outcome per unit.
    """

    outcome: Array
    other: BoolArray
    mean: Array
    covariance: Array
    design: Array
    design_sd: Array

    @property
    def code(self) -> Array:
        """Arm codes, shape (subject,): -1/2 for the default, +1/2 for the other drug."""
        return np.where(self.other, 0.5, -0.5)

    @property
    def columns(self) -> Array:
        """Columns of all coefficients: design, scores, arm code, arm code times scores."""
        code = self.code
        return np.column_stack([self.design, self.mean, code, code[:, None] * self.mean])

    @property
    def n_factors(self) -> int:
        """Number of factors."""
        return int(self.mean.shape[1])

    @property
    def score_covariance(self) -> Array:
        """Covariance of the true scores over subjects, shape (factor, factor)."""
        centred = self.mean - self.mean.mean(axis=0)
        between = centred.T @ centred / max(len(centred) - 1, 1)
        return np.asarray(between + self.covariance.mean(axis=0))

    def benefit_sd(self, moderation: Array) -> Array:
        """SD over subjects of the benefit that the scores explain.

        It does not depend on the rotation of the factors.

        Parameters
        ----------
        moderation : ndarray, shape (..., factor)
            Change of the difference between the drugs per unit of a score.

        Returns
        -------
        ndarray, shape (...)
            In the unit of `moderation`.
        """
        variance = np.einsum(
            "...k,kl,...l->...", moderation, self.score_covariance, moderation, optimize=True
        )
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def take(self, rows: IntArray | BoolArray) -> Trial:
        """Select subjects.

        Parameters
        ----------
        rows : ndarray
            Positions, or a mask.

        Returns
        -------
        Trial
            The same columns for these subjects.
        """
        return replace(
            self,
            outcome=self.outcome[rows],
            other=self.other[rows],
            mean=self.mean[rows],
            covariance=self.covariance[rows],
            design=self.design[rows],
        )

    def residual_sd(self) -> float:
        """SD of the outcome given design and arm, the unit of all priors.

        Returns
        -------
        float
            In points.
        """
        known = ~np.isnan(self.outcome)
        columns, outcome = np.column_stack([self.design, self.code])[known], self.outcome[known]
        left = outcome - columns @ np.linalg.lstsq(columns, outcome, rcond=None)[0]
        free = max(len(left) - np.linalg.matrix_rank(columns), 1)
        return float(np.sqrt((left**2).sum() / free))


def quadratic(slope: Array, covariance: Array) -> Array:
    """Variance of the outcome that uncertain scores add, c' V c.

    Parameters
    ----------
    slope : ndarray, shape (subject, factor)
        Slope of the outcome on the scores of each subject, c = beta + A theta.
    covariance : ndarray, shape (subject, factor, factor)
        Posterior covariances of the scores.

    Returns
    -------
    ndarray, shape (subject,)
        In the square of the unit of the outcome.

    Examples
    --------
    >>> quadratic(np.array([[1.0, 2.0]]), np.diag([0.5, 0.25])[None])
    array([1.5])
    """
    return np.asarray(np.einsum("ik,ikl,il->i", slope, covariance, slope))
