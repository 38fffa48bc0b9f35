"""The simulated cohort follows its true parameters; data/demo is identical to it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayes_mdd.cohort import check_design, check_participants, read_cohort, score_scale
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.simulate import DEMO_PATTERNS, DEMO_SEED, simulate_cohort, write_cohort

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def demo():
    return simulate_cohort(DEMO_SEED, source="edges")


def residual(simulated):
    """Edges of patients minus covariate effects, estimated by least squares in controls."""
    f = simulated.features
    nuisance = np.column_stack(
        [
            np.ones(f.sizes["subject"]),
            f["site"] == "site2",
            f["age"],
            f["sex"] == "F",
            np.log(f["mean_fd"]),
        ]
    ).astype(float)
    control = (f["diagnosis"] == "HC").values
    beta = np.linalg.lstsq(nuisance[control], f["y"].values[control], rcond=None)[0]
    return (f["y"].values - nuisance @ beta)[f["arm"].values != "n/a"]


def test_counts_and_coordinates(demo):
    counts = demo.participants["arm"].value_counts().to_dict()
    assert counts == {"n/a": 39, "SSRI": 31, "SNRI": 31}
    assert demo.features.sizes == {"subject": 101, "feature": 1275, "region": 51}
    assert len(set(demo.features["block"].values)) == 28
    assert demo.features["feature"].values[0] == "DMN_01--DMN_02"
    a, b = np.triu_indices(51, 1)
    names = demo.features["region"].values
    assert (demo.features["region_a"].values == names[a]).all()
    assert (demo.features["region_b"].values == names[b]).all()
    xyz = demo.regions[["x", "y", "z"]]
    assert not xyz.duplicated().any()
    assert (xyz.abs().max() < [75, 110, 85]).all()
    check_participants(demo.participants, arms=["SSRI", "SNRI"])
    check_design(demo.participants, ["site", "age", "sex", "mean_fd"])
    assert list(demo.symptoms.index) == list(demo.features["subject"].values)


def test_true_parameters_follow_the_design(demo):
    truth = demo.truth
    arm = demo.participants["arm"].loc[truth["subject"].values].to_numpy()
    scores = truth["scores"].to_pandas()
    assert (scores.loc[arm == "SSRI", "SNRI1"] == 0).all()
    assert (scores.loc[arm == "SNRI", "SSRI1"] == 0).all()
    assert (scores.loc[arm == "SNRI", "SNRI1"] != 0).all()
    assert (scores[["shared1", "shared2", "shared3"]] != 0).all(axis=None)
    np.testing.assert_array_equal(truth["sharing"].sel(factor="SSRI1"), [1, 0])
    np.testing.assert_allclose(truth["sharing"].sum("arm"), 1)
    for factor, blocks in DEMO_PATTERNS.items():
        at = truth["loadings"].sel(factor=factor)
        assert set(at["block"].values[at.values != 0]) == set(blocks)


def test_edges_contain_the_factors(demo):
    y = residual(demo)
    # The known scores recover the loadings, in units of the residual SD.
    scores = demo.truth["scores"].values
    beta = np.linalg.lstsq(scores, y, rcond=None)[0]
    truth = demo.truth["loadings"].values * 0.2
    for k in range(5):
        assert np.corrcoef(beta[k], truth[k])[0, 1] > 0.85
        np.testing.assert_allclose(beta[k] @ truth[k] / (truth[k] @ truth[k]), 1, atol=0.15)
    # The scores of each factor lie in the span of the leading nine singular vectors.
    u = np.linalg.svd(y - y.mean(0), full_matrices=False)[0][:, :9]
    centred = scores - scores.mean(0)
    inside = (u.T @ centred) ** 2
    assert (inside.sum(0) / (centred**2).sum(0) > 0.8).all()


def test_symptoms_depend_on_their_factors(demo):
    scores = demo.truth["scores"].to_pandas()
    symptoms = demo.symptoms.loc[scores.index]
    links = {"retardation": "SNRI1", "cognitive": "SSRI1", "anxiety_somatization_6": "shared2"}
    for symptom, factor in links.items():
        correlation = scores.corrwith(symptoms[symptom]).abs()
        assert correlation.idxmax() == factor
        assert correlation[factor] > 0.4
        assert float(demo.truth["symptom_weight"].sel(factor=factor, symptom=symptom)) == 0.6
    controls = demo.symptoms[demo.participants["diagnosis"] == "HC"]
    assert controls.isna().all(axis=None)


def test_symptoms_improve_at_week_8_and_some_drop_out(demo):
    items = demo.items.set_index(["session_id", "participant_id"]).astype("Float64")
    total = items.sum(axis=1, skipna=False)
    assert total["ses-baseline"].mean() - total["ses-week8"].mean() > 8
    dropped_out = items.loc["ses-week8"].isna().all(axis=1)
    assert 4 <= dropped_out.sum() <= 16
    assert not items.loc["ses-baseline"].isna().all(axis=1).any()


def test_score_scale_gives_the_simulated_dimension_scores(demo):
    baseline = demo.items[demo.items["session_id"] == "ses-baseline"]
    scored = score_scale(baseline, "hamd17").droplevel("session_id")
    assert sorted(scored.columns) == sorted(demo.symptoms.columns)
    simulated = demo.symptoms.loc[scored.index, scored.columns]
    pd.testing.assert_frame_equal(simulated, scored, check_names=False)
    assert 0 < simulated["sleep"].isna().sum() < 10


def test_the_seed_determines_the_cohort():
    small = {"n_subjects": {"A": 6, "B": 5}, "n_controls": 4, "n_regions": 14}
    one, two, other = (simulate_cohort(seed, **small) for seed in (3, 3, 4))
    xr.testing.assert_identical(one.features, two.features)
    pd.testing.assert_frame_equal(one.items, two.items)
    assert not np.allclose(one.features["y"], other.features["y"])


def test_cohort_without_factors():
    noise = simulate_cohort(2, n_shared=0, n_specific={}, n_regions=30, source="edges")
    assert noise.truth.sizes["factor"] == 0
    y = residual(noise)
    np.testing.assert_allclose(np.mean(y.std(0)), 0.2, rtol=0.1)


def test_shared_factors_only_weak_factors_and_one_arm():
    shared = simulate_cohort(2, n_shared=5, n_specific={}, n_regions=20, source="edges")
    assert list(shared.truth["factor"].values) == [f"shared{k}" for k in range(1, 6)]
    assert (shared.truth["sharing"] == 0.5).all()
    weak = simulate_cohort(2, n_regions=20, specific_strength=0.5, source="edges")
    strong = simulate_cohort(2, n_regions=20, source="edges")
    ratio = abs(weak.truth["loadings"]).sum("feature") / abs(strong.truth["loadings"]).sum(
        "feature"
    )
    np.testing.assert_allclose(ratio, [1, 1, 1, 0.5, 0.5])
    single = simulate_cohort(
        2, n_subjects={"None": 8}, n_controls=0, n_regions=14, n_specific={}, source="edges"
    )
    assert set(single.features["arm"].values) == {"None"}


def test_t_noise_has_the_same_sd_and_heavier_tails():
    plain = simulate_cohort(2, n_shared=0, n_specific={}, n_regions=30, source="edges")
    heavy = simulate_cohort(2, n_shared=0, n_specific={}, n_regions=30, noise_df=3, source="edges")
    np.testing.assert_allclose(residual(heavy).std(), residual(plain).std(), rtol=0.1)
    assert np.abs(residual(heavy)).max() > 1.5 * np.abs(residual(plain)).max()


def test_site_shift_affects_sites_only():
    without, shifted = (
        simulate_cohort(2, n_regions=20, site_shift=s, source="edges") for s in (0.0, 2.0)
    )
    difference = shifted.features["y"] - without.features["y"]
    by_site = difference.groupby("site").std("subject")
    np.testing.assert_allclose(by_site, 0, atol=1e-12)
    assert float(abs(difference).mean()) > 0.1


def test_all_bad_arguments_are_reported_in_one_error():
    with pytest.raises(SpecError, match=r"n_specific names 'SNRY'.*dropout must be") as error:
        simulate_cohort(n_specific={"SNRY": 1}, dropout=2.0, source="edges")
    assert "SSRI, SNRI" in str(error.value)


@pytest.fixture(scope="module")
def shipped_demo():
    return simulate_cohort(DEMO_SEED)


def test_demo_folder_is_identical_to_the_written_cohort(shipped_demo, tmp_path):
    write_cohort(shipped_demo, tmp_path / "demo")
    written = {p.relative_to(tmp_path / "demo"): p.read_bytes() for p in files(tmp_path / "demo")}
    shipped = {p.relative_to(DEMO): p.read_bytes() for p in files(DEMO)}
    assert sorted(written) == sorted(shipped)
    differing = [str(name) for name in written if written[name] != shipped[name]]
    assert differing == []
    assert sum(map(len, shipped.values())) < 6_000_000


def files(folder):
    return [p for p in folder.rglob("*") if p.is_file()]


def test_written_cohort_can_be_read(shipped_demo):
    demo = shipped_demo
    cohort = read_cohort(DEMO)
    twin = demo.null_twin[demo.null_twin["session_id"] == "ses-baseline"]
    twin = twin.set_index("participant_id")["hamd17_null_total"]
    symptoms = demo.symptoms.assign(hamd17_null_total=twin)
    pd.testing.assert_frame_equal(
        cohort.symptoms, symptoms[cohort.symptoms.columns], check_names=False
    )
    pd.testing.assert_frame_equal(cohort.participants, demo.participants, check_dtype=False)
    assert cohort.sessions == ("ses-baseline", "ses-week8")
    z = demo.features["y"].sel(subject="sub-007").values
    matrix = pd.read_csv(
        next((DEMO / "features").glob("sub-007_*")), sep="\t", index_col="Node"
    ).to_numpy()
    np.testing.assert_allclose(matrix[np.triu_indices(51, 1)], np.tanh(z), atol=6e-5)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert json.loads((DEMO / "truth" / "settings.json").read_text())["seed"] == DEMO_SEED


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    small = simulate_cohort(1, n_subjects={"A": 3}, n_controls=0, n_regions=8, source="edges")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataContractError, match=r"is not empty \(it contains mine.txt\)"):
        write_cohort(small, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    bigger = simulate_cohort(1, n_subjects={"A": 5}, n_controls=0, n_regions=8, source="edges")
    write_cohort(bigger, tmp_path, overwrite=True)
    write_cohort(small, tmp_path, overwrite=True)
    assert len(list((tmp_path / "features").glob("*relmat.tsv"))) == 3
    assert (tmp_path / "mine.txt").read_text() == "keep"
    with pytest.raises(DataContractError, match="is a file, expected a folder"):
        write_cohort(small, tmp_path / "mine.txt")
