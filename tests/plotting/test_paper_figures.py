"""Figures for papers show the numbers of the posterior, by name."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fakes import make_fake_idata, with_ratings
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.special import expit

import bayes_mdd as bm
from bayes_mdd import plotting
from bayes_mdd.dims import CONTROL
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.figures.chords import share_by_block
from bayes_mdd.results.figures.circle_geometry import place_arcs, spread
from bayes_mdd.results.figures.labels import shorten_names
from bayes_mdd.results.figures.top_edges import name_loadings
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.tables.scores import read_scores
from bayes_mdd.shared_specific.tables.symptom_curve import trace_symptom


@pytest.fixture(scope="module")
def idata() -> xr.DataTree:
    return with_ratings(make_fake_idata())


@pytest.fixture(scope="module")
def sig(idata: xr.DataTree) -> xr.Dataset:
    return bm.signatures(idata)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(plt.Text) if t.get_text()]


def words(figure: Figure) -> str:
    return " ".join(" ".join(texts(figure)).split())


def marks(figure: Figure, axis: int = 0) -> list[np.ndarray]:
    """Places of the marks of every scatter."""
    found = [c for c in figure.axes[axis].collections if isinstance(c, PathCollection)]
    return [np.asarray(c.get_offsets()) for c in found]


def centred(idata: xr.DataTree, factor: str) -> tuple[np.ndarray, np.ndarray]:
    """Draws of scores relative to the mean over arms, shape (draw, subject), and arms."""
    arm = idata["constant_data"]["arm"].values
    drawn = idata["posterior"]["scores"].sel(factor=factor).values.reshape(-1, len(arm))
    means = [drawn[:, arm == a].mean(axis=1) for a in ("SSRI", "SNRI")]
    return drawn - np.mean(means, axis=0)[:, None], arm


def test_scores_are_posterior_means_relative_to_the_mean_over_arms(idata):
    figure = plotting.plot_scores(idata)
    visible = [ax for ax in figure.axes if ax.get_visible()]
    titles = [ax.get_title(loc="left").split()[0] for ax in visible]
    assert titles == ["F1", "F2", "F3"]  # F4 is unused
    drawn, arm = centred(idata, "F2")
    people, diamond = marks(figure, 1)[:2]
    np.testing.assert_allclose(people[:, 0], drawn[:, arm == "SSRI"].mean(axis=0))
    mean = idata["posterior"]["arm_mean"].sel(factor="F2", arm="SSRI")
    assert diamond[0, 0] == pytest.approx(float(mean.mean()))
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert names == ["SSRI\nn = 12", "SNRI\nn = 11"]
    assert "0: mean over arms" in words(figure) and "90% interval" in words(figure)
    again = plotting.plot_scores(idata)
    np.testing.assert_array_equal(marks(again, 1)[0], people)


def test_scores_without_points_have_no_mark_of_a_participant(idata):
    figure = plotting.plot_scores(idata, factors=["F3"], points=False)
    assert len(figure.axes) == 1
    assert all(len(m) == 1 for m in marks(figure))
    with pytest.raises(DataContractError, match=r"no such factor that is used: F4; .* F1, F2, F3"):
        plotting.plot_scores(idata, factors=["F4"])
    alone = plotting.plot_scores(make_fake_idata(arms=["SSRI"]), points=False)
    assert marks(alone) == []  # one arm has no mean to compare
    assert "diamond" not in words(alone)


def test_scores_of_controls_in_the_fit_are_the_origin(idata):
    trial = make_fake_idata(arms=["SSRI", "SNRI", CONTROL])
    scores = read_scores(read_result(trial), ["F1"])
    held = scores.of("F1")[:, scores.arm == CONTROL]
    np.testing.assert_allclose(held.mean(axis=1), 0, atol=1e-12)
    assert "0: mean of controls" in words(plotting.plot_scores(trial, factors=["F1"]))


def test_symptoms_are_raw_and_missing_ones_are_counted(idata):
    figure = plotting.plot_score_symptom(idata, "F1", "retardation")
    raw = idata["observed_data"]["symptoms"].sel(dimension="retardation").values
    drawn, arm = centred(idata, "F1")
    for name, shown in zip(("SSRI", "SNRI"), marks(figure), strict=True):
        mine = (arm == name) & np.isfinite(raw)
        np.testing.assert_array_equal(shown[:, 1], raw[mine])
        np.testing.assert_allclose(shown[:, 0], drawn[:, mine].mean(axis=0))
    legend = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert legend == ["SSRI (n = 11)", "SNRI (n = 11)"]
    assert "1 of 23 participants have no rating (SSRI 1, SNRI 0)" in words(figure)
    assert figure.axes[0].get_ylabel() == "retardation, points of the scale"
    weight = idata["posterior"]["symptom_weight"].sel(factor="F1", symptom="retardation")
    assert f"Weight {float(weight.mean()):.2f} SD per SD" in words(figure)


def test_the_line_is_the_link_of_the_model(idata):
    line = plotting.plot_score_symptom(idata, "F1", "retardation").axes[0].lines[-1]
    x, y = line.get_data()
    raw = idata["observed_data"]["symptoms"].sel(dimension="retardation").values
    rated = np.isfinite(raw)
    drawn, _ = centred(idata, "F1")
    weight = idata["posterior"]["symptom_weight"].sel(factor="F1", symptom="retardation")
    weight = weight.values.ravel()
    slope = raw[rated].std(ddof=1) * weight.mean()
    assert np.polyfit(x, y, 1)[0] == pytest.approx(slope)
    at_0 = (
        raw[rated].mean() - raw[rated].std(ddof=1) * (weight * drawn[:, rated].mean(axis=1)).mean()
    )
    assert np.interp(0, x, y) == pytest.approx(at_0, abs=0.02)


def test_links_by_arm_have_a_line_each_and_items_a_curve():
    idata = with_ratings(make_fake_idata(links="by_arm"))
    figure = plotting.plot_score_symptom(idata, "F1", "retardation")
    assert len(figure.axes[0].lines) == 2
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 2
    assert "Weight in SSRI" in words(figure) and "Weight in SNRI" in words(figure)
    # An item with three levels: cutpoints of the cumulative logit.
    cut = np.array([-0.4, 1.1]) * np.ones((2, 150, 1))
    common = make_fake_idata(links="by_arm")
    posterior = common["posterior"].to_dataset().drop_vars("symptom_weight_by_arm")
    posterior["symptom_weight"] = posterior["symptom_weight"] * 0
    posterior["symptom_cutpoint"] = (("chain", "draw", "cutpoint"), cut)
    posterior = posterior.assign_coords(cutpoint=["cognitive >= 1", "cognitive >= 4"])
    common["posterior"] = xr.DataTree(posterior)
    result = read_result(common)
    rating = np.tile([0.0, 1, 4], 8)[:23]
    (curve,) = trace_symptom(
        result, read_scores(result, result.factors), "F1", "cognitive", rating, 0.9
    )
    wanted = expit(0.4) + 3 * expit(-1.1)
    np.testing.assert_allclose(curve.mean, wanted)


def test_ratings_that_the_run_lacks_are_asked_for(idata):
    bare = make_fake_idata()
    with pytest.raises(DataContractError, match=r"does not hold.*'retardation': pass symptoms=bm"):
        plotting.plot_score_symptom(bare, "F1", "retardation")
    with pytest.raises(DataContractError, match=r"did not link 'sleep' \(linked: retardation, cog"):
        plotting.plot_score_symptom(idata, "F1", "sleep")
    ids = bare["posterior"]["subject"].values
    table = pd.DataFrame({"sleep": np.arange(23.0)}, index=ids)[::-1]
    figure = plotting.plot_score_symptom(bare, "F1", "sleep", symptoms=table)
    np.testing.assert_array_equal(marks(figure)[0][:, 1], np.arange(12.0))
    assert "did not link sleep: no line" in words(figure)
    with pytest.raises(DataContractError, match=r"no column 'slep'; there are sleep"):
        plotting.plot_score_symptom(bare, "F1", "slep", symptoms=table)
    with pytest.raises(DataContractError, match=r"0 of 23 participants"):
        plotting.plot_score_symptom(bare, "F1", "sleep", symptoms=table.reset_index(drop=True))


def test_top_edges_are_the_table_by_name(sig):
    figure = plotting.plot_top_edges(sig, "F1", top=6)
    table = bm.top_loadings(sig, "F1", 6)
    shown = np.concatenate(marks(figure))
    shown = shown[np.argsort(shown[:, 1])]
    np.testing.assert_allclose(shown[:, 0], table["mean"])
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    pairs = zip(table["region_a"], table["region_b"], strict=True)
    assert names == [f"{a} \N{EN DASH} {b}" for a, b in pairs]
    said = words(figure)
    assert f"The 6 strongest of {table.attrs['n_clear']} edges whose interval excludes 0" in said
    assert "(of 45)" in said and "90% equal-tailed" in said
    assert texts(figure).count("> 0.99") == 6
    # Negative loadings are open diamonds.
    faces = [
        to_hex(c.get_facecolors()[0])
        for c in figure.axes[0].collections
        if isinstance(c, PathCollection) and len(c.get_offsets())
    ]
    assert faces[-1] == "#ffffff" and faces[0] != "#ffffff"
    regional = plotting.plot_top_edges(bm.signatures(make_fake_idata(regional=True)), "F3")
    assert {"DMN_1", "Reward"} <= set(texts(regional))


def test_top_edges_say_when_there_are_none(sig):
    none = sig.assign(lower=sig["lower"] - 9, upper=sig["upper"] + 9)
    assert "No edges have a 90% interval" in words(plotting.plot_top_edges(none, "F1"))
    assert "No edges have a 90% interval" in words(plotting.plot_circle(none, "F1"))


def test_long_names_stay_different():
    names = ["17Networks_LH_DefaultA_PFCd_1", "17Networks_LH_DefaultA_PFCd_2"]
    assert set(shorten_names(names, 24).values()) == {"1", "2"}
    names += ["17Networks_RH_ContB_IPL_with_a_very_long_tail_1"]
    assert list(shorten_names(names, 20).values())[:2] == [
        "LH_DefaultA_PFCd_1",
        "LH_DefaultA_PFCd_2",
    ]
    alike = [f"LH_{'x' * 30}{i}{'y' * 30}" for i in range(2)] + ["RH"]
    assert len(set(shorten_names(alike, 20).values())) == 3
    table = pd.DataFrame(
        {"feature": ["f1", "f2"], "region_a": ["n/a", "A"], "region_b": ["n/a", "B"]}
    )
    assert name_loadings(table) == ["f1", "A \N{EN DASH} B"]


def test_circle_has_a_curve_for_each_edge_dashed_where_negative(sig):
    figure = plotting.plot_circle(sig, "F1", top=8)
    table = bm.top_loadings(sig, "F1", 8)
    curves = [p for p in figure.axes[0].patches if not p.get_fill()]
    assert len(curves) == 8
    dashed = sum(p.get_linestyle() not in ("-", "solid") for p in curves)
    assert dashed == (table["mean"] < 0).sum() > 0
    said = set(texts(figure))
    touched = {*table["region_a"], *table["region_b"]}
    assert touched | {"DMN", "CCN", "Reward"} <= said
    assert not {n for n in sig["region"].values if n not in touched} & said
    regional = bm.signatures(make_fake_idata(regional=True))
    with pytest.raises(DataContractError, match="no edges"):
        plotting.plot_circle(regional, "F1")
    with pytest.raises(SpecError, match="by must be 'edge' or 'network'"):
        plotting.plot_circle(sig, "F1", by="block")


def test_chords_are_shares_of_squared_loadings(sig):
    one = sig.sel(factor="F2")
    table = share_by_block(one)
    assert table["share"].sum() == pytest.approx(1)
    inside = (one["block"] == "CCN-CCN").values
    squares = one["mean"].values ** 2
    assert table.loc["CCN-CCN", "share"] == pytest.approx(squares[inside].sum() / squares.sum())
    assert table.index[0] == "CCN-CCN"
    assert "CCN-CCN 9" in words(plotting.plot_circle(sig, "F2", by="network"))


def test_circles_are_divided_without_overlap():
    start, end = place_arcs([1, 2, 3])
    lengths = start - end
    np.testing.assert_allclose(lengths / lengths[0], [1, 2, 3])
    assert (start[1:] < end[:-1]).all() and start[0] - end[-1] < 2 * np.pi
    moved = spread(np.array([0.0, 0.01, 0.02, 3.0]), 0.2)
    gaps = np.diff(np.sort(moved % (2 * np.pi)))
    assert gaps.min() > 0.19 and (np.argsort(moved) == [0, 1, 2, 3]).all()


def test_variance_is_written_with_intervals_and_totals(idata):
    figure = plotting.plot_variance(idata)
    said = texts(figure)
    explained = idata["posterior"]["explained"].sel(factor="F1", arm="SSRI").values * 100
    low, high = np.quantile(explained, [0.05, 0.95])
    assert f"{explained.mean():.1f}" in said and f"{low:.1f} to {high:.1f}" in said
    total = bm.explained_by_arm(idata)["explained"] * 100
    assert {f"{t:.1f}" for t in total} <= set(said)
    rows = [t.get_text().split()[0] for t in figure.axes[0].get_yticklabels()]
    assert rows == ["F1", "F2", "F3", "all"]
    assert {"SSRI\nn = 12", "SNRI\nn = 11"} <= set(said)
    cells = figure.axes[0].collections[0].get_array().ravel()
    assert cells[0] == pytest.approx(explained.mean())
