"""The strongest edges and regions by name are those of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError


@pytest.fixture(scope="module")
def idata() -> xr.DataTree:
    return make_fake_idata()


@pytest.fixture(scope="module")
def sig(idata: xr.DataTree) -> xr.Dataset:
    return bm.signatures(idata)


def test_loadings_are_the_strongest_whose_interval_excludes_0(sig):
    table = bm.top_loadings(sig, "F1", top=5)
    one = sig.sel(factor="F1")
    clear = ((one["lower"] > 0) | (one["upper"] < 0)).values
    strongest = one["feature"].values[clear][np.argsort(-np.abs(one["mean"].values[clear]))][:5]
    assert table["feature"].tolist() == strongest.tolist()
    for row in table.itertuples():
        cell = one.sel(feature=row.feature)
        assert row.feature == f"{row.region_a}--{row.region_b}"
        assert row.networks == str(cell["block"].values)
        for name in ("mean", "lower", "upper", "p_positive"):
            assert getattr(row, name) == float(cell[name])
    assert table.attrs["n_clear"] == clear.sum() > 5
    assert (table.attrs["n_features"], table.attrs["ci_prob"]) == (45, 0.9)
    assert table.attrs["name"] == str(one["name"].values)
    assert len(bm.top_loadings(sig, "F1", top=500)) == clear.sum()


def test_loadings_without_a_clear_one_have_no_rows_and_the_same_columns(sig):
    wide = sig.assign(lower=sig["lower"] - 9, upper=sig["upper"] + 9)
    table = bm.top_loadings(wide, "F1")
    assert len(table) == table.attrs["n_clear"] == 0
    assert table.columns.tolist() == bm.top_loadings(sig, "F1").columns.tolist()


def test_regional_features_have_one_region():
    sig = bm.signatures(make_fake_idata(regional=True))
    table = bm.top_loadings(sig, "F3", top=3)
    assert table["region"].tolist() == table["feature"].tolist()
    assert set(table["networks"]) <= {"DMN", "Reward"}
    regions = bm.top_regions(sig, "F3", top=3)
    np.testing.assert_allclose(regions["strength"], table["mean"].abs())
    np.testing.assert_allclose(regions["positive"] + regions["negative"], table["mean"])
    assert (regions["n_features"] == 1).all()


def test_regions_have_strength_and_both_parts_of_their_edges(sig, idata):
    draws = idata["loadings"]["loadings"]
    table = bm.top_regions(sig, "F3", top=4, draws=draws)
    one = sig.sel(factor="F3")
    clear = ((one["lower"] > 0) | (one["upper"] < 0)).values
    assert len(table) == 4
    assert table["strength"].is_monotonic_decreasing
    for row in table.itertuples():
        mine = ((one["region_a"] == row.region) | (one["region_b"] == row.region)).values
        mean = one["mean"].values[mine]
        assert row.n_features == mine.sum() == 9
        assert row.n_clear == (clear & mine).sum()
        assert row.network == row.region.split("_")[0]
        assert row.strength == pytest.approx(np.abs(mean).mean())
        assert row.positive == pytest.approx(np.clip(mean, 0, None).mean())
        assert row.negative == pytest.approx(np.clip(mean, None, 0).mean())
        signed = draws.sel(factor="F3").values[..., mine] * np.sign(mean)
        bounds = np.quantile(signed.mean(axis=-1), [0.05, 0.95])
        np.testing.assert_allclose([row.strength_lower, row.strength_upper], bounds, rtol=1e-5)
    everything = bm.top_regions(sig, "F3", top=99)
    assert len(everything) == everything.attrs["n_regions"] == 10
    assert "strength_lower" not in everything
    # Draws in another order of features are matched by name.
    other = bm.top_regions(sig, "F3", top=4, draws=draws.isel(feature=slice(None, None, -1)))
    np.testing.assert_allclose(other["positive_upper"], table["positive_upper"])


def test_what_does_not_fit_is_named(sig, idata):
    with pytest.raises(DataContractError, match=r"no factor 'F9'; there are F1, F2, F3"):
        bm.top_loadings(sig, "F9")
    with pytest.raises(SpecError, match="top must be at least 1, got 0"):
        bm.top_regions(sig, "F1", top=0)
    with pytest.raises(DataContractError, match="pass what signatures returned"):
        bm.top_loadings(sig.drop_vars("p_positive"), "F1")
    draws = idata["loadings"]["loadings"]
    with pytest.raises(DataContractError, match="draws belong to another fit"):
        bm.top_regions(sig, "F1", draws=draws.isel(feature=slice(0, 9)))
    with pytest.raises(DataContractError, match=r"pass idata\['loadings'\]\['loadings'\]"):
        bm.top_regions(sig, "F1", draws=draws.rename(feature="edge"))
    views = sig.assign_coords(view=("feature", np.where(np.arange(45) < 20, "fc", "sc")))
    assert set(bm.top_loadings(views, "F1")["view"]) <= {"fc", "sc"}
    with pytest.raises(DataContractError, match=r"choose one with bm.select_view.*fc, sc"):
        bm.top_regions(views, "F1")
