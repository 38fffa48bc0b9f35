"""Scores of subjects who were not in the fit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.new_subjects.eligibility import select_subjects
from bayes_mdd.shared_specific.new_subjects.projection import _choose_arms, project
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec
from bayes_mdd.workflow.fit import fit

CHAINS = ("chain", "draw")


def _own(found, name="scores"):
    """Posterior means under each subject's known arm."""
    mean = found[name].mean(CHAINS)
    return np.stack([mean.sel(subject=s, arm=a) for s, a in zip(
        found["subject"].values, found["known_arm"].values, strict=True)])  # fmt: skip


def _oracle(made):
    """Posterior means given true loadings, noise, sharing, and the mean map of many subjects."""
    n = made.new.sizes["subject"]
    code = (made.new["arm"].values == "SSRI").astype(int)
    d = np.sqrt(2 * np.array([[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]]))[code]
    y = made.new["y"].values
    design = np.c_[np.ones(n), made.new["site"].values == "b", made.new["age"].values]
    known = np.linalg.lstsq(design, y - made.scores @ made.loadings.T, rcond=None)[0]
    weighted = made.loadings / made.noise[:, None]
    residual = (y - design @ known) / made.noise @ weighted
    gram = weighted.T @ weighted
    return np.stack([
        s * np.linalg.solve(np.eye(3) + s[:, None] * gram * s, s * row)
        for s, row in zip(d, residual, strict=True)
    ])  # fmt: skip


def _assert_as_good_as_the_oracle(found, made):
    best, own = _oracle(made), _own(found)
    for k, arm in enumerate([None, "SNRI", "SSRI"]):
        who = np.ones(len(own), bool) if arm is None else made.new["arm"].values == arm
        truth = made.scores[who, k]
        found_there = [x for x in own[who].T if np.ptp(x) > 0]  # the other arm's own is 0 here
        ours = max(abs(np.corrcoef(x, truth)[0, 1]) for x in found_there)
        goal = np.corrcoef(best[who, k], truth)[0, 1]
        assert ours > goal - 0.02, f"true factor {k + 1}: {ours:.3f} against {goal:.3f}"
    assert float(np.nanmin(found["efficiency"])) > 0.6


def test_scores_are_recovered_as_well_as_with_true_loadings(fit_of):
    made = fit_of(n=62, n_new=300, p=600, covariates=("site",), site_sd=0.3)
    found = project(made.idata, made.new, training=made.training)
    _assert_as_good_as_the_oracle(found, made)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_scores_are_recovered_from_a_real_fit(fit_of):
    made = fit_of(n=62, n_new=300, p=600, covariates=("site",), site_sd=0.3)
    spec = SharedSpecificSpec(n_factors=4, covariates=("site",))
    sampler = SamplerSpec(draws=400, tune=400, chains=2, seed=3)
    idata = fit(spec, made.training, sampler=sampler, progressbar=False)
    found = project(idata, made.new, training=made.training)
    _assert_as_good_as_the_oracle(found, made)


def test_intervals_hold_the_truth(fit_of):
    inside = []
    for seed in range(6):
        made = fit_of(n=40, n_new=60, p=300, seed=seed, draws=200)
        found = project(made.idata, made.new, training=made.training)
        low, high = found["scores"].quantile([0.05, 0.95], CHAINS, skipna=False).values
        arm = (made.new["arm"].values == "SSRI").astype(int)
        rows = np.arange(60)
        hit = (low[rows, arm] <= made.scores) & (made.scores <= high[rows, arm])
        inside += [hit[:, 0], hit[arm == 0, 1], hit[arm == 1, 2]]
    assert np.mean(np.concatenate(inside)) == pytest.approx(0.9, abs=0.04)


def test_untreated_subjects_are_projected_under_each_arm(made):
    waiting = made.new.assign_coords(arm=("subject", ["n/a"] * made.new.sizes["subject"]))
    found = project(made.idata, waiting, training=made.training)
    known = project(made.idata, made.new, training=made.training)
    assert not np.isnan(found["scores"]).any()
    snri = found["scores"].sel(arm="SNRI")
    assert float(np.abs(snri.sel(factor="F3")).max()) == 0.0  # SSRI's own factor
    assert float(snri.sel(factor="F2").std()) > 0.5
    other = known["scores"].sel(arm="SSRI").isel(subject=made.new["arm"].values == "SNRI")
    assert np.isnan(other).all()
    mean = found["scores"].mean(CHAINS)
    own = np.stack([mean.sel(subject=s, arm=a) for s, a in zip(
        made.new["subject"].values, made.new["arm"].values, strict=True)])  # fmt: skip
    np.testing.assert_allclose(own, _own(known), atol=0.35)
    only = project(made.idata, waiting, training=made.training, arms=["SSRI"])
    assert np.isnan(only["scores"].sel(arm="SNRI")).all()
    assert not np.isnan(only["scores"].sel(arm="SSRI")).any()


def test_a_weight_widens_the_scores_and_leaves_the_density_comparable(made):
    weighted = made.idata.copy()
    weighted["constant_data"] = weighted["constant_data"].to_dataset().assign(feature_weight=0.25)
    options = {"training": made.training, "max_draws": 400}
    plain = project(made.idata, made.new, **options)
    less = project(weighted, made.new, **options)
    spread = [p["scores"].sel(factor="F1").std(CHAINS).mean().item() for p in (plain, less)]
    # The variance of scores is proportional to 1 / weight where the features dominate.
    assert 1.4 < spread[1] / spread[0] < 2.2
    density = [p["log_density"].mean(CHAINS).values for p in (plain, less)]
    np.testing.assert_allclose(*density, atol=0.5)


def test_features_are_matched_by_name_and_the_seed_fixes_the_draws(made):
    first = project(made.idata, made.new, training=made.training)
    shuffled = made.new.isel(feature=np.random.default_rng(5).permutation(90))
    second = project(made.idata, shuffled, training=made.training)
    np.testing.assert_allclose(first["scores"], second["scores"], atol=1e-8)
    other = project(made.idata, made.new, training=made.training, seed=2)
    assert float(np.abs(first["scores"] - other["scores"]).max()) > 0.1


def test_features_stored_with_the_run_need_no_training(made):
    run = made.idata.copy()
    stored = made.training["y"].astype(np.float32)
    run["observed_data"] = run["observed_data"].to_dataset().assign(y=stored)
    a = project(run, made.new)
    b = project(made.idata, made.new, training=made.training)
    np.testing.assert_allclose(a["scores"], b["scores"], atol=1e-3)
    with pytest.raises(DataContractError, match="--training COHORT"):
        project(made.idata, made.new)


def test_other_values_under_the_same_names_are_refused(made):
    other = made.training.assign(y=made.training["y"] * 1.01)
    with pytest.raises(DataContractError, match="other values"):
        project(made.idata, made.new, training=other)


def test_arm_mean_moves_the_prior(made):
    run = made.idata.copy()
    posterior = run["posterior"].to_dataset()
    mean = np.zeros((2, 25, 2, 3))
    mean[..., 1, :] = [0.0, 5.0, 0.0]  # F2 does not vary in SSRI: its score is the mean
    run["posterior"] = posterior.assign(arm_mean=(("chain", "draw", "arm", "factor"), mean))
    found = project(run, made.new, training=made.training)
    ssri = found["scores"].sel(arm="SSRI", factor="F2")
    assert float(ssri.min()) == float(ssri.max()) == 5.0


def test_all_problems_in_one_error(made):
    bad = made.new.isel(feature=slice(1, None)).copy(deep=True)
    bad = bad.assign_coords(
        feature=[*bad["feature"].values[:-1], "zz"],
        site=("subject", ["q", "n/a", *bad["site"].values[2:]]),
        arm=("subject", ["MAOI", *bad["arm"].values[1:]]),
    )
    bad["y"][3, 4] = np.nan
    bad.attrs.update(units="fisher_z", reference="none")
    with pytest.raises(DataContractError) as error:
        project(made.idata, bad, training=made.training)
    text = str(error.value)
    for part in (
        "2 feature(s) of the fit are missing: e0, e89",
        "1 feature(s) were not in the fit: zz",
        "infinite values for sub-043",
        "units are 'fisher_z'",
        "reference is 'none'",
        "'site' is missing for sub-041",
        "arm MAOI of sub-040",
    ):
        assert part in text
    assert len(error.value.problems) == 7


def test_new_site_is_refused_or_averaged_with_more_noise(fit_of):
    made = fit_of(n=80, n_new=8, p=300, n_sites=4, site_sd=1.0, covariates=("site",))
    there = made.new.assign_coords(site=("subject", ["z"] * 8))
    with pytest.raises(DataContractError, match=r"site z of .* was not in the fit"):
        project(made.idata, there, training=made.training)
    known = project(made.idata, made.new, training=made.training)
    found = project(made.idata, there, training=made.training, new_levels="average")
    wider = found["scores"].std(CHAINS) / known["scores"].std(CHAINS)
    assert float(wider.sel(factor="F1").median()) > 1.2
    assert json.loads(found.attrs["people_of_new_levels"])["site"] == list(
        made.new["subject"].values
    )


def test_spread_between_levels_is_estimated(fit_of):
    from bayes_mdd.shared_specific.new_subjects.subject_statistics import _between_levels

    made = fit_of(n=160, p=900, n_sites=8, site_sd=0.8, covariates=("site",), draws=2)
    found = _between_levels(read_fitted(made.idata, made.training), "site")
    # In units of the noise variance, plus the error of the average of eight sites.
    np.testing.assert_allclose(found, 0.64 * (1 + 1 / 8), rtol=0.15)
    flat = fit_of(n=160, p=900, n_sites=8, site_sd=0.0, covariates=("site",), draws=2)
    assert _between_levels(read_fitted(flat.idata, flat.training), "site").max() < 0.03


def test_controls_and_fitted_subjects_are_left_out_by_name(made):
    import xarray as xr

    both = xr.concat([made.training.isel(subject=[0, 1]), made.new], "subject")
    diagnosis = ["MDD"] * both.sizes["subject"]
    diagnosis[2] = "HC"
    both = both.assign_coords(diagnosis=("subject", diagnosis))
    found = project(made.idata, both, training=made.training)
    assert json.loads(found.attrs["excluded"]) == {
        "sub-040": "healthy control", "sub-000": "in the fit", "sub-001": "in the fit",
    }  # fmt: skip
    again = project(made.idata, both, training=made.training, include_fitted=True)
    assert "sub-000" in again["subject"]
    with pytest.raises(DataContractError, match="no participant remains"):
        project(made.idata, made.training, training=made.training)


def test_controls_are_projected_where_they_are_an_arm(made):
    fitted = read_fitted(made.idata, made.training)
    subjects = made.new.isel(subject=slice(4)).assign_coords(
        diagnosis=("subject", ["HC", "MDD", "MDD", "MDD"]),
        arm=("subject", ["n/a", "n/a", "SSRI", "SSRI"]),
    )
    assert list(select_subjects(subjects, fitted, include_fitted=False)[1]) == ["sub-040"]
    with_controls = replace(fitted, arms=("HC", "SSRI"))
    chosen, excluded = select_subjects(subjects, with_controls, include_fitted=False)
    assert not excluded
    known, possible = _choose_arms(with_controls, chosen, None)
    assert known.tolist() == ["HC", "n/a", "SSRI", "SSRI"]
    assert possible == ["SSRI"]  # nobody can be assigned to the controls


def test_symptoms_are_predicted_in_their_unit(fit_of):
    made = fit_of(n=80, n_new=200, p=300, covariates=("site",), draws=200)
    found = project(made.idata, made.new, training=made.training, symptoms=made.symptoms)
    rating = made.symptoms.loc[made.new["subject"].values, "retardation"].to_numpy()
    draws = found["predicted_symptom"].sel(symptom="retardation")
    arm = (made.new["arm"].values == "SSRI").astype(int)
    low, high = draws.quantile([0.05, 0.95], CHAINS, skipna=False).values[:, np.arange(200), arm]
    assert np.mean((low <= rating) & (rating <= high)) == pytest.approx(0.9, abs=0.06)
    mean = _own(found, "predicted_symptom")[:, 0]
    assert np.corrcoef(mean, rating)[0, 1] > 0.75
    without = project(made.idata, made.new, training=made.training)
    assert "predicted_symptom" not in without


def test_bad_options_are_refused(made):
    with pytest.raises(SpecError, match="new_levels"):
        project(made.idata, made.new, training=made.training, new_levels="guess")
    with pytest.raises(SpecError, match="arms must be some of SNRI, SSRI"):
        project(made.idata, made.new, training=made.training, arms=["MAOI"])
    with pytest.raises(SpecError, match="candidates"):
        project(made.idata, made.new, training=made.training, candidates=0)
