"""Tables of the report: factors, symptoms and additional analyses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from fakes import make_fake_idata

from bayes_mdd import classify_factors, signatures, summarise_symptom_links
from bayes_mdd.features.sample import describe_sample
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.page import Table
from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.report import cards
from bayes_mdd.shared_specific.report.factor_tables import (
    tabulate_factors,
    tabulate_means,
    tabulate_reliabilities,
)
from bayes_mdd.shared_specific.report.sensitivity import gather_analyses
from bayes_mdd.shared_specific.report.symptom_tables import tabulate_links, tabulate_raw_scores


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.lines]


def test_factors_are_tabulated_for_one_and_for_several_arms(fake_idata):
    used = classify_factors(fake_idata).iloc[:3]
    table = tabulate_factors(used, ["SSRI", "SNRI"], 0.9)
    assert [c.title for c in table.heads][2:5] == [
        "P(shared)",
        "P(SSRI-specific)",
        "P(SNRI-specific)",
    ]
    assert table.lines[0].cells[0].href == "#factor-F1" and "chains agree" not in str(table.columns)
    one = classify_factors(make_fake_idata(arms=["drug"], disagreeing=("F2",))).iloc[:3]
    table = tabulate_factors(one, ["drug"], 0.9)
    assert [c.title for c in table.heads] == [
        *("factor", "label", "variance in drug, %", "blocks", "reliability", "chains agree")
    ]
    assert table.lines[1].cls == "quiet" and table.lines[1].cells[0].href == ""
    assert tabulate_reliabilities(read_result(fake_idata), used, RULES) is None
    assert len(tabulate_means(used, ["SSRI", "SNRI"], RULES, "against").lines) == 3


def test_cards_name_edges_and_regions_with_intervals(fake_idata, monkeypatch):
    monkeypatch.setattr(cards, "plot_connectome", lambda *a, **k: None)
    monkeypatch.setattr(cards, "plot_top_edges", lambda *a, **k: None)
    monkeypatch.setattr(cards, "embed", lambda figure, title, alt, caption="": title)
    table, sig = classify_factors(fake_idata), signatures(fake_idata)
    made = cards.make_cards(
        read_result(fake_idata),
        table,
        sig,
        ["F2"],
        links=summarise_symptom_links(fake_idata),
        top_edges=10,
        ci_prob=0.9,
    )
    (card,) = made
    assert card.id == "factor-F2" and card.title.startswith("F2 SSRI-specific")
    facts = dict(card.facts)
    assert "specific to SSRI > 0.99" in facts["Probability"]
    assert "cognitive -0.40 [" in facts["Symptom links (90% interval)"]
    edges, regions = texts(card.edges[0]), texts(card.regions[0])
    assert all("CCN" in row[0] and "[" in row[2] for row in edges[:3])
    assert regions[0][0].startswith("CCN") and "[" in regions[0][2] and " of 9" in regions[0][3]
    empty = sig.assign(lower=-np.abs(sig["mean"]) - 1, upper=np.abs(sig["mean"]) + 1)
    nothing = cards.make_cards(
        read_result(fake_idata), table, empty, ["F1"], links=None, top_edges=5, ci_prob=0.9
    )
    assert not nothing[0].edges and not nothing[0].regions and len(nothing[0].pictures) == 1


def test_raw_scores_stand_beside_the_links(fake_idata):
    ids = [f"s{i}" for i in range(30)]
    on = {"arm": ("subject", ["a"] * 26 + ["b"] * 4)}
    scores = pd.DataFrame({"core": np.arange(30.0)}, index=ids)
    scores.iloc[0] = np.nan
    sample = describe_sample(xr.Dataset(coords={"subject": ids} | on), scores, linked=["core"])
    table = tabulate_raw_scores(sample, ["core"])
    assert table is not None
    assert texts(table)[0][:5] == ["core", "a", "25", "1", "13.00"]
    assert texts(table)[1] == ["core", "b", "4", "0", "withheld", "withheld", "withheld"]
    assert tabulate_raw_scores(sample, ["other"]) is None
    links = tabulate_links(summarise_symptom_links(fake_idata), classify_factors(fake_idata), "90%")
    assert texts(links)[0][:3] == ["F1", "retardation", "SD"]


def test_analyses_that_were_not_run_have_a_command():
    parts = gather_analyses({}, tabulate_checks([]))
    assert [p.result for p in parts] == ["", "", ""]
    options = ("--predictive", "--permutations", "--sensitivity")
    assert all(o in p.command for o, p in zip(options, parts, strict=True))
    wrong = pd.DataFrame({"x": [1]})
    alone = pd.DataFrame({"permutation": [0], "max_p_specific": ["text"]})
    assert not gather_analyses({"permutations": alone}, tabulate_checks([]))[1].result
    named = dict.fromkeys(("predictive_checks", "permutations", "prior_sensitivity"), wrong)
    assert [p.result for p in gather_analyses(named, tabulate_checks([]))] == ["", "", ""]


def test_analyses_say_what_they_showed():
    predictive = pd.DataFrame(
        {
            "check": ["residual kurtosis", "residual SD, between arms"],
            "observed": [0.5, np.nan],
            "expected": [0.0, 1.0],
            "p_value": [0.001, 0.4],
            "meaning": ["tails", "arms"],
        }
    )
    checks = tabulate_checks(
        [Check("predictive p: residual kurtosis", 0.001, ">= 0.01", False, "")]
    )
    permutations = pd.DataFrame({"permutation": [2, 0, 1], "max_p_specific": [0.3, 0.97, 0.98]})
    priors = pd.DataFrame(
        {
            "quantity": ["sharing", "explained"],
            "factor": ["F1", "F2"],
            "arm": ["a", np.nan],
            "mean": [0.5, 0.1],
            "rests_on": ["sharing", np.nan],
            "diagnosis": ["strong prior or weak data", np.nan],
        }
    )
    analyses = {
        "predictive_checks": predictive,
        "permutations": permutations,
        "prior_sensitivity": priors,
    }
    first, second, third = gather_analyses(analyses, checks)
    assert first.result.startswith("One of 2 statistics differ from what the model expects")
    assert [row[4] for row in texts(first.tables[0])] == ["failed", "not judged"]
    assert "was 0.97 with the arms as they are and at most 0.98 in 2 permutations (p = 0.67" in (
        second.result
    )
    assert third.result == "1 of 2 reported quantities depend on a prior."
    assert texts(third.tables[0]) == [
        ["F1", "sharing", "a", "", "0.5", "sharing", "strong prior or weak data"]
    ]
    none = priors.assign(diagnosis=np.nan)
    said = gather_analyses({"prior_sensitivity": none}, checks)[2].result
    assert said == "None of 2 reported quantities depends on a prior."
