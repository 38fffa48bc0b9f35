"""Bad input of treatment response through Python: one error, all problems, who, what to do.

Tables that the fit refuses are in ``test_bad_outcomes.py``, cohort folders in
``tests/cohort/test_outcomes.py`` and ``test_bad_input_folders.py``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.response.checks import chains_agree, check_response

GIVEN = {"outcome": "hamd17", "default_arm": "SSRI", "assignment": "randomised"}


@pytest.fixture(scope="module")
def trial() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=1, n=48, n_factors=2, missing="random", missing_share=0.15)


@pytest.fixture(scope="module")
def fitted(trial: bm.SimulatedTrial) -> xr.DataTree:
    return bm.fit_response(bm.ResponseSpec(**GIVEN), trial.scores, trial.outcomes, method="fast")


@pytest.fixture(scope="module")
def new() -> xr.Dataset:
    return bm.simulate_trial(seed=2, n=20, n_factors=2, prefix="new").scores


def refused(call: Callable[[], object], *words: str, problems: int | None = None) -> None:
    """One error of the package that says all of this."""
    with pytest.raises(bm.BayesMDDError) as caught:
        call()
    said = str(caught.value)
    assert all(w in said for w in words), said
    if problems is not None:
        assert isinstance(caught.value, bm.DataContractError)
        assert len(caught.value.problems) == problems, said


def fit(trial: bm.SimulatedTrial, table: object, **changes: object) -> xr.DataTree:
    return bm.fit_response(
        bm.ResponseSpec(**{**GIVEN, **changes}), trial.scores, table, method="fast"
    )


def test_values_outside_the_scale(trial: bm.SimulatedTrial) -> None:
    table = trial.outcomes.copy()
    table["hamd17"] = table["hamd17"].clip(0, 52)
    table["hamd17_baseline"] = table["hamd17_baseline"].clip(0, 52)
    table.attrs["range"] = [0.0, 52.0]
    fit(trial, table, baseline="hamd17_baseline")
    table.loc[["sub-0003", "sub-0001"], "hamd17"] = 77
    table.loc["sub-0004", "hamd17_baseline"] = -1
    refused(
        lambda: fit(trial, table, baseline="hamd17_baseline"),
        "'hamd17' lies outside hamd17 (0 to 52) for sub-0001, sub-0003",
        "'hamd17_baseline' lies outside hamd17 (0 to 52) for sub-0004",
        problems=2,
    )


@pytest.mark.parametrize(
    "name", ["cgi_week4", "madrs_wk_12", "qids-month6", "Endpoint_CGI", "bmi_followup", "week2"]
)
def test_columns_from_after_the_drug_began(trial: bm.SimulatedTrial, name: str) -> None:
    table = trial.outcomes.assign(**{name: np.arange(48) % 7})
    refused(lambda: fit(trial, table, covariates=[name]), f"'{name}'", "after treatment began")
    refused(lambda: fit(trial, table, baseline=name), "after treatment began", problems=1)


@pytest.mark.parametrize(
    "name", ["weeks_ill", "cgi_week0", "month_of_birth", "posture", "endpoints_read", "wk_hours"]
)
def test_other_columns_are_not_refused(trial: bm.SimulatedTrial, name: str) -> None:
    table = trial.outcomes.assign(**{name: np.arange(48) % 7})
    fit(trial, table, covariates=[name])


def test_tables_of_another_form(trial: bm.SimulatedTrial) -> None:
    refused(lambda: fit(trial, [1, 2]), "expected a table (DataFrame)", "got list")
    refused(
        lambda: fit(trial, trial.outcomes.reset_index()),
        "scores are of sub-0001", "outcomes of 0, 1", "set the index to the column",
    )  # fmt: skip
    refused(
        lambda: fit(trial, trial.outcomes, baseline="hamd17_basline", covariates=["agee"]),
        "Did you mean 'hamd17_baseline'?", "Did you mean 'age'?", problems=2,
    )  # fmt: skip


def test_visits_that_cannot_be_used(trial: bm.SimulatedTrial) -> None:
    spec, visits = bm.ResponseSpec(**GIVEN), trial.visits

    def with_visits(table: pd.DataFrame) -> Callable[[], object]:
        return lambda: bm.fit_response(spec, trial.scores, trial.outcomes, table, method="fast")

    refused(with_visits(visits.drop(columns="week")), "no column week", "read_visits")
    refused(with_visits(visits.assign(week=np.nan)), "week of ses-baseline", "not known")
    refused(with_visits(pd.concat([visits, visits.iloc[[3]]])), "sub-0001", "more than once")


def test_missing_outcomes(trial: bm.SimulatedTrial) -> None:
    spec, table = bm.ResponseSpec(**GIVEN), trial.outcomes
    gone = table["hamd17"].isna()
    refused(
        lambda: bm.missing_sensitivity(
            spec, trial.scores, table.assign(missing_reason=np.where(gone, "advers event", ""))
        ),
        "'advers event'", "Did you mean 'adverse_event'?", str(table.index[gone][0]),
    )  # fmt: skip
    whole = table.assign(hamd17=table["hamd17"].fillna(10.0))
    refused(lambda: bm.missing_sensitivity(spec, trial.scores, whole), "nothing missing")
    for wrong in ([-2], [0], "4", [float("nan")], []):
        refused(lambda d=wrong: bm.missing_sensitivity(spec, trial.scores, table, deltas=d),
                "deltas must be a list of points")  # fmt: skip
    # Outcomes are never carried forward, whatever it is called.
    for word in ("locf", "bocf", "impute"):
        refused(lambda w=word: bm.ResponseSpec(**GIVEN, missing=w), "missing must be one of")


def test_new_patients_of_another_kind(fitted: xr.DataTree, new: xr.Dataset) -> None:
    renamed = new.assign_coords(factor=["A", "B"], factor_2=["A", "B"])
    both = renamed.assign_attrs(source="abc", arm_aware=1)
    refused(
        lambda: bm.predict_benefit(fitted, both),
        "factors F1, F2 of the fit are missing", "from run abc", "hide_arms", problems=3,
    )  # fmt: skip
    bad = new.copy(deep=True)
    bad["mean"][0, 0] = np.nan
    refused(lambda: bm.predict_benefit(fitted, bad), "new-0001 is not finite")
    skew = new.copy(deep=True)
    skew["covariance"][3, 0, 1] += 1
    refused(lambda: bm.predict_benefit(fitted, skew), "new-0004 is not symmetric")
    negative = new.assign(covariance=-abs(new["covariance"]) - 1)
    refused(lambda: bm.predict_benefit(fitted, negative), "not positive semi-definite")
    refused(lambda: bm.predict_benefit(fitted, new, p_star=0.4, minimum=-1.0), "0.4 and -1.0")
    refused(lambda: bm.predict_benefit(fitted, new, minimum=float("nan")), "minimum")


def test_a_fitted_patient_is_never_a_new_one(
    fitted: xr.DataTree, trial: bm.SimulatedTrial, new: xr.Dataset
) -> None:
    refused(lambda: bm.predict_benefit(fitted, trial.scores), "were in the fit", "evaluate_policy")
    one = new.assign_coords(subject=["sub-0001", *new["subject"].values[1:].tolist()])
    refused(lambda: bm.predict_benefit(fitted, one), "sub-0001 were in the fit")


def test_evaluations_that_cannot_be(trial: bm.SimulatedTrial) -> None:
    spec, table = bm.ResponseSpec(**GIVEN), trial.outcomes
    refused(
        lambda: bm.evaluate_policy(
            spec, trial.scores, table, folds=40, repeats=0, n_permutations=3
        ),
        "folds must lie between 2 and", "got 40", "repeats", "n_permutations",
    )  # fmt: skip
    few = bm.EvaluationSpec(folds=40)
    # Before the fit, which may take minutes.
    refused(
        lambda: bm.analyse_response(spec, trial.scores, table, evaluation=few),
        "evaluation.folds is 40", "smaller arm has",
    )  # fmt: skip
    refused(
        lambda: bm.assess_moderation(spec, trial.scores, table, n_permutations=5), "at least 99"
    )
    refused(
        lambda: bm.evaluate_policy(
            bm.ResponseSpec(**{**GIVEN, "assignment": "observational"}), trial.scores, table
        ),
        "arms were not randomised", "propensity", "allow_observational",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"outcome": "hamd17"}, ["needs 'default_arm'", "needs 'assignment'"]),
        ({**GIVEN, "defaultarm": "SSRI"}, ["'defaultarm'", "Did you mean 'default_arm'?"]),
        ({**GIVEN, "kind": "binary", "minimum": 1.5}, ["minimum is a difference of prob", "1.5"]),
        ({**GIVEN, "kind": "binary", "cost": 2.0}, ["cost is a difference of probabilities"]),
        ({**GIVEN, "p_star": 1.0, "minimum": -1.0, "cost": -1.0}, ["p_star", "minimum", "cost"]),
        ({**GIVEN, "minimum": "two"}, ["minimum"]),
        ({**GIVEN, "kind": "normal"}, ["kind must be one of", "gaussian"]),
    ],
)
def test_specs(given: dict[str, object], words: list[str]) -> None:
    refused(lambda: bm.ResponseSpec.from_mapping(given), *words)


def test_the_default_is_declared_and_never_chosen(trial: bm.SimulatedTrial) -> None:
    with pytest.raises(TypeError, match="default_arm"):
        bm.ResponseSpec(outcome="hamd17", assignment="randomised")
    silent = trial.outcomes.copy()
    silent.attrs = {}
    refused(lambda: bm.response_spec(silent), "does not declare", "default_arm", "assignment")
    # Not even where the other drug is far better.
    better = trial.outcomes.assign(
        hamd17=trial.outcomes["hamd17"] - 20.0 * (trial.outcomes["arm"] == "SNRI")
    )
    assert fit(trial, better)["posterior"]["arm"].values.tolist() == ["SSRI", "SNRI"]


def test_arms_that_do_not_look_randomised(trial: bm.SimulatedTrial) -> None:
    first = trial.scores["mean"].values[:, 0]
    predicted = trial.outcomes.assign(arm=np.where(first > np.median(first), "SSRI", "SNRI"))
    with pytest.warns(UserWarning, match=r"'score of F1' differs between the arms \(AUC"):
        fit(trial, predicted)
    with pytest.warns(UserWarning, match="expected from the declared probabilities"):
        fit(trial, trial.outcomes.assign(propensity=0.95))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(trial, trial.outcomes.assign(propensity=0.5))


def test_a_chain_apart_is_not_averaged_away(fitted: xr.DataTree, new: xr.Dataset) -> None:
    def with_chains(shift: float) -> xr.DataTree:
        one = fitted["posterior"].to_dataset().isel(chain=0, drop=True)
        parts = [one.isel(draw=slice(k * 200, (k + 1) * 200)) for k in range(4)]
        parts = [p.assign_coords(draw=np.arange(200)) for p in parts]
        # One factor of one chain: an average over variables or chains would not show it.
        parts[3] = parts[3].assign(moderation=parts[3]["moderation"] + xr.DataArray(
            [0.0, shift], dims="factor", coords={"factor": one["factor"]}))  # fmt: skip
        tree = fitted.copy()
        tree["posterior"] = xr.DataTree(xr.concat(parts, dim="chain").assign_coords(chain=range(4)))
        tree["sample_stats"] = xr.DataTree(
            xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, 200), dtype=bool))})
        )
        tree.attrs["method"] = "mcmc"
        return tree

    good, bad = with_chains(0.0), with_chains(10.0)
    assert chains_agree(good)
    assert not chains_agree(bad)
    checks = check_response(bad)
    assert not checks["passed"].fillna(True).all()
    assert checks["name"].astype(str)[checks["passed"] == False].str.contains("R-hat").any()  # noqa: E712
    said = set(bm.predict_benefit(bad, new)["recommendation"].values.tolist())
    assert not said & {"SSRI", "SNRI"}


def test_what_is_left_out_is_listed(fitted: xr.DataTree, trial: bm.SimulatedTrial) -> None:
    gone = set(trial.outcomes.index[trial.outcomes["hamd17"].isna()])
    assert set(json.loads(fitted.attrs["excluded"])) == gone
