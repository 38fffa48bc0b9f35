"""Combined cohorts: labels, heterogeneity, refusals, files and figures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_summaries import VARIANCE, make_summary

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError


@pytest.fixture(scope="module")
def combined():
    return bm.combine_cohorts(
        {
            "a": make_summary(1),
            "b": make_summary(2, order=(2, 0, 1)),
            "c": make_summary(3, has=(0, 1)),
        }
    )


@pytest.fixture(scope="module")
def table(combined):
    return bm.summarise_combined(combined).set_index("label")


def test_labels_intervals_and_weights(combined, table):
    assert sorted(table.index) == ["SNRI-specific", "SSRI-specific", "shared"]
    shared = table.loc["shared"]
    assert shared["explained_SNRI_lower"] < 0.1 / 1.2 < shared["explained_SNRI_upper"]
    assert shared["sharing_SNRI_lower"] < 0.5 < shared["sharing_SNRI_upper"]
    assert shared["new_sharing_SNRI_upper"] - shared["new_sharing_SNRI_lower"] > (
        shared["sharing_SNRI_upper"] - shared["sharing_SNRI_lower"]
    )
    weight = combined["symptoms"].to_dataset().sel(symptom="s1")
    name = str(shared["factor"])
    sign = np.sign(weight["mean"].sel(factor=name))
    low, high = sorted(float(sign * weight[e].sel(factor=name)) for e in ("lower", "upper"))
    assert low < 0.5 < high
    by_arm = combined["loadings"]["arm_mean"].sel(factor=str(table.loc["SSRI-specific", "factor"]))
    assert np.abs(by_arm.sel(arm="SNRI")).mean() < 0.2 * np.abs(by_arm.sel(arm="SSRI")).mean()


def test_a_cohort_that_did_not_find_a_pattern_may_lack_it_or_be_too_small(table):
    assert table.loc["SSRI-specific", "cohorts"] == 2
    made = {"a": make_summary(1), "b": make_summary(2)}
    chance = {}
    for name, limit in (("large", 0.005), ("small", 0.8)):
        third = make_summary(3, has=(0, 1), limit=limit)
        present = bm.combine_cohorts(made | {"c": third})["posterior"]["present"]
        chance[name] = float(present.mean(("chain", "draw")).sel(cohort="c").min())
    assert chance["large"] < 0.15
    assert chance["small"] > 0.5


def test_a_cohort_that_found_all_it_was_offered_says_nothing_about_others():
    full = make_summary(3, has=(0, 1), limit=0.005)
    spec = json.loads(full.attrs["spec"]) | {"n_factors": 2}
    made = {"a": make_summary(1), "b": make_summary(2)}
    found = bm.combine_cohorts(made | {"c": full.assign_attrs(spec=json.dumps(spec))})
    present = found["posterior"]["present"].mean(("chain", "draw")).sel(cohort="c")
    assert float(present.min()) > 0.5


def test_a_pattern_of_one_cohort_gets_no_label():
    found = bm.combine_cohorts({"a": make_summary(1), "b": make_summary(2, has=(0,))})
    table = bm.summarise_combined(found)
    assert table["label"].tolist().count("n/a") == 2
    assert "found in 1 of 2 cohorts" in table.loc[table["label"] == "n/a", "verdict"].iloc[0]


def test_differences_between_cohorts_widen_the_intervals():
    same = {str(s): make_summary(s, per_arm=100, exact=True) for s in range(4)}
    other = {
        str(s): make_summary(
            s, per_arm=100, exact=True, variance=VARIANCE * np.exp(0.7 * (s - 1.5))
        )
        for s in range(4)
    }
    found = [bm.summarise_combined(bm.combine_cohorts(x)) for x in (same, other)]
    none = bm.summarise_combined(bm.combine_cohorts(other, heterogeneity=0.0))
    assert found[0].attrs["size_sd"][0] < 0.15 < 0.3 < found[1].attrs["size_sd"][0]
    assert none.attrs["size_sd"] == [0.0, 0.0, 0.0]
    ratio = [t["explained_SNRI_upper"] / t["explained_SNRI_lower"] for t in (*found, none)]
    assert ratio[1].iloc[0] > 1.3 * ratio[0].iloc[0]
    assert ratio[1].iloc[0] > 1.3 * ratio[2].iloc[0]


def test_more_cohorts_narrow_the_intervals():
    few, many = (
        bm.summarise_combined(
            bm.combine_cohorts(
                {str(s): make_summary(s, exact=True) for s in range(n)}, heterogeneity=0
            )
        )
        for n in (2, 8)
    )
    width = [
        float((np.log(t["explained_SNRI_upper"]) - np.log(t["explained_SNRI_lower"])).min())
        for t in (few, many)
    ]
    assert 1.6 < width[0] / width[1] < 2.4


def test_swapping_the_names_of_arms_mirrors_the_result():
    def run(arms):
        made = {n: make_summary(s, arms=arms) for n, s in (("a", 1), ("b", 2))}
        return bm.summarise_combined(bm.combine_cohorts(made))

    one, other = run(("SNRI", "SSRI")), run(("SSRI", "SNRI"))
    assert sorted(one["label"]) == sorted(other["label"])
    assert np.allclose(one["explained_SNRI"], other["explained_SSRI"])


def test_a_single_arm():
    made = {
        str(s): make_summary(s, arms=("SSRI",), variance=VARIANCE[:, 1:] + 0.05) for s in (1, 2)
    }
    table = bm.summarise_combined(bm.combine_cohorts(made))
    assert set(table["label"]) == {"present"}


def test_all_problems_are_listed_at_once():
    good, other = make_summary(1), make_summary(2)
    other = other.assign_coords(arm=["SNRI", "placebo"], carrier=["shared", "SNRI", "placebo"])
    spec = json.loads(other.attrs["spec"]) | {
        "edge_prior": "gaussian",
        "covariates": ["age", "site"],
    }
    other.attrs |= {
        "units": "r",
        "reference": "patients",
        "spec": json.dumps(spec),
        "estimand": "change",
    }
    other = other.assign_coords(region_x=other["region_x"] + 20.0)
    with pytest.raises(DataContractError) as caught:
        bm.combine_cohorts({"a": good, "b": other})
    said = str(caught.value)
    parts = ("estimand differs", "units differs", "reference differs", "arms differ")
    for part in (*parts, "edge_prior", "mm apart"):
        assert part in said
    # A site covariate is no difference.
    assert "covariates differ" not in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.isel(feature=slice(20)), "same atlas"),
        (lambda s: s.assign_coords(feature=s["feature"], region_a=s["region_b"]), "same"),
        (lambda s: s.assign_attrs(summary_layout=0), "layout"),
        (lambda s: s.assign_attrs(model="polar_lda"), "is not a summary"),
        (lambda s: s.drop_vars("size_dof"), "lacks size_dof"),
        (lambda s: s.assign(loading=s["loading"] * np.nan), "impossible values"),
        (lambda s: s.assign_attrs(inputs="000000000001"), "same data"),
        (lambda s: s.drop_vars("raw_sd"), "SD of the reference"),
        (lambda s: s.assign_attrs(facts='{"measure": "covariance"}'), "measured in different ways"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, says):
    with pytest.raises(DataContractError, match=says):
        bm.combine_cohorts({"a": make_summary(1), "b": change(make_summary(2))})


def test_one_cohort_or_impossible_options_are_refused():
    with pytest.raises(DataContractError, match="two or more cohorts"):
        bm.combine_cohorts({"a": make_summary(1)})
    with pytest.raises(SpecError, match="heterogeneity"):
        bm.combine_cohorts({"a": make_summary(1)}, heterogeneity=-1)
    with pytest.raises(SpecError, match="two cohorts are called x"):
        bm.combine_cohorts(["x/export/summary", "b/x/summary"])
    with pytest.raises(DataContractError, match=r"export RUN --format summary"):
        bm.combine_cohorts(["nothing", "nowhere"])


def test_cohorts_without_any_factor():
    none = make_summary(3, has=())
    found = bm.combine_cohorts({"a": make_summary(1), "b": make_summary(2), "c": none})
    assert bm.summarise_combined(found)["cohorts"].max() == 2
    with pytest.raises(DataContractError, match="no cohort found a factor"):
        bm.combine_cohorts({"c": none, "d": make_summary(4, has=())})


def test_files_report_and_command_line(combined, tmp_path, run_cli):
    files = bm.write_combined(combined, tmp_path / "out")
    names = {p.relative_to(tmp_path / "out").as_posix() for p in files}
    assert {"combined.nc", "combined.json", "patterns.tsv", "cohorts.tsv", "links.tsv",
            "report.html", "signatures/signatures.tsv"} <= names  # fmt: skip
    again = bm.read_combined(tmp_path / "out")
    assert (
        bm.summarise_combined(again)["label"].tolist()
        == bm.summarise_combined(combined)["label"].tolist()
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Which cohort found which pattern" in page
    with pytest.raises(RunFolderError, match="--force"):
        bm.write_combined(combined, tmp_path / "out")
    with pytest.raises(RunFolderError, match="no combined result"):
        bm.read_combined(tmp_path)
    for name in ("lyon", "utrecht"):
        folder = tmp_path / name / "export" / "summary"
        folder.mkdir(parents=True)
        make_summary(len(name)).to_netcdf(folder / "summary.nc", engine="h5netcdf")
    done = run_cli(
        "combine", tmp_path / "lyon", f"B={tmp_path / 'utrecht' / 'export' / 'summary'}",
        "-o", tmp_path / "cli", "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert json.loads((tmp_path / "cli" / "combined.json").read_text())["Cohorts"].keys() == {
        "lyon",
        "B",
    }
    refused = run_cli("combine", tmp_path / "lyon", tmp_path, "-o", tmp_path / "no")
    assert refused.status == 2
    assert not (tmp_path / "no").exists()
