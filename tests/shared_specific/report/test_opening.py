"""The first screen says what the data support, what not, and turns where checks failed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from fakes import make_fake_idata, with_reliability

from bayes_mdd import classify_factors, summarise_symptom_links
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.result import read_result
from bayes_mdd.results.study import Study, read_study_facts
from bayes_mdd.shared_specific.report.key_checks import choose_key_checks
from bayes_mdd.shared_specific.report.opening import Opening, write_opening

RANDOMISED = Study(assignment="randomised", session="baseline", synthetic=True)


def make_checks(*failed: str, unjudged: tuple[str, ...] = ()) -> pd.DataFrame:
    """Some checks of a fit, of which those named failed."""
    names = [
        "divergences",
        "max R-hat of invariants",
        "independent share of the features",
        "covariates of head motion",
        "values beyond 8 SD",
        "arm by site",
    ]
    more = [n for n in failed if n not in names]
    return tabulate_checks(
        Check(n, 1.0, "< 2", None if n in unjudged else n not in failed, f"Mend {n}.")
        for n in [*names, *more]
    )


DATA = ("values beyond 8 SD", "arm by site")


def opening(idata, checks=None, study=RANDOMISED, *, limits=None) -> Opening:
    result = read_result(idata)
    linked = result.holds("posterior", "symptom_weight")
    return write_opening(
        result,
        classify_factors(idata),
        make_checks() if checks is None else checks,
        study,
        data=DATA,
        links=summarise_symptom_links(idata) if linked else None,
        n_considered=4,
        limits=limits,
    )


def test_claims_carry_probabilities_and_what_they_are_not(fake_idata):
    got = opening(fake_idata)
    assert got.state == "clear"
    assert got.headline == (
        "Three patterns of brain connectivity: one shared by all arms, one specific to SNRI and "
        "one specific to SSRI"
    )
    text = got.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Among 23 simulated patients (12 SSRI and 11 SNRI), the data support three" in text
    assert "One is shared (F1; P > 0.99): patients of every arm differ along it." in text
    assert "One is specific to SNRI (F3; P > 0.99) and one to SSRI (F2; P > 0.99)" in text
    assert "Linked with symptoms: F1 with retardation and F2 with cognitive." in text
    assert "reliability is unknown" in text
    assert "they differ by chance alone" in text and "not an effect of the drug" in text
    assert "assumption that errors of the features are independent; its check passed." in text
    assert got.paragraph[0].label == "What the data support."


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (Study(), "Whether arms were randomised is not stated"),
        (Study(assignment="observational"), "Arms were not randomised: patients may have"),
        (Study(assignment="randomised"), "one time point cannot show a change"),
        (Study(assignment="randomised", session="ses-week8"), "cannot show a change"),
        (Study(assignment="randomised", session="pretreatment"), "scanned before treatment"),
        (Study(assignment="randomised", session="bl"), "scanned before treatment"),
    ],
)
def test_how_arms_came_about_decides_what_is_not_shown(fake_idata, study, said):
    text = opening(fake_idata, study=study).text
    assert said in text and "not an effect of the drug" in text
    assert "simulated" not in text


def test_a_change_has_other_caveats(fake_idata):
    fake_idata.attrs["estimand"] = "change"
    text = opening(fake_idata).text
    assert "differ in the change of brain connectivity" in text
    assert "regression to the mean" in text and "chance alone" not in text
    text = opening(fake_idata, study=Study()).text
    assert "not known to be randomised" in text and "not an effect of a drug" in text


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        ("max R-hat of invariants", "chains of the sampler disagree"),
        ("independent share of the features", "noise can pass for a pattern"),
        ("covariates of head motion", "a pattern may be motion"),
        ("p of the largest P(specific), 19 permutations of arms", "no pattern should be called"),
        ("results that rest on a prior (power-scaling)", "depend on a prior"),
        ("something new", "the numbers on this page may be wrong"),
    ],
)
def test_failed_checks_turn_the_screen_and_withhold_claims(fake_idata, failed, said):
    got = opening(fake_idata, make_checks(failed))
    assert got.state == "stop" and got.headline == "Do not interpret these results yet"
    assert said in got.text and "supports no conclusion about these simulated data" in got.text
    assert f"Mend {failed}." in got.text
    assert "F1" not in got.text and "shared (" not in got.text and "P >" not in got.text


def test_problems_of_the_data_or_of_an_assumption_come_before_the_claims(fake_idata):
    got = opening(fake_idata, make_checks("arm by site", "predictive p: residual kurtosis"))
    assert got.state == "caution" and got.headline.startswith("Interpret with caution. Three")
    assert got.paragraph[0].label == "Why caution is needed."
    assert "Two checks failed." in got.text and "may be that of a scanner" in got.text
    assert "An assumption of the model does not hold" in got.text
    assert "not an effect of the drug" in got.text


def test_where_nothing_was_found_it_is_said_first():
    limits = pd.DataFrame(
        {
            "pattern": ["smooth", "edge-wise"],
            "factor": ["shared", "shared"],
            "explained": [0.03, 0.06],
        }
    )
    got = opening(make_fake_idata(idle=(0, 1, 2)), limits=limits)
    assert got.headline == "No pattern of brain connectivity is supported by these data"
    assert "This does not show that there is none." in got.text
    assert "a smooth pattern 3.0% if shared" in got.text
    assert "not an effect" not in got.text and "Linked" not in got.text


def test_fits_of_one_arm_three_arms_controls_and_regions():
    one = opening(make_fake_idata(arms=["drug"], per_arm=60, symptoms=False))
    assert one.headline == "Three patterns of brain connectivity in drug"
    assert "specific" not in one.text and "effect of the drug" not in one.text
    three = opening(make_fake_idata(arms=["a", "b", "c"], symptoms=False))
    assert "(12 a, 11 b and 10 c)" in three.text
    controls = opening(make_fake_idata(arms=["HC", "SSRI"], symptoms=False))
    assert "Among 23 simulated participants" in controls.text
    regional = opening(make_fake_idata(regional=True, symptoms=False))
    assert "brain patterns" in regional.headline and "measured brain features" in regional.text


def test_a_fixed_pattern_and_a_fast_fit_are_said():
    fixed = opening(make_fake_idata(fixed=True))
    assert "which arm has them was fixed beforehand, not found" in fixed.headline
    assert "fixed by the analyst" in fixed.text
    idata = make_fake_idata()
    idata.attrs["method"] = "fast"
    assert "This is a fast fit, so all numbers are approximate." in opening(idata).text


def test_patterns_without_a_name_have_a_reason():
    idata = with_reliability(make_fake_idata(), halves=[0.98, 0.5, 0.1, np.nan])
    got = opening(idata)
    assert got.headline.endswith("one undecided and one not nameable (state or motion)")
    assert "F2 is undecided, because its reliability is open." in got.text
    assert "F3 is as different within a scan" in got.text and "must not be named" in got.text
    assert "Only F1 is shown to be reliable between the halves of a scan" in got.text
    assert "F2 (not stable) with cognitive" in got.text
    lost = opening(make_fake_idata(disagreeing=("F1", "F2")))
    assert lost.headline == "One pattern of brain connectivity, specific to SNRI"
    assert "About F1 and F2 nothing is said, because the chains disagree" in lost.text


def test_all_patterns_reliable_over_two_sessions():
    idata = with_reliability(make_fake_idata(), sessions=[0.9, 0.8, 0.85, np.nan])
    text = opening(idata).text
    assert "All three are reliable between two sessions (reliability 0.80 to 0.90)." in text


def test_key_checks_are_chosen_by_rule(fake_idata):
    table = classify_factors(fake_idata)

    def names(checks, table=table):
        chosen, more = choose_key_checks(checks, table, DATA)
        return [(c.state, c.detail.partition(":")[0]) for c in chosen], more

    rhat, share = "max R-hat of invariants", "independent share of the features"
    motion = "covariates of head motion"
    assert names(make_checks()) == ([("passed", rhat), ("passed", share), ("passed", motion)], 0)
    # One failed check stands for its group; failed ones come first.
    got, more = names(make_checks("divergences", "arm by site"))
    assert got == [("failed", "divergences"), ("failed", "arm by site"), ("passed", share)]
    assert more == 0
    got, more = names(make_checks("divergences", rhat, "arm by site", "values beyond 8 SD"))
    assert [s for s, _ in got] == ["failed"] * 3 and more == 1
    assert {n for _, n in got} >= {"divergences", "values beyond 8 SD"}
    # What could not be judged comes before what passed, with the reason.
    chosen, _ = choose_key_checks(make_checks(unjudged=(share,)), table, DATA)
    assert chosen[0].state == "not judged" and "Mend independent share" in chosen[0].detail
    # Reliability in place of motion, where it is known.
    known = classify_factors(with_reliability(fake_idata, halves=[0.98, 0.98, 0.1, np.nan]))
    chosen, _ = choose_key_checks(make_checks(), known, DATA)
    assert chosen[0].title == "Not all patterns are reliable"
    assert chosen[0].detail.startswith("2 of 3")
    assert names(make_checks().head(1))[0] == []
    failed = choose_key_checks(make_checks(rhat), table, DATA)[0][0]
    assert failed.title == "Not met: independent chains agree"


def test_facts_of_the_study_are_read_from_features_and_views(fake_idata):
    def facts(**features: object) -> Study:
        fake_idata.attrs["features_provenance"] = json.dumps(features)
        return read_study_facts(read_result(fake_idata))

    assert facts() == Study()
    study = {"name": "A", "synthetic": True, "assignment": "observational", "networks": {"X": "x"}}
    got = facts(study=study, session="ses-baseline")
    assert (got.name, got.synthetic, got.assignment, got.session) == (
        *("A", True, "observational"),
        "baseline",
    )
    assert got.at_baseline and not facts(session="ses-followup").at_baseline
    assert facts(source="bayes_mdd.simulate").synthetic
    views = {"fc": "not JSON", "alff": json.dumps({"study": study})}
    assert facts(source="views", views=views).name == "A"
    assert facts(study="text", views=3) == Study()
