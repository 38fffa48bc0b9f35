"""Tables and sentences of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.measures import (
    LEAST_PROBABILITY,
    Measured,
    draw_weights,
    measure_auc,
    measure_balance,
    measure_mean,
    measure_r2,
)
from bayes_mdd.baselines.methods import (
    CLINICAL,
    EARLY,
    MAJORITY,
    NOTHING,
    WITH_SCANS,
    Question,
    Task,
)
from bayes_mdd.baselines.paired import Difference, adjust_holm, compare_folds
from bayes_mdd.baselines.permute import PermutationTest
from bayes_mdd.baselines.run_fold import FoldResult, is_leaky
from bayes_mdd.results.rules import RULES
from bayes_mdd.types import Array, BoolArray, IntArray

#: Bootstrap samples of patients.
RESAMPLES: Final = 999
LEAKY: Final = "LEAKY: features were screened with the outcomes of all patients, outside the folds"
AFTER_START: Final = "known only after the drug began: not a predictor for the first choice"
#: Measures whose methods are compared in pairs, with the question and the words.
COMPARED: Final[Mapping[str, tuple[Question, str]]] = {
    "auc": ("event", "area under the curve"),
    "r2": ("points", "R2"),
    "gain": ("choice", "gain in points over the declared default"),
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one task predicted for everyone, in each division that it was run on.

    Parameters
    ----------
    value : ndarray, shape (division, subject)
        Probability, points or benefit.
    chosen : ndarray of bool, shape (division, subject)
        Whether the other drug is chosen; False for prognosis.
    """

    value: Array
    chosen: BoolArray


@dataclass(frozen=True, eq=False)
class Gathered:
    """Results of all folds, in the order of the patients.

    Parameters
    ----------
    fold : ndarray of int, shape (division, subject)
        Folds.
    of : mapping of Task to Predictions
        Of each task.
    effect : ndarray, shape (division, subject)
        Score of each patient's benefit.
    level : mapping of str to ndarray, shape (division, subject)
        Mean of the training patients, by question.
    """

    fold: IntArray
    of: Mapping[Task, Predictions]
    effect: Array
    level: Mapping[Question, Array]


def gather(
    fold: IntArray, results: Sequence[tuple[int, FoldResult]], tasks: Sequence[Task]
) -> Gathered:
    """Put the results of folds together.

    Parameters
    ----------
    fold : ndarray of int, shape (division, subject)
        Folds.
    results : sequence of tuple
        Division and result of each fold.
    tasks : sequence of Task
        What was asked.

    Returns
    -------
    Gathered
        All predictions.
    """
    of = {}
    for task in tasks:
        with_task = [(r, f) for r, f in results if task in f.predicted]
        shape = 1 + max(r for r, _ in with_task), fold.shape[1]
        value, chosen = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        for r, f in with_task:
            value[r, f.test] = f.predicted[task]
            if task in f.chosen:
                chosen[r, f.test] = f.chosen[task]
        of[task] = Predictions(value, chosen)
    effect = np.zeros(fold.shape)
    level = {t.question: np.zeros(fold.shape) for t in tasks}
    for r, f in results:
        if f.effect.size:
            effect[r, f.test] = f.effect
        for question, mean in f.level.items():
            level[question][r, f.test] = mean
    return Gathered(fold, of, effect, level)


def measure_all(
    cases: Cases, found: Gathered, rng: np.random.Generator
) -> dict[Task, dict[str, Measured]]:
    """Compute every measure of every task.

    Parameters
    ----------
    cases : Cases
        Outcomes.
    found : Gathered
        Predictions.
    rng : numpy.random.Generator
        Source of the bootstrap samples, which all tasks share.

    Returns
    -------
    dict of Task to dict of str to Measured
        By name of the measure.
    """
    weights = draw_weights(cases.n, RESAMPLES, rng)
    return {task: _measure(cases, found, task, weights) for task in found.of}


def _measure(cases: Cases, found: Gathered, task: Task, weights: Array) -> dict[str, Measured]:
    predictions = found.of[task]
    value = predictions.value
    fold, level = found.fold[: len(value)], found.level[task.question][: len(value)]
    if task.question == "choice":
        gain = predictions.chosen * found.effect[: len(value)]
        changed = predictions.chosen.astype(float)
        return {
            "gain": measure_mean(gain, fold, weights),
            "changed": measure_mean(changed, fold, weights),
        }
    target = cases.target(task.question)
    if task.question == "points":
        return {"r2": measure_r2((target - value) ** 2, (target - level) ** 2, fold, weights)}
    event = target > 0
    p = np.clip(value, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    right = np.where(event, value > level, value <= level).astype(float)
    return {
        "auc": measure_auc(value, event, fold, weights),
        "balanced_accuracy": measure_balance(right, event, fold, weights),
        "brier": measure_mean((value - event) ** 2, fold, weights),
        "log_score": measure_mean(-np.log(np.where(event, p, 1 - p)), fold, weights),
    }


def tabulate(
    measured: Mapping[Task, Mapping[str, Measured]],
    tests: Mapping[Task, PermutationTest],
    screened: Mapping[str, IntArray],
) -> pd.DataFrame:
    """Tabulate measures and tests by method and view.

    Parameters
    ----------
    measured : mapping
        From `measure_all`.
    tests : mapping of Task to PermutationTest
        Tests; one question of prognosis only.
    screened : mapping of str to ndarray of int
        From `screen_outside`.

    Returns
    -------
    DataFrame
        See `bayes_mdd.baselines.compare.BaselineComparison`.
    """
    rows: dict[tuple[str, str], dict[str, float | bool | str]] = {}
    for task, measures in measured.items():
        row = rows.setdefault((task.method, task.view), {"leaky": False, "label": ""})
        if is_leaky(task, screened):
            row |= {"leaky": True, "label": LEAKY}
        elif task.view == EARLY:
            row["label"] = AFTER_START
        for name, m in measures.items():
            row[name] = m.value
            if name != "changed":
                row[f"{name}_lower"], row[f"{name}_upper"] = m.interval(RULES.ci_prob)
        test = tests.get(task)
        if test is not None:
            start = "gain_" if task.question == "choice" else ""
            row[f"{start}p_value"] = test.p_value
            row[f"{start}permutations"] = test.permutations
    index = pd.MultiIndex.from_tuples(list(rows), names=["method", "view"])
    table = pd.DataFrame(list(rows.values()), index=index)
    for start in ("", "gain_"):
        if f"{start}p_value" in table:
            p = table[f"{start}p_value"].to_numpy(dtype=float)
            table[f"{start}p_holm"] = adjust_holm(p)
    return table[[c for c in _columns() if c in table]]


def _columns() -> list[str]:
    names = ("auc", "balanced_accuracy", "brier", "log_score", "r2")
    return [
        *(c for n in names for c in (n, f"{n}_lower", f"{n}_upper")),
        *("p_value", "p_holm", "permutations"),
        *("gain", "gain_lower", "gain_upper", "changed"),
        *("gain_p_value", "gain_p_holm", "gain_permutations"),
        *("leaky", "label"),
    ]


@dataclass(frozen=True)
class Compared:
    """Paired comparisons of one measure.

    Parameters
    ----------
    rows : list of dict
        Rows of the table of pairs.
    sentence : str
        Whether there is a winner.
    """

    rows: list[dict[str, object]]
    sentence: str


def compare_methods(
    cases: Cases,
    found: Gathered,
    measured: Mapping[Task, Mapping[str, Measured]],
    screened: Mapping[str, IntArray],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Compare the best method, and clinical columns alone, with all others.

    Parameters
    ----------
    cases : Cases
        The patients.
    found : Gathered
        Predictions.
    measured : mapping
        From `measure_all`.
    screened : mapping of str to ndarray of int
        From `screen_outside`.

    Returns
    -------
    paired : DataFrame
        See `bayes_mdd.baselines.compare.BaselineComparison`.
    sentences : tuple of str
        One for each measure.
    """
    parts = []
    for name, (question, words) in COMPARED.items():
        of = {t: m[name] for t, m in measured.items() if t.question == question}
        if len(of) > 1:
            parts.append(_compare(cases, found, name, words, of, screened))
    columns = (
        "measure", "reference_method", "reference_view", "method", "view", "difference", "lower",
        "upper", "folds", "leaky",
    )  # fmt: skip
    rows = [row for part in parts for row in part.rows]
    return pd.DataFrame(rows, columns=list(columns)), tuple(p.sentence for p in parts)


def _compare(
    cases: Cases,
    found: Gathered,
    name: str,
    words: str,
    of: Mapping[Task, Measured],
    screened: Mapping[str, IntArray],
) -> Compared:
    n_folds = max(m.by_fold.size for m in of.values())
    by_fold = {
        t: np.concatenate([m.by_fold, np.full(n_folds - m.by_fold.size, np.nan)])
        for t, m in of.items()
    }
    sizes = np.array([np.bincount(f).mean() for f in found.fold])
    ratio = float(sizes.mean() / (cases.n - sizes.mean()))
    best = max(of, key=lambda t: (np.nan_to_num(of[t].value, nan=-np.inf), t.method == MAJORITY))
    only_scan_free = Task(best.question, CLINICAL, CLINICAL)
    references = [
        best,
        *([only_scan_free] if only_scan_free in of and best != only_scan_free else []),
    ]
    rows: list[dict[str, object]] = []
    against_best: dict[Task, Difference] = {}
    for reference in references:
        for task in of:
            if task == reference:
                continue
            d = compare_folds(by_fold[reference], by_fold[task], ratio)
            if reference == best:
                against_best[task] = d
            rows.append(
                {
                    "measure": name,
                    "reference_method": reference.method,
                    "reference_view": reference.view,
                    "method": task.method,
                    "view": task.view,
                    "difference": d.mean,
                    "lower": d.lower,
                    "upper": d.upper,
                    "folds": d.folds,
                    "leaky": is_leaky(reference, screened) or is_leaky(task, screened),
                }
            )
    sentence = _say(words, of, best, against_best, screened)
    if only_scan_free in of:
        sentence += _say_scans(of, only_scan_free, by_fold, ratio, screened)
    return Compared(rows, sentence)


def _say_scans(
    of: Mapping[Task, Measured],
    clinical: Task,
    by_fold: Mapping[Task, Array],
    ratio: float,
    screened: Mapping[str, IntArray],
) -> str:
    """Say whether scans add to clinical columns."""
    seeing = [t for t in of if t.view in WITH_SCANS and not is_leaky(t, screened)]
    if not seeing:
        return ""
    best = max(seeing, key=lambda t: np.nan_to_num(of[t].value, nan=-np.inf))
    d = compare_folds(by_fold[best], by_fold[clinical], ratio)
    verdict = (
        "scans are not shown to add anything"
        if d.holds_zero
        else "scans add to them"
        if d.mean > 0
        else "scans predict less"
    )
    return (
        f" The best method that sees scans, {describe_task(best.method, best.view)}, minus "
        f"clinical columns only: {d.mean:.2f} [{d.lower:.2f}, {d.upper:.2f}]; {verdict}."
    )


def describe_task(method: str, view: str) -> str:
    """Name a method with its view.

    Parameters
    ----------
    method, view : str
        Names.

    Returns
    -------
    str
        For texts and figures.

    Examples
    --------
    >>> describe_task("ridge", "both"), describe_task("clinical", "clinical")
    ('ridge (both)', 'clinical only')
    """
    if method == CLINICAL:
        return "clinical only"
    return method if view == NOTHING else f"{method} ({view})"


def _say(
    words: str,
    of: Mapping[Task, Measured],
    best: Task,
    against: Mapping[Task, Difference],
    screened: Mapping[str, IntArray],
) -> str:
    rivals = sorted(against, key=lambda t: -np.nan_to_num(of[t].value, nan=-np.inf))
    rival = rivals[0]
    names = [describe_task(t.method, t.view) for t in (best, rival)]
    d = against[rival]
    size = f"{d.mean:.2f} [{d.lower:.2f}, {d.upper:.2f}]"
    equal = [t for t in rivals if against[t].holds_zero]
    start = f"{words[0].upper()}{words[1:]}: "
    if best.method == MAJORITY:
        nothing = "the declared default" if best.question == "choice" else "chance"
        text = f"{start}no method is better than {nothing}."
    elif equal:
        text = (
            f"{start}no winner. The best, {names[0]} ({of[best].value:.2f}), and {names[1]} "
            f"({of[rival].value:.2f}) differ by {size}; the intervals of the differences from "
            f"{len(equal)} of {len(rivals)} rivals contain 0."
        )
    else:
        text = (
            f"{start}{names[0]} ({of[best].value:.2f}) is better than every rival; the next is "
            f"{names[1]} ({of[rival].value:.2f}), difference {size}."
        )
    if screened:
        text = f"{LEAKY}. The numbers of these methods are too good. {text}"
    return text


def tabulate_folds(cases: Cases, found: Gathered) -> pd.DataFrame:
    """List the predictions for held-out patients.

    Parameters
    ----------
    cases : Cases
        The patients.
    found : Gathered
        Predictions.

    Returns
    -------
    DataFrame
        One row for each patient, division and task.
    """
    ids = np.array(cases.prepared.subjects)
    parts = []
    for task, p in found.of.items():
        for r, value in enumerate(p.value):
            parts.append(
                pd.DataFrame(
                    {
                        "participant_id": ids,
                        "division": r + 1,
                        "fold": found.fold[r] + 1,
                        "question": task.question,
                        "method": task.method,
                        "view": task.view,
                        "predicted": value,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
