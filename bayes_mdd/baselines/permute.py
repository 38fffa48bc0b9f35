"""Permutation tests of whole pipelines.

Outcomes are permuted over patients, or arms are drawn again within their strata; then the whole
pipeline with its tuning is fitted again in every fold. What sees neither outcomes nor arms (columns
of the views, scores of the factor model) is the same in every permutation and is computed once. The
folds do not depend on outcomes or arms, so that all permutations are treated alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.measures import concordance
from bayes_mdd.baselines.methods import Task
from bayes_mdd.baselines.pipelines import FEW_TREES, Effort
from bayes_mdd.baselines.run_fold import FoldColumns, run_task, score_effects
from bayes_mdd.response.randomisation import redraw_arms
from bayes_mdd.types import Array, BoolArray, IntArray

#: A test ends early once this many permutations did at least as well as the observed outcomes.
ENOUGH: Final = 5
_TINY = 1e-12


@dataclass(frozen=True)
class PermutationTest:
    """Result of one test.

    Parameters
    ----------
    p_value : float
        P value.
    permutations : int
        Number of permutations that were computed.
    """

    p_value: float
    permutations: int


def permutation_test(
    cases: Cases,
    folds: Sequence[FoldColumns],
    task: Task,
    by_site: bool,
    permutations: int,
    seed: int,
) -> PermutationTest:
    """Test whether a method predicts better than chance.

    Parameters
    ----------
    cases : Cases
        The patients.
    folds : sequence of FoldColumns
        Folds that do not depend on arms or outcomes.
    task : Task
        Method, view and question.
    by_site : bool
        Whether outcomes are permuted within sites.
    permutations : int
        Largest number of permutations.
    seed : int
        Of permutations and pipelines.

    Returns
    -------
    PermutationTest
        For the event, the area under the curve of pairs within folds is tested; for points, the
        squared error; for the choice, the covariance of predicted and scored benefit within folds
        over the SD of the prediction.

    Notes
    -----
    The test is sequential (Besag and Clifford 1991): it stops after `ENOUGH` permutations that do
    at least as well, and the p value is then their share. This p value is valid, and large ones
    take few permutations.
    """
    rng = np.random.default_rng(seed)
    arrangements = _arrange(cases, task, by_site, permutations, rng)
    with threadpool_limits(1):
        observed = permutation_statistic(cases, folds, task, *next(arrangements), seed)
        above = 0
        for number, (target, other) in enumerate(arrangements, start=1):
            above += (
                permutation_statistic(cases, folds, task, target, other, seed) >= observed - _TINY
            )
            if above == ENOUGH and number < permutations:
                return PermutationTest(above / number, number)
    return PermutationTest((1 + above) / (1 + permutations), permutations)


def _arrange(
    cases: Cases, task: Task, by_site: bool, permutations: int, rng: np.random.Generator
) -> Iterator[tuple[Array, BoolArray]]:
    """Outcomes and arms as they were, then rearranged."""
    target, other = cases.target(task.question), cases.other
    yield target, other
    if task.question == "choice":
        trial = cases.prepared.trial
        design = np.column_stack([trial.design, trial.code])
        common = float(np.linalg.lstsq(design, target, rcond=None)[0][-1])
        without = target - trial.code * common
        for drawn in redraw_arms(other, cases.prepared.stratum, rng, permutations):
            yield without + np.where(drawn, 0.5, -0.5) * common, drawn
        return
    stratum = cases.site if by_site else np.zeros(cases.n, dtype=np.int64)
    for _ in range(permutations):
        order = np.arange(cases.n)
        for s in np.unique(stratum):
            rows = np.flatnonzero(stratum == s)
            order[rows] = rng.permutation(rows)
        yield target[order], other


def permutation_statistic(
    cases: Cases,
    folds: Sequence[FoldColumns],
    task: Task,
    target: Array,
    other: BoolArray,
    seed: int,
) -> float:
    """Fit a method in all folds, and compute what is tested.

    Parameters
    ----------
    cases : Cases
        The patients.
    folds : sequence of FoldColumns
        Folds.
    task : Task
        Method, view and question.
    target : ndarray, shape (subject,)
        Outcomes, permuted or not.
    other : ndarray of bool, shape (subject,)
        Arms, drawn again or not.
    seed : int
        Of the pipelines.

    Returns
    -------
    float
        Larger for better predictions.
    """
    effort = Effort(seed, trees=FEW_TREES)
    first = second = 0.0
    for columns in folds:
        predicted, _ = run_task(cases, columns, task, target, other, effort)
        test: IntArray = columns.test
        if task.question == "event":
            pairs = concordance(predicted, target[test] > 0)
            first, second = first + float(pairs.sum()), second + pairs.size
        elif task.question == "points":
            first -= float(((target[test] - predicted) ** 2).sum())
        else:
            effect = score_effects(cases, columns.of[task.question], other, target)
            x, y = predicted - predicted.mean(), effect - effect.mean()
            first, second = first + float(x @ y), second + float(x @ x)
    if task.question == "event":
        return first / second if second else 0.5
    if task.question == "points":
        return first
    return first / float(np.sqrt(second)) if second > _TINY else 0.0
