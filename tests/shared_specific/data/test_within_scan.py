"""Half differences as rows of one more arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.data.within_scan import WithDifferences, add_differences, rescale
from bayes_mdd.specs import SharedSpecificSpec

N = 30
SPEC = SharedSpecificSpec(
    n_factors=2, covariates=("age",), symptoms=("mood",), feature_dependence="matrix"
)


@pytest.fixture(scope="module")
def features(correlations):
    found = correlations(N, halves=True)
    # The last two subjects have no halves.
    return found.assign(half_difference=found["half_difference"].where(
        np.arange(N)[:, None] < N - 2))  # fmt: skip


@pytest.fixture(scope="module")
def data(features):
    mood = np.random.default_rng(1).normal(size=N)
    mood[3] = np.nan
    return prepare(SPEC, features, pd.DataFrame({"mood": mood}, index=features["subject"].values))


@pytest.fixture(scope="module")
def added(data, features):
    return add_differences(data, features["half_difference"].values)


def test_rows_are_subjects_and_their_differences(added, data):
    rows, n = added.rows, len(added.rows.arm)
    assert n == N + N - 2
    assert rows.arms == ("x", "y", "within_scan")
    assert rows.subjects[:N] == data.subjects
    assert rows.subjects[N:] == [f"within_scan/{s}" for s in data.subjects[:-2]]
    np.testing.assert_array_equal(rows.arm, np.r_[data.arm, np.full(N - 2, 2)])
    np.testing.assert_array_equal(rows.design.to_numpy()[:N, :-1], data.design)
    np.testing.assert_array_equal(rows.design.to_numpy()[N:], np.eye(3)[[2] * (N - 2)])
    np.testing.assert_allclose(
        rows.features["y"].values[:N], added.data.features["y"].values, atol=1e-12
    )
    np.testing.assert_allclose((added.data.subject_scale**2).mean(), 1)
    np.testing.assert_allclose(rows.subject_scale[:N], added.data.subject_scale)
    np.testing.assert_allclose(added.data.shown.subject_scale, added.data.subject_scale)


def test_differences_have_no_rating(added):
    assert added.rows.symptoms[0].rated.tolist() == [i for i in range(N) if i != 3]
    assert len(added.rows.symptom_design) == len(added.rows.arm)


def test_differences_have_the_errors_of_their_means(added):
    """Of equal scans without traits, both rows of a subject are alike in size."""
    rows = added.rows
    g = rows.features["y"].values
    mean, difference = g[: N - 2] - g[:N].mean(0), g[N:] - g[N:].mean(0)
    ratio = difference.var(axis=0).sum() / mean.var(axis=0).sum()
    assert ratio == pytest.approx(1, abs=0.1)
    assert rows.subject_scale[N:].mean() / rows.subject_scale[: N - 2].mean() == pytest.approx(
        1, abs=0.06
    )


def test_subjects_without_halves_keep_their_features(added, data):
    after, before = (d.features["y"].values for d in (added.data, data))
    np.testing.assert_array_equal(after[-2:], before[-2:])
    assert np.abs(after[:-2] - before[:-2]).max() > 1e-3


def test_unequal_halves_are_balanced(data, features):
    rng = np.random.default_rng(2)
    # The first half of the first ten subjects has additional noise.
    noisy = features.copy(deep=True)
    noise = data.whitening.map.back(0.15 * rng.normal(size=(10, 78)))
    noisy["y"].values[:10] += noise / 2
    noisy["half_difference"].values[:10] += noise / 2
    fitted = prepare(SharedSpecificSpec(n_factors=2, feature_dependence="matrix"), noisy)
    found = add_differences(fitted, noisy["half_difference"].values)
    before, after = fitted.features["y"].values, found.rows.features["y"].values
    white = fitted.whitening
    d = white.map.forward(noisy["half_difference"].values[:10, white.order]) / white.unit
    centred = [x[:10] - x[: N - 2].mean(axis=0) for x in (before, after[:N], after[N:])]
    d = d - d.mean(axis=0)
    raw = (centred[0] * d).sum(axis=1) / (d**2).sum(axis=1)
    balanced = (centred[1] * centred[2]).sum(axis=1) / (centred[2] ** 2).sum(axis=1)
    assert raw.mean() > 0.2
    assert abs(balanced.mean()) < 0.1
    # The mean of unequal halves is less noisy when the better half counts more.
    assert (centred[1] ** 2).mean() < (centred[0] ** 2).mean()


def test_scales_of_subjects_with_large_scores_are_not_too_large(correlations):
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(N, 1))
    scores[:4] *= 3
    pattern = np.zeros((1, 12, 12))
    pattern[0, 0, 1] = pattern[0, 1, 0] = 0.15
    pattern += 0.05 * np.diag(rng.normal(size=12))
    features = correlations(N, seed=4, scores=scores, patterns=pattern)
    data = prepare(SharedSpecificSpec(n_factors=1, feature_dependence="matrix"), features)
    again = rescale(WithDifferences(data, data), scores)
    assert again.rows is again.data

    def misfit(found):
        return found.subject_scale[:4].mean() / found.subject_scale[4:].mean()

    assert misfit(data) > misfit(again.data)
    assert misfit(again.data) == pytest.approx(1, abs=0.15)
