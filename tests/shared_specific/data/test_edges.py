"""From a FeatureSet of correlations to whitened features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.errors import SpecError
from bayes_mdd.features.adjust.reference import reference_to_controls
from bayes_mdd.shared_specific.data.edges import LEAST_CONTROLS, read_edge_scale, whiten_edges
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.search.feature_weight import largest_weight
from bayes_mdd.specs import SharedSpecificSpec

SPEC = SharedSpecificSpec(n_factors=2, feature_dependence="matrix")
EQUAL = replace(SPEC, feature_noise="equal")


@pytest.fixture(scope="module")
def features(correlations):
    return correlations(30, n_controls=25)


@pytest.fixture(scope="module")
def data(features):
    return prepare(EQUAL, features)


def by_block(data):
    return dict(zip(data.stats.blocks, data.stats.cross_products, strict=True))


def test_errors_of_whitened_features_are_independent(features):
    def share(data):
        y = data.stats.basis @ data.projected
        return largest_weight(y, data.code, data.stats.design, 2)

    independent = replace(EQUAL, feature_dependence="independent")
    assert share(prepare(independent, features)) < 0.5
    # The 78 whitened features span 66 dimensions.
    assert share(prepare(EQUAL, features)) > 0.9 * 66 / 78


def test_whitened_features_and_edges_are_those_of_the_same_subjects(data, features):
    white = data.whitening
    assert data.features.sizes == {"subject": 30, "feature": 78}
    assert white.edges.features.sizes == {"subject": 30, "feature": 66}
    assert data.shown is white.edges
    assert data.subjects == white.edges.subjects
    np.testing.assert_allclose((data.subject_scale**2).mean(), 1)
    np.testing.assert_allclose(white.edges.subject_scale, data.subject_scale)
    g, y = data.features["y"].values * white.unit, white.edges.features["y"].values
    np.testing.assert_allclose(white.map.back(g), y, atol=1e-10)
    assert data.features["y"].std("subject").mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(data.feature_noise, 1)


def test_the_mean_is_that_of_the_controls_where_there_are_enough(features):
    _, mean = whiten_edges(features, read_edge_scale(features))
    assert (mean.subjects, mean.n) == ("controls", 25)
    few = features.isel(subject=slice(30 + LEAST_CONTROLS - 1))
    _, mean = whiten_edges(few, read_edge_scale(few))
    assert (mean.subjects, mean.n) == ("all subjects", len(few["subject"]))
    assert 0 < mean.shrinkage < 0.05


def test_standardised_features_give_the_same_as_raw_ones(data, features):
    standard = prepare(EQUAL, reference_to_controls(features))
    np.testing.assert_allclose(standard.whitening.map.correlation, data.whitening.map.correlation)
    np.testing.assert_allclose(standard.subject_scale, data.subject_scale)
    for block, expected in by_block(data).items():
        np.testing.assert_allclose(by_block(standard)[block], expected, atol=1e-8)


def test_correlations_and_fisher_z_give_nearly_the_same(data, features):
    r = features.assign(y=np.tanh(features["y"])).assign_attrs(units="r")
    of_r = prepare(EQUAL, r)
    one, two = (d.features["y"].values - d.features["y"].values.mean(0) for d in (data, of_r))
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.99


def test_regression_on_controls_commutes(features):
    """Covariates may be removed before or after the edges are whitened."""
    removed = reference_to_controls(features, covariates=["age"])
    scale = read_edge_scale(removed)
    whitening, _ = whiten_edges(removed, scale)
    g = whitening.forward(removed["y"].values)
    raw = replace(whitening, edge_scale=whitening.edge_scale / removed["raw_sd"].values)
    h = raw.forward(features["y"].values)
    control = features["diagnosis"].values == "HC"
    design = np.column_stack([np.ones(55), features["age"].values])
    h -= design @ np.linalg.lstsq(design[control], h[control], rcond=None)[0]
    np.testing.assert_allclose(g - g[control].mean(axis=0), h, atol=1e-8)


def test_order_and_direction_of_edges_do_not_matter(data, features):
    rng = np.random.default_rng(0)
    moved = features.isel(feature=rng.permutation(66))
    turn = rng.random(66) < 0.5
    swapped = {
        f"{kind}_{own}": (
            "feature",
            np.where(turn, moved[f"{kind}_{other}"].values, moved[f"{kind}_{own}"].values),
        )
        for kind in ("region", "network")
        for own, other in ("ab", "ba")
    }
    again = prepare(EQUAL, moved.assign_coords(swapped))
    g, h = (d.features["y"].values for d in (data, again))
    np.testing.assert_allclose(h @ h.T, g @ g.T, atol=1e-6)
    np.testing.assert_allclose(again.subject_scale, data.subject_scale)
    white = again.whitening
    edges = white.edges.features["y"].values[:, white.order]
    np.testing.assert_allclose(white.map.back(h * white.unit), edges, atol=1e-9)


def test_order_of_subjects_and_names_of_arms_do_not_matter(data, features):
    order = np.random.default_rng(1).permutation(55)
    renamed = features["arm"].values.copy()
    renamed[renamed == "x"] = "z"
    again = prepare(EQUAL, features.assign_coords(arm=("subject", renamed)).isel(subject=order))
    at = [again.subjects.index(s) for s in data.subjects]
    np.testing.assert_allclose(again.features["y"].values[at], data.features["y"].values, atol=1e-9)
    np.testing.assert_allclose(again.subject_scale[at], data.subject_scale)


def test_noisy_subjects_have_large_scales(correlations):
    long, short = correlations(30, nu=400), correlations(30, nu=100)
    mixed = short.assign(y=long["y"].where(np.arange(30)[:, None] < 15, short["y"]))
    scale = prepare(SPEC, mixed).subject_scale
    assert scale[15:].mean() / scale[:15].mean() == pytest.approx(2, rel=0.15)


def drop(*names):
    return lambda f: f.drop_vars(names)


CANNOT = {
    "no edges": (drop("region_a"), "the features are not edges.*region_a"),
    "no networks": (drop("network_b"), "the features are not edges.*network_b"),
    "masked edges": (lambda f: f.isel(feature=slice(60)), "not the edges between all pairs"),
    "an edge twice": (
        lambda f: f.isel(feature=[*range(65), 0]),
        "not the edges between all pairs",
    ),
    "partial correlation": (
        lambda f: f.assign_attrs(measure="partial correlation"),
        "the measure is partial correlation",
    ),
    "tangent": (lambda f: f.assign_attrs(measure="tangent"), "the measure is tangent"),
    "other tool": (
        lambda f: f.assign_attrs(units="z"),
        "the units are z.*standardised by another tool",
    ),
    "other raw units": (
        lambda f: reference_to_controls(f).assign_attrs(raw_units="streamlines"),
        "the units before standardisation are streamlines",
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_whitened_is_refused_in_words_and_weighted_by_default(case, features):
    change, reason = CANNOT[case]
    changed = change(features)
    assert isinstance(read_edge_scale(changed), str)
    with pytest.raises(SpecError, match=f"'matrix' needs correlations.*{reason}.*use 'auto'"):
        prepare(SPEC, changed)
    found = prepare(SharedSpecificSpec(n_factors=2), changed)
    assert found.whitening is None
    assert found.weight < 0.8
