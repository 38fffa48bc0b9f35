"""Patients without an outcome enter through their visits."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_missing import SPEC, WIDE, drop_out, effect

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.response import visit_covariance
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.visit_covariance import arm_covariances, time_correlation
from bayes_mdd.response.visit_graph import build_visit_graph
from bayes_mdd.response.visit_mixture import EARLY_DRUG_SD, EARLY_SLOPE_SD, fit_visits
from bayes_mdd.response.visits import prepare_visits


@pytest.fixture(scope="module")
def full() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=11, n=120, n_factors=2, benefit_sd=0.6, drug_effect=-0.3)


@pytest.fixture(scope="module")
def trial(full: bm.SimulatedTrial) -> bm.SimulatedTrial:
    """Four patients have no rating after baseline at all."""
    made = drop_out(full, 1)
    nobody = made.outcomes.index[made.outcomes["hamd17"].isna()][:4]
    visits = made.visits.copy()
    late = visits["participant_id"].isin(nobody) & (visits["week"] > 0)
    visits.loc[late, "value"] = np.nan
    return bm.SimulatedTrial(**{**made.__dict__, "visits": visits})


def fit(trial: bm.SimulatedTrial, visits: object = None, spec: bm.ResponseSpec = SPEC) -> object:
    return bm.fit_response(spec, trial.scores, trial.outcomes, visits, method="fast")


def test_patients_with_any_visit_enter_and_the_others_are_listed(trial) -> None:
    fitted = fit(trial, trial.visits)
    observed = fitted["observed_data"].to_dataset()
    assert observed.sizes["subject"] == 116
    assert int(np.isnan(observed["outcome"].values).sum()) == 32
    listed = json.loads(fitted.attrs["excluded"])
    assert list(listed.values()) == ["no outcome and no visit after baseline"] * 4
    assert json.loads(fitted.attrs["visits"]) == ["ses-week2", "ses-week4", "ses-week8"]
    by_visit = fitted["posterior"]["drug_visit"]
    assert list(by_visit["visit"].values) == ["ses-week2", "ses-week4", "ses-week8"]
    np.testing.assert_array_equal(by_visit[..., -1], fitted["posterior"]["drug"])
    people = bm.predict_benefit(fitted, bm.simulate_trial(seed=9, n=20, n_factors=2,
                                                          prefix="new").scores)  # fmt: skip
    assert people.sizes["subject"] == 20


def test_without_missing_outcomes_visits_change_nothing(full) -> None:
    one, two = (fit(full, visits)["posterior"] for visits in (None, full.visits))
    xr.testing.assert_identical(one.to_dataset(), two.to_dataset())


def test_missing_complete_leaves_patients_out(trial) -> None:
    spec = bm.ResponseSpec(**{**SPEC.to_mapping(), "missing": "complete", "covariates": ()})
    assert effect(fit(trial, trial.visits, spec)) == effect(fit(trial, None))


def test_the_likelihood_of_the_endpoint_is_that_of_generalised_least_squares(trial) -> None:
    """All ratings in one long vector, given the covariances that were estimated."""
    rows = [*trial.outcomes.index[:30], *trial.outcomes.index[-30:]]
    scores = trial.scores.sel(subject=rows)
    exact = scores.assign(covariance=0 * scores["covariance"])
    data = prepare_visits(SPEC, exact, trial.outcomes.loc[rows], trial.visits)
    found, inner = fit_visits(data, Scales()), data.prepared.trial
    z, t = inner.columns, data.weeks.size
    q = z.shape[1]
    precision, product = np.zeros((t * q, t * q)), np.zeros(t * q)
    for i, values in enumerate(data.values / found.unit):
        seen = np.flatnonzero(~np.isnan(values))
        x = np.kron(np.eye(t), z[i])[seen]
        noise = found.covariance[int(inner.other[i])][np.ix_(seen, seen)]
        precision += x.T @ np.linalg.solve(noise, x)
        product += x.T @ np.linalg.solve(noise, values[seen])
    slope = EARLY_SLOPE_SD
    sd = np.concatenate([inner.design_sd, [slope, slope, EARLY_DRUG_SD, slope, slope]])
    m = (t - 1) * q
    early = precision[:m, :m] + np.diag(np.tile(sd, t - 1) ** -2.0)
    down = np.linalg.solve(early, np.column_stack([precision[:m, m:], product[:m]]))
    np.testing.assert_allclose(
        found.gram, precision[m:, m:] - precision[m:, :m] @ down[:, :-1], rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(
        found.cross, product[m:] - precision[m:, :m] @ down[:, -1], rtol=1e-8, atol=1e-8
    )


def test_monotone_drop_out_gives_the_factored_maximum_likelihood(monkeypatch) -> None:
    """With two visits, the mean of an arm follows from a regression of those who stayed."""
    monkeypatch.setattr(visit_covariance, "BORROWED", 0.0)
    trial = drop_out(bm.simulate_trial(seed=3, n=600, n_factors=1), 2, by_arm=1.0)
    spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    none = trial.scores.isel(factor=slice(0, 0), factor_2=slice(0, 0))
    visits = trial.visits[trial.visits["session_id"] != "ses-week2"]
    data = prepare_visits(spec, none, trial.outcomes, visits)
    found = fit_visits(data, Scales())
    best = np.linalg.solve(found.gram, found.cross)
    expected = []
    for arm in (False, True):
        early, last = data.values[data.prepared.trial.other == arm].T
        stayed = ~np.isnan(last)
        slope = np.polyfit(early[stayed], last[stayed], 1)[0]
        expected.append(last[stayed].mean() + slope * (early.mean() - early[stayed].mean()))
    assert found.unit * best[1] == pytest.approx(expected[1] - expected[0], abs=0.05)


def test_drop_out_by_the_previous_visit_does_not_bias_the_average_effect() -> None:
    full = bm.simulate_trial(seed=5, n=1500, n_factors=1, drug_effect=-0.4)
    trial = drop_out(full, 6, by_arm=1.5)
    seen = prepare_visits(WIDE, trial.scores, trial.outcomes, trial.visits)
    scales = seen.prepared.scales
    fits = [fit_visits(seen, scales).integrate(scales)]
    fits += [fit_mixture(prepare(WIDE, t.scores, t.outcomes).trial, scales) for t in (full, trial)]
    all_visits, truth, completers = (float((m.weight @ m.mean)[-2]) for m in fits)
    assert abs(all_visits - truth) < 0.4
    assert abs(completers - truth) > 0.8


def test_beyond_six_visits_correlations_have_two_parameters() -> None:
    weeks = np.array([1.0, 2, 3, 4, 6, 8, 10])
    sd = np.linspace(1, 2, 7)
    truth = sd[:, None] * sd * time_correlation(weeks, 0.4, 0.6)
    found = arm_covariances(np.stack([500 * truth] * 2), np.array([500.0, 500.0]), weeks)
    np.testing.assert_allclose(found, np.stack([truth] * 2), atol=1e-3)
    rng = np.random.default_rng(1)
    trial = bm.simulate_trial(seed=2, n=80, n_factors=1)
    more = [trial.visits]
    for week in (1, 3, 5, 6, 7):
        own = trial.visits[trial.visits["session_id"] == "ses-week4"]
        value = own["value"] + 3 * rng.standard_normal(len(own))
        more.append(own.assign(session_id=f"ses-week{week}", week=float(week), value=value))
    visits = pd.concat([drop_out(trial, 1).visits, *more[1:]])
    data = prepare_visits(SPEC, trial.scores, drop_out(trial, 1).outcomes, visits)
    assert data.sessions == tuple(f"ses-week{w}" for w in (1, 2, 3, 4, 5, 6, 7, 8))
    fitted = fit_visits(data, Scales())
    assert np.linalg.eigvalsh(fitted.covariance).min() > 0
    slow = build_visit_graph(data, Scales(), fitted.unit)
    assert {"level", "step"} <= {v.name for v in slow.free_RVs}


def test_what_cannot_be_used_is_refused_with_all_problems(trial) -> None:
    visits, first = trial.visits, trial.visits["participant_id"].iloc[0]
    cases = {
        "there is no column week": visits.drop(columns="week"),
        "the week of ses-week2, ses-week4 is not known": visits.assign(
            week=visits["week"].where(~visits["session_id"].isin(["ses-week2", "ses-week4"]))
        ),
        "are there more than once": pd.concat([visits, visits.iloc[[1]]]),
        "the rating is not a number for": visits.assign(
            value=visits["value"].astype(object).where(visits.index != 1, "poor")
        ),
        "the rating is infinite for": visits.assign(
            value=visits["value"].where(visits.index != 1, np.inf)
        ),
        "no participant has both visits and outcomes": visits.assign(participant_id="else"),
        "no session has the ratings that are the outcome 'hamd17'": visits.assign(
            value=visits["value"] / 2
        ),
    }
    for said, table in cases.items():
        with pytest.raises(DataContractError, match="visits") as error:
            fit(trial, table)
        assert said in str(error.value)
    two = pd.concat([visits, visits.iloc[[1]]])
    two.loc[two.index == 2, "week"] = np.inf
    with pytest.raises(DataContractError, match="week is infinite") as error:
        fit(trial, two)
    assert len(error.value.problems) == 2
    assert first in str(error.value)
    named = trial.outcomes.copy()
    named.attrs["endpoint_session"] = "ses-week4"
    with pytest.raises(DataContractError, match="is not the outcome 'hamd17' of"):
        bm.fit_response(SPEC, trial.scores, named, visits, method="fast")
    table = trial.outcomes.assign(hamd17=(trial.outcomes["hamd17"] > 14) * 1.0)
    spec = bm.ResponseSpec(**{**SPEC.to_mapping(), "kind": "binary", "covariates": ()})
    with pytest.raises(SpecError, match="Visits are supported for kind 'gaussian'"):
        bm.fit_response(spec, trial.scores, table, visits)


def test_visits_after_the_endpoint_and_ratings_without_an_outcome_are_not_used(
    trial, caplog
) -> None:
    later = trial.visits[trial.visits["week"] == 8].assign(
        session_id="ses-week26", week=26.0, value=5.0
    )
    before = trial.visits[trial.visits["week"] == 0].assign(session_id="ses-screening", week=-2.0)
    one = fit(trial, pd.concat([trial.visits, later, before]))
    assert effect(one) == effect(fit(trial, trial.visits))
    whole = trial.visits.copy()
    whole.loc[(whole["week"] == 8) & whole["value"].isna(), "value"] = 30.0
    assert effect(fit(trial, whole)) == effect(one)
    assert "36 ratings at 'ses-week8' are not used" in caplog.text


def test_a_lower_outcome_may_be_worse(trial) -> None:
    """Signs of the average effect and of the benefit turn with the scale."""
    up = trial.outcomes.assign(
        hamd17=50 - trial.outcomes["hamd17"], hamd17_baseline=50 - trial.outcomes["hamd17_baseline"]
    )
    spec = bm.ResponseSpec(**{**SPEC.to_mapping(), "higher_is_better": True, "covariates": ()})
    visits = trial.visits.assign(value=50 - trial.visits["value"])
    one = bm.fit_response(spec, trial.scores, up, visits, method="fast")["posterior"]
    two = fit(trial, trial.visits)["posterior"]
    np.testing.assert_allclose(one["drug"], -two["drug"], atol=1e-6)
    mean = [p["drug_visit"].mean(("chain", "draw")) for p in (one, two)]
    np.testing.assert_allclose(mean[0], -mean[1], atol=0.1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_sampled_fit_agrees_with_the_approximate_one(trial) -> None:
    few = bm.SamplerSpec(draws=300, tune=400, chains=2, cores=1, seed=1)
    sampled = bm.fit_response(
        SPEC, trial.scores, trial.outcomes, trial.visits, sampler=few, progressbar=False
    )
    fast = fit(trial, trial.visits)
    assert int(sampled["sample_stats"]["diverging"].sum()) == 0
    for name in ("drug", "moderation", "prognosis", "sigma", "drug_visit"):
        one, two = (f["posterior"][name].mean(("chain", "draw")) for f in (sampled, fast))
        # A quarter of the residual SD: priors differ in form.
        np.testing.assert_allclose(one, two, atol=1.75)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_covariance_of_ratings_is_no_moderation_by_many_factors() -> None:
    """Score error of five factors could account for any covariance of the ratings."""
    trial = bm.simulate_trial(
        seed=2, n=60, n_factors=5, benefit_sd=0.0, reliability=0.6, missing="random"
    )
    few = bm.SamplerSpec(draws=300, tune=400, chains=2, cores=1, seed=1)
    sampled = bm.fit_response(
        SPEC, trial.scores, trial.outcomes, trial.visits, sampler=few, progressbar=False
    )
    assert float(sampled["posterior"]["benefit_sd"].mean()) < 3.5, "half of the residual SD"
