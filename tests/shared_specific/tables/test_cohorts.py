"""Factors of cohorts are matched by their maps; change maps have sign, units and intervals."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.shared_specific.tables.change import tabulate_change
from bayes_mdd.shared_specific.tables.cohorts import compare_maps


def other_cohort(tree: xr.DataTree, order: list[int], signs: list[float]) -> xr.DataTree:
    """The same factors with other names and signs, edges in another order and direction."""
    out = tree.copy(deep=True)
    names = tree["loadings"]["factor"].values
    for group in ("loadings", "posterior"):
        kept = tree[group].to_dataset().isel(factor=order).assign_coords(factor=names)
        out[group] = kept
    maps = out["loadings"].to_dataset()
    maps["mean"] = maps["mean"] * xr.DataArray(signs, dims="factor")
    maps = maps.isel(feature=np.arange(maps.sizes["feature"])[::-1])
    a, b = maps["region_a"].variable, maps["region_b"].variable
    out["loadings"] = maps.assign_coords(region_a=b, region_b=a)
    return out


def test_factors_are_found_whatever_their_order_sign_and_the_direction_of_edges() -> None:
    here = make_fake_idata()
    there = other_cohort(here, [2, 0, 1, 3], [-1.0, 1.0, -1.0, 1.0])
    table = bm.match_cohorts({"Lyon": here, "Utrecht": there})
    found = table[table["cohort"] == "Utrecht"].set_index("pattern")["factor"].to_dict()
    assert found == {"P1": "F2", "P2": "F3", "P3": "F1"}
    np.testing.assert_allclose(table["alike"], 1)
    assert set(table["participants"]) == {23}
    assert table.attrs == {"least": 0.5, "features": 45}
    assert "F4" not in set(table["factor"]), "unused factors are left out"


def test_a_factor_that_is_not_alike_starts_a_pattern() -> None:
    here = make_fake_idata()
    there = make_fake_idata(seed=9)
    maps = there["loadings"].to_dataset()
    own = here["loadings"]["mean"].values
    # F1 is that of the other cohort with noise, F2 and F3 are not.
    noise = np.random.default_rng(1).normal(size=own.shape)
    maps["mean"] = (
        ("factor", "feature"),
        np.where([[True], [False], [False], [False]], own, noise),
    )
    there["loadings"] = maps
    table = bm.match_cohorts({"A": here, "B": there})
    one = table[table["pattern"] == "P1"]
    assert one["factor"].tolist() == ["F1", "F1"] and one["alike"].iloc[1] == pytest.approx(1)
    assert table["pattern"].nunique() == 5
    absent = table[table["factor"] == "n/a"]
    assert absent["cohort"].tolist() == ["B", "B", "A", "A"]
    assert (absent["alike"] < 0.5).all()
    words = bm.plotting.plot_cohorts({"A": here, "B": there}).axes[0].texts
    assert any(t.get_text().startswith(" no match: B (|r| 0.") for t in words)
    every = bm.match_cohorts({"A": here, "B": there}, least=0.001)
    assert every["pattern"].nunique() == 3


def test_cohorts_that_cannot_be_matched_are_refused_at_once() -> None:
    here, regions = make_fake_idata(), make_fake_idata(regional=True)
    later = make_fake_idata()
    later.attrs["estimand"] = "change"
    with pytest.raises(DataContractError, match="expected two or more cohorts, got 1"):
        bm.match_cohorts({"A": here})
    with pytest.raises(DataContractError, match=r"different estimands .A: expression, B: change"):
        bm.match_cohorts({"A": here, "B": later})
    with pytest.raises(DataContractError, match="0 features are in all cohorts"):
        bm.match_cohorts({"A": here, "B": regions})
    with pytest.raises(SpecError, match="least must be above 0"):
        bm.match_cohorts({"A": here, "B": here}, least=0)
    with pytest.raises(DataContractError, match="every factor of B is unused"):
        bm.match_cohorts({"A": here, "B": make_fake_idata(idle=(0, 1, 2))})
    three = make_fake_idata(arms=("SSRI", "SNRI", "other"))
    with pytest.raises(DataContractError, match="sharing needs the same two arms in all cohorts"):
        bm.plotting.plot_cohorts({"A": here, "B": three}, show="sharing")
    with pytest.raises(SpecError, match="show must be"):
        bm.plotting.plot_cohorts({"A": here, "B": here}, show="r")  # type: ignore[arg-type]


def test_maps_without_variation_are_like_no_other() -> None:
    assert compare_maps(np.zeros((1, 3)), np.eye(3)).tolist() == [[0, 0, 0]]


def test_a_change_is_the_mean_loading_of_a_block_times_the_spread_in_the_arm() -> None:
    tree = make_fake_idata()
    with pytest.raises(DataContractError, match="estimand of the run is 'expression'"):
        tabulate_change(tree, "F1")
    tree.attrs["estimand"] = "change"
    with pytest.raises(DataContractError, match="no factor 'F9'"):
        tabulate_change(tree, "F9")
    # Scores without uncertainty, so that the expected numbers are exact.
    draws = tree["posterior"].to_dataset()
    kept = draws["scores"].transpose("chain", "draw", "subject", "factor")
    draws["scores"] = kept.copy(data=np.broadcast_to(kept.values[:1, :1], kept.shape))
    tree["posterior"] = draws
    table = tabulate_change(tree, "F2")
    largest = table.loc[table["mean"].abs().idxmax(), "block"]
    drawn = tree["loadings"]["loadings"].sel(factor="F2")
    means = drawn.values[..., drawn["block"].values == largest].mean(axis=-1)
    arm = tree["constant_data"]["arm"].values
    scores = kept.sel(factor="F2").values[0, 0]
    for row in table[table["block"] == largest].itertuples():
        assert row.mean == pytest.approx(means.mean() * scores[arm == row.arm].std(ddof=1))
        assert row.lower < row.mean < row.upper
