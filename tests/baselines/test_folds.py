"""Nothing about test patients reaches what is learned from training patients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.baselines.columns import build_fold
from bayes_mdd.baselines.divide import divide, divide_blindly
from bayes_mdd.baselines.inputs import check_inputs
from bayes_mdd.baselines.pipelines import Effort, build_pipeline, predict_outcome
from bayes_mdd.baselines.request import make_request
from bayes_mdd.baselines.run_fold import run_fold
from bayes_mdd.baselines.tasks import list_tasks


def request(**changes):
    given = {
        "scheme": "repeated", "folds": 5, "repeats": 2, "slow_repeats": 1, "permutations": 0,
        "leak": None, "event": None, "harmonise": "site",
    }  # fmt: skip
    views = changes.pop("views", ("clinical", "imaging", "both"))
    return make_request(changes.pop("methods", None), views, **given | changes)


@pytest.fixture(scope="module")
def checked(trial):
    return check_inputs(*trial, request(), visits=None, stage_one=None)


@pytest.fixture(scope="module")
def quick(trial):
    """All methods but the factor model, with little to compute."""
    methods = (
        "majority", "clinical", "logistic", "ridge", "elastic net", "svm linear", "svm rbf",
        "boosting", "pca + lars", "ridge interactions", "pai",
    )  # fmt: skip
    asked = request(methods=methods, views=("clinical", "both"))
    return check_inputs(*trial, asked, visits=None, stage_one=None)


def test_other_outcomes_and_scans_of_test_patients_change_no_other_prediction(quick):
    cases = quick.cases
    fold = np.arange(cases.n) % 5
    tasks = tuple(list_tasks(cases, quick.request))
    first = run_fold(cases, fold, 0, tasks, frozenset(), {}, 1)
    one, rest = first.test[0], first.test[1:]
    edges, event, points = cases.edges.copy(), cases.event.copy(), cases.points.copy()
    edges[one] += 5.0
    event[first.test], points[first.test] = ~event[first.test], 99.0
    changed = replace(cases, edges=edges, event=event, points=points)
    again = run_fold(changed, fold, 0, tasks, frozenset(), {}, 1)
    assert rest.size > 5
    for task in tasks:
        np.testing.assert_allclose(
            again.predicted[task][1:], first.predicted[task][1:], atol=1e-9, err_msg=str(task)
        )


def test_rotated_columns_keep_products_and_distances(checked):
    cases = checked.cases
    rows = np.arange(cases.n)
    fold = build_fold(cases, rows[:20], rows[20:], chosen=None)
    single, rotated = fold.scans, fold.rotated
    scale = (single[0] ** 2).sum() / 20
    np.testing.assert_allclose(
        rotated[1] @ rotated[0].T * scale, single[1] @ single[0].T, atol=1e-8
    )
    np.testing.assert_allclose(
        (rotated[1] ** 2).sum(axis=1) * scale, (single[1] ** 2).sum(axis=1), atol=1e-8
    )


def test_means_of_sites_are_those_of_the_training_patients(checked):
    cases = checked.cases
    rows = np.arange(cases.n)
    train, test = rows[cases.site != 2], rows[cases.site == 2]
    shifted = replace(cases, edges=cases.edges + 3.0 * (cases.site == 0)[:, None])
    plain, moved = (build_fold(c, train, test, chosen=None).scans[0] for c in (cases, shifted))
    np.testing.assert_allclose(plain[:, 0].mean(), 0, atol=1e-9)
    for site in (0, 1):
        np.testing.assert_allclose(moved[cases.site[train] == site].mean(axis=0), 0, atol=1e-9)


def test_divisions_are_balanced_and_blind_ones_do_not_depend_on_outcomes(checked):
    cases = checked.cases
    found = divide(cases, "repeated", 5, 3, np.random.default_rng(0))
    assert found.shape == (3, 60)
    for f in found:
        assert set(np.bincount(f)) == {12}
        counts = [np.bincount(f[cases.event & (cases.other == a)], minlength=5) for a in (0, 1)]
        assert max(c.max() - c.min() for c in counts) <= 1
    other = replace(cases, event=~cases.event)
    blind = [divide_blindly(c, "repeated", 5, np.random.default_rng(0)) for c in (cases, other)]
    np.testing.assert_array_equal(*blind)
    np.testing.assert_array_equal(divide(cases, "leave_site_out", 5, 3, None)[0], cases.site)


def test_screening_is_a_step_of_the_pipeline():
    assert list(build_pipeline("boosting", "event", 500, Effort(1)).named_steps) == [
        "screen",
        "model",
    ]


@pytest.mark.parametrize(
    "method", ["logistic", "ridge", "elastic net", "svm linear", "svm rbf", "pca + lars"]
)
def test_methods_find_what_is_there(method):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((120, 5))
    signal = 2 * x[:, 0] + rng.standard_normal(120)
    y = (signal > 0).astype(float)
    p = predict_outcome(method, "event", x[:80], y[:80], x[80:], Effort(1))
    assert ((p >= 0) & (p <= 1)).all()
    assert np.corrcoef(p, signal[80:])[0, 1] > 0.6
    if method != "logistic":
        points = predict_outcome(method, "points", x[:80], signal[:80], x[80:], Effort(1))
        assert np.corrcoef(points, signal[80:])[0, 1] > 0.6
