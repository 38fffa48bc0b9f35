"""The summary of a cohort holds estimates, and nothing of a participant."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from made_summaries import make_observed_fit

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.exports import summary as export
from bayes_mdd.results.privacy_check import check_privacy
from bayes_mdd.results.result import read_result


@pytest.fixture(scope="module")
def fit():
    return make_observed_fit()


@pytest.fixture(scope="module")
def made(fit):
    return bm.summarise_cohort(fit)


def test_estimates_are_those_of_least_squares_given_the_scores(fit, made):
    assert made["factor"].values.tolist() == ["F1", "F2", "F3"]
    scores = fit["posterior"]["scores"].mean(("chain", "draw")).values
    design = fit["constant_data"]["design"].values
    y = fit["observed_data"]["y"].values
    plain = np.linalg.lstsq(np.column_stack([design, scores[:, :3]]), y, rcond=None)[0][-3:]
    for k in range(3):
        assert np.corrcoef(plain[k], made["loading"].values[k])[0, 1] > 0.98
    # Arms that do not have a factor have next to nothing of its variance.
    covariance = made["score_covariance"].transpose("arm", "factor", "factor_2").values
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    assert np.allclose(variance.mean(axis=0), 1.0)
    f2 = dict(zip(made["arm"].values, variance[:, 1], strict=True))
    assert f2["SSRI"] > 10 * f2["SNRI"]
    weight = made["symptom_weight"].sel(symptom="retardation").values
    assert 0.4 < weight[0] < 1.0 and abs(weight[2]) < 0.35
    assert made["symptom_n"].values.tolist() == [38, 39]
    assert (made["size_dof"] < 20).all() and (made["size_dof"] > 5).all()


def test_no_value_belongs_to_a_participant(fit, made, tmp_path):
    assert "subject" not in made.dims
    done = bm.export_run(fit, tmp_path / "export", formats=["summary"])
    assert {p.name for p in done.files["summary"]} == {
        "summary.nc", "summary.json", "factors.tsv", "export.json",
    }  # fmt: skip
    found, check = check_privacy(tmp_path, read_result(fit))
    assert found.empty and check.passed
    facts = json.loads((tmp_path / "export/summary/summary.json").read_text())
    assert facts["Participants"] == {"SSRI": 20, "SNRI": 19}
    back = bm.read_summary(tmp_path / "export")
    assert back.equals(made)


@pytest.mark.parametrize("leak", ["ids", "scores", "ages", "id in a text"])
def test_a_planted_leak_is_found_and_nothing_is_written(fit, made, tmp_path, monkeypatch, leak):
    subjects = fit["posterior"]["subject"].values.astype(str)
    planted = {
        "ids": made.assign_coords(who=("people", subjects)),
        "scores": made.assign(
            extra=("row", fit["posterior"]["scores"].mean(("chain", "draw")).values[:, 0])
        ),
        "ages": made.assign(extra=("row", np.sort(fit["constant_data"]["age"].values))),
        "id in a text": made.assign_attrs(note=f"{subjects[3]} moved"),
    }[leak]
    # Written by hand into the folder: the check of the run finds it.
    folder = tmp_path / "export" / "summary"
    folder.mkdir(parents=True)
    planted.to_netcdf(folder / "summary.nc", engine="h5netcdf")
    found, check = check_privacy(tmp_path, read_result(fit))
    assert len(found) and not check.passed
    # Written by the export: refused.
    from bayes_mdd.shared_specific import family

    broken = family.FAMILY.__class__(
        **{n: getattr(family.FAMILY, n) for n in family.FAMILY.__dataclass_fields__}
        | {"summary": lambda result: planted}
    )
    monkeypatch.setattr("bayes_mdd.workflow.material.family_of", lambda kind: broken)
    with pytest.raises(DataContractError, match=r"summary\.nc"):
        bm.export_run(fit, tmp_path / "new", formats=["summary"])
    assert not (tmp_path / "new" / "summary").exists()


def test_small_arms_fixed_patterns_and_old_runs_have_none(fit):
    small = fit.copy()
    constant = small["constant_data"].to_dataset()
    arm = constant["arm"].values.astype(str).copy()
    arm[np.flatnonzero(arm == "SNRI")[4:]] = "SSRI"
    small["constant_data"] = xr.DataTree(constant.assign(arm=("subject", arm)))
    with pytest.raises(DataContractError, match="fewer than 5 participants in SNRI"):
        bm.summarise_cohort(small)
    fixed = fit.copy()
    spec = json.loads(fit.attrs["spec"]) | {"sharing": {"shared": 2, "SSRI": 1, "SNRI": 1}}
    fixed.attrs = fit.attrs | {"spec": json.dumps(spec)}
    with pytest.raises(DataContractError, match="fixes how the arms share"):
        bm.summarise_cohort(fixed)
    old = fit.copy()
    del old["observed_data"]
    with pytest.raises(DataContractError, match="does not hold its features"):
        bm.summarise_cohort(old)


def test_the_order_of_participants_and_features_does_not_matter(fit, made):
    rng = np.random.default_rng(2)
    at = rng.permutation(fit["posterior"].sizes["subject"])
    mixed = fit.copy()
    for group in ("posterior", "constant_data", "observed_data"):
        mixed[group] = xr.DataTree(fit[group].to_dataset().isel(subject=at))
    other = bm.summarise_cohort(mixed)
    for name in ("loading", "loading_se", "size_observed", "symptom_weight"):
        assert np.allclose(other[name].values, made[name].values, rtol=1e-6), name


def test_the_writer_describes_every_factor(made):
    table = export.tabulate(made)
    assert list(table["factor"]) == ["F1", "F2", "F3"]
    assert {"explained_SSRI", "explained_SSRI_lower", "explained_SNRI_upper"} <= set(table)
