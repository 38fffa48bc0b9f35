"""Draws of loadings by chain, coordinates for every dimension, and results of earlier versions."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata

import bayes_mdd as bm
from bayes_mdd.files.layout import add_coordinates, by_chain, merge_chains, spaced, update_layout
from bayes_mdd.results.result import read_result

DIMS = ("factor", "feature")


def former(chains: int, draws: int, summarised: int, kept: int) -> xr.DataTree:
    """A result as earlier versions stored it: every value is the number of its draw."""
    rows = np.linspace(0, chains * draws - 1, summarised).round().astype(int)
    rows = rows[np.linspace(0, summarised - 1, kept).round().astype(int)]
    maps = xr.Dataset(
        {
            "mean": (DIMS, np.zeros((2, 3))),
            "draws": (
                ("loading_draw", *DIMS),
                (rows[:, None, None] * np.ones((2, 3))).astype("float32"),
                {"long_name": "draws of whole maps"},
            ),
        },
        coords={"factor": ["F1", "F2"], "feature": ["a", "b", "c"]},
        attrs={"ci_prob": 0.9, "summary_draws": summarised},
    )
    posterior = xr.Dataset(
        {"noise": (("chain", "draw", "arm"), np.zeros((chains, draws, 2)))},
        coords={"chain": range(chains), "draw": range(draws), "arm": ["SNRI", "SSRI"]},
    )
    invariants = xr.Dataset(
        {
            "communality": (("chain", "draw", "arm"), np.zeros((chains, draws, 2))),
            "similarity": (("chain", "draw", "pair"), np.zeros((chains, draws, 3))),
        },
        coords={"chain": range(chains), "draw": range(draws)},
    )
    return xr.DataTree.from_dict(
        {"posterior": posterior, "loadings": maps, "invariants": invariants}
    )


@pytest.mark.parametrize(
    ("chains", "draws", "summarised", "kept", "each"),
    [
        (4, 1000, 400, 400, 100),
        (4, 150, 100, 100, 25),
        (4, 1000, 137, 22, 5),  # large maps: 22 draws, of which two belong to no full row
        (3, 500, 400, 400, 133),
        (1, 300, 300, 300, 300),
        (4, 1000, 100, 2, 2),  # fewer than chains
    ],
)
def test_every_draw_of_a_former_result_stays_with_its_own_draw(
    chains, draws, summarised, kept, each
):
    old = former(chains, draws, summarised, kept)
    new = update_layout(old)
    loadings = new["loadings"].to_dataset()
    drawn = loadings["loadings"]
    assert drawn.dims == ("chain", "draw", *DIMS) and drawn.dtype == np.float32
    assert "draws" not in loadings and "loading_draw" not in loadings.dims
    assert drawn.sizes["draw"] == each
    # Fewer draws than chains are kept as one chain, which then holds draws of several.
    of_chain = loadings["chain"] if kept >= chains else drawn[..., 0, 0] // draws
    number = of_chain * draws + loadings["posterior_draw"]
    np.testing.assert_array_equal(drawn[..., 0, 0], number.transpose("chain", "draw"))
    assert drawn.attrs["long_name"] == "draws of whole maps" and loadings.attrs["ci_prob"] == 0.9
    assert "draws" in old["loadings"]  # the former tree is as it was
    assert update_layout(new) is new


def test_no_value_of_a_former_result_changes_where_chains_are_even():
    old = former(4, 1000, 400, 400)
    merged = merge_chains(update_layout(old)["loadings"].to_dataset())
    xr.testing.assert_equal(merged, old["loadings"]["draws"].rename(None))


def test_dimensions_get_the_names_that_other_groups_have_or_numbers():
    new = update_layout(former(2, 10, 20, 20))
    assert new["invariants"]["arm"].values.tolist() == ["SNRI", "SSRI"]
    assert new["invariants"]["pair"].values.tolist() == [0, 1, 2]
    other = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(coords={"arm": ["a", "b"]}),
            "x": xr.Dataset({"y": ("arm", np.zeros(3))}),
        }
    )
    assert add_coordinates(other)["x"]["arm"].values.tolist() == [0, 1, 2]  # another size


def test_no_draws():
    assert merge_chains(xr.Dataset({"mean": (DIMS, np.zeros((1, 1)))})) is None
    assert by_chain(np.zeros((4, 0, 3)), np.arange(4), 2, 2)["loadings"].shape == (2, 2, 0, 3)
    assert spaced(3, 1).tolist() == [0]


def test_the_view_of_a_former_result_has_the_present_layout():
    idata = make_fake_idata()
    old = idata.copy()
    maps = idata["loadings"].to_dataset()
    old["loadings"] = maps.drop_vars(["loadings", "chain", "draw"]).assign(draws=merge_chains(maps))
    result = read_result(old)
    assert result.loadings["loadings"].sizes["chain"] == 2
    np.testing.assert_array_equal(result.loading_draws, merge_chains(maps))
    regions = bm.top_regions(bm.signatures(old), "F1", draws=result.loadings["loadings"])
    assert np.isfinite(regions["strength_lower"]).all()


def test_arviz_takes_loadings_by_name(small_run):
    idata = bm.read_run(small_run.folder)
    loadings = idata["loadings"].to_dataset()
    chosen = {"factor": ["F1"], "feature": loadings["feature"].values[:3].tolist()}
    table = az.summary(idata, group="loadings", var_names=["loadings"], coords=chosen, ci_prob=0.9)
    assert table.index.tolist() == [f"loadings[F1, {name}]" for name in chosen["feature"]]
    assert {"eti90_lb", "r_hat", "ess_bulk"} <= set(table.columns)
    assert loadings.sizes["chain"] == idata["posterior"].sizes["chain"]
    assert loadings["posterior_draw"].max() < idata["posterior"].sizes["draw"]


def test_every_dimension_of_a_run_has_a_coordinate(small_run, series_run):
    for run in (small_run, series_run):
        for name, node in bm.read_run(run.folder).children.items():
            assert set(node.dims) <= set(node.coords), name
