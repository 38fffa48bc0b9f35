"""Right answers at the edge: known factors are found, nothing is found where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from made_stress import Planted, fit_fast, found_scores, plant, with_values

import bayes_mdd as bm

FIVE = dict.fromkeys("ABCDE", 16)
ONE = {"A": 1}


@dataclass(frozen=True)
class Case:
    """A cohort, and what a fast fit must say about it.

    `labels` are those of the factors that are used; `least` is the smallest correlation of true
    scores with those of a factor. Where `may_fail` holds, failed checks are the right answer too.
    """

    make: Callable[[], Planted]
    labels: frozenset[str] = frozenset({"shared"})
    least: float = 0.9
    settings: dict[str, Any] = field(default_factory=dict)
    may_fail: bool = False


def made(change: Callable[[np.ndarray], np.ndarray], **settings: Any) -> Callable[[], Planted]:
    """A planted cohort with changed values."""

    def make() -> Planted:
        found = plant(**settings)
        y = change(found.features["y"].values.copy())
        return Planted(with_values(found.features, y), found.symptoms, found.scores, found.owner)

    return make


def planted(**settings: Any) -> Callable[[], Planted]:
    """A planted cohort."""
    return lambda: plant(**settings)


def copied(y: np.ndarray) -> np.ndarray:
    y[:, 1::2] = y[:, ::2]
    return y


def nearly_copied(y: np.ndarray) -> np.ndarray:
    # SD of the difference: correlation 1 - 1e-9.
    noise = np.random.default_rng(0).standard_normal(y[:, ::2].shape)
    y[:, 1::2] = y[:, ::2] + np.sqrt(2e-9) * y[:, ::2].std(axis=0) * noise
    return y


def outlier(y: np.ndarray) -> np.ndarray:
    y[0] += 100 * np.random.default_rng(5).standard_normal(y.shape[1])
    return y


BOTH = frozenset({"shared", "A-specific"})
RECOVERED = {
    "one block": Case(planted(blocks=1, specific=ONE), BOTH),
    "300 blocks of one feature": Case(planted(blocks=300, specific=ONE), BOTH),
    "400 blocks": Case(planted(p=2000, blocks=400, specific=ONE), BOTH, may_fail=True),
    "one arm": Case(planted(arms={"A": 40}), frozenset({"present"})),
    "five arms": Case(
        planted(arms=FIVE, specific={"A": 1, "B": 1}),
        # One of 16 participants can hold a third of a factor: then there is no label.
        frozenset({"shared", "undecided", "n/a", "A-specific", "B-specific"}),
    ),
    "five arms, all shared": Case(planted(arms=FIVE), frozenset({"shared", "undecided"})),
    "N = 8": Case(
        planted(arms={"A": 4, "B": 4}, strength=1.5),
        frozenset({"shared", "undecided"}),
        settings={"n_factors": 2},
    ),
    "N = 3": Case(
        planted(arms={"A": 3}, strength=1.5),
        frozenset({"present", "undecided", "n/a"}),
        settings={"n_factors": 1},
        may_fail=True,
    ),
    "3 against 150": Case(
        planted(arms={"A": 3, "B": 150}, specific={"B": 1}),
        # Few effective draws of the fast path: no claim.
        frozenset({"shared", "undecided", "n/a", "B-specific"}),
    ),
    "copies of all features": Case(made(copied, specific=ONE), BOTH),
    "features with correlation 1 - 1e-9": Case(made(nearly_copied, specific=ONE), BOTH),
    # The chains of the fast path disagree, which it says.
    "participant at 100 SD": Case(
        made(outlier, specific=ONE), BOTH | {"undecided"}, settings={"method": "mcmc"}
    ),
    # Checks of the noise fail, which is right.
    "heavy tails": Case(planted(specific=ONE, df=2.5), BOTH, may_fail=True),
    "integers": Case(made(np.round, specific=ONE), BOTH),
    "values of 1e-12": Case(made(lambda y: y * 1e-12, specific=ONE), BOTH),
    "50 factors offered": Case(planted(specific=ONE), BOTH, settings={"n_factors": 35}),
}
NOTHING = {
    "one block": Case(planted(shared=0, blocks=1)),
    "400 blocks": Case(planted(shared=0, p=2000, blocks=400)),
    "one arm": Case(planted(shared=0, arms={"A": 40})),
    "five arms": Case(planted(shared=0, arms=FIVE)),
    "N = 8": Case(planted(shared=0, arms={"A": 4, "B": 4}), settings={"n_factors": 2}),
    "6 features, 200 participants": Case(
        planted(shared=0, arms={"A": 100, "B": 100}, p=6, blocks=3), settings={"n_factors": 2}
    ),
    "one feature": Case(planted(arms={"A": 30, "B": 30}, p=1, blocks=1)),
    "two features of one block": Case(planted(arms={"A": 30, "B": 30}, p=2, blocks=1)),
    "copies of all features": Case(made(copied, shared=0)),
    "features with correlation 1 - 1e-9": Case(made(nearly_copied, shared=0)),
    "participant at 100 SD": Case(made(outlier, shared=0), may_fail=True),
    "heavy tails": Case(planted(shared=0, df=2.5), may_fail=True),
    "3 against 150": Case(planted(shared=0, arms={"A": 3, "B": 150})),
    "1e-12": Case(made(lambda y: y * 1e-12, shared=0)),
}
#: Cases that take a second at most.
QUICK = ("one block", "N = 8", "one feature")


def answer(case: Case) -> tuple[Planted, Any, Any, bool]:
    """Fit, classify and check; RuntimeWarnings are errors in the test suite."""
    made_ = case.make()
    settings = {"n_factors": 4} | case.settings
    idata = fit_fast(made_, **settings)
    checks = bm.diagnose(idata)
    failed = set(checks.loc[checks["passed"].eq(False), "name"]) - {"covariates of head motion"}
    return made_, idata, bm.classify_factors(idata), bool(failed)


def check_nothing(case: Case) -> None:
    _, idata, table, failed = answer(case)
    assert failed <= case.may_fail
    assert set(table["label"]) == {"unused"}, table[["factor", "label", "verdict"]]
    assert not float(idata["posterior"]["explained"].max()), "nothing is explained in any draw"


@pytest.mark.parametrize("name", [n for n in NOTHING if n in QUICK])
def test_nothing_is_found_where_there_is_nothing(name):
    check_nothing(NOTHING[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NOTHING if n not in QUICK])
def test_nothing_is_found_at_the_edge(name):
    check_nothing(NOTHING[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", RECOVERED)
def test_known_factors_are_found(name):
    case = RECOVERED[name]
    made_, idata, table, failed = answer(case)
    assert failed <= case.may_fail
    used = table[table["label"] != "unused"]
    assert set(used["label"]) <= case.labels, used[["factor", "label", "verdict"]]
    if not failed:
        assert (found_scores(idata, made_) > case.least).all()


@pytest.mark.slow
def test_few_features_of_many_participants_are_claimed_only_where_the_checks_pass():
    made_ = plant(arms={"A": 100, "B": 100}, p=6, blocks=3, strength=1.2)
    idata = fit_fast(made_, n_factors=2)
    table = bm.classify_factors(idata)
    checks = bm.diagnose(idata)
    failed = checks["passed"].eq(False).sum() - 1  # motion
    assert failed or found_scores(idata, made_).min() > 0.8
    assert not table["label"].str.endswith("-specific").any()
