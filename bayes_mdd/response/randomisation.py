r"""Randomisation test of moderation.

Arms are drawn again as the trial drew them, and the common effect of the drug is put back
(Freedman and Lane, 1983): under the hypothesis that the drugs differ equally for everyone, the
outcomes that would have been observed under other assignments are then known. Scores are blind to
arm and outcome and stay as they are.

The statistic is the log of an average of Bayes factors of models in which one factor moderates and
in which all do, from z-scores whose standard errors allow the noise to differ between arms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from bayes_mdd.response.trial import Trial
from bayes_mdd.types import Array, BoolArray, IntArray

#: What is said where `can_redraw` is False.
ONE_ARM_STRATA = (
    "no stratum (column 'stratum', otherwise 'site', and groups of equal 'propensity') holds "
    "patients of both arms, so that arms cannot be drawn again: correct these columns, or set "
    "site_effects to false where the trial did not randomise within sites."
)
#: Rearrangements that are computed at once.
CHUNK = 200
#: Prior variance over sampling variance of a slope, for one moderator and for all.
RATIO_ONE, RATIO_ALL = 3.0, 3.0


@dataclass(frozen=True, eq=False)
class RandomisationTest:
    """Result of the test.

    Parameters
    ----------
    statistic : float
        Of the arms as they were.
    null : ndarray, shape (permutation,)
        Of the arms drawn again.
    """

    statistic: float
    null: Array

    @property
    def p_value(self) -> float:
        """Share of all assignments whose statistic is at least as large."""
        above = (self.null >= self.statistic - 1e-12).sum()
        return float((1 + above) / (1 + self.null.size))


def can_redraw(other: BoolArray, stratum: IntArray) -> bool:
    """Tell whether any stratum holds patients of both arms.

    Parameters
    ----------
    other : ndarray of bool, shape (subject,)
        Whether the other drug was received.
    stratum : ndarray of int, shape (subject,)
        Stratum of each subject.

    Returns
    -------
    bool
        False if every redrawn assignment would be the one that was.
    """
    share = np.bincount(stratum, other) / np.maximum(np.bincount(stratum), 1)
    return bool(((share > 0) & (share < 1)).any())


def redraw_arms(other: BoolArray, stratum: IntArray, rng: np.random.Generator, n: int) -> BoolArray:
    """Draw assignments again, with the numbers of each arm kept in each stratum.

    Parameters
    ----------
    other : ndarray of bool, shape (subject,)
        Assignments as they were.
    stratum : ndarray of int, shape (subject,)
        Stratum of each subject.
    rng : numpy.random.Generator
        Source of randomness.
    n : int
        Number of assignments.

    Returns
    -------
    ndarray of bool, shape (n, subject)
        Assignments.
    """
    drawn = np.tile(other, (n, 1))
    for s in np.unique(stratum):
        rows = np.flatnonzero(stratum == s)
        drawn[:, rows] = rng.permuted(drawn[:, rows], axis=1)
    return drawn


def randomisation_test(
    trial: Trial,
    rng: np.random.Generator,
    *,
    n_permutations: int = 999,
    stratum: IntArray | None = None,
) -> RandomisationTest:
    """Test whether factors moderate the difference between the drugs.

    Parameters
    ----------
    trial : Trial
        Outcomes, arms and scores.
    rng : numpy.random.Generator
        Source of randomness.
    n_permutations : int, default 999
        Number of assignments drawn.
    stratum : ndarray of int, shape (subject,), optional
        Strata within which the trial randomised. Default: one.

    Returns
    -------
    RandomisationTest
        Statistic and its null distribution.
    """
    other = trial.other
    stratum = np.zeros(other.size, dtype=int) if stratum is None else stratum
    base = np.column_stack([trial.design, trial.mean])
    basis = np.linalg.svd(base, full_matrices=False)
    q = basis.U[:, basis.S[0] * 1e-10 < basis.S]
    common = np.linalg.lstsq(np.column_stack([base, trial.code]), trial.outcome, rcond=None)[0][-1]
    without = trial.outcome - trial.code * common
    drawn = redraw_arms(other, stratum, rng, n_permutations)
    statistic = _statistic(other[None], without, common, trial.mean, q)[0]
    null = [
        _statistic(drawn[i : i + CHUNK], without, common, trial.mean, q)
        for i in range(0, n_permutations, CHUNK)
    ]
    return RandomisationTest(float(statistic), np.concatenate(null) if null else np.zeros(0))


def _statistic(
    other: BoolArray, without: Array, common: float, score: Array, basis: Array
) -> Array:
    """Statistic of each assignment, shape (assignment,)."""
    k = score.shape[1]
    code = np.where(other, 0.5, -0.5)
    free = _outside(basis)
    left = free(without + code * common)
    arm = free(code)
    interaction = free(np.moveaxis(code[:, :, None] * score, 2, 1))
    size = (arm**2).sum(axis=-1)
    left = left - arm * ((arm * left).sum(axis=-1) / size)[:, None]
    along = (interaction * arm[:, None]).sum(axis=-1) / size[:, None]
    interaction = interaction - along[:, :, None] * arm[:, None]
    # One variance for each arm: a sandwich estimate varies so much in a small arm that the test
    # rejects too often where that arm is the noisier one.
    noise = _arm_variances(left, other)
    spread = (interaction * noise[:, None]) @ np.swapaxes(interaction, 1, 2)
    error = np.sqrt(np.diagonal(spread, axis1=1, axis2=2))
    z = (interaction @ left[..., None])[..., 0] / error
    correlation = spread / (error[:, :, None] * error[:, None])
    # A ridge keeps nearly collinear factors from dividing by zero.
    correlation += 1e-9 * np.eye(k)
    chi = np.einsum("pk,pk->p", z, np.linalg.solve(correlation, z[..., None])[..., 0])
    of_one = 0.5 * RATIO_ONE / (1 + RATIO_ONE) * z**2
    of_one = of_one - 0.5 * np.log(1 + RATIO_ONE) - np.log(k)
    of_all = 0.5 * RATIO_ALL / (1 + RATIO_ALL) * chi - 0.5 * k * np.log(1 + RATIO_ALL)
    return np.asarray(logsumexp(np.column_stack([of_one, of_all]), axis=1))


def _arm_variances(left: Array, other: BoolArray) -> Array:
    """Mean square of the residuals of each subject's arm, shape (assignment, subject)."""
    square = left**2
    by_arm = [(square * a).sum(axis=-1) / a.sum(axis=-1) for a in (~other, other)]
    return np.where(other, by_arm[1][:, None], by_arm[0][:, None])


def _outside(basis: Array) -> Callable[[Array], Array]:
    """Projection of rows, shape (..., subject), onto what the basis does not span."""

    def project(rows: Array) -> Array:
        return np.asarray(rows - (rows @ basis) @ basis.T)

    return project
