"""Treatment response at the edge: degenerate outcomes and covariates are refused."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.response.prepare import prepare


@pytest.fixture(scope="module")
def trial():
    return bm.simulate_trial(seed=3, n=40, benefit_sd=0.6)


def check(trial, outcomes, **settings: object) -> None:
    prepare(bm.response_spec(outcomes, **settings), bm.score_moments(trial.scores), outcomes)


def refused(trial, outcomes, **settings: object) -> str:
    with pytest.raises(DataContractError) as caught:
        check(trial, outcomes, **settings)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_an_arm_without_variation(trial):
    own = trial.outcomes["arm"] == "SNRI"
    same = trial.outcomes.assign(hamd17=trial.outcomes["hamd17"].mask(own, 10.0))
    assert "is 10 for everyone in arm 'SNRI', so that the noise" in refused(trial, same)
    one = np.full(len(same), 10.0)
    one[0] = 30.0
    assert "for everyone in arm" in refused(trial, trial.outcomes.assign(hamd17=one))
    assert "is 10 for everyone, so" in refused(trial, trial.outcomes.assign(hamd17=10.0))


def test_a_covariate_that_is_the_arm(trial):
    arm = (trial.outcomes["arm"] == "SNRI").to_numpy(dtype=float)
    noise = np.random.default_rng(0).standard_normal(arm.size)
    same = trial.outcomes.assign(age=40 + 10 * arm + 1e-3 * noise)
    assert "together predict the arm" in refused(trial, same, covariates=("age",))
    check(trial, trial.outcomes.assign(age=40 + 10 * arm + 5 * noise), covariates=("age",))
    clinic = np.where(arm > 0, "x", "y").astype(object)
    text = trial.outcomes.assign(clinic=clinic)
    assert "the arm (almost) exactly" in refused(trial, text, covariates=("clinic",))


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_units_of_scores_do_not_matter(trial, unit):
    scores = trial.scores.copy(deep=True)
    scores["mean"] = scores["mean"] * unit
    scores["covariance"] = scores["covariance"] * unit**2
    spec = bm.response_spec(trial.outcomes)
    found, same = (
        prepare(spec, bm.score_moments(s), trial.outcomes).trial for s in (scores, trial.scores)
    )
    np.testing.assert_allclose(found.mean, same.mean, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, same.covariance, rtol=1e-9, atol=1e-12)
