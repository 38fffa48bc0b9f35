"""Tables that cannot be used: one error with all problems, and who."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm

GIVEN = {"outcome": "hamd17", "default_arm": "SSRI", "assignment": "randomised"}
Table = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def trial() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=1, n=40, n_factors=2)


def setting(column: str, rows: object, value: object) -> Table:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        table[column] = table[column].astype(object)
        table.loc[rows, column] = value
        return table

    return change


CASES: dict[str, tuple[Table, dict[str, object], str]] = {
    "arm missing": (lambda t: t.drop(columns="arm"), {}, "no column 'arm'"),
    "outcome missing": (lambda t: t.drop(columns="hamd17"), {}, "no column 'hamd17'"),
    "arm misspelt": (setting("arm", "sub-0001", "SNRi"), {}, "3 arms .*SNRi"),
    "one arm": (lambda t: t.assign(arm="SSRI"), {}, "all participants are in arm 'SSRI'"),
    "default is no arm": (lambda t: t, {"default_arm": "ssri"}, "default_arm is 'ssri'"),
    "few in an arm": (
        lambda t: t[(t["arm"] == "SSRI") | (np.arange(40) < 14)],
        {},
        "arm 'SNRI' has . participants",
    ),
    "nobody in an arm": (
        lambda t: t.assign(hamd17=t["hamd17"].where(t["arm"] == "SSRI")),
        {},
        "nobody in arm 'SNRI'",
    ),
    "text": (setting("hamd17", "sub-0004", "many"), {}, "not a number for sub-0004 .*many"),
    "infinite": (setting("hamd17", "sub-0004", np.inf), {}, "infinite for sub-0004"),
    "constant": (lambda t: t.assign(hamd17=3.0), {}, "is 3 for everyone"),
    "twice": (lambda t: pd.concat([t, t.iloc[[2]]]), {}, "sub-0003 have more than one row"),
    "nobody in common": (
        lambda t: t.set_axis([f"other-{i}" for i in range(40)]),
        {},
        "scores are of sub-0001.*outcomes of other-0",
    ),
    "covariate missing": (
        setting("age", ["sub-0002", "sub-0005"], "n/a"),
        {"covariates": ["age"]},
        "'age' is missing for sub-0002, sub-0005",
    ),
    "no covariate": (lambda t: t, {"covariates": ["iq"]}, "no column 'iq'"),
    "same for everyone": (
        lambda t: t.assign(age=40),
        {"covariates": ["age"]},
        "'age' is the same for everyone",
    ),
    "covariate infinite": (
        lambda t: t.assign(age=t["age"].where(t.index != "sub-0009", np.inf)),
        {"covariates": ["age"]},
        "'age' is infinite for sub-0009",
    ),
    "covariate is the outcome": (
        lambda t: t.assign(week8=2 * t["hamd17"] - 1),
        {"covariates": ["week8"]},
        "'week8' equals the outcome",
    ),
    "baseline is the endpoint": (
        lambda t: t.assign(first=t["hamd17"]),
        {"baseline": "first"},
        "'first' equals the outcome",
    ),
    "baseline is text": (
        lambda t: t.assign(first="high").assign(first=np.where(t["age"] > 40, "a", "b")),
        {"baseline": "first"},
        "baseline 'first' must be a number",
    ),
    "text with many levels": (
        lambda t: t.assign(job=[f"job {i}" for i in range(40)]),
        {"covariates": ["job"]},
        "'job' has 40 levels",
    ),
    "site missing": (
        lambda t: t.assign(site=["a", None] + ["b"] * 38),
        {},
        "'site' is missing for sub-0002",
    ),
    "stratum missing": (
        lambda t: t.assign(stratum=["a"] * 39 + ["n/a"]),
        {},
        "'stratum' is missing for sub-0040",
    ),
    "propensity": (
        lambda t: t.assign(propensity=[1.0, 0.0] + [0.5] * 38),
        {},
        "'propensity' must be .* sub-0001, sub-0002",
    ),
    "no 0 or 1": (lambda t: t, {"kind": "binary"}, "must be 0 or 1"),
    "not whole": (lambda t: t, {"kind": "ordinal"}, "must be whole"),
    "many levels": (
        lambda t: t.assign(hamd17=np.arange(40)),
        {"kind": "ordinal"},
        "has 40 levels, at most 10",
    ),
    "no trials": (
        lambda t: t.assign(hamd17=np.arange(40) % 5),
        {"kind": "binomial"},
        "needs the column 'n_trials'",
    ),
    "more than trials": (
        lambda t: t.assign(hamd17=[9] + [i % 5 for i in range(39)], n_trials=6),
        {"kind": "binomial"},
        "not for sub-0001",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_tables_that_cannot_be_used(trial: bm.SimulatedTrial, case: str) -> None:
    change, further, words = CASES[case]
    spec = bm.ResponseSpec(**{**GIVEN, **further})
    with pytest.raises(bm.DataContractError, match=words) as caught:
        bm.fit_response(spec, trial.scores, change(trial.outcomes), method="fast")
    assert len(caught.value.problems) == 1


def test_all_problems_in_one_error(trial: bm.SimulatedTrial) -> None:
    table = setting("hamd17", "sub-0004", "many")(trial.outcomes)
    table = setting("arm", "sub-0001", "placebo")(table)
    table = setting("age", "sub-0002", "n/a")(table)
    table = table.assign(propensity=2.0)
    spec = bm.ResponseSpec(**GIVEN, covariates=["age"])
    with pytest.raises(bm.DataContractError) as caught:
        bm.fit_response(spec, trial.scores, table, method="fast")
    assert len(caught.value.problems) == 4


def test_scores_that_cannot_be_used(trial: bm.SimulatedTrial) -> None:
    spec = bm.ResponseSpec(**GIVEN)
    constant = trial.scores.copy(deep=True)
    constant["mean"][:, 1] = 2.0
    constant["covariance"][:] = 0
    with pytest.raises(bm.DataContractError, match="F2 is the same for all patients"):
        bm.fit_response(spec, constant, trial.outcomes, method="fast")
    aware = trial.scores.assign_attrs(arm_aware=1)
    with pytest.raises(bm.SpecError, match="hide_arms"):
        bm.fit_response(spec, aware, trial.outcomes, method="fast")
    observational = bm.ResponseSpec(**{**GIVEN, "assignment": "observational"})
    bm.fit_response(observational, aware, trial.outcomes, method="fast")


def test_columns_that_determine_the_outcome(trial: bm.SimulatedTrial) -> None:
    table = trial.outcomes.assign(x=np.linspace(0, 1, 40), z=np.sin(np.arange(40)))
    table["hamd17"] = 3 * table["x"] - 2 * table["z"]
    spec = bm.ResponseSpec(**GIVEN, covariates=["x", "z"])
    with pytest.raises(bm.DataContractError, match="arm, x, z determine 'hamd17'"):
        bm.fit_response(spec, trial.scores, table, method="fast")


def test_the_fast_method_says_what_it_supports(trial: bm.SimulatedTrial) -> None:
    spec = bm.ResponseSpec(**GIVEN, kind="student")
    with pytest.raises(bm.SpecError, match=r"Gaussian outcomes.*use method='mcmc'"):
        bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    many = bm.simulate_trial(seed=1, n=40, n_factors=9)
    with pytest.raises(bm.SpecError, match="at most 8 factors, got 9"):
        bm.fit_response(bm.ResponseSpec(**GIVEN), many.scores, many.outcomes, method="fast")
    with pytest.raises(bm.SpecError, match="method must be"):
        bm.fit_response(spec, trial.scores, trial.outcomes, method="quick")


def test_usable_tables_are_not_refused(trial: bm.SimulatedTrial) -> None:
    spec = bm.ResponseSpec(**GIVEN, covariates=["sex", "age"], baseline="hamd17_baseline")
    table = trial.outcomes.assign(sex=["F", "M"] * 20, age=trial.outcomes["age"].astype("Int64"))
    fits = [table, setting("hamd17", "sub-0003", "n/a")(table)]
    fits.append(table.assign(hamd17=table["hamd17"].astype(str)))
    fits.append(table.assign(hamd17=table["hamd17"].round().astype("Int64")))
    for given in fits:
        found = bm.fit_response(spec, trial.scores, given, method="fast")
        assert "age" in found["posterior"]["column"].values
    without = bm.fit_response(spec, trial.scores, fits[1], method="fast")
    assert '"sub-0003": "no outcome"' in without.attrs["excluded"]


def test_everybody_who_is_left_out_is_listed_with_the_reason(trial: bm.SimulatedTrial) -> None:
    table = setting("arm", "sub-0002", "n/a")(trial.outcomes)
    table = setting("hamd17", "sub-0003", np.nan)(table).drop(index="sub-0004")
    scores = trial.scores.drop_sel(subject="sub-0005")
    found = bm.fit_response(bm.ResponseSpec(**GIVEN), scores, table, method="fast")
    import json

    assert json.loads(found.attrs["excluded"]) == {
        "sub-0002": "no arm",
        "sub-0003": "no outcome",
        "sub-0004": "no row in the table of outcomes",
        "sub-0005": "no scores (not scanned, or not in the fit)",
    }
    assert isinstance(found, xr.DataTree)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p_star": 0.4}, "p_star"),
        ({"p_star": 1.0}, "p_star"),
        ({"minimum": -1.0}, "minimum"),
        ({"cost": -1.0}, "cost"),
        ({"baseline": "hamd17"}, "same column"),
        ({"covariates": ["hamd17"]}, "which is the outcome"),
        ({"covariates": ["arm"]}, "which is the outcome"),
        ({"assignment": "coin"}, "assignment"),
        ({"kind": "normal"}, "kind"),
        ({"drug_scale": 0.0}, "drug_scale"),
        ({"allow_observational": "because it is needed"}, "observational arms only"),
        ({"assignment": "observational", "allow_observational": "no"}, "three words"),
    ],
)
def test_specs_out_of_range(change: dict[str, object], words: str) -> None:
    with pytest.raises(bm.SpecError, match=words):
        bm.ResponseSpec(**{**GIVEN, **change})
