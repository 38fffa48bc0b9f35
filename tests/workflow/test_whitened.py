"""What a fit of whitened edges offers to its users, from tables to files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytensor
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.files.checksum import input_checksum
from bayes_mdd.results.result import read_result
from bayes_mdd.results.schema import check_schema
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.shared_specific.schema import SCHEMA
from bayes_mdd.studies.compare import decide_dependence

CHAINS = ("chain", "draw")
FEW = bm.SamplerSpec(draws=40, tune=60, chains=2, cores=1)


def test_the_default_whitens_and_finds_what_is_there(series_run):
    idata = series_run.idata
    assert float(idata["constant_data"]["feature_weight"]) == 1.0
    assert float(idata["constant_data"]["weight_left"]) > 0.8
    table = bm.classify_factors(idata)
    # By probability: the short chains of the fast path may withhold a label.
    for column in ("p_shared", "p_specific_SNRI", "p_specific_SSRI"):
        assert (table[column] > 0.9).sum() == 1, column
    assert (table["stability"] == "stable").all()
    truth = series_run.truth(idata["posterior"]["subject"].values)
    scores = idata["posterior"]["scores"].mean(CHAINS).values
    r = np.abs(np.corrcoef(scores.T, truth.T)[:3, 3:])
    assert (r.max(axis=0) > 0.9).all()


def test_the_run_follows_the_schema_and_describes_its_variables(series_run):
    idata = bm.read_run(series_run.folder)
    assert check_schema(idata, SCHEMA) == []
    assert {"whitening", "reliability"} <= set(idata.children)
    for node in idata.children.values():
        for name, variable in node.data_vars.items():
            assert variable.attrs.get("long_name"), name
    assert idata["reliability"]["source"].values.tolist() == ["halves", "pieces"]
    assert set(idata["posterior"]["explained_block"].dims) >= {"block"}
    assert set(idata["posterior"]["noise"].dims) == {*CHAINS, "whitened_block"}


def test_variance_explained_is_that_of_the_edges(series_run):
    idata, cohort = series_run.idata, series_run.cohort
    found = idata["posterior"]["explained"].mean(CHAINS)
    y = cohort.features.sel(subject=idata["posterior"]["subject"].values)
    # The truth: sums of squares in units of the SD of the controls.
    sd = series_run.features["raw_sd"].values
    loadings = cohort.truth["loadings"].values * float(cohort.truth["noise_sd"]) / sd
    for arm in ("SSRI", "SNRI"):
        of_arm = y["arm"].values == arm
        scores = series_run.truth(y["subject"].values)[of_arm]
        parts = scores.var(axis=0) * (loadings**2).sum(axis=1)
        total = (y["y"].values[of_arm] / sd).var(axis=0).sum()
        expected = np.sort(parts / total)
        np.testing.assert_allclose(np.sort(found.sel(arm=arm)), expected, atol=0.08)


def test_stored_data_are_those_of_the_fit(series_run):
    """What a result holds leads back to the data, whose values are stored in single precision."""
    read = read_model_data(read_result(series_run.idata))
    again = prepare(
        replace(series_run.spec, feature_dependence="matrix"),
        series_run.features,
        series_run.cohort.symptoms,
    )
    white, read_white = again.whitening, read.whitening
    np.testing.assert_allclose(read_white.map.correlation, white.map.correlation)
    np.testing.assert_allclose(read_white.map.edge_scale, white.map.edge_scale)
    np.testing.assert_array_equal(read_white.map.block, white.map.block)
    np.testing.assert_array_equal(read_white.order, white.order)
    assert read.stats.blocks == again.stats.blocks
    given, stored = (d.shown.features["y"].values for d in (again, read))
    np.testing.assert_allclose(stored, given, atol=1e-5)
    scale = read.subject_scale
    np.testing.assert_allclose((scale**2).mean(), 1)
    rebuilt = again.with_scale(scale)
    # Halves were balanced before the fit, so that features are close, not equal.
    r = np.corrcoef(rebuilt.features["y"].values.ravel(), read.features["y"].values.ravel())[0, 1]
    assert r > 0.98


def test_predictive_checks_say_that_shared_regions_do_not_apply(series_run):
    found = bm.predictive_checks(series_run.idata)
    assert found.whitened
    assert "edges were whitened" in " ".join(found.skipped.values())
    # Residuals of whitened edges are hardly more alike than those of independent features.
    of_features = found.table.set_index("check").loc["residual correlation, all pairs of features"]
    assert of_features["observed"] < 1.2 * of_features["expected"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pareto k is above")
def test_leave_one_out_and_sensitivity_run(series_run):
    loo = bm.leave_one_out(series_run.idata, max_draws=200)
    assert np.isfinite(float(loo.elpd))
    table = bm.prior_sensitivity(series_run.idata, max_draws=40)
    assert set(table["factor"]) == {"F1", "F2", "F3"}


def test_prior_predictive_and_graph(series_run):
    prior = bm.prior_predictive(series_run.spec, series_run.features, draws=100,
                                symptoms=series_run.cohort.symptoms)  # fmt: skip
    assert np.isfinite(bm.summarise_prior(prior).select_dtypes("number")).any().any()
    model = bm.build_model(series_run.spec, series_run.features, series_run.cohort.symptoms)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):  # evaluated once
        assert np.isfinite(model.compile_logp()(model.initial_point()))
    assert "coarse 1" in model.coords["block"]


def test_signatures_and_report(series_run, tmp_path):
    maps = bm.signatures(series_run.idata)
    assert maps.sizes["feature"] == 210
    assert not any(str(b).startswith("coarse") for b in maps["block"].values)
    page = bm.write_report(series_run.idata, tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "whiten" in text
    strength = bm.explained_by_arm(series_run.idata)
    assert "coarse" not in " ".join(map(str, strength.columns))


def test_permuted_arms(series_run):
    table = bm.permute_arms(series_run.idata, permutations=3, sampler=FEW, n_jobs=1, seed=3)
    assert table.iloc[0].filter(like="specific").max() > 0.9
    assert len(table) == 4


def test_models_of_whitened_edges_are_compared(series_run):
    specs = {
        "one": bm.SharedSpecificSpec(n_factors=1),
        "three": bm.SharedSpecificSpec(n_factors=3),
    }
    decided = decide_dependence(specs, series_run.features)
    assert {s.feature_dependence for s in decided.values()} == {"matrix"}
    found = bm.compare_models(specs, series_run.features, folds=2, sampler=FEW, max_draws=40)
    assert found.table.index[0] == "three"
    assert np.isfinite(found.pointwise["elpd"]).all()


@pytest.mark.parametrize(
    "other", [{"feature_dependence": "independent"}, {"feature_noise": "student"}]
)
def test_whitened_and_other_edges_are_not_compared(series_run, other):
    specs = {
        "w": bm.SharedSpecificSpec(n_factors=2),
        "e": bm.SharedSpecificSpec(n_factors=2, **other),
    }
    with pytest.raises(SpecError, match="the models w are fitted to whitened edges, the models e"):
        bm.compare_models(specs, series_run.features, folds=2)


def test_one_decision_for_all_models_that_are_compared(feature_set):
    rng = np.random.default_rng(4)
    y = rng.normal(size=(50, 300)) + rng.normal(size=(50, 3)) @ rng.normal(0, 0.7, (3, 300))
    features = feature_set(y, ["a", "b"] * 25, np.repeat(["F", "P", "T"], 100))
    specs = {str(k): bm.SharedSpecificSpec(n_factors=k) for k in (1, 4)}
    # One factor would leave two among the errors.
    assert prepare(specs["1"], features).weight < 1
    decided = decide_dependence(specs, features)
    assert {s.feature_dependence for s in decided.values()} == {"independent"}


def test_the_fingerprint_covers_halves_and_pieces(series_run):
    features = series_run.features
    before = input_checksum(features, None)
    assert json.loads((series_run.folder / "provenance.json").read_text())["inputs_sha256"]
    for name in ("half_difference", "pieces"):
        changed = features.copy(deep=True)
        changed[name].values[0, 0] += 1
        assert input_checksum(changed, None) != before
        assert input_checksum(features.drop_vars(name), None) != before
    for name in ("raw_mean", "raw_sd"):
        other = features.assign_coords({name: features[name] + 1})
        assert input_checksum(other, None) != before


def test_the_fingerprint_of_plain_features_is_as_before(feature_set):
    import hashlib

    features = feature_set(np.arange(12.0).reshape(4, 3), list("abab"), list("xxy"))
    digest = hashlib.sha256(np.ascontiguousarray(features["y"].values).data)
    for name in sorted(map(str, features.coords)):
        digest.update(f"{name}={features[name].values.astype(str).tolist()}".encode())
    assert input_checksum(features, None) == digest.hexdigest()
    session = features.assign(session_difference=features["y"])
    assert input_checksum(session, None) != digest.hexdigest()


def test_one_arm_with_unused_factors_and_halves():
    cohort = bm.simulate_cohort(
        8,
        n_subjects={"A": 24},
        n_controls=22,
        n_regions=14,
        n_shared=1,
        n_specific={},
        patterns={},
        loading_scale=2.0,
        site_shift=0.0,
        covariate_effect=0.0,
    )
    features = bm.reference_to_controls(cohort.features)
    spec = bm.SharedSpecificSpec(n_factors=3, feature_dependence="matrix")
    idata = bm.fit(spec, features, method="fast", progressbar=False)
    table = bm.classify_factors(idata)
    assert set(table["label"]) <= {"present", "unused", "undecided", "n/a"}
    assert table["p_shared"].isna().all()
