"""The default takes errors as independent only where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import remaining_weight, spectral_start
from bayes_mdd.simulate import simulate_cohort
from bayes_mdd.specs import SharedSpecificSpec

AUTO = SharedSpecificSpec(n_factors=5)
COVARIATES = ("age", "sex", "mean_fd")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_simulated_edges_are_independent(seed):
    cohort = simulate_cohort(
        seed, n_regions=21, n_subjects={"SSRI": 20, "SNRI": 20}, n_controls=24, source="edges"
    )
    features = reference_to_controls(cohort.features, covariates=COVARIATES)
    # The error of the controls' regression is proportional to the covariates.
    data = prepare(replace(AUTO, covariates=("site", *COVARIATES)), features)
    assert data.weight == 1.0
    assert data.whitening is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_series_are_whitened(seed, correlations):
    features = correlations(40, 16, seed=seed)
    data = prepare(AUTO, features)
    assert data.whitening is not None
    assert data.weight == 1.0
    student = SharedSpecificSpec(n_factors=5, feature_noise="student")
    assert prepare(student, features).whitening is None


@pytest.mark.parametrize("correlated", [False, True])
def test_regional_features_are_weighted_where_neighbours_are_alike(correlated, feature_set):
    """Cortical thickness of 68 regions, whose errors are smooth along the cortex."""
    rng = np.random.default_rng(3)
    position = np.arange(68)
    cov = np.exp(-np.abs(position[:, None] - position) / 6) if correlated else np.eye(68)
    y = rng.multivariate_normal(np.zeros(68), cov, size=50)
    features = feature_set(y, ["a", "b"] * 25, np.repeat(["F", "P", "T", "O"], 17))
    data = prepare(AUTO, features)
    assert data.whitening is None
    if correlated:
        assert 0.05 < data.weight < 0.6
    else:
        assert data.weight == 1.0


def test_traits_are_no_dependence(feature_set):
    """Strong factors on independent errors leave the default at independence."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=(50, 300)) + rng.normal(size=(50, 3)) @ rng.normal(0, 0.7, (3, 300))
    data = prepare(AUTO, feature_set(y, ["a", "b"] * 25, np.repeat(["F", "P", "T"], 100)))
    assert data.weight == 1.0


@pytest.mark.parametrize("traits", [0, 3])
def test_scans_of_unequal_quality_are_no_dependence(traits, feature_set):
    """Independent errors that are larger in some subjects, with and without traits."""
    rng = np.random.default_rng(5)
    scale = np.exp(0.5 * rng.normal(size=(60, 1)))
    y = scale * rng.normal(size=(60, 300)) + rng.normal(size=(60, traits)) @ rng.normal(
        0, 0.7, (traits, 300)
    )
    features = feature_set(y, ["a", "b"] * 30, np.repeat(["F", "P", "T"], 100))
    data = prepare(AUTO, features)
    assert data.whitening is None
    assert data.weight == 1.0
    assert np.corrcoef(data.subject_scale, scale[:, 0])[0, 1] > 0.95
    start = spectral_start(data, AUTO.n_factors)
    assert start.n_on == traits
    assert remaining_weight(data, start) > 0.8


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_errors_that_whitening_makes_more_dependent_are_weighted(seed, correlations):
    """Edges of 14 regions whose errors go with the edge's number, not with its regions."""
    rng = np.random.default_rng(seed)
    position = np.arange(91)
    cov = np.exp(-np.abs(position[:, None] - position) / 8)
    features = correlations(50, 14)
    y = 0.1 * rng.multivariate_normal(np.zeros(91), cov, size=50)
    data = prepare(AUTO, features.assign(y=(("subject", "feature"), y)))
    assert data.whitening is None
    assert 0.05 < data.weight < 0.6
