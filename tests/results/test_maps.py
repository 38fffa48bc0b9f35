"""Maps carry their numbers, their names and what they mean."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

from bayes_mdd import classify_factors, region_strength, signatures
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.regions import block_networks, edge_matrix, region_table


def test_signature_copies_the_loadings(fake_idata):
    sig = signatures(fake_idata)
    assert sig["factor"].values.tolist() == ["F1", "F2", "F3"]  # F4 is unused
    loadings = fake_idata["loadings"].to_dataset().sel(factor=sig["factor"].values)
    of_factors = [c for c in sig.coords if sig[c].dims == ("factor",) and c != "factor"]
    for name in ("mean", "sd", "lower", "upper", "p_positive"):
        assert sig[name].dims == ("factor", "feature")
        xr.testing.assert_equal(sig[name].drop_vars(of_factors), loadings[name])
    assert set(sig.dims) == {"factor", "feature", "region"} and "loadings" not in sig
    assert sig["label"].values.tolist()[1] == "SSRI-specific"
    assert sig.attrs["estimand"] == "expression"
    assert sig.attrs["ci_prob"] == 0.9 and sig.attrs["ci_kind"] == "eti"
    assert sig.attrs["reference"].startswith("z against 2 controls")
    assert sig.attrs["units"].startswith("SD of the standardised feature")
    assert sig["region_label"].values[0] == 31


def test_signature_carries_the_reliability_of_its_factors(fake_idata):
    sig = signatures(fake_idata)
    assert sig["stability"].values.tolist() == ["unknown"] * 3
    assert np.isnan(sig["reliability"]).all() and (sig["leverage"] > 0).all()
    assert "are not signatures" in sig.attrs["note"]
    table = classify_factors(fake_idata).assign(stability="stable", reliability=0.8)
    known = signatures(fake_idata, factors=table)
    assert known["stability"].values.tolist() == ["stable"] * 3
    assert known["reliability"].values.tolist() == [0.8] * 3
    without = signatures(fake_idata, factors=table[["factor", "label", "networks"]])
    assert "stability" not in without.coords and "note" not in without.attrs


def test_strength_is_the_mean_over_a_regions_edges(fake_idata):
    sig = signatures(fake_idata)
    strength = region_strength(sig)
    touches = (sig["region_a"] == "CCN_2") | (sig["region_b"] == "CCN_2")
    edges = sig["mean"].sel(factor="F2").values[touches.values]
    assert len(edges) == 9
    assert float(strength.sel(factor="F2", region="CCN_2")) == pytest.approx(edges.mean())
    absolute = region_strength(sig, "mean_abs")
    assert float(absolute.sel(factor="F2", region="CCN_2")) == pytest.approx(np.abs(edges).mean())
    with pytest.raises(SpecError, match="'median'"):
        region_strength(sig, "median")


def test_signed_parts_do_not_cancel(fake_idata):
    sig = signatures(fake_idata)
    touches = ((sig["region_a"] == "DMN_2") | (sig["region_b"] == "DMN_2")).values
    edges = sig["mean"].sel(factor="F1").values[touches]
    assert edges.min() < 0 < edges.max()
    part = {s: region_strength(sig, s) for s in ("mean", "strength", "positive", "negative")}
    at = {name: float(v.sel(factor="F1", region="DMN_2")) for name, v in part.items()}
    assert at["positive"] == pytest.approx(edges[edges > 0].sum() / 9)
    assert at["negative"] == pytest.approx(edges[edges < 0].sum() / 9)
    xr.testing.assert_allclose(part["strength"], part["positive"] - part["negative"])
    xr.testing.assert_allclose(part["mean"], part["positive"] + part["negative"])
    xr.testing.assert_identical(
        part["strength"], region_strength(sig, "mean_abs").rename("strength")
    )
    # Edges that cancel leave no mean and full strength.
    sign = np.where(np.arange(45) % 2, 1.0, -1.0)
    opposed = sig.assign(mean=sig["mean"] * 0 + sign)
    assert float(np.abs(region_strength(opposed)).min()) < 0.2
    np.testing.assert_allclose(region_strength(opposed, "strength"), 1)


def test_strength_follows_names_not_positions(fake_idata):
    sig = signatures(fake_idata)
    shuffled = sig.isel(
        feature=np.random.default_rng(0).permutation(45), region=np.arange(10)[::-1]
    )
    xr.testing.assert_allclose(
        region_strength(shuffled).sel(region=region_strength(sig)["region"]), region_strength(sig)
    )


def test_a_region_without_edges_is_nan_and_an_unknown_one_an_error(fake_idata):
    sig = signatures(fake_idata)
    lonely = ((sig["region_a"] != "DMN_1") & (sig["region_b"] != "DMN_1")).values
    strength = region_strength(sig.isel(feature=lonely))
    assert np.isnan(strength.sel(region="DMN_1")).all()
    assert np.isfinite(strength.sel(region="DMN_2")).all()
    with pytest.raises(DataContractError, match="DMN_1"):
        region_strength(sig.isel(region=slice(1, None)))


def test_regional_features_are_their_own_regions():
    sig = signatures(make_fake_idata(regional=True))
    np.testing.assert_array_equal(region_strength(sig).values, sig["mean"].values)
    assert region_table(sig).loc["Reward_1", "label"] == 2
    bare = sig.drop_dims("region")
    assert region_table(bare).columns.tolist() == ["network", "x", "y", "z"]
    with pytest.raises(DataContractError, match="name no regions"):
        region_table(bare.drop_vars("region_name"))


def test_matrix_is_symmetric_and_named(fake_idata):
    sig = signatures(fake_idata)
    table = edge_matrix(sig, sig["mean"].sel(factor="F1").values)
    assert table.shape == (10, 10)
    assert np.isnan(np.diag(table)).all()
    np.testing.assert_array_equal(table, table.T)
    edge = float(sig["mean"].sel(factor="F1", feature="DMN_2--Reward_3"))
    assert table.loc["Reward_3", "DMN_2"] == edge
    without = sig.drop_dims("region")
    assert edge_matrix(without, sig["mean"].sel(factor="F1").values).equals(table)


def test_blocks_know_their_networks(fake_idata):
    blocks = block_networks(signatures(fake_idata))
    assert blocks.loc["DMN-CCN"].tolist() == ["DMN", "CCN", 12]
    assert blocks["size"].sum() == 45
