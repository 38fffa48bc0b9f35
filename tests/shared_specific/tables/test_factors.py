"""Factors are named by what the draws say, and left unnamed when they say too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import EXPLAINED, make_fake_idata, with_reliability

from bayes_mdd import classify_factors
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.tables.factors import overview
from bayes_mdd.shared_specific.tables.links import summarise_symptom_links
from bayes_mdd.shared_specific.tables.stability import (
    further_factors,
    leading_factors,
    tabulate_reliability,
)

PROMISED = [
    "factor",
    "label",
    "active",
    "p_shared",
    "p_specific_SSRI",
    "p_specific_SNRI",
    "explained_SSRI",
    "explained_SNRI",
]


def with_sharing(idata: xr.DataTree, first_arm: np.ndarray, factor: int = 0) -> xr.DataTree:
    """Give one factor these shares of the first of two arms (a number a draw)."""
    posterior = idata["posterior"].to_dataset().copy(deep=True)
    shape = posterior["sharing"].shape[:2]
    posterior["sharing"].values[:, :, 0, factor] = first_arm.reshape(shape)
    posterior["sharing"].values[:, :, 1, factor] = 1 - first_arm.reshape(shape)
    out = idata.copy()
    out["posterior"] = xr.DataTree(posterior)
    return out


def test_truth_is_labelled(fake_idata):
    table = classify_factors(fake_idata)
    assert table["label"].tolist() == ["shared", "SSRI-specific", "SNRI-specific", "unused"]
    assert table["active"].tolist() == [True, True, True, False]
    assert set(PROMISED) <= set(table.columns)
    assert "p_partial" not in table.columns
    chances = table[["p_shared", "p_specific_SSRI", "p_specific_SNRI"]]
    np.testing.assert_allclose(chances[:3].sum(axis=1), 1.0)
    # Of an unused factor the prior alone would speak.
    withheld = ["mean_SSRI", "p_mean_differs", "reliability", "leverage"]
    assert chances.loc[3].isna().all() and table.loc[3, withheld].isna().all()
    assert table.loc[0, "explained_SSRI"] == pytest.approx(EXPLAINED[0], rel=0.15)
    inside = table["explained_SNRI"].between(
        table["explained_SNRI_lower"], table["explained_SNRI_upper"]
    )
    assert inside.all()
    assert table["networks"].tolist()[0] in ("DMN-DMN, DMN-CCN", "DMN-CCN, DMN-DMN")
    assert table["networks"].tolist()[3] == "n/a"
    assert table.loc[0, "networks_share"] > 0.8
    assert "P > 0.99" in table.loc[1, "verdict"]


def test_means_are_told_apart_from_spread(fake_idata):
    table = classify_factors(fake_idata)
    assert table["mean_label"].tolist()[:2] == ["differs", "alike"]
    assert table["mean_label"].tolist()[3] == "n/a"  # an unused factor has no mean to speak of
    first = table.loc[0]
    assert first["label"] == "shared"
    assert first["mean_SSRI"] == pytest.approx(0.5, abs=0.05)
    assert first["mean_SSRI"] == pytest.approx(-first["mean_SNRI"])
    assert first["mean_SSRI_lower"] < first["mean_SSRI"] < first["mean_SSRI_upper"]
    assert first["p_mean_differs"] > 0.99
    wide = classify_factors(fake_idata, mean_rope=5.0)
    assert wide["mean_label"].tolist()[0] == "alike"


def test_a_fit_without_means_has_no_say_about_them(fake_idata):
    bare = fake_idata.copy()
    bare["posterior"] = xr.DataTree(fake_idata["posterior"].to_dataset().drop_vars("arm_mean"))
    table = classify_factors(bare)
    assert table["mean_label"].tolist() == ["n/a"] * 4
    assert table[["mean_SSRI", "p_mean_differs"]].isna().all(axis=None)


def test_probability_of_specific_counts_draws(fake_idata):
    share = np.full(300, 0.5)
    share[:60] = 0.95  # the other arm below 10 %
    share[60:90] = 0.05
    table = classify_factors(with_sharing(fake_idata, share))
    row = table.iloc[0]
    assert row["p_specific_SSRI"] == pytest.approx(60 / 300)
    assert row["p_specific_SNRI"] == pytest.approx(30 / 300)
    assert row["p_shared"] == pytest.approx(210 / 300)
    assert row["label"] == "undecided"
    assert "No claim" in row["verdict"] and "P(shared) = 0.70" in row["verdict"]
    lenient = classify_factors(with_sharing(fake_idata, share), probability=0.6)
    assert lenient["label"][0] == "shared"


@pytest.mark.parametrize(("below", "label"), [(0.10, "shared"), (0.20, "SSRI-specific")])
def test_the_ten_percent_is_an_argument(fake_idata, below, label):
    table = classify_factors(with_sharing(fake_idata, np.full(300, 0.85)), specific_below=below)
    assert table["label"][0] == label


def test_swapping_arms_mirrors_the_table(fake_idata):
    swapped = fake_idata.copy()
    posterior = fake_idata["posterior"].to_dataset().isel(arm=[1, 0])
    swapped["posterior"] = xr.DataTree(posterior)
    a, b = classify_factors(fake_idata), classify_factors(swapped)
    # Only the sentence lists the arms in their order.
    pd.testing.assert_frame_equal(a.drop(columns="verdict"), b[a.columns].drop(columns="verdict"))


def test_chains_that_disagree_claim_nothing():
    idata = make_fake_idata(disagreeing=("F2", "F4"))
    table = classify_factors(idata).set_index("factor")
    assert table["label"].to_dict() == {
        "F1": "shared",
        "F2": "n/a",
        "F3": "SNRI-specific",
        "F4": "unused",
    }
    assert not table.loc["F2", "reproducible"]
    assert "chains disagree" in table.loc["F2", "verdict"]


def test_a_factor_active_in_one_chain_only_is_not_called_unused():
    idata = make_fake_idata(chains=3, disagreeing=("F4",))
    posterior = idata["posterior"].to_dataset().copy(deep=True)
    posterior["explained"].values[0, :, :, 3] = 0.3
    idata["posterior"] = xr.DataTree(posterior)
    row = classify_factors(idata).iloc[3]
    assert not row["active"]
    assert row["label"] == "n/a"


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [({"chains": 1, "draws": 500}, "single chain"), ({"chains": 2, "draws": 40}, "80 draws")],
)
def test_short_evidence_claims_nothing(kwargs, why):
    table = classify_factors(make_fake_idata(**kwargs))
    assert table["label"].tolist() == ["n/a"] * 4
    assert why in table.loc[0, "verdict"]


def test_few_effective_draws_claim_nothing(fake_idata):
    factors = fake_idata["factors"].to_dataset()
    factors["ess"] = ("factor", [20.0, 200.0, 200.0, 20.0])
    fake_idata["factors"] = xr.DataTree(factors)
    labels = classify_factors(fake_idata)["label"].tolist()
    assert labels == ["n/a", "SSRI-specific", "SNRI-specific", "unused"]


def test_fixed_pattern_is_said_to_be_assumed():
    table = classify_factors(make_fake_idata(fixed=True))
    assert table["label"].tolist() == ["shared", "SSRI-specific", "SNRI-specific", "unused"]
    assert table["verdict"].str.contains("fixed by the spec").tolist() == [True] * 3 + [False]


def test_one_arm_has_nothing_to_compare():
    table = classify_factors(make_fake_idata(arms=["drug"], per_arm=40))
    assert table["label"].tolist() == ["present"] * 3 + ["unused"]
    assert table[["p_shared", "p_specific_drug"]].isna().all(axis=None)


def test_three_arms_can_share_partly():
    idata = make_fake_idata(arms=["A", "B", "C"])
    posterior = idata["posterior"].to_dataset().copy(deep=True)
    posterior["sharing"].values[:, :, :, 0] = np.array([0.5, 0.45, 0.05])
    posterior["sharing"].values[0, 0, :, 0] = np.array([0.3, 0.3, 0.4])
    idata["posterior"] = xr.DataTree(posterior)
    row = classify_factors(idata).iloc[0]
    assert row["p_partial"] == pytest.approx(299 / 300)
    assert row["p_shared"] == pytest.approx(1 / 300)
    assert row["label"] == "undecided"
    assert row["verdict"].startswith("In some arms but not all (P > 0.99), so neither shared")


def test_larger_blocks_carry_more():
    # Equal shares within two blocks of 12 and 6 edges: the larger one comes first.
    idata = make_fake_idata()
    posterior = idata["posterior"].to_dataset().copy(deep=True)
    within = posterior["explained_block"]
    within.values[..., 0] = 0.0
    for block in ("DMN-DMN", "DMN-CCN"):
        within.loc[{"block": block, "factor": "F1"}] = 0.5
    idata["posterior"] = xr.DataTree(posterior)
    row = classify_factors(idata).iloc[0]
    assert row["networks"] == "DMN-CCN, DMN-DMN"
    assert row["networks_share"] == pytest.approx(1.0)


def test_missing_groups_and_bad_thresholds_are_named(fake_idata):
    with pytest.raises(DataContractError, match="'posterior' has no 'explained'"):
        broken = fake_idata.copy()
        posterior = fake_idata["posterior"].to_dataset().drop_vars(["explained"])
        broken["posterior"] = xr.DataTree(posterior)
        classify_factors(broken)
    with pytest.raises(DataContractError, match="group 'loadings' is missing"):
        without = fake_idata.copy()
        del without["loadings"]
        classify_factors(without)
    with pytest.raises(DataContractError, match="attribute 'spec' is missing"):
        classify_factors(xr.DataTree.from_dict({"posterior": fake_idata["posterior"].to_dataset()}))
    with pytest.raises(SpecError, match=r"specific_below.*probability"):
        classify_factors(fake_idata, specific_below=0.5, probability=0.2)


def test_symptom_links_summarise_the_draws(fake_idata):
    table = summarise_symptom_links(fake_idata, ci_prob=0.5).set_index(["factor", "symptom"])
    draws = fake_idata["posterior"]["symptom_weight"].sel(factor="F2", symptom="cognitive").values
    row = table.loc[("F2", "cognitive")]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["lower"] == pytest.approx(np.quantile(draws, 0.25))
    assert row["upper"] == pytest.approx(np.quantile(draws, 0.75))
    assert row["p_positive"] == pytest.approx((draws > 0).mean())
    # F4 is unused: its weights are no result.
    assert table.index.get_level_values("factor").unique().tolist() == ["F1", "F2", "F3"]
    assert len(table) == 6
    with pytest.raises(DataContractError, match="symptom_weight"):
        summarise_symptom_links(make_fake_idata(symptoms=False))


def test_links_by_arm_and_their_differences():
    idata = make_fake_idata(links="by_arm")
    whole = summarise_symptom_links(idata)
    assert whole["kind"].tolist() == ["gaussian", "ordinal"] * 3
    assert whole["unit"][1] == "log-odds of a higher rating per SD of the factor's score"
    by_arm = summarise_symptom_links(idata, by="arm")
    assert by_arm.loc[:1, ["factor", "symptom", "arm"]].to_numpy().tolist() == [
        ["F1", "retardation", "SSRI"],
        ["F1", "retardation", "SNRI"],
    ]
    np.testing.assert_allclose(by_arm["mean"][:2], [1.0, 0.2], atol=0.05)
    # The weight of all arms is their average.
    average = by_arm.groupby(["factor", "symptom"], sort=False)["mean"].mean()
    np.testing.assert_allclose(average, whole["mean"])
    apart = summarise_symptom_links(idata, by="difference")
    assert set(apart["arm"]) == {"SSRI - SNRI"}
    np.testing.assert_allclose(apart["mean"][0], 0.8)
    np.testing.assert_allclose(apart["mean"][1:], 0.0, atol=1e-12)
    three = make_fake_idata(arms=("a", "b", "c"), links="by_arm")
    pairs = summarise_symptom_links(three, by="difference")["arm"].unique().tolist()
    assert pairs == ["a - b", "a - c", "b - c"]


def test_links_by_arm_need_a_fit_by_arm(fake_idata):
    assert summarise_symptom_links(fake_idata)["kind"].eq("gaussian").all()
    with pytest.raises(DataContractError, match="one weight for all arms"):
        summarise_symptom_links(fake_idata, by="arm")
    with pytest.raises(SpecError, match="by must be one of"):
        summarise_symptom_links(fake_idata, by="sex")


def test_means_that_are_known_poorly_do_not_differ(fake_idata):
    vague = fake_idata.copy()
    posterior = fake_idata["posterior"].to_dataset()
    rng = np.random.default_rng(3)
    gap = rng.normal(0.0, 3.0, size=posterior["arm_mean"].isel(arm=0).shape)
    order = posterior["arm_mean"].isel(arm=0).dims
    half = xr.DataArray(gap / 2, dims=order)
    posterior["arm_mean"] = xr.concat([half, -half], "arm").transpose(
        *posterior["arm_mean"].dims
    ).assign_coords(arm=posterior["arm"])  # fmt: skip
    vague["posterior"] = xr.DataTree(posterior)
    first = classify_factors(vague).loc[0]
    # Almost surely apart by more than the ROPE, but nobody knows in which direction.
    assert first["p_mean_differs"] == pytest.approx(0.5, abs=0.1)
    assert first["mean_label"] == "undecided"


def test_labels_are_withheld_where_a_factor_is_not_stable(fake_idata):
    known = with_reliability(fake_idata, halves=[0.5, 0.1, 0.98, np.nan])
    table = classify_factors(known)
    assert table["label"].tolist() == ["undecided", "not nameable", "SNRI-specific", "unused"]
    assert table["stability"].tolist() == ["open", "not nameable", "stable", "unknown"]
    assert table["mean_label"].tolist()[:2] == ["undecided", "n/a"]
    assert "Without this: Shared (P > 0.99)" in table.loc[0, "verdict"]
    assert "state or motion" in table.loc[1, "verdict"]
    assert leading_factors(table) == ["F3"] and further_factors(table) == ["F1", "F2"]
    shown = overview(table)["reliability"].tolist()
    assert shown[2:] == ["0.98 (0.96-1.00) stable"]
    held = table.assign(leverage=[0.1, 0.1, 0.72, 0.1])
    assert overview(held)["reliability"][2] == "0.98 (0.96-1.00) stable; one participant: 72%"


def test_labels_are_given_where_nothing_is_known(fake_idata):
    table = classify_factors(fake_idata)
    assert leading_factors(table) == ["F1", "F2", "F3"] and not further_factors(table)
    assert overview(table)["reliability"].tolist() == ["unknown"] * 3
    assert not table["verdict"].str.contains("Reliability").any()


def test_every_source_of_reliability_is_listed_and_the_latest_decides(fake_idata):
    halves, sessions = [0.98, 0.98, 0.98, np.nan], [0.2, 0.98, 0.98, np.nan]
    known = with_reliability(fake_idata, halves=halves, sessions=sessions)
    found = tabulate_reliability(read_result(known), RULES)
    assert found["factor"].tolist() == ["F1", "F1", "F2", "F2", "F3", "F3"]
    first = found.iloc[:2].set_index("source")
    assert first["stability"].to_dict() == {"halves": "stable", "sessions": "not nameable"}
    assert first["decides"].to_dict() == {"halves": False, "sessions": True}
    assert classify_factors(known).loc[0, "reliability"] == pytest.approx(0.2)
    assert tabulate_reliability(read_result(fake_idata), RULES).empty
