"""Moments of scores from every source."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm

NAMES = ["sub-1", "sub-2", "sub-3", "sub-4"]


def draws() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, 50, 4, 2)) + np.arange(8).reshape(4, 2)


def run(arms: list[str], used: tuple[bool, bool] = (True, True)) -> xr.DataTree:
    posterior = xr.Dataset(
        {
            "scores": (("chain", "draw", "subject", "factor"), draws()),
            "block_scale": (("chain", "draw", "block", "factor"),
                            np.ones((2, 50, 3, 2)) * np.array(used)),
            "sharing": (("chain", "draw", "arm", "factor"), np.ones((2, 50, len(arms), 2))),
        },
        coords={"subject": NAMES, "factor": ["F1", "F2"], "arm": arms},
    )  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs["provenance"] = json.dumps({"fingerprint": "abc123"})
    return tree


def test_of_a_run() -> None:
    found = bm.score_moments(run(["all"]))
    flat = draws().reshape(100, 4, 2)
    np.testing.assert_allclose(found["mean"], flat.mean(axis=0))
    for i in range(4):
        np.testing.assert_allclose(found["covariance"][i], np.cov(flat[:, i], rowvar=False))
    between = flat.mean(axis=0).var(axis=0, ddof=1)
    within = flat.var(axis=0, ddof=1).mean(axis=0)
    np.testing.assert_allclose(found["reliability"], between / (between + within))
    assert (found.attrs["arm_aware"], found.attrs["source"]) == (0, "abc123")


def test_factors_that_a_run_does_not_use_are_left_out() -> None:
    found = bm.score_moments(run(["all"], used=(False, True)))
    assert found["factor"].values.tolist() == ["F2"]
    assert bm.score_moments(run(["all"], used=(False, False))).sizes["factor"] == 0


def test_a_run_with_several_drugs_knows_the_arms() -> None:
    assert bm.score_moments(run(["SNRI", "SSRI"])).attrs["arm_aware"] == 1
    assert bm.score_moments(run(["all", "HC"])).attrs["arm_aware"] == 0


def test_of_a_projection() -> None:
    scores = xr.DataArray(
        draws()[:, :, :, None, :],
        dims=("chain", "draw", "subject", "arm", "factor"),
        coords={"subject": NAMES, "arm": ["all"], "factor": ["F1", "F2"]},
    )
    projection = xr.Dataset({"scores": scores}, attrs={"fingerprint": "abc123"})
    found = bm.score_moments(projection)
    xr.testing.assert_allclose(found["mean"], bm.score_moments(run(["all"]))["mean"])
    assert found.attrs["source"] == "abc123"
    two = xr.concat([scores, scores], "arm").assign_coords(arm=["SNRI", "SSRI"])
    with pytest.raises(bm.DataContractError, match=r"arms SNRI, SSRI.*hide_arms"):
        bm.score_moments(xr.Dataset({"scores": two}))


def test_of_a_table() -> None:
    table = pd.DataFrame({"severity": [20.0, 24, 31, 22], "age": [30, 40, 50, 20]}, index=NAMES)
    found = bm.score_moments(table)
    np.testing.assert_allclose(found["mean"], table)
    assert not found["covariance"].values.any()
    assert found["reliability"].values.tolist() == [1, 1]
    with pytest.raises(bm.DataContractError, match="columns sex are not numbers"):
        bm.score_moments(table.assign(sex=["F", "M", "F", "M"]))
    with pytest.raises(bm.DataContractError, match="sub-2 is not finite"):
        bm.score_moments(table.where(table["age"] != 40))
    with pytest.raises(bm.DataContractError, match="sub-1 occur more than once"):
        bm.score_moments(table.set_axis(["sub-1", "sub-1", "sub-3", "sub-4"]))


def given() -> xr.Dataset:
    return bm.simulate_trial(seed=1, n=20, n_factors=2).scores


def test_of_a_dataset() -> None:
    scores = given()
    xr.testing.assert_allclose(bm.score_moments(scores), scores)
    turned = scores.isel(factor_2=[1, 0])
    xr.testing.assert_allclose(bm.score_moments(turned)["covariance"], scores["covariance"])
    exact = bm.score_moments(scores[["mean"]])
    assert not exact["covariance"].values.any()


def test_what_is_no_covariance() -> None:
    scores = given()
    with pytest.raises(bm.DataContractError, match="pass a run, a projection"):
        bm.score_moments(scores[["covariance"]])
    with pytest.raises(bm.DataContractError, match="must have the dimensions"):
        bm.score_moments(scores.assign(covariance=scores["covariance"].isel(factor_2=0)))
    with pytest.raises(bm.DataContractError, match="names other factors"):
        bm.score_moments(scores.assign_coords(factor_2=["F1", "G"]))
    for change, words in (
        ([[1.0, 0.5], [0.1, 1.0]], "sub-0002 is not symmetric"),
        ([[1.0, 2.0], [2.0, 1.0]], "sub-0002 is not positive semi-definite"),
        ([[np.nan, 0.0], [0.0, 1.0]], "sub-0002 is not finite"),
    ):
        values = scores["covariance"].values.copy()
        values[1] = change
        changed = scores.assign(covariance=(scores["covariance"].dims, values))
        with pytest.raises(bm.DataContractError, match=words):
            bm.score_moments(changed)


def test_a_singular_covariance_is_one() -> None:
    scores = given()
    values = np.ones_like(scores["covariance"].values)
    found = bm.score_moments(scores.assign(covariance=(scores["covariance"].dims, values)))
    np.testing.assert_array_equal(found["covariance"], values)


def test_arms_are_hidden_from_a_fit() -> None:
    features = bm.simulate_cohort(seed=1, n_regions=14).features
    hidden = bm.hide_arms(features)
    control = features["diagnosis"].values == "HC"
    assert set(hidden["arm"].values[~control]) == {"all"}
    assert set(hidden["arm"].values[control]) == {"n/a"}
    np.testing.assert_array_equal(hidden["assigned_arm"], features["arm"])
    np.testing.assert_array_equal(bm.hide_arms(hidden)["assigned_arm"], features["arm"])
    with pytest.raises(bm.DataContractError, match="no coordinate 'arm'"):
        bm.hide_arms(features.drop_vars("arm"))
