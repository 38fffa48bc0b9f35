"""Cross-validation by person."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logsumexp

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.checks import leave_one_out as predictive
from bayes_mdd.shared_specific.checks.leave_one_out import leave_one_out
from bayes_mdd.shared_specific.new_subjects.projection import project
from bayes_mdd.shared_specific.new_subjects.symptoms import log_density_without_link
from bayes_mdd.studies import compare as room
from bayes_mdd.studies import held_out as held
from bayes_mdd.studies.compare import compare_models, vary_factors
from bayes_mdd.studies.folds import assign_folds, check_folds, held_out


def _people(arms, sites=None, diagnosis=None):
    n = len(arms)
    coords = {"subject": [f"s{i:02d}" for i in range(n)], "arm": ("subject", list(arms))}
    if sites is not None:
        coords["site"] = ("subject", list(sites))
    if diagnosis is not None:
        coords["diagnosis"] = ("subject", list(diagnosis))
    return xr.Dataset({"y": (("subject", "feature"), np.zeros((n, 2)))}, coords)


def test_folds_are_alike_in_arms_and_sites():
    arms = ["SSRI"] * 24 + ["SNRI"] * 38 + ["n/a"] * 9 + ["SSRI"]
    sites = ["x", "y"] * 36
    diagnosis = ["MDD"] * 71 + ["HC"]
    features = _people(arms, sites, diagnosis)
    fold = assign_folds(features, folds=5, seed=3)
    assert len(fold) == 62  # neither controls nor people without an arm
    table = pd.crosstab(
        [features.sel(subject=fold.index)["arm"], features.sel(subject=fold.index)["site"]],
        fold.to_numpy(),
    )
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert fold.equals(assign_folds(features, folds=5, seed=3))
    assert not fold.equals(assign_folds(features, folds=5, seed=4))
    train, test = held_out(features, fold, 2)
    out = fold.index[fold == 2]
    assert set(test["subject"].values) == set(out)
    assert set(train["subject"].values) == set(features["subject"].values) - set(
        test["subject"].values
    )


@pytest.mark.parametrize("folds", [1, 6])
def test_too_few_or_too_many_folds_are_refused(folds):
    with pytest.raises(SpecError, match=r"smallest arm \('b' has 5 participants\)"):
        assign_folds(_people(["a"] * 9 + ["b"] * 5), folds=folds, seed=1)


def test_a_site_in_one_fold_is_refused_before_anything_is_fitted():
    features = _people(["a", "b"] * 8, ["x"] * 15 + ["rare"])
    fold = assign_folds(features, folds=4, seed=1)
    check_folds(features, fold, ["arm"])
    with pytest.raises(DataContractError, match=r"site 'rare' has 1 participants \(s15\)"):
        compare_models(
            {"m": bm.SharedSpecificSpec(covariates=("site",))}, features, folds=4, seed=1
        )


def test_factors_are_varied_only_where_sharing_is_learned():
    found = vary_factors(bm.SharedSpecificSpec(covariates=("site",)), [1, 5])
    assert {k: v.n_factors for k, v in found.items()} == {"K=1": 1, "K=5": 5}
    assert all(v.covariates == ("site",) for v in found.values())
    with pytest.raises(SpecError, match="sharing"):
        vary_factors(bm.SharedSpecificSpec(sharing={"shared": 2}), [1])


def test_tables_add_up_and_differences_are_paired(monkeypatch):
    features = _people(["a", "b"] * 10)
    rng = np.random.default_rng(0)
    base = pd.Series(rng.normal(size=20), index=features["subject"].values)
    gap = pd.Series(rng.normal(0.5, 0.1, size=20), index=features["subject"].values)

    def score(spec, training, test, symptoms, linked, sampler, max_draws):
        people = tuple(test["subject"].values)
        assert not set(people) & set(training["subject"].values)
        good = spec.n_factors == 2
        return room.Scored(
            subjects=people,
            elpd=(base + (gap if good else 0))[list(people)].to_numpy(),
            mcse=np.full(len(people), 0.1),
            symptoms=np.zeros((len(people), 0)),
            rhat=1.0 if good else 1.2,
            divergences=0 if good else 3,
        )

    monkeypatch.setattr(room, "score_fold", score)
    specs = vary_factors(bm.SharedSpecificSpec(feature_dependence="independent"), [1, 2])
    found = compare_models(specs, features, folds=5)
    table = found.table
    assert list(table.index) == ["K=2", "K=1"]
    assert list(table["rank"]) == [0, 1]
    assert table.loc["K=1", "elpd"] == pytest.approx(base.sum())
    assert table.loc["K=1", "elpd_diff"] == pytest.approx(-gap.sum())
    assert table.loc["K=1", "dse"] == pytest.approx(np.sqrt(20) * gap.std())
    assert table.loc["K=2", "dse"] == 0
    assert table.loc["K=1", "mcse"] == pytest.approx(0.1 * np.sqrt(20))
    assert table.loc["K=2", "warning"] == ""
    assert table.loc["K=1", "warning"].startswith("R-hat above 1.05 in fold 0, 1, 2, 3, 4; 15 div")
    assert found.symptom_table is None
    np.testing.assert_allclose(found.pointwise["elpd"].sel(model="K=1"), base)


def test_density_without_a_link_is_students_t():
    # With a flat prior on log(noise) it would be Student's t; a wide half-normal is close to it.
    from scipy.stats import t

    rng = np.random.default_rng(4)
    x = np.c_[np.ones(60), rng.normal(size=60)]
    s = 3 + x @ [1.0, 2.0] + rng.normal(size=60)
    s[5] = np.nan
    ok = np.isfinite(s)
    new = np.array([1.0, 0.4])
    found = log_density_without_link(4.5, new, s, x, noise_scale=1e6)
    coef, *_ = np.linalg.lstsq(x[ok], s[ok], rcond=None)
    left = s[ok] - x[ok] @ coef
    df = 57 - 1  # uniform noise instead of 1 / noise takes one degree of freedom
    scale = np.sqrt(left @ left / df * (1 + new @ np.linalg.inv(x[ok].T @ x[ok]) @ new))
    assert found == pytest.approx(t.logpdf(4.5, df, new @ coef, scale), abs=1e-4)


def _pretend_fit(made):
    """Return the truth instead of sampling it, with or without the link that a spec asks for."""

    def fit(spec, training, **_):
        run = made.idata.copy()
        posterior = run["posterior"].to_dataset()
        if not spec.symptoms:
            run["posterior"] = posterior.drop_vars(["symptom_weight", "symptom_noise"])
        wander = np.random.default_rng(0).normal(size=posterior["noise"].shape)
        run["invariants"] = posterior[["noise"]] + wander  # R-hat of a constant is undefined
        diverging = np.zeros((2, posterior.sizes["draw"]), dtype=bool)
        run["sample_stats"] = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
        run.attrs["spec"] = json.dumps(replace(spec, n_factors=3).to_mapping())
        return run

    return fit


def test_held_out_people_are_scored_under_their_own_arm(fit_of, monkeypatch):
    made = fit_of(n=60, n_new=40, p=150, covariates=("site",), draws=40)
    monkeypatch.setattr(held, "fit", _pretend_fit(made))
    linked = bm.SharedSpecificSpec(covariates=("site",), symptoms=("retardation",))
    args = (made.training, made.new, made.symptoms, ("retardation",), bm.SamplerSpec(), 40)
    with_link = held.score_fold(linked, *args)
    without = held.score_fold(replace(linked, symptoms=()), *args)
    np.testing.assert_allclose(with_link.elpd, without.elpd)
    assert with_link.subjects == tuple(made.new["subject"].values)
    # Half of the ratings' variance comes from the scores: the link gains about log(2) / 2 each.
    assert (with_link.symptoms - without.symptoms).mean() > 0.3
    code = (made.new["arm"].values == "SSRI").astype(int)
    found = project(made.idata, made.new, training=made.training, max_draws=40)
    own = found["log_density"].values[..., np.arange(40), code]
    np.testing.assert_allclose(with_link.elpd, logsumexp(own, axis=(0, 1)) - np.log(40))


def test_arms_that_are_swapped_predict_worse(fit_of, monkeypatch):
    made = fit_of(n=60, n_new=40, p=150, draws=20)
    monkeypatch.setattr(held, "fit", _pretend_fit(made))
    spec = bm.SharedSpecificSpec(covariates=("site", "age"))
    rest = (None, (), bm.SamplerSpec(), 20)
    right = held.score_fold(spec, made.training, made.new, *rest)
    swapped = np.where(made.new["arm"].values == "SSRI", "SNRI", "SSRI")
    wrong = held.score_fold(
        spec, made.training, made.new.assign_coords(arm=("subject", swapped)), *rest
    )
    assert (right.elpd - wrong.elpd).mean() > 5


def test_leave_one_out_names_the_people_it_cannot_judge(made, monkeypatch):
    rng = np.random.default_rng(0)
    wild = xr.DataArray(
        rng.normal(size=(2, 200, 3)) * np.array([0.1, 9.0, 0.1]),
        coords={"chain": [0, 1], "draw": np.arange(200), "subject": ["a", "b", "c"]},
        dims=("chain", "draw", "subject"),
        name="subject_log_likelihood",
    )
    monkeypatch.setattr(predictive, "subject_log_likelihood", lambda *_, **__: wild)
    with pytest.warns(UserWarning, match=r"for 1 of 3 participants \(b\).*compare_models"):
        found = leave_one_out(made.idata)
    assert list(found.pareto_k["subject"].values) == ["a", "b", "c"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_model_that_made_the_data_predicts_best():
    data = bm.simulate_cohort(
        seed=5, n_subjects={"SSRI": 40, "SNRI": 40}, n_controls=30, n_regions=14,
        n_shared=2, n_specific={}, sites=1, symptom_weight=0.9,
        source="edges",
    )  # fmt: skip
    features = bm.reference_to_controls(data.features)
    sampler = bm.SamplerSpec(draws=150, tune=200, chains=2, seed=2)
    models = {
        "two": bm.SharedSpecificSpec(sharing={"shared": 2}, symptoms=("retardation",)),
        "one": bm.SharedSpecificSpec(sharing={"shared": 1}),
    }
    found = bm.compare_models(models, features, symptoms=data.symptoms, folds=2, sampler=sampler)
    assert found.table.index[0] == "two"
    worse = found.table.loc["one"]
    assert worse["elpd_diff"] < -3 * worse["dse"]
