"""Expected outcomes and benefits of every kind of outcome, against simulation."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

import bayes_mdd as bm
from bayes_mdd.response.expected import unit_of
from bayes_mdd.response.fit import KIND, _assemble
from bayes_mdd.response.prepare import Prepared, prepare

#: Simulated patients for each draw and patient.
MANY = 100_000
CASES = [
    ("gaussian", False), ("student", False), ("binary", False), ("binary", True),
    ("ordinal", False), ("ordinal", True), ("binomial", False), ("binomial", True),
]  # fmt: skip
#: Two draws of the parameters, as the graph has them: lower is better.
DRAWS = {
    "drug": np.array([0.2, -0.4]),
    "moderation": np.array([[0.9, -0.3], [0.4, 0.5]]),
    "prognosis": np.array([[-0.4, 0.2], [0.1, 0.3]]),
}
CUT = np.array([[-0.8, 0.1, 0.9], [-0.5, 0.3, 1.1]])
DEGREES = np.array([4.0, 9.0])
TRIALS = 12


def prepare_kind(kind: str, higher_is_better: bool) -> Prepared:
    made = bm.simulate_trial(seed=3, n=40, n_factors=2, reliability=0.6)
    y, table = made.outcomes["hamd17"], made.outcomes
    if kind in ("binary", "ordinal"):
        edges = y.quantile([0.5] if kind == "binary" else [0.25, 0.5, 0.75])
        table = table.assign(hamd17=np.digitize(y, edges).astype(float))
    elif kind == "binomial":
        table = table.assign(hamd17=np.clip(y // 3, 0, TRIALS), n_trials=TRIALS)
    spec = bm.ResponseSpec(
        outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="hamd17_baseline",
        kind=kind, higher_is_better=higher_is_better,
    )  # fmt: skip
    return prepare(spec, made.scores, table)


def parameters(prepared: Prepared) -> dict[str, np.ndarray]:
    """Parameters in the unit of the fit, one row per draw."""
    unit = prepared.unit
    columns = prepared.trial.design.shape[1] - (prepared.spec.kind == "ordinal")
    found = {n: unit * x for n, x in DRAWS.items()}
    found["coefficient"] = unit * np.array([[0.1, -0.3], [-0.2, 0.4]])[:, 2 - columns :]
    found["sigma"] = unit * np.array([[0.9, 1.3], [1.1, 0.8]])
    return found


def store(prepared: Prepared, repeats: int) -> xr.DataTree:
    """A fit whose posterior has the two draws, each many times."""
    kind = prepared.spec.kind
    draws = {n: x.repeat(repeats, axis=0)[None] for n, x in parameters(prepared).items()}
    further = {}
    if kind == "ordinal":
        further["cut"] = xr.DataArray(
            CUT.repeat(repeats, axis=0)[None], dims=("chain", "draw", "cut_dim_0")
        )
    if kind == "student":
        further["noise_df"] = xr.DataArray(DEGREES.repeat(repeats)[None], dims=("chain", "draw"))
    if kind not in ("gaussian", "student"):
        del draws["sigma"]
    tree = _assemble(prepared, draws, further)
    tree.attrs.update(
        kind=KIND, method="fast", spec=json.dumps(prepared.spec.to_mapping()),
        other_arm=prepared.other_arm, codings=json.dumps([c.__dict__ for c in prepared.codings]),
    )  # fmt: skip
    return tree


def simulate(
    prepared: Prepared, scores: xr.Dataset, table: pd.DataFrame, patient: int, arm: int, draw: int
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of one patient under one drug, and their means given the drawn scores."""
    rng = np.random.default_rng(patient)
    kind, sign = prepared.spec.kind, prepared.sign
    given = {n: x[draw] for n, x in parameters(prepared).items()}
    mean, covariance = prepared.standardise(
        scores["mean"].values, scores["covariance"].transpose("subject", ...).values
    )
    eta = rng.multivariate_normal(mean[patient], covariance[patient], size=MANY)
    (coding,) = prepared.codings
    row = np.array([1.0, *coding.code(table["hamd17_baseline"])[patient]])
    code = arm - 0.5
    line = row[-len(given["coefficient"]) :] @ given["coefficient"] + eta @ given["prognosis"]
    line = line + code * (given["drug"] + eta @ given["moderation"])
    if kind in ("gaussian", "student"):
        noise = rng.standard_normal(MANY) if kind == "gaussian" else rng.standard_t(
            DEGREES[draw], MANY
        )  # fmt: skip
        value = prepared.level + line
        return sign * (value + given["sigma"][arm] * noise), sign * value
    if kind == "binomial":
        p = norm.cdf(line)
        counts = rng.binomial(TRIALS, p)
        turned = (counts, TRIALS * p) if sign > 0 else (TRIALS - counts, TRIALS * (1 - p))
        return turned
    levels = np.unique(prepared.trial.outcome)
    cut = np.array([0.0]) if kind == "binary" else CUT[draw]
    latent = line + rng.standard_normal(MANY)
    # Latent noise has mean 0: a binary 1 is a latent value above 0.
    index = (latent[:, None] > cut).sum(axis=1)
    edges = np.concatenate([np.full((MANY, 1), -np.inf), np.tile(cut, (MANY, 1))], axis=1)
    above = norm.sf(edges - line[:, None])
    p = above - np.concatenate([above[:, 1:], np.zeros((MANY, 1))], axis=1)
    return sign * levels[index], sign * (p @ levels)


@pytest.fixture(scope="module")
def new() -> bm.SimulatedTrial:
    return bm.simulate_trial(seed=4, n=4, n_factors=2, reliability=0.6, prefix="new")


@pytest.mark.parametrize(("kind", "higher_is_better"), CASES)
def test_expectations_agree_with_simulated_patients(
    kind: str, higher_is_better: bool, new: bm.SimulatedTrial
) -> None:
    prepared = prepare_kind(kind, higher_is_better)
    repeats = 1500
    found = bm.predict_benefit(store(prepared, repeats), new.scores, new.outcomes, minimum=0.1)
    spread = float(prepared.table["hamd17"].std())
    for patient in (0, 2):
        drawn = [
            [simulate(prepared, new.scores, new.outcomes, patient, arm, draw) for arm in (0, 1)]
            for draw in (0, 1)
        ]
        for draw in (0, 1):
            at = dict(draw=draw * repeats, subject=patient)
            expected = found["expected"].isel(chain=0, **at).values
            simulated = [drawn[draw][arm][0].mean() for arm in (0, 1)]
            np.testing.assert_allclose(expected, simulated, atol=0.02 * spread)
        sign = -1.0 if higher_is_better else 1.0
        benefit = sign * np.concatenate([d[0][1] - d[1][1] for d in drawn])
        said = found.isel(subject=patient)
        np.testing.assert_allclose(said["benefit_mean"], benefit.mean(), atol=0.04 * spread)
        for name, at_ in (("lower", 0.05), ("upper", 0.95)):
            np.testing.assert_allclose(
                said[f"benefit_{name}"], np.quantile(benefit, at_), atol=0.08 * spread
            )
        assert float(said["p_benefit"]) == pytest.approx((benefit > 0).mean(), abs=0.03)
        outcomes = np.array([np.concatenate([d[a][0] for d in drawn]) for a in (0, 1)])
        if kind in ("gaussian", "student"):
            wanted = (outcomes <= 7).mean(axis=1)
            np.testing.assert_allclose(said["p_remission"], wanted, atol=0.01)
        if kind == "ordinal":
            for level in said["level"].values:
                at_most = said["p_at_most"].sel(level=level).values
                np.testing.assert_allclose(at_most, (outcomes <= level).mean(axis=1), atol=0.01)


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("gaussian", "points"),
        ("binary", "probability of hamd17 = 1"),
        ("ordinal", "levels of hamd17"),
        ("binomial", "successes of hamd17"),
    ],
)
def test_units_are_named_and_covariates_are_optional(
    kind: str, unit: str, new: bm.SimulatedTrial
) -> None:
    fitted = store(prepare_kind(kind, False), 50)
    found = bm.predict_benefit(fitted, new.scores)
    assert found.attrs["unit"] == unit
    assert "expected" not in found
    average = new.outcomes.assign(hamd17_baseline=prepare_kind(kind, False).codings[0].centre)
    same = bm.predict_benefit(fitted, new.scores, average)
    np.testing.assert_allclose(found["benefit"], same["benefit"], err_msg="the mean covariates")


def test_the_number_of_trials_of_a_patient_counts(new: bm.SimulatedTrial) -> None:
    fitted = store(prepare_kind("binomial", False), 50)
    six, twelve = (
        bm.predict_benefit(fitted, new.scores, new.outcomes.assign(n_trials=n)) for n in (6, TRIALS)
    )
    np.testing.assert_allclose(2 * six["expected"], twelve["expected"])
    default = bm.predict_benefit(fitted, new.scores, new.outcomes)
    np.testing.assert_allclose(default["expected"], twelve["expected"])


def test_remission_as_the_outcome_is_a_probability_of_remission(new: bm.SimulatedTrial) -> None:
    made = bm.simulate_trial(seed=3, n=40, n_factors=2)
    table = made.outcomes.assign(remission=(made.outcomes["hamd17"] <= 12).astype(float))
    spec = bm.ResponseSpec(
        outcome="remission", default_arm="SSRI", assignment="randomised", kind="binary",
        higher_is_better=True,
    )  # fmt: skip
    prepared = prepare(spec, made.scores, table)
    draws = parameters(prepared)
    del draws["sigma"]
    draws["coefficient"] = draws["coefficient"][:, :1]
    tree = _assemble(prepared, {n: x[None] for n, x in draws.items()}, {})
    tree.attrs.update(kind=KIND, spec=json.dumps(spec.to_mapping()), other_arm="SNRI", codings="[]")
    found = bm.predict_benefit(tree, new.scores)
    np.testing.assert_allclose(found["p_remission"], found["expected"].mean(("chain", "draw")))
    gain = found["p_remission"].sel(arm="SNRI") - found["p_remission"].sel(arm="SSRI")
    np.testing.assert_allclose(found["benefit_mean"], gain, atol=0.25)


@pytest.mark.parametrize("kind", ["binary", "ordinal", "binomial"])
def test_the_page_of_outcomes_that_are_not_in_points(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    prepared = prepare_kind(kind, False)
    fitted = store(prepared, 60)
    fitted.attrs.update(seed=1, seconds=0.0)
    monkeypatch.setattr("bayes_mdd.response.analysis.fit_response", lambda *_, **__: fitted)
    scores = bm.simulate_trial(seed=3, n=40, n_factors=2, reliability=0.6).scores
    few = bm.EvaluationSpec(permutations=99, policy_permutations=0, repeats=1)
    found = bm.analyse_response(prepared.spec, scores, prepared.table, evaluation=few)
    assert found.value is None
    size = found.to_mapping()["benefit_sd"]
    assert size["lower"] <= size["mean"] <= size["upper"]
    assert size["mean"] == pytest.approx(found.moderation.benefit_sd.mean())
    said = {
        "binary": "in the probability of hamd17, 90% interval",
        "ordinal": "levels of hamd17, 90% interval",
        "binomial": "in the proportion of hamd17, 90% interval",
    }
    assert said[kind] in found.sentence
    bm.write_response(found, tmp_path)
    page = bm.write_response_report(found, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "SD of the latent outcome (90% interval)" in page
    assert f"gains are estimated in points, and the outcome is {kind}" in page
    assert "Not shown, because the value of a rule is not estimated" in page
    assert unit_of(prepared.spec) in page
