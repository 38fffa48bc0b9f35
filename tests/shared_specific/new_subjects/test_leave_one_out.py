"""Leaving a person out by algebra equals leaving them out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_mdd.shared_specific.new_subjects.leave_one_out import (
    person_log_likelihood,
    without_person,
)
from bayes_mdd.shared_specific.new_subjects.read_fitted import read_fitted
from bayes_mdd.shared_specific.new_subjects.subject_statistics import NewPeople, read_person


@pytest.mark.parametrize("i", [0, 7])
def test_sums_without_a_person_equal_those_of_the_others(fit_of, i):
    fitted = read_fitted(fit_of(n=14, p=12).idata, fit_of(n=14, p=12).training, max_draws=2)
    rest = np.delete(np.arange(14), i)
    others = replace(
        fitted,
        subjects=tuple(np.array(fitted.subjects)[rest]),
        arm=fitted.arm[rest],
        y=fitted.y[rest],
        design=fitted.design.iloc[rest],
        people=fitted.people.iloc[rest],
        draws=replace(fitted.draws, scores=fitted.draws.scores[:, rest]),
    )
    stranger = NewPeople(("x",), fitted.y[[i]], fitted.design.to_numpy()[[i]], {})
    direct = read_person(others, stranger, 0)
    given, person = without_person(fitted, i)
    for name in ("spread", "moment", "variance", "size"):
        np.testing.assert_allclose(getattr(given, name), getattr(others.loadings, name), atol=1e-8)
    for name in ("square", "pull", "base", "predicted"):
        np.testing.assert_allclose(getattr(person, name), getattr(direct, name), atol=1e-8)


def test_log_likelihood_is_labelled_and_in_the_unit_of_the_features(made):
    found = person_log_likelihood(made.idata, training=made.training, max_draws=6)
    assert found.dims == ("chain", "draw", "subject")
    assert found.sizes == {"chain": 2, "draw": 3, "subject": 40}
    # The same features ten times as large, with noise to match, are less dense by log(10) each.
    run, wider = made.idata.copy(), made.training.assign(y=10 * made.training["y"])
    run["observed_data"] = run["observed_data"].to_dataset() * 100 / 100
    constant = run["constant_data"].to_dataset()
    run["constant_data"] = constant.assign(feature_noise=10 * constant["feature_noise"])
    tenfold = person_log_likelihood(run, training=wider, max_draws=6)
    np.testing.assert_allclose(found - tenfold, 90 * np.log(10), atol=1e-6)
