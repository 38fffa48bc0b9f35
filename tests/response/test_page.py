"""What the page says: moderators, numbers needed to treat, icons, balance, baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.response.balance import tabulate_balance
from bayes_mdd.response.figures.benefits import plot_benefits
from bayes_mdd.response.figures.crossover import plot_crossover
from bayes_mdd.response.moderators import describe_moderators
from bayes_mdd.response.page.choice import count_hundred, say_number_needed
from bayes_mdd.response.page.effects import say_moderators, say_prognosis
from bayes_mdd.response.page.further import Further, describe_baselines, read_further
from bayes_mdd.response.page.pictures import draw_crossovers, draw_power, say_detectable
from bayes_mdd.response.page.words import share_out

FEW = bm.EvaluationSpec(permutations=99, policy_permutations=0, folds=3, repeats=1)


@pytest.fixture(scope="module")
def analysis() -> bm.ResponseAnalysis:
    """A trial with two crossovers."""
    trial = bm.simulate_trial(
        seed=4, n=240, n_factors=3, benefit_sd=1.6, moderation={0: 1.0, 2: -0.8}, reliability=0.9
    )
    spec = bm.response_spec(trial.outcomes)
    return bm.analyse_response(spec, trial.scores, trial.outcomes, evaluation=FEW, method="fast")


def test_two_crossovers_are_named_and_drawn(analysis: bm.ResponseAnalysis) -> None:
    table = describe_moderators(analysis.response)
    assert set(table.index[table["named"]]) == {"F1", "F3"}
    assert table.loc[["F1", "F3"], "crossover"].all()
    drawn = draw_crossovers(analysis)
    assert {said for said, _ in drawn} == {"F1: crossover.", "F3: crossover."}
    assert {p.title for _, p in drawn} == {"crossover F1", "crossover F3"}
    said = say_moderators(analysis)
    assert said.startswith("2 moderators named by the posterior (P ≥ 0.95, not tested one by one).")
    slope = analysis.summary.loc["F1", "moderation"]
    better = "SSRI" if slope > 0 else "SNRI"
    assert f"F1: the higher the score, the more favourable {better}" in said
    # At the crossing the expected benefit of a patient with average other scores is 0.
    drug = float(analysis.response["posterior"]["drug"].mean())
    assert drug + slope * table.loc["F1", "crossing"] == pytest.approx(0, abs=1e-9)


def test_a_difference_of_one_sign_is_no_crossover(analysis: bm.ResponseAnalysis) -> None:
    shifted = analysis.response.copy(deep=True)
    shifted["posterior"]["drug"] = shifted["posterior"]["drug"] - 60
    assert not describe_moderators(shifted)["crossover"].any()
    said = say_moderators(replace(analysis, response=shifted))
    assert "the same drug has the better expected outcome" in said


def test_without_a_moderator_the_largest_estimate_is_drawn_and_said_to_be_none(
    analysis: bm.ResponseAnalysis,
) -> None:
    quiet = analysis.response.copy(deep=True)
    # Draws of both signs, and draws without moderation, which have no sign.
    turned = np.where(np.arange(1000) % 3 == 0, 1.0, np.where(np.arange(1000) % 3 == 1, -1.0, 0.0))
    quiet["posterior"]["moderation"] = quiet["posterior"]["moderation"] * turned[None, :, None]
    table = describe_moderators(quiet)
    assert not table["named"].any()
    assert table["probability"].max() < 0.4
    summary = bm.summarise_response(quiet)
    np.testing.assert_allclose(summary["p_moderation"], table["probability"][summary.index])
    silent = replace(analysis, response=quiet)
    ((said, _),) = draw_crossovers(silent)
    assert said.startswith("No moderator is named")
    assert "No factor is named as a moderator" in say_moderators(silent)


def test_prognosis_names_no_drug(analysis: bm.ResponseAnalysis) -> None:
    summary = analysis.summary.assign(p_prognosis=[0.99, 0.6, 0.97], prognosis=[2.0, 0.1, -1.5])
    said = say_prognosis(replace(analysis, summary=summary))
    assert said.startswith("On either drug, higher scores go along: F1 with a worse outcome (2.00 ")
    assert "F3 with a better outcome (-1.50 " in said
    assert "SSRI" not in said and "SNRI" not in said and "predict" not in said
    unclear = replace(analysis, summary=summary.assign(p_prognosis=0.9))
    assert say_prognosis(unclear).startswith("No factor goes clearly with the outcome")


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        ((0.1, 0.05, 0.2), "10 [5, 20]"),
        ((0.1, -0.01, 0.2), "not determinable"),
        ((0.1, 0.0, 0.2), "not determinable"),
        ((-0.1, -0.2, 0.0), "not determinable"),
        ((-0.1, -0.2, -0.05), "one remission less for every 10 [5, 20]"),
        ((0.0, 0.0, 0.0), "not determinable"),
    ],
)
def test_numbers_needed_to_treat(difference: tuple[float, float, float], said: str) -> None:
    names = ("remission", "remission_lower", "remission_upper")
    assert say_number_needed(pd.Series(dict(zip(names, difference, strict=True)))) == said


def test_a_hundred_patients_are_those_of_the_held_out_rule(analysis: bm.ResponseAnalysis) -> None:
    counts = count_hundred(analysis)
    assert sum(counts.values()) == 100
    preference = analysis.value.people["preference"]
    other, default, none = counts.values()
    assert next(iter(counts)) == "other drug (SNRI preferred to SSRI)"
    for n, code in ((other, 1), (default, -1), (none, 0)):
        assert n == pytest.approx(100 * (preference == code).mean(), abs=1)
    chosen = analysis.value.people["other_drug"]
    assert ((preference == 1) == chosen).all()
    assert share_out([0.004, 0.006, 0.99]) == [0, 1, 99]
    assert count_hundred(replace(analysis, value=None)) == {}


def test_power_is_that_of_the_trial(analysis: bm.ResponseAnalysis) -> None:
    said = say_detectable(analysis)
    assert f"a benefit SD of {analysis.detectable:.1f} points with a power of 0.8" in said
    assert draw_power(analysis) is not None
    none = replace(analysis, plan=None, detectable=None)
    assert say_detectable(none) == "" and draw_power(none) is None


def test_balance_compares_arms_before_treatment() -> None:
    spec = bm.ResponseSpec(
        outcome="hamd17", default_arm="SSRI", assignment="randomised", baseline="before"
    )
    table = pd.DataFrame(
        {
            "arm": ["SNRI", "SNRI", "SSRI", "SSRI", "SSRI", None],
            "hamd17": 1.0,
            "before": [20.0, 24.0, 18.0, 20.0, np.nan, 99.0],
            "sex": ["F", "M", "F", "F", "n/a", "F"],
            "site": ["a", "b", "a", "b", "c", "a"],
            "note": "x",
        }
    )
    found = tabulate_balance(spec, table)
    assert list(found["column"]) == ["before", "sex", "site", "site", "site"]
    before = found.iloc[0]
    assert (before["default"], before["other"]) == (19.0, 22.0)
    assert (before["default_n"], before["other_n"]) == (2, 2)
    assert before["difference"] == pytest.approx(3 / np.sqrt((2 + 8) / 2))
    sex = found.iloc[1]
    assert (sex["level"], sex["default"], sex["other"]) == ("F", 100.0, 50.0)
    assert sex["default_n"] == 2
    assert not found["difference"].isna().all()


def test_figures_of_the_page_hold_no_mark_of_a_single_patient(
    analysis: bm.ResponseAnalysis,
) -> None:
    def count_marks(figure) -> int:
        marks = [len(c.get_offsets()) for ax in figure.axes for c in ax.collections]
        lines = [len(line.get_xdata()) for ax in figure.axes for line in ax.lines
                 if line.get_linestyle() == "None"]  # fmt: skip
        return max([*marks, *lines])

    people = analysis.value.people
    arms = ("SSRI", "SNRI")
    assert count_marks(plot_crossover(analysis.response)) >= 100
    assert count_marks(plot_crossover(analysis.response, points=False)) <= 6
    assert count_marks(plot_benefits(people, arms=arms)) == len(people)
    assert count_marks(plot_benefits(people, arms=arms, points=False)) == 20
    few = plot_benefits(people.head(12), arms=arms, points=False)
    assert count_marks(few) == 2, "groups of at least five"


BASELINES = pd.DataFrame(
    {
        "method": ["majority", "clinical", "ridge"], "view": ["none", "clinical", "imaging"],
        "auc": [0.5, 0.66, 0.84], "auc_lower": [0.5, 0.6, 0.8], "auc_upper": [0.5, 0.7, 0.9],
        "leaky": [False, False, True], "label": ["", "", "LEAKY: screened outside the folds"],
    }
)  # fmt: skip


def test_baselines_are_read_from_the_run_folder(tmp_path) -> None:
    assert describe_baselines(read_further(tmp_path)) is None
    BASELINES.to_csv(tmp_path / "baselines.tsv", sep="\t", index=False, na_rep="n/a")
    found = describe_baselines(read_further(tmp_path))
    assert [r["leaky"] for r in found["rows"]] == [False, False, True]
    assert found["measures"] == ["area under the curve"]
    assert found["rows"][2]["label"].startswith("LEAKY")
    assert len(found["pictures"]) == 1
    indexed = Further(baselines=BASELINES.set_index(["method", "view"]))
    assert describe_baselines(indexed)["rows"] == found["rows"]


def test_chains_that_disagree_give_no_recommendation(analysis: bm.ResponseAnalysis) -> None:
    new = bm.simulate_trial(seed=9, n=20, n_factors=3, prefix="new").scores
    fitted = analysis.response.copy(deep=True)
    fitted.attrs["method"] = "mcmc"
    sound = bm.predict_benefit(fitted, new)["recommendation"].values
    assert "not given: chains disagree" not in sound
    drug = fitted["posterior"]["drug"]
    fitted["posterior"]["drug"] = drug + np.array([9.0, 0, 0, 0])[:, None]
    said = bm.predict_benefit(fitted, new)["recommendation"].values
    assert set(said) == {"not given: chains disagree"}
