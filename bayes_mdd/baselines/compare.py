"""Comparison of machine-learning baselines on common folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.divide import divide, divide_blindly
from bayes_mdd.baselines.inputs import check_inputs
from bayes_mdd.baselines.methods import BCF, FACTORS, MAJORITY, Scheme, Task
from bayes_mdd.baselines.permute import PermutationTest, permutation_test
from bayes_mdd.baselines.request import Request, make_request
from bayes_mdd.baselines.run_fold import (
    FoldColumns,
    is_leaky,
    prepare_fold,
    run_fold,
    screen_outside,
)
from bayes_mdd.baselines.tables import (
    LEAKY,
    compare_methods,
    gather,
    measure_all,
    tabulate,
    tabulate_folds,
)
from bayes_mdd.baselines.tasks import list_tasks
from bayes_mdd.files.checksum import input_checksum
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.parallel.fan_out import fan_out
from bayes_mdd.parallel.keep import keep_results, part_files
from bayes_mdd.specs import AnalysisSpec
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import IntArray

#: Methods that take seconds for one fold, and are evaluated on the first divisions only.
SLOW: Final = frozenset((FACTORS, BCF))
#: Methods without a permutation test.
UNTESTED: Final = frozenset((MAJORITY, BCF))


@dataclass(frozen=True, eq=False)
class BaselineComparison:
    """Methods compared on common folds.

    Parameters
    ----------
    table : DataFrame
        Indexed by ``method`` and ``view``. Prognosis, whatever the drug: ``auc``,
        ``balanced_accuracy`` (threshold: share of events in training), ``brier`` and ``log_score``
        of the event, ``r2`` of the points, each with ``_lower`` and ``_upper`` (90%, patients
        drawn again); ``p_value`` of the permutation test (of the event where there is one,
        otherwise of the points), ``p_holm``, and the number of ``permutations``. Choice of the
        drug: ``gain`` over the declared default in points with its interval, the share
        ``changed`` to the other drug, ``gain_p_value``, ``gain_p_holm`` and
        ``gain_permutations``. ``leaky`` and ``label`` mark rows that must not be taken as they
        stand. Missing where a method does not answer a question.
    paired : DataFrame
        Differences from the best method, and from clinical columns alone: ``measure`` ("auc",
        "r2", "gain"), ``reference_method``, ``reference_view``, ``method``, ``view``,
        ``difference`` (reference minus method) with ``lower`` and ``upper`` (95%, corrected
        resampled t test), number of ``folds``, ``leaky``.
    folds : DataFrame
        Predictions for held-out patients: ``participant_id``, ``division``, ``fold``,
        ``question`` ("event": probability; "points"; "choice": benefit of the other drug),
        ``method``, ``view``, ``predicted``.
    sentences : tuple of str
        For each measure, which method is the best, or that there is no winner.
    notes : tuple of str
        What was left out, and what to know about the rest.
    event : str
        What the event is; empty if none is predicted.
    scheme : str
        How patients were divided.
    leak : str or None
        "selection" if features were screened outside the folds.
    patients : int
        Number of patients.
    """

    table: pd.DataFrame
    paired: pd.DataFrame
    folds: pd.DataFrame
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    event: str
    scheme: str
    leak: str | None
    patients: int


@one_blas_thread()
def compare_baselines(
    spec: ResponseSpec,
    features: xr.Dataset,
    outcomes: pd.DataFrame,
    methods: Sequence[str] | None = None,
    views: Sequence[str] = ("clinical", "imaging", "both"),
    scheme: Scheme = "repeated",
    folds: int = 5,
    repeats: int = 10,
    permutations: int = 99,
    leak: Literal["selection"] | None = None,
    seed: int = 1,
    *,
    event: Literal["response", "remission"] | None = None,
    visits: pd.DataFrame | None = None,
    stage_one: AnalysisSpec | None = None,
    harmonise: Literal["site", "combat", "none"] = "site",
    slow_repeats: int = 1,
    n_jobs: int | None = None,
    keep: str | Path | None = None,
) -> BaselineComparison:
    """Compare machine-learning baselines and the factor model on the same folds.

    Everything that is learned from data is learned from the training patients of each fold:
    reference, harmonisation and site means of the features, selection, scaling, and tuning in
    inner folds.

    Parameters
    ----------
    spec : ResponseSpec
        Outcome ("gaussian", "student" or "binary"), baseline, covariates, default drug.
    features : Dataset
        FeatureSet as measured, before treatment, with healthy controls where there are any.
    outcomes : DataFrame
        As for `fit_response`. Patients without an outcome are left out.
    methods : sequence of str, optional
        Of "majority", "clinical", "logistic", "ridge", "elastic net", "svm linear", "svm rbf",
        "random forest", "boosting", "pca + lars", "factors" (prognosis) and "majority", "ridge
        interactions", "t-learner forest", "pai", "bcf", "factors" (choice of the drug). Default:
        all but "bcf", which needs the extra ``bcf``.
    views : sequence of str, default ("clinical", "imaging", "both")
        What methods may see: baseline and covariates, features of scans, both, or "early": the
        clinical columns and the change of the rating in the first two weeks of the drug, which
        is no predictor for the first choice.
    scheme : {"repeated", "leave_site_out"}, default "repeated"
        Random folds balanced by arm and outcome, or one fold for each site.
    folds, repeats : int, default 5 and 10
        Folds, and divisions into folds, of the repeated scheme.
    permutations : int, default 99
        Largest number of permutations of each test, 0 for none.
    leak : {"selection"}, optional
        For teaching: screen the features with the outcomes of all patients, before the folds.
        The results are marked, and too good. Nothing is tested then.
    seed : int, default 1
        The same seed gives the same numbers.
    event : {"response", "remission"}, optional
        Event that is predicted of an outcome in points. Default: response (half of the baseline
        points) where the spec has a baseline, otherwise remission where it is defined.
    visits : DataFrame, optional
        From `read_visits`; for view "early".
    stage_one : AnalysisSpec, optional
        Factor model of "factors", and the covariates of the reference. Default: 8 factors.
    harmonise : {"site", "combat", "none"}, default "site"
        How sites are removed from features: means of the training patients, ComBat (extra
        ``harmonize``), or not at all. "factors" has site as a covariate instead.
    slow_repeats : int, default 1
        Divisions on which "factors" and "bcf" are evaluated, which take seconds for each fold.
    n_jobs : int, optional
        Folds and tests at once, see `joblib`.
    keep : str or Path, optional
        Folder that the tables will be written to. Results of folds and tests are kept in a hidden
        folder beside it until all are complete, so that the same call continues after a stop.

    Returns
    -------
    BaselineComparison
        Tables, and sentences that say whether there is a winner.

    Raises
    ------
    DataContractError
        If features or outcomes cannot be used; every problem is listed.
    SpecError
        If an argument is unknown or out of range; every problem is listed.

    Notes
    -----
    The area under the curve compares patients of the same fold only. Pooled over folds, and with
    leave-one-out in particular, chance would look worse than chance; pooled accuracies are not
    offered. Permutation tests permute outcomes (arms within strata for the choice), and fit the
    whole pipeline again; they use one further division, which depends on neither outcomes nor arms,
    and forests of 24 trees instead of 64. They stop early where the p value will be large.

    References
    ----------
    .. [1] Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
       Learning, 52, 239-281.
    .. [2] Besag, J. and Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika, 78,
       301-304.
    .. [3] DeRubeis, R. J. et al. (2014). The personalized advantage index. PLoS ONE, 9, e83875.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60, features=True, n_regions=14)
    >>> spec = bm.response_spec(trial.outcomes, covariates=("age",))
    >>> found = bm.compare_baselines(
    ...     spec, trial.features, trial.outcomes, methods=["majority", "clinical", "ridge"],
    ...     repeats=2, permutations=0
    ... )
    >>> float(found.table.loc[("majority", "none"), "auc"])
    0.5
    """
    request = make_request(
        methods, views, scheme=scheme, folds=folds, repeats=repeats, slow_repeats=slow_repeats,
        permutations=permutations, leak=leak, event=event, harmonise=harmonise,
    )  # fmt: skip
    checked = check_inputs(spec, features, outcomes, request, visits=visits, stage_one=stage_one)
    request, cases = checked.request, checked.cases
    tasks = list_tasks(cases, request)
    rng = generator(seed, Stream.BASELINES)
    divisions = divide(cases, request.scheme, folds, repeats, rng)
    screened: dict[str, IntArray] = {}
    if leak:
        screened = screen_outside(cases, dict.fromkeys(t.question for t in tasks))
    jobs = [(r, j) for r, f in enumerate(divisions) for j in range(int(f.max()) + 1)]
    seeds = rng.integers(2**31, size=len(jobs)).tolist()
    key = {
        "study": "compare_baselines",
        "spec": [spec.to_mapping(), repr(stage_one), asdict(request), seed],
        "inputs": input_checksum(features, outcomes),
        "visits": None if visits is None else visits.to_csv(),
    }
    with keep_results(keep, key, noun="results of folds") as kept:
        results = fan_out(
            run_fold,
            [
                (
                    cases, divisions[r], j, tuple(tasks),
                    SLOW if r >= slow_repeats else frozenset(), screened, s,
                )
                for (r, j), s in zip(jobs, seeds, strict=True)
            ],
            n_jobs=n_jobs,
            files=part_files(kept, [f"fold-{r}-{j}" for r, j in jobs]),
        )  # fmt: skip
        found = gather(divisions, list(zip([r for r, _ in jobs], results, strict=True)), tasks)
        measured = measure_all(cases, found, rng)
        tests = _test_all(cases, request, tasks, screened, seed, n_jobs, kept)
    paired, sentences = compare_methods(cases, found, measured, screened)
    table = tabulate(measured, tests, screened)
    return BaselineComparison(
        table=table,
        paired=paired,
        folds=tabulate_folds(cases, found),
        sentences=sentences,
        notes=(*checked.notes, *_say_limits(request, tasks, table)),
        event=cases.event_name if cases.event is not None else "",
        scheme=request.scheme,
        leak=leak,
        patients=cases.n,
    )


def _test_all(
    cases: Cases,
    request: Request,
    tasks: list[Task],
    screened: dict[str, IntArray],
    seed: int,
    n_jobs: int | None,
    kept: Path | None,
) -> dict[Task, PermutationTest]:
    prognosis = "event" if cases.event is not None else "points"
    tested = [
        t
        for t in tasks
        if t.question in (prognosis, "choice")
        and t.method not in UNTESTED
        and not is_leaky(t, screened)
    ]
    if not request.permutations or not tested:
        return {}
    rng = generator(seed, Stream.BASELINE_PERMUTATIONS)
    fold = divide_blindly(cases, request.scheme, request.folds, rng)
    parts = range(int(fold.max()) + 1)
    columns = fan_out(
        _prepare_blindly,
        [(cases, fold, j, tested, seed) for j in parts],
        n_jobs=n_jobs,
        files=part_files(kept, [f"columns-{j}" for j in parts]),
    )
    by_site = request.scheme == "leave_site_out"
    seeds = rng.integers(2**31, size=len(tested)).tolist()
    done = fan_out(
        permutation_test,
        [
            (cases, columns, task, by_site, request.permutations, s)
            for task, s in zip(tested, seeds, strict=True)
        ],
        n_jobs=n_jobs,
        files=part_files(kept, [f"test-{i}" for i in range(len(tested))]),
    )
    return dict(zip(tested, done, strict=True))


def _prepare_blindly(
    cases: Cases, fold: IntArray, j: int, tasks: list[Task], seed: int
) -> FoldColumns:
    train, test = np.flatnonzero(fold != j), np.flatnonzero(fold == j)
    return prepare_fold(cases, train, test, tasks, with_factors=True, screened={}, seed=seed)


def _say_limits(request: Request, tasks: list[Task], table: pd.DataFrame) -> list[str]:
    notes = []
    if request.leak:
        notes.append(f"{LEAKY}. This switch is for teaching.")
    slow = sorted({t.method for t in tasks} & SLOW)
    if slow and request.scheme == "repeated" and request.repeats > request.slow_repeats:
        notes.append(
            f"{' and '.join(slow)}: evaluated on {request.slow_repeats} of "
            f"{request.repeats} divisions."
        )
    for column in ("p_value", "gain_p_value"):
        number = int(table[column].notna().sum()) if column in table else 0
        least = number / (request.permutations + 1)
        if number and least > 0.05:
            notes.append(
                f"{request.permutations} permutations cannot give an adjusted p value "
                f"({column.replace('value', 'holm')}) below {least:.2g} for {number} tests: give "
                f"at least {20 * number - 1}, or name fewer methods."
            )
    return notes
