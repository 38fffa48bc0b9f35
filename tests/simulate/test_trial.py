"""Simulated trials: every kind has the truth that its arguments name, and is read back."""

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError

POINTS = 7.0
MANY = 4000


def trial(**options):
    return bm.simulate_trial(**{"seed": 3, "n": MANY, **options})


def slopes_by_arm(made):
    """Slope of the outcome on each true score in each arm, in residual SD."""
    found = []
    for arm in made.truth["arm"].values:
        rows = (made.outcomes["arm"] == arm).to_numpy()
        columns = np.column_stack(
            [np.ones(rows.sum()), made.outcomes["hamd17_baseline"][rows], made.truth["eta"][rows]]
        )
        found.append(np.linalg.lstsq(columns, made.outcomes["hamd17"][rows], rcond=None)[0][2:])
    return np.array(found) / POINTS


def test_the_same_seed_gives_the_same_trial():
    a, b = (bm.simulate_trial(seed=5, n=30, missing="random", features=True) for _ in range(2))
    pd.testing.assert_frame_equal(a.outcomes, b.outcomes)
    pd.testing.assert_frame_equal(a.visits, b.visits)
    assert a.features.identical(b.features)
    assert a.scores.identical(b.scores)


def test_features_and_visits_do_not_change_what_is_drawn():
    plain, full = bm.simulate_trial(n=30), bm.simulate_trial(n=30, features=True, n_controls=4)
    pd.testing.assert_frame_equal(plain.outcomes, full.outcomes)
    assert plain.scores.identical(full.scores)
    assert plain.features is None and plain.regions is None


def test_null():
    made = trial(benefit_sd=0, prognosis_r2=0)
    assert (made.truth["benefit"] == 0).all()
    assert abs(slopes_by_arm(made)).max() < 0.08


def test_prognosis_only():
    made = trial(benefit_sd=0, prognosis_r2=0.3)
    first, second = slopes_by_arm(made)
    assert first == pytest.approx(second, abs=0.08)
    assert (first**2).sum() == pytest.approx(0.3 / 0.7, abs=0.06)
    assert made.truth["prognosis"].values / POINTS == pytest.approx(first, abs=0.08)


def test_average_difference_only():
    made = trial(benefit_sd=0, drug_effect=-0.4)
    assert made.truth["benefit"].values == pytest.approx(0.4 * POINTS)
    means = made.outcomes.groupby("arm")["hamd17"].mean()
    assert means["SNRI"] - means["SSRI"] == pytest.approx(-0.4 * POINTS, abs=0.8)


def test_crossover_on_a_factor():
    made = trial(benefit_sd=0.6)
    default, other = slopes_by_arm(made)
    assert (other - default) == pytest.approx([0.6, 0, 0, 0, 0], abs=0.1)
    assert float(made.truth["benefit"].std()) == pytest.approx(0.6 * POINTS, rel=0.05)
    assert 0.45 < float((made.truth["benefit"] > 0).mean()) < 0.55


def test_crossover_on_a_factor_of_one_arm():
    made = trial(benefit_sd=0.6, specific={0: "SNRI"})
    ssri = (made.outcomes["arm"] == "SSRI").to_numpy()
    assert (made.truth["eta"][ssri, 0] == 0).all()
    assert (made.truth["benefit"][ssri] == 0).all()
    assert float(made.truth["benefit"][~ssri].std()) == pytest.approx(0.6 * POINTS, rel=0.05)
    assert made.outcomes.attrs["assignment"] == "observational"
    assert abs(made.scores["mean"][ssri, 0]).std() < abs(made.scores["mean"][~ssri, 0]).std()


@pytest.mark.parametrize("sign", [-1, 1])
def test_quantitative_without_crossover(sign):
    made = trial(benefit_sd=0.4, drug_effect=0.6 * sign, crossover=False)
    benefit = made.truth["benefit"]
    assert (benefit * -sign > 0).all()
    assert float(benefit.mean()) == pytest.approx(-sign * 0.6 * POINTS, rel=0.05)
    assert float(benefit.std()) == pytest.approx(0.4 * POINTS, rel=0.1)
    assert np.corrcoef(-benefit, made.truth["eta"][:, 0])[0, 1] > 0.8
    slope = np.polyfit(made.truth["eta"][:, 0], -benefit, 1)[0]
    assert float(made.truth["moderation"][0]) == pytest.approx(slope, rel=0.1)


def test_not_linear():
    made = trial(benefit_sd=0.5, nonlinear=True)
    assert set(abs(made.truth["benefit"].values.round(6))) == {0.5 * POINTS}
    slope = np.polyfit(made.truth["eta"][:, 0], -made.truth["benefit"], 1)[0]
    assert float(made.truth["moderation"][0]) == pytest.approx(slope, rel=0.05)


def test_two_moderators():
    made = trial(benefit_sd=0.6, moderators=(1, 3))
    default, other = slopes_by_arm(made)
    each = 0.6 / np.sqrt(2)
    assert (other - default) == pytest.approx([0, each, 0, each, 0], abs=0.1)


@pytest.mark.parametrize("reliability", [0.5, 0.8, 0.95])
def test_reliability_is_that_of_the_scores(reliability):
    made = trial(reliability=reliability, n=MANY)
    mean, eta = made.scores["mean"].values, made.truth["eta"].values
    assert np.polyfit(mean.ravel(), eta.ravel(), 1)[0] == pytest.approx(1, abs=0.03)
    # The error varies between patients, so that the mean reliability is near, not equal.
    assert np.corrcoef(mean.ravel(), eta.ravel())[0, 1] ** 2 == pytest.approx(reliability, abs=0.04)


def test_confounded():
    made = trial(confounding=1.0)
    other = (made.outcomes["arm"] == "SNRI").to_numpy()
    assert made.outcomes["hamd17_baseline"][other].mean() > 22.5
    assert float(made.truth["eta"][other, 0].mean()) > 0.2
    propensity = made.truth["propensity"].values
    assert other[propensity > 0.7].mean() == pytest.approx(
        propensity[propensity > 0.7].mean(), abs=0.05
    )
    assert made.outcomes.attrs["assignment"] == "observational"
    assert made.outcomes.attrs["allocation"] is None


@pytest.mark.parametrize("missing", ["random", "not random"])
def test_drop_out(missing):
    made = trial(missing=missing, missing_share=0.3)
    gone = made.outcomes["hamd17"].isna()
    assert gone.mean() == pytest.approx(0.3, abs=0.01)
    assert ((made.outcomes["missing_reason"] != "") == gone).all()
    complete = trial(missing="none").outcomes["hamd17"]
    baseline = made.outcomes["hamd17_baseline"]
    # Within a narrow range of baseline, only drop-out that is not random depends on the outcome.
    near = baseline.between(21, 23)
    gap = complete[near & gone].mean() - complete[near & ~gone].mean()
    assert (gap > 3) if missing == "not random" else (abs(gap) < 1.2)
    assert list(made.disposition.index) == list(gone.index[gone])
    last = made.visits.dropna(subset="value").groupby("participant_id")["session_id"].last()
    assert (last[made.disposition.index] == made.disposition["last_session"]).all()
    assert (last[gone.index[~gone]] == "ses-week8").all()


def test_visits_begin_at_baseline_and_end_at_the_outcome():
    made = trial(n=50)
    wide = made.visits.pivot_table(index="participant_id", columns="week", values="value")
    assert list(wide.columns) == [0, 2, 4, 8]
    assert wide[0].to_numpy() == pytest.approx(made.outcomes["hamd17_baseline"].to_numpy())
    assert wide[8].to_numpy() == pytest.approx(made.outcomes["hamd17"].to_numpy())
    assert wide.mean().is_monotonic_decreasing


def test_site_by_drug():
    made = trial(n_sites=6, site_by_drug=0.5, benefit_sd=0, sites=list("abcdef"))
    by_site = pd.Series(made.truth["benefit"].values).groupby(made.outcomes["site"].to_numpy())
    assert list(by_site.groups) == list("abcdef")
    assert (by_site.std() < 1e-9).all()
    assert 1 < by_site.mean().std() < 8
    assert made.outcomes.attrs["strata"] == ["site"]


def test_heavy_tails_and_whole_points():
    made = trial(heavy_tails=True, whole_points=True)
    for name in ("hamd17", "hamd17_baseline"):
        values = made.outcomes[name]
        assert (values == values.round()).all() and values.between(0, 52).all()
    assert (made.visits["value"] % 1 == 0).all()
    tails = [
        abs(t.outcomes["hamd17"] - t.outcomes["hamd17"].mean()).gt(30).sum()
        for t in (trial(heavy_tails=True), trial())
    ]
    assert tails[0] > 2 * tails[1]


def test_shifted_new_site():
    known, new = trial(), trial(seed=4, shift=1.5, sites=["new"], prefix="new", n=200)
    assert float(new.truth["eta"].mean()) == pytest.approx(1.5, abs=0.1)
    assert set(new.outcomes["site"]) == {"new"}
    assert not set(new.outcomes.index) & set(known.outcomes.index)
    assert new.truth["moderation"].identical(known.truth["moderation"])
    assert new.truth["prognosis"].identical(known.truth["prognosis"])


def test_noise_and_allocation():
    made = trial(noise_ratio=1.5, share_other=0.3, benefit_sd=0, prognosis_r2=0)
    assert (made.outcomes["arm"] == "SNRI").mean() == pytest.approx(0.3, abs=0.01)
    spread = made.outcomes.groupby("arm")["hamd17"].std()
    assert spread["SNRI"] / spread["SSRI"] > 1.3


def test_features_hold_exactly_the_scans_behind_the_scores():
    made = bm.simulate_trial(seed=2, n=40, features=True, n_controls=6, reliability=0.7)
    bm.check_features(made.features)
    loadings = made.truth["loadings"].values
    assert (loadings**2).sum(axis=1) == pytest.approx(0.7 / 0.3)
    cross = loadings @ loadings.T
    assert cross == pytest.approx(np.diag(np.diag(cross)))
    y = made.features["y"].values
    base = bm.simulate_trial(seed=9, n=4000, features=True, reliability=0.7).features["y"]
    seen = (y - base.values.mean(axis=0)) / 0.2 @ loadings.T / np.diag(cross)
    mean = made.scores["mean"].values
    variance = made.scores["covariance"].values[:, 0, 0]
    assert mean / (1 - variance[:, None]) == pytest.approx(seen[:40], abs=0.1)
    assert made.features["arm"].values[-6:].tolist() == ["n/a"] * 6
    hidden = bm.hide_arms(made.features)
    assert set(hidden["arm"].values) == {"all", "n/a"}


def test_new_patients_have_the_loadings_of_the_trial():
    a, b = (bm.simulate_trial(seed=s, n=20, features=True) for s in (1, 2))
    assert a.truth["loadings"].identical(b.truth["loadings"])
    other = bm.simulate_trial(seed=1, n=20, features=True, model_seed=7)
    assert not a.truth["loadings"].identical(other.truth["loadings"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"n": 3}, "n must be a whole number of at least 4"),
        ({"reliability": 1.2}, "reliability must be above 0 and at most 1"),
        ({"reliability": 0}, "reliability must be above 0"),
        ({"believed": 0}, "believed must be above 0"),
        ({"share_other": 1}, "share_other must be strictly between 0 and 1"),
        ({"benefit_sd": -0.1}, "benefit_sd must be at least 0"),
        ({"drug_effect": float("nan")}, "drug_effect must be a finite number"),
        ({"prognosis_r2": 1}, "prognosis_r2 must be"),
        ({"missing": "mar"}, "missing must be one of none, random, not random"),
        ({"arms": ("A", "A")}, "two different names"),
        ({"moderators": (5,)}, "moderators names factor 5"),
        ({"moderators": (1, 1)}, "names a factor twice"),
        ({"moderation": {9: 0.3}}, "moderation names factor 9"),
        ({"specific": {0: "placebo"}}, "specific names placebo"),
        ({"crossover": False}, "needs a drug_effect other than 0"),
        ({"crossover": False, "nonlinear": True, "drug_effect": 1}, "exclude each other"),
        ({"sites": ["a"], "n_sites": 2}, "sites must be 2 different"),
        ({"features": True, "reliability": 1.0}, "reliability must be below 1"),
        ({"features": True, "n_regions": 4}, "5 factors need as many pairs of networks"),
    ],
)
def test_impossible_arguments_are_refused(options, expected):
    with pytest.raises(SpecError, match="simulate_trial") as caught:
        bm.simulate_trial(**options)
    assert expected in str(caught.value)


def test_all_problems_are_listed():
    with pytest.raises(SpecError) as caught:
        bm.simulate_trial(n=1, reliability=2, missing="x")
    assert all(name in str(caught.value) for name in ("n must", "reliability must", "missing must"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    made = bm.simulate_trial(
        seed=2,
        n=60,
        n_sites=2,
        missing="random",
        whole_points=True,
        features=True,
        n_regions=14,
        n_controls=3,
    )
    return made, bm.write_trial(made, tmp_path_factory.mktemp("trial") / "cohort")


def test_a_written_trial_is_read_back(written):
    made, folder = written
    table = bm.read_outcomes(folder, scale="hamd17", endpoint="ses-week8", baseline="ses-baseline")
    assert len(table) == 60
    for name in made.outcomes:
        assert table[name].tolist() == pytest.approx(made.outcomes[name].tolist(), nan_ok=True)
    for name, value in made.outcomes.attrs.items():
        assert table.attrs[name] == value
    visits = bm.read_visits(folder, scale="hamd17")
    pd.testing.assert_frame_equal(visits, made.visits, check_dtype=False)
    features = bm.read_features(folder)
    assert features["y"].values == pytest.approx(made.features["y"].values, abs=1e-3)
    assert bm.read_cohort(folder).participants["diagnosis"].eq("HC").sum() == 3
    benefit = pd.read_csv(folder / "truth" / "patients.tsv", sep="\t")["benefit"]
    assert benefit.to_numpy() == pytest.approx(made.truth["benefit"].values, abs=1e-5)


def test_a_written_trial_is_replaced_only_when_asked(written, tmp_path):
    folder = bm.write_trial(bm.simulate_trial(n=20, whole_points=True), tmp_path / "trial")
    assert not (folder / "features").exists()
    with pytest.raises(DataContractError, match="not empty"):
        bm.write_trial(written[0], folder)
    bm.write_trial(written[0], folder, overwrite=True)
    assert len(bm.read_cohort(folder).patients) == 60


def test_ratings_outside_the_scale_are_not_written(tmp_path):
    with pytest.raises(DataContractError, match="whole_points=True"):
        bm.write_trial(bm.simulate_trial(n=20), tmp_path / "trial")
    assert not (tmp_path / "trial").exists()
