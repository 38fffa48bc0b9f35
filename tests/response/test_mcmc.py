"""The sampled posterior: one small fit, and slow ones of every kind of outcome."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import bayes_mdd as bm

# Compilation and chains take minutes on a busy machine.
pytestmark = pytest.mark.timeout(1800)

GIVEN = {"outcome": "hamd17", "default_arm": "SSRI", "assignment": "randomised"}
FEW = bm.SamplerSpec(draws=150, tune=200, chains=2, cores=1, seed=1)
MORE = bm.SamplerSpec(draws=500, tune=700, chains=2, seed=1)


def fit(trial: bm.SimulatedTrial, sampler: bm.SamplerSpec = MORE, **further: object) -> xr.DataTree:
    spec = bm.ResponseSpec(**{**GIVEN, **further})
    return bm.fit_response(spec, trial.scores, trial.outcomes, sampler=sampler, progressbar=False)


def test_a_sampled_fit_agrees_with_the_approximate_one() -> None:
    # Sites and a covariate: every part of the posterior has to fit together.
    trial = bm.simulate_trial(seed=1, n=80, n_factors=2, benefit_sd=0.8, n_sites=3)
    sampled = fit(trial, FEW, covariates=("age",), baseline="hamd17_baseline")
    spec = bm.ResponseSpec(**GIVEN, covariates=("age",), baseline="hamd17_baseline")
    fast = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    assert set(fast.children) <= set(sampled.children)
    for name in ("drug", "moderation", "prognosis", "sigma"):
        one, two = (f["posterior"][name].mean(("chain", "draw")) for f in (sampled, fast))
        # A quarter of the residual SD: priors differ in form.
        np.testing.assert_allclose(one, two, atol=1.75)
    assert sampled["posterior"]["column"].equals(fast["posterior"]["column"])
    # Site effects are coded around their mean in both, so that likelihoods can be compared.
    fits = [f["log_likelihood"]["outcome"].mean(("chain", "draw")) for f in (sampled, fast)]
    assert abs(float((fits[0] - fits[1]).mean())) < 0.1
    new = bm.simulate_trial(seed=2, n=30, n_factors=2, n_sites=3, prefix="new")
    people = [bm.predict_benefit(f, new.scores, new.outcomes) for f in (sampled, fast)]
    benefits = [p["benefit_mean"].values for p in people]
    assert np.corrcoef(*benefits)[0, 1] > 0.9
    expected = [p["expected"].mean(("chain", "draw")).values for p in people]
    assert abs((expected[0] - expected[1]).mean()) < 1


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200])
def test_long_chains_agree_with_the_approximate_posterior(n: int) -> None:
    trial = bm.simulate_trial(seed=n, n=n, benefit_sd=0.5, reliability=0.6)
    sampled = fit(trial, bm.SamplerSpec(draws=1000, tune=1000, chains=4, seed=1))
    fast = bm.fit_response(bm.ResponseSpec(**GIVEN), trial.scores, trial.outcomes, method="fast")
    assert int(sampled["sample_stats"]["diverging"].sum()) == 0
    unit = float(sampled["constant_data"]["residual_sd"])
    one, two = (
        f["posterior"]["moderation"].mean(("chain", "draw")) / unit for f in (sampled, fast)
    )
    np.testing.assert_allclose(one, two, atol=0.1)


def recoded(kind: str) -> bm.SimulatedTrial:
    trial = bm.simulate_trial(
        seed=5, n=400, n_factors=2, benefit_sd=1.0, reliability=0.9, heavy_tails=kind == "student"
    )
    y, table = trial.outcomes["hamd17"], trial.outcomes
    if kind == "binary":
        table = table.assign(hamd17=(y > y.median()).astype(int))
    elif kind == "ordinal":
        table = table.assign(hamd17=np.digitize(y, y.quantile([0.25, 0.5, 0.75])))
    elif kind == "binomial":
        from scipy.stats import norm

        p = norm.cdf((y - y.mean()) / y.std())
        rng = np.random.default_rng(1)
        table = table.assign(hamd17=rng.binomial(10, p), n_trials=10)
    return bm.SimulatedTrial(**{**trial.__dict__, "outcomes": table})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["student", "binary", "ordinal", "binomial"])
def test_other_outcomes_find_the_moderator(kind: str) -> None:
    found = fit(recoded(kind), kind=kind)
    assert int(found["sample_stats"]["diverging"].sum()) <= 5
    unit = 7.0 if kind == "student" else 1.0
    draws = found["posterior"]["moderation"].stack(sample=("chain", "draw")) / unit
    low = draws.sel(factor="F1").quantile(0.05).item()
    assert low > 0.3
    assert abs(draws.sel(factor="F2").mean().item()) < 0.3
    # The slope of 1 residual SD lies within the posterior where the unit is that SD.
    if kind in ("student", "binary", "ordinal"):
        assert draws.sel(factor="F1").mean().item() == pytest.approx(1.0, abs=0.4)


@pytest.mark.slow
def test_a_higher_ordinal_outcome_that_is_better_is_mirrored() -> None:
    trial = recoded("ordinal")
    turned = trial.outcomes.assign(hamd17=3 - trial.outcomes["hamd17"])
    mirrored = bm.SimulatedTrial(**{**trial.__dict__, "outcomes": turned})
    one = fit(trial, kind="ordinal")["posterior"]["moderation"].mean(("chain", "draw"))
    two = fit(mirrored, kind="ordinal", higher_is_better=True)["posterior"]["moderation"]
    np.testing.assert_allclose(two.mean(("chain", "draw")), -one, atol=0.1)


@pytest.mark.slow
def test_a_noisier_arm_does_not_pass_for_moderation() -> None:
    # With one noise for both arms, moderation would be about 0.38 residual SD here.
    found = []
    for seed in range(3):
        trial = bm.simulate_trial(
            seed=seed,
            n=1000,
            n_factors=1,
            benefit_sd=0.0,
            prognosis_r2=0.2,
            reliability=0.5,
            noise_ratio=1.5,
        )
        fitted = fit(trial)
        unit = float(fitted["constant_data"]["residual_sd"])
        found.append(float(fitted["posterior"]["moderation"].mean()) / unit)
    assert abs(np.mean(found)) <= 0.1


@pytest.mark.slow
def test_scores_of_a_fit_without_arms_are_neither_bold_nor_cautious() -> None:
    # Truth regressed on posterior means has slope 1: what the second stage rests on.
    slopes = []
    for seed in range(2):
        trial = bm.simulate_trial(
            seed=seed, n=80, n_factors=2, features=True, n_regions=20, n_controls=40
        )
        features = bm.reference_to_controls(trial.features)
        run = bm.fit(
            bm.SharedSpecificSpec(n_factors=3),
            bm.hide_arms(features),
            method="fast",
            progressbar=False,
        )
        moments = bm.score_moments(run)
        assert moments.attrs["arm_aware"] == 0
        truth = trial.truth["eta"].sel(subject=moments["subject"]).values
        mean = moments["mean"].values
        for column in mean.T:
            r = [abs(np.corrcoef(column, true)[0, 1]) for true in truth.T]
            # A further factor may be that of a covariate, which the simulation has, too.
            if max(r) > 0.5:
                slopes.append(abs(np.polyfit(column, truth[:, int(np.argmax(r))], 1)[0]))
    assert len(slopes) == 4
    assert 0.8 < np.mean(slopes) < 1.3
