"""Factors fitted again in each fold."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.studies.stage_one import _supported

FACTORS = bm.AnalysisSpec(model={"n_factors": 2}, reference={"covariates": ("age",)})


@pytest.fixture(scope="module")
def trial():
    return bm.simulate_trial(
        seed=5, n=40, benefit_sd=1.0, reliability=0.95, n_factors=2, n_regions=14, features=True,
        n_controls=14,
    )  # fmt: skip


@pytest.fixture(scope="module")
def spec(trial):
    return bm.response_spec(trial.outcomes)


def test_held_out_scans_do_not_teach_the_factors() -> None:
    trial = bm.simulate_trial(
        seed=5, n=30, benefit_sd=1.0, reliability=0.95, n_factors=1, n_regions=8, features=True,
        n_controls=14,
    )  # fmt: skip
    factors = bm.AnalysisSpec(model={"n_factors": 1}, reference={"covariates": ("age",)})
    names = trial.outcomes.index.tolist()
    train, test = names[:24], names[24:]
    planted = trial.features.copy(deep=True)
    at = planted["subject"].isin(test)
    # Edges of held-out people tell their outcomes.
    told = trial.outcomes["hamd17"].reindex(planted["subject"].values).fillna(0).to_numpy()
    planted["y"][:, :5] += (at * told).values[:, None]
    plain, other = (
        bm.StageOne(features=f, factors=factors)([(train, test)])[0]
        for f in (trial.features, planted)
    )
    assert plain.train.identical(other.train)
    assert plain.train["subject"].values.tolist() == train, "controls are the reference"
    assert plain.test["subject"].values.tolist() == test
    assert not np.array_equal(plain.test["mean"].values, other.test["mean"].values)
    # Sound scans: the factors are found again in held-out people.
    eta = trial.truth["eta"].sel(subject=test).values
    assert abs(np.corrcoef(eta.T, plain.test["mean"].values.T)[0, 1]) > 0.6


@pytest.mark.parametrize(("n", "kept"), [(6, 2), (4, 1), (3, 0)])
def test_small_training_sets_get_as_many_factors_as_they_support(trial, n, kept) -> None:
    """The first of the folds in a row may have a dozen patients or fewer."""
    patients = trial.features.isel(subject=slice(n))
    patients = patients.assign_coords(sex=("subject", np.array(["F"] * n, dtype=object)))
    model = bm.SharedSpecificSpec(n_factors=2, covariates=("age", "sex"))
    found = _supported(model, bm.hide_arms(patients))
    assert (0 if found is None else found.n_factors) == kept
    assert found is None or found.covariates == ("age",), "sex does not vary"


def test_features_and_factors_belong_together(trial, spec) -> None:
    with pytest.raises(SpecError, match="pass factors"):
        bm.evaluate_policy(spec, trial.features, trial.outcomes)
    with pytest.raises(SpecError, match="factors is for features"):
        bm.evaluate_policy(spec, trial.scores, trial.outcomes, factors=FACTORS)
    with pytest.raises(SpecError, match="'refit' or 'once', got 'twice'"):
        bm.evaluate_policy(spec, trial.scores, trial.outcomes, stage_one="twice")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"controls": "arm"}, "controls must be 'reference'"),
        ({"n_factors": 9}, "n_factors must be at most 8, got 9"),
        ({"feature_noise": "student"}, "fits within folds take the fast method"),
    ],
)
def test_models_that_cannot_be_fitted_again(trial, change, words) -> None:
    with pytest.raises(SpecError, match=words):
        bm.StageOne(features=trial.features, factors=bm.SharedSpecificSpec(**change))


@pytest.mark.slow
def test_the_value_with_everything_fitted_again(trial, spec) -> None:
    options = {"factors": FACTORS, "folds": 3, "repeats": 1, "n_permutations": 39}
    again = bm.evaluate_policy(spec, trial.features, trial.outcomes, **options)
    once = bm.evaluate_policy(spec, trial.features, trial.outcomes, stage_one="once", **options)
    assert (again.stage_one, once.stage_one) == ("refit", "once")
    assert again.people.index.tolist() == once.people.index.tolist()
    r = np.corrcoef(again.people["benefit"], once.people["benefit"])[0, 1]
    assert r > 0.2, "few patients and few folds: alike, not equal"
    assert np.isfinite(again.table["gain"]).all()


@pytest.mark.slow
def test_fits_in_other_processes_are_the_same(trial) -> None:
    names, said = trial.outcomes.index.tolist(), []
    pairs = [(names[10:], names[:10]), (names[:30], names[30:]), (names[:30], names[30:])]
    found = bm.StageOne(features=trial.features, factors=FACTORS, n_jobs=2, tell=said.append)(pairs)
    assert found[1].test.identical(found[2].test)
    (alone,) = bm.StageOne(features=trial.features, factors=FACTORS)(pairs[1:2])
    # The other scans of the first call belong to patients of a trial, too.
    assert alone.test["subject"].equals(found[1].test["subject"])
    assert len(said) == 1
    assert "fitted again 3 times" in said[0]


@pytest.mark.slow
def test_the_command_refits_by_default(tmp_path, run_cli) -> None:
    import json

    made = bm.simulate_trial(
        seed=5, n=44, benefit_sd=1.0, reliability=0.9, n_factors=2, n_regions=14, n_controls=12,
        features=True, whole_points=True,
    )  # fmt: skip
    bm.write_trial(made, tmp_path / "trial")
    settings = [
        "--set", "stage_one.model.n_factors=2", "--set", "evaluation.folds=2",
        "--set", "evaluation.permutations=99", "--set", "evaluation.policy_permutations=19",
        "--set", "evaluation.refit_repeats=1", "--fast",
    ]  # fmt: skip
    for words, said in (((), "fitted again"), (("--stage-one", "once"), "estimated once")):
        out = tmp_path / ("once" if words else "refit")
        done = run_cli("response", "treatment_response", tmp_path / "trial", "-o", out,
                       *settings, *words)  # fmt: skip
        assert done.status in (0, 1), done.err
        assert said in done.out
        policy = json.loads((out / "response" / "verdict.json").read_text("utf-8"))["policy"]
        assert policy["stage_one"] == out.name
        assert said in (out / "response" / "report.html").read_text("utf-8")
        assert ("about" in done.err and "min" in done.err) is not bool(words)
    twice = run_cli(
        "response", "treatment_response", tmp_path / "trial", "--stage-one", "once",
        "--set", "evaluation.stage_one=refit",
    )  # fmt: skip
    assert twice.status == 2
    assert "set the same value" in twice.err
