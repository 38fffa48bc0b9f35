"""All methods on one fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.choice import predict_benefit, strongest, strongest_interactions
from bayes_mdd.baselines.columns import Fold, build_fold, needs_scans, prepare_edges
from bayes_mdd.baselines.factor_scores import FactorScores, score_fold
from bayes_mdd.baselines.methods import (
    BOTH,
    FACTORS,
    MAJORITY,
    NOTHING,
    WITH_SCANS,
    Question,
    Task,
)
from bayes_mdd.baselines.pipelines import FORMS, Effort, predict_outcome
from bayes_mdd.response.benefit import DecisionRule
from bayes_mdd.response.value import aipw_scores, predict_outcomes
from bayes_mdd.types import Array, BoolArray, IntArray

#: Share of the features that the leaky switch keeps, and the fewest.
LEAK_SHARE, LEAK_LEAST = 0.1, 10


@dataclass(frozen=True, eq=False)
class FoldColumns:
    """Columns of one fold, ready for all methods.

    Parameters
    ----------
    of : mapping of str to Fold
        By question: the questions differ if features were screened outside the folds.
    scores : FactorScores or None
        Scores of the factor model, where they are needed.
    """

    of: Mapping[str, Fold]
    scores: FactorScores | None

    @property
    def train(self) -> IntArray:
        """Positions of the training patients."""
        return next(iter(self.of.values())).train

    @property
    def test(self) -> IntArray:
        """Positions of the test patients."""
        return next(iter(self.of.values())).test


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What all methods predict for the test patients of one fold.

    Parameters
    ----------
    test : ndarray of int
        Their positions.
    predicted : mapping of Task to ndarray
        Probability of the event, points, or benefit.
    chosen : mapping of Task to ndarray
        For the choice: whether the other drug is chosen.
    effect : ndarray
        Score of the benefit of each test patient.
    level : mapping of str to float
        Mean of the training patients, by question.
    """

    test: IntArray
    predicted: Mapping[Task, Array]
    chosen: Mapping[Task, BoolArray] = field(default_factory=dict)
    effect: Array = field(default_factory=lambda: np.zeros(0))
    level: Mapping[Question, float] = field(default_factory=dict)


def screen_outside(cases: Cases, questions: Iterable[Question]) -> dict[str, IntArray]:
    """Screen features with the outcomes of all patients: the leak, for teaching.

    Parameters
    ----------
    cases : Cases
        All patients.
    questions : iterable of str
        Questions.

    Returns
    -------
    dict of str to ndarray of int
        Features that each question keeps.
    """
    rows = np.arange(cases.n)[:, None]
    columns = prepare_edges(cases).fit_transform(rows)
    most = min(max(LEAK_LEAST, round(LEAK_SHARE * columns.shape[1])), columns.shape[1])
    found: dict[str, IntArray] = {}
    for question in questions:
        y = cases.target(question)
        if question == "choice":
            code = np.where(cases.other, 0.5, -0.5)
            found[question] = np.sort(strongest_interactions(columns, code, y, most))
        else:
            found[question] = np.sort(strongest(columns, y, most))
    return found


def prepare_fold(
    cases: Cases,
    train: IntArray,
    test: IntArray,
    tasks: Iterable[Task],
    *,
    with_factors: bool,
    screened: Mapping[str, IntArray],
    seed: int,
) -> FoldColumns:
    """Learn all that sees no outcome: columns of each view, and scores of factors.

    Parameters
    ----------
    cases : Cases
        Patients and controls.
    train, test : ndarray of int
        Positions of patients.
    tasks : iterable of Task
        What will be asked.
    with_factors : bool
        Whether the factor model is fitted.
    screened : mapping of str to ndarray of int
        From `screen_outside`; empty without the leak.
    seed : int
        Of the factor model.

    Returns
    -------
    FoldColumns
        For `run_task`.
    """
    tasks = list(tasks)
    questions = list(dict.fromkeys(t.question for t in tasks))
    scans = needs_scans(tuple(t.view for t in tasks if t.method != FACTORS))
    with threadpool_limits(1):
        common = None
        of: dict[str, Fold] = {}
        for question in questions:
            if question in screened:
                of[question] = build_fold(
                    cases, train, test, scans=scans, chosen=screened[question]
                )
                continue
            common = common or build_fold(cases, train, test, scans=scans, chosen=None)
            of[question] = common
        needed = with_factors and any(t.method == FACTORS for t in tasks)
        scores = score_fold(cases, train, test, seed) if needed else None
    return FoldColumns(of, scores)


def run_task(
    cases: Cases,
    columns: FoldColumns,
    task: Task,
    target: Array,
    other: BoolArray,
    effort: Effort,
) -> tuple[Array, Array | None]:
    """Fit one method to the training patients of a fold, and predict the test patients.

    Parameters
    ----------
    cases : Cases
        The patients.
    columns : FoldColumns
        Columns of the fold.
    task : Task
        Method, view and question.
    target : ndarray, shape (subject,)
        Event or outcome of all patients; only training patients are learned from.
    other : ndarray of bool, shape (subject,)
        Who received the other drug.
    effort : Effort
        Seed and number of trees.

    Returns
    -------
    predicted : ndarray, shape (test patient,)
        Probability of the event, points, or benefit.
    p_benefit : ndarray or None
        Probability that the benefit is above 0, where the method gives one.
    """
    fold = columns.of[task.question]
    y = target[fold.train]
    if task.method == FACTORS and columns.scores is not None:
        return _with_factors(cases, columns, fold, task, target, other, effort)
    form = FORMS.get(task.method, "rotated")
    if task.view == NOTHING:
        train, test = np.zeros((len(fold.train), 0)), np.zeros((len(fold.test), 0))
    else:
        train, test = fold.view(task.view, form)
    if task.question == "choice":
        return predict_benefit(task.method, train, other[fold.train], y, test, effort), None
    return predict_outcome(task.method, task.question, train, y, test, effort), None


def _with_factors(
    cases: Cases,
    columns: FoldColumns,
    fold: Fold,
    task: Task,
    target: Array,
    other: BoolArray,
    effort: Effort,
) -> tuple[Array, Array | None]:
    scores = columns.scores
    assert scores is not None
    if task.question == "choice":
        rng = np.random.default_rng(effort.seed)
        return scores.predict_benefit(fold.train, fold.test, other, target, rng)
    train, test = scores.mean
    if task.view == BOTH:
        train = np.column_stack([fold.clinical[0], train])
        test = np.column_stack([fold.clinical[1], test])
    y = target[fold.train]
    return predict_outcome(FACTORS, task.question, train, y, test, effort), None


def score_effects(cases: Cases, fold: Fold, other: BoolArray, outcome: Array) -> Array:
    """Score the benefit of each test patient, with outcomes predicted from the training patients.

    Parameters
    ----------
    cases : Cases
        The patients.
    fold : Fold
        Training and test patients.
    other : ndarray of bool, shape (subject,)
        Who received the other drug.
    outcome : ndarray, shape (subject,)
        Outcomes, lower is better.

    Returns
    -------
    ndarray, shape (test patient,)
        Unbiased scores of what the other drug saves, from clinical columns.
    """
    level = outcome[fold.train].mean()
    predicted = predict_outcomes(
        fold.clinical[0], other[fold.train], outcome[fold.train] - level, fold.clinical[1]
    )
    on_default, on_other = aipw_scores(
        outcome[fold.test] - level, other[fold.test], cases.propensity[fold.test], *predicted
    )
    return np.asarray(on_default - on_other)


def choose(task: Task, benefit: Array, p_benefit: Array | None, rule: DecisionRule) -> BoolArray:
    """Tell for whom a method chooses the other drug.

    Parameters
    ----------
    task : Task
        The method.
    benefit : ndarray, shape (patient,)
        Expected benefit.
    p_benefit : ndarray or None
        Probability that it is above 0; certain where the method gives none.
    rule : DecisionRule
        Minimum, cost and probability of the spec.

    Returns
    -------
    ndarray of bool, shape (patient,)
        The personalised advantage index chooses the drug with the better prediction, as published.
    """
    if task.method == MAJORITY:
        return np.zeros(benefit.size, dtype=bool)
    if task.method == "pai":
        return np.asarray(benefit > 0)
    p = (benefit > 0).astype(float) if p_benefit is None else p_benefit
    return np.asarray(rule.decide(benefit, p) == 1)


def run_fold(
    cases: Cases,
    fold: IntArray,
    number: int,
    tasks: tuple[Task, ...],
    few: frozenset[str],
    screened: Mapping[str, IntArray],
    seed: int,
) -> FoldResult:
    """Run all methods on one fold.

    Parameters
    ----------
    cases : Cases
        The patients.
    fold : ndarray of int, shape (subject,)
        Fold of each patient.
    number : int
        The fold that is held out.
    tasks : tuple of Task
        What is asked.
    few : frozenset of str
        Methods that are left out of this division.
    screened : mapping of str to ndarray of int
        From `screen_outside`.
    seed : int
        Of everything that is random in the fold.

    Returns
    -------
    FoldResult
        Predictions for the patients of the fold.
    """
    train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    asked = [t for t in tasks if t.method not in few]
    columns = prepare_fold(
        cases, train, test, asked, with_factors=True, screened=screened, seed=seed
    )
    prepared, spec = cases.prepared, cases.prepared.spec
    rule = DecisionRule(minimum=prepared.minimum, p_star=spec.p_star, cost=spec.cost)
    predicted: dict[Task, Array] = {}
    chosen: dict[Task, BoolArray] = {}
    with threadpool_limits(1):
        for task in asked:
            target = cases.target(task.question)
            values, p = run_task(cases, columns, task, target, cases.other, Effort(seed))
            predicted[task] = values
            if task.question == "choice":
                chosen[task] = choose(task, values, p, rule)
    questions = {t.question for t in asked}
    effect = np.zeros(0)
    if "choice" in questions:
        effect = score_effects(cases, columns.of["choice"], cases.other, cases.target("choice"))
    level = {q: float(cases.target(q)[train].mean()) for q in questions}
    return FoldResult(test, predicted, chosen, effect, level)


def is_leaky(task: Task, screened: Mapping[str, IntArray]) -> bool:
    """Tell whether features of a task were screened outside the folds.

    Parameters
    ----------
    task : Task
        Method, view and question.
    screened : mapping of str to ndarray of int
        From `screen_outside`.

    Returns
    -------
    bool
        True if so. The factor model never looks at outcomes.
    """
    return bool(screened) and task.view in WITH_SCANS and task.method != FACTORS
