"""Agreement of maps with findings: invariant to signs and rotations, null under chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_evidence import NAMES, STRUCTURES, make_fit, make_response

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.evidence.concordance import MORE, NO_MORE, TOO_FEW
from bayes_mdd.evidence.places import arrange, place_findings, read_atlas_of
from bayes_mdd.evidence.words import class_of

#: Structures of findings on volume before treatment; more of each goes with a better outcome.
REPORTED = {
    "Hippocampus", "Cingulate Gyrus, anterior division", "Insular Cortex", "Middle Frontal Gyrus",
    "Cingulate Gyrus, posterior division",
}  # fmt: skip
AS_REPORTED = np.array([1.0 if s in REPORTED else -1.0 for s in STRUCTURES for _ in "LR"])
RANDOM = np.random.default_rng(8).normal(size=len(NAMES))


@pytest.fixture(scope="module")
def findings():
    return bm.read_evidence()


def compare(fit, response=None, **settings):
    return bm.evidence_concordance(fit, response, n_permutations=99, **settings)


def row_of(found, factor="all factors"):
    return found.table.set_index("factor").loc[factor]


def test_a_map_as_reported_agrees_more_than_by_chance(findings):
    # Lower outcomes are better: a negative slope means that more of the factor is better.
    found = compare(make_fit(AS_REPORTED[None]), make_response([-1.0]), findings=findings)
    row = row_of(found)
    assert (row["n_studies"], row["n_findings"]) == (6, 10)
    assert row["agreement"] > 0.95
    assert row["expected"] < 0.5
    assert row["p_chance"] == 0.01
    assert row["verdict"] == MORE
    assert (found.findings["p_same_sign"] > 0.9).all()
    assert "10 findings of 6 studies on prognosis" in found.sentence
    assert found.linked


def test_the_direction_of_the_outcome_counts(findings):
    fit = make_fit(AS_REPORTED[None])
    worse = compare(fit, make_response([1.0]), findings=findings)
    assert row_of(worse)["agreement"] < 0.05
    assert row_of(worse)["verdict"] == NO_MORE
    higher = compare(fit, make_response([1.0], higher_is_better=True), findings=findings)
    assert row_of(higher)["agreement"] > 0.95


def test_one_sign_everywhere_is_what_chance_gives():
    row = row_of(compare(make_fit(np.ones((1, len(NAMES)))), make_response([-1.0])))
    assert row["agreement"] == row["expected"] == row["p_chance"] == 1
    assert row["verdict"] == NO_MORE


def _transformed(fit, response, matrix):
    """The same result with factors reflected or rotated."""
    trees = []
    for tree, group in ((fit, "loadings"), (response, "posterior")):
        data = tree[group].to_dataset()
        turned = {
            name: (v.dims, np.moveaxis(np.tensordot(matrix, v.values, (1, at)), 0, at))
            for name, v in data.items()
            for at in [v.dims.index("factor")]
        }
        copy = xr.DataTree.from_dict({group: xr.Dataset(turned, coords=data.coords)})
        copy.attrs.update(tree.attrs)
        trees.append(copy)
    return trees


@pytest.mark.parametrize(
    ("matrix", "rotated"),
    [(np.diag([-1.0, 1.0]), False), (np.diag([-1.0, -1.0]), False),
     (np.array([[0.6, -0.8], [0.8, 0.6]]), True)],
)  # fmt: skip
def test_reflections_change_nothing_and_rotations_not_the_sum(matrix, rotated):
    fit = make_fit(np.stack([AS_REPORTED, RANDOM]))
    response = make_response([-0.5, 0.8], [0.3, 0.1])
    before = compare(fit, response)
    after = compare(*_transformed(fit, response, matrix))
    wanted = before.table.head(1) if rotated else before.table
    found = after.table.head(1) if rotated else after.table
    pd.testing.assert_frame_equal(found, wanted, atol=0.01)
    assert before.findings["p_same_sign"].equals(after.findings["p_same_sign"]) or rotated


def test_findings_are_compared_with_the_slope_in_their_drug_class(findings):
    fit = make_fit(AS_REPORTED[None])
    only = findings[findings["drug_class"] == "SSRI"]
    # Better with more of the factor on the default only.
    response = make_response([0.0], [4.0])
    assert compare(fit, response, findings=only).findings["p_same_sign"].min() > 0.9
    swapped = make_response([0.0], [4.0], arms=("SNRI", "SSRI"))
    assert compare(fit, swapped, findings=only).findings["p_same_sign"].max() < 0.1
    # Neither arm is of the class: nothing is compared, and it is said why.
    others = make_response([0.0], [4.0], arms=("placebo", "venlafaxine"))
    found = compare(fit, others, findings=only)
    assert found.findings.empty
    assert found.unplaced["reason"].str.contains("no arm of the trial is of the class SSRI").any()
    named = compare(fit, make_response([0.0], [4.0], arms=("A", "B")), findings=only,
                    drug_classes={"A": "SSRI"})  # fmt: skip
    assert named.findings["p_same_sign"].min() > 0.9


def test_too_few_studies_say_nothing(findings):
    few = findings[findings["ref"].isin((11, 12, 13, 16))]
    found = compare(make_fit(AS_REPORTED[None]), make_response([-1.0]), findings=few)
    assert (found.table["verdict"] == TOO_FEW).all()
    assert found.table["agreement"].isna().all()
    assert "4 studies" in found.sentence
    assert "At least 5 studies are needed" in found.sentence
    five = findings[findings["ref"].isin((11, 12, 13, 16, 47))]
    free = compare(make_fit(AS_REPORTED[None]), findings=five)
    assert (free.table["verdict"] == TOO_FEW).all(), "a free sign needs one study more"
    none = compare(make_fit(AS_REPORTED[None]), make_response([-1.0]), findings=few.head(0))
    assert "0 findings of 0 studies" in none.sentence


def test_each_study_counts_once(findings):
    # Nine of ten rows of one study agree, the single rows of five others do not.
    one = findings[findings["finding_id"] == "R16-1"]
    rows = pd.concat([one] * 10, ignore_index=True)
    rows["finding_id"] = [f"A{i}" for i in range(10)]
    rows["region_a"] = "hippocampus"
    rows.loc[5:, "region_a"], rows.loc[5:, "ref"] = "amygdala", range(100, 105)
    found = compare(make_fit(AS_REPORTED[None]), make_response([-1.0]), findings=rows)
    assert row_of(found)["agreement"] == pytest.approx(1 / 6, abs=0.02)


def test_without_outcomes_only_the_pattern_counts():
    fit = make_fit(np.stack([AS_REPORTED, -AS_REPORTED, RANDOM]))
    found = compare(fit)
    assert not found.linked
    assert found.table["drug_class"].unique().tolist() == ["SSRI"]
    table = found.table.set_index("factor")
    assert table.loc["F1", "agreement"] == pytest.approx(table.loc["F2", "agreement"], abs=0.05)
    assert (table["expected"] >= 0.5).all(), "a free sign agrees with more than half by chance"
    assert (table["n_studies"] == 6).all()
    assert found.findings["p_same_sign"].isna().all()


def test_signatures_have_no_intervals():
    maps = make_fit(AS_REPORTED[None])["loadings"].to_dataset().drop_vars("loadings")
    row = row_of(compare(maps), "F1")
    assert row["agreement"] == row["agreement_lower"] == row["agreement_upper"]


def test_places_on_edges_follow_regions_and_networks(fake_idata, findings):
    maps = fake_idata["loadings"].to_dataset()
    atlas = read_atlas_of(maps)
    rows = pd.concat([findings[findings["finding_id"] == "R13-3"]] * 6, ignore_index=True)
    rows["finding_id"] = list("abcdef")
    rows["network_a"] = ["DMN", "DMN", "executive_control", "reward", "", "DMN"]
    rows["network_b"] = ["DMN", "CCN", "", "threat", "", ""]
    rows["region_a"] = ["", "", "", "", "here", "here"]
    own = {"here": ["CCN_1", "CCN_2"]}
    places, reasons = place_findings(rows, atlas, own, None)
    count = {name: int(place.features(atlas).sum()) for name, place in places.items()}
    # 4 + 3 + 3 regions: within, between, all that touch, two regions with all, with a network.
    assert count == {"a": 6, "b": 12, "c": 3 + 3 * 7, "e": 17, "f": 8}
    assert "threat" in reasons["d"]
    mean = maps["mean"].values
    total, number = arrange(atlas, mean), arrange(atlas, np.ones((1, mean.shape[1])))[0]
    for place in places.values():
        expected = mean[:, place.features(atlas)].mean(axis=1)
        np.testing.assert_allclose(place.mean(atlas, total, number), expected)
    # Permutations of networks and structures keep the size of a place of one network or region.
    nothing = np.arange(20)
    np.testing.assert_allclose(
        places["b"].mean(atlas, total, number, nothing, nothing),
        mean[:, places["b"].features(atlas)].mean(axis=1),
    )


def test_sides_are_used_where_both_state_them(findings):
    maps = make_fit(AS_REPORTED[None])["loadings"].to_dataset()
    atlas = read_atlas_of(maps)
    places, reasons = place_findings(findings[findings["ref"] == 47], atlas)
    inside = {n: [NAMES[i] for i in np.flatnonzero(p.features(atlas))] for n, p in places.items()}
    assert inside["R47-1"] == ["Right Cingulate Gyrus, anterior division"]
    assert inside["R47-3"] == ["Left Middle Frontal Gyrus"]
    assert "occipital_cortex" in reasons["R47-4"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"estimand": "prediction"}, ["estimand must be", "'prediction'"]),
        ({"estimand": "moderation"}, ["needs a response"]),
        ({"n_permutations": 3, "estimand": "x"}, ["at least 19", "estimand must be"]),
        ({"factors": ["F9"]}, ["F9", "F1"]),
        ({"regions": {"hipocampus": ["x"]}}, ["Did you mean 'hippocampus'?", "not on the map"]),
        ({"networks": {"DMN": "Default"}}, ["must be a list"]),
    ],
)
def test_bad_arguments(settings, said):
    with pytest.raises(SpecError) as error:
        bm.evidence_concordance(make_fit(AS_REPORTED[None]), **settings)
    assert all(part in str(error.value) for part in said)


def test_a_response_of_another_fit_is_refused():
    fit, response = make_fit(AS_REPORTED[None]), make_response([-1.0])
    fit.attrs["provenance"], response.attrs["scores_source"] = '{"fingerprint": "abc"}', "def"
    with pytest.raises(DataContractError, match="come from run def, the maps from run abc"):
        compare(fit, response)
    with pytest.raises(DataContractError, match="no result of fit_response"):
        compare(fit, xr.DataTree())
    with pytest.raises(DataContractError, match="no variable 'mean'"):
        compare(xr.Dataset())
    with pytest.raises(SpecError, match="drug_classes names C"):
        compare(fit, make_response([-1.0]), drug_classes={"C": "SSRI"})


@pytest.mark.parametrize(
    ("arm", "expected"),
    [("SSRI", "SSRI"), ("ssris", "SSRI"), ("Escitalopram 10 mg", "SSRI"), ("duloxetine", "SNRI"),
     ("snri_arm", "SNRI"), ("placebo", None), ("SSRI or SNRI", None)],
)  # fmt: skip
def test_drug_class_of_an_arm(arm, expected):
    assert class_of(arm) == expected


@pytest.mark.slow
def test_maps_without_a_relation_agree_by_chance(findings):
    rng, p_values = np.random.default_rng(1), []
    for _ in range(300):
        both = np.repeat(rng.normal(size=len(STRUCTURES)), 2) + 0.3 * rng.normal(size=len(NAMES))
        fit, response = make_fit(both[None]), make_response([-1.0])
        p_values.append(row_of(compare(fit, response, findings=findings))["p_chance"])
    share = np.mean(np.array(p_values) <= 0.05)
    assert share <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 300), share
