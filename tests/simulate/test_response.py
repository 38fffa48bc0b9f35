"""Outcomes of a simulated cohort: a crossover on one factor, and a twin without it."""

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.simulate import simulate_cohort

ARMS = {"SSRI": 150, "SNRI": 150}


def cohort(**changes):
    settings = {"n_subjects": ARMS, "n_controls": 0, "n_regions": 14, "source": "edges"}
    return simulate_cohort(3, **(settings | changes))


@pytest.fixture(scope="module")
def made():
    return cohort()


def totals(simulated, session):
    items = simulated.items.set_index(["session_id", "participant_id"]).astype("Float64")
    return items.loc[session].sum(axis=1, skipna=False).astype(float)


def of_twin(simulated, session):
    table = simulated.null_twin.set_index(["session_id", "participant_id"])
    return table.loc[session, "hamd17_null_total"]


def slopes(simulated, outcome):
    """Slopes of the outcome on the scores, on either drug and of the second against the first."""
    eta = simulated.truth["scores"].to_pandas()[["shared1", "shared2", "shared3"]]
    known = outcome.notna()
    before = totals(simulated, "ses-baseline")
    known &= before.notna()
    side = (simulated.participants.loc[eta.index, "arm"] == "SNRI").to_numpy()[:, None] - 0.5
    columns = np.column_stack([np.ones(len(eta)), before, side, eta, side * eta])[known]
    found = np.linalg.lstsq(columns, outcome[known].to_numpy(), rcond=None)[0]
    return found[3:6], found[6:9]


def test_the_crossover_is_planted_on_one_factor_in_points(made):
    prognosis, moderation = slopes(made, totals(made, "ses-week8"))
    np.testing.assert_allclose(moderation, [-8, 0, 0], atol=1.8)
    np.testing.assert_allclose(prognosis, [0, 2, 0], atol=0.9)
    np.testing.assert_array_equal(made.truth["moderation"], [-8, 0, 0, 0, 0])
    np.testing.assert_array_equal(made.truth["prognosis"], [0, 2, 0, 0, 0])
    benefit = made.truth["benefit"]
    np.testing.assert_allclose(benefit, 8 * made.truth["scores"].sel(factor="shared1"))
    expected = made.truth["expected"]
    np.testing.assert_allclose(expected.sel(arm="SSRI") - expected.sel(arm="SNRI"), benefit)


def test_nothing_is_planted_in_the_twin(made):
    twin = of_twin(made, "ses-week8")
    prognosis, moderation = slopes(made, twin)
    np.testing.assert_allclose(moderation, [0, 0, 0], atol=1.5)
    np.testing.assert_allclose(prognosis, [0, 2, 0], atol=0.9)
    assert (twin.isna() == totals(made, "ses-week8").isna()).all()


def test_ratings_before_treatment_do_not_depend_on_what_is_planted(made):
    null = cohort(benefit_sd=0)
    for simulated in (made, null):
        assert totals(simulated, "ses-week8").max() <= 52
    first = made.items["session_id"] == "ses-baseline"
    pd.testing.assert_frame_equal(made.items[first], null.items[first])
    again = totals(null, "ses-week8").dropna()
    twin = of_twin(made, "ses-week8").dropna()
    assert (again == twin).all(), "the twin is the same trial without the crossover"


def test_patients_without_a_first_total_have_no_outcome(made):
    before = made.symptoms["hamd17_total"]
    after = totals(made, "ses-week8")
    assert after[before.isna()].isna().all()
    assert set(after.index[after.isna()]) == set(made.disposition["participant_id"])
    assert set(made.disposition["last_session"]) == {"ses-baseline"}
    complete = cohort(missing_symptoms=0, dropout=0.2)
    assert len(complete.disposition) == 60


def test_nothing_is_planted_without_two_arms():
    one = cohort(n_subjects={"SSRI": 8}, n_specific={})
    assert not one.truth["benefit"].any()
    assert one.truth["expected"].sizes == {"subject": 8, "arm": 1}
