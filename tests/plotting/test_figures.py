"""Figures show the numbers of the result and leave pyplot alone."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from fakes import make_fake_idata, with_reliability
from matplotlib.figure import Figure

from bayes_mdd import classify_factors, plotting, signatures
from bayes_mdd.errors import DataContractError
from bayes_mdd.results.figures.connectome import _select


def texts(figure: Figure) -> list[str]:
    """All words on a figure, after it was drawn."""
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(plt.Text) if t.get_text()]


def caption_of(figure: Figure) -> str:
    """Words below the first axes."""
    (caption,) = [t for t in figure.axes[0].texts if not t.get_in_layout()]
    return " ".join(caption.get_text().split())


def points(figure: Figure, axis: int = 0) -> np.ndarray:
    """Posterior means of the three factors that are used, drawn on one panel."""
    sets = [np.asarray(c.get_offsets()) for c in figure.axes[axis].collections]
    return np.concatenate([s for s in sets if s.shape == (3, 2) and len(np.unique(s[:, 1])) == 3])


@pytest.fixture(autouse=True)
def nothing_left_in_pyplot():
    yield
    assert plt.get_fignums() == []


def test_sharing_of_two_arms_is_one_axis(fake_idata):
    figure = plotting.plot_sharing(fake_idata)
    assert isinstance(figure, Figure)
    share = fake_idata["posterior"]["sharing"].mean(("chain", "draw")).sel(arm="SNRI").values
    np.testing.assert_allclose(points(figure)[:, 0], share[:3])
    assert len(figure.axes) == 1
    words = texts(figure)
    assert (
        "F1 shared:\nDMN-CCN, DMN-DMN" in words and "F2 SSRI-specific:\nCCN-CCN, DMN-CCN" in words
    )
    assert {"SSRI only", "SNRI only"} <= set(words)
    assert not [w for w in words if "F4" in w or "unused" in w]
    with pytest.raises(DataContractError, match="every factor is unused"):
        plotting.plot_sharing(make_fake_idata(idle=(0, 1, 2)))
    (caption,) = [" ".join(w.split()) for w in words if w.startswith("23 participants")]
    assert "(12 SSRI, 11 SNRI); point: posterior mean; lines: 50% and 90% equal" in caption


def test_factors_without_a_claim_are_outlines_and_named_so(fake_idata):
    known = with_reliability(fake_idata, halves=[0.98, 0.5, 0.1, np.nan])
    figure = plotting.plot_sharing(known)
    rows = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert rows[1:] == ["F2 unnamed\n(undecided)", "F3 unnamed\n(not nameable)"]
    assert "F3 unnamed\n(not nameable)" in texts(plotting.plot_explained(known))
    (marks,) = [c for c in figure.axes[0].collections if len(c.get_offsets()) == 3]
    white = (marks.get_facecolors()[:, :3] == 1).all(axis=1)
    assert white.tolist() == [False, True, True]
    assert len(np.unique(marks.get_edgecolors(), axis=0)) == 3


def test_sharing_of_three_arms_is_three_panels():
    idata = make_fake_idata(arms=["A", "B", "C"])
    figure = plotting.plot_sharing(idata)
    share = idata["posterior"]["sharing"].mean(("chain", "draw"))
    for i, arm in enumerate("ABC"):
        np.testing.assert_allclose(points(figure, i)[:, 0], share.sel(arm=arm).values[:3])
    with pytest.raises(DataContractError, match="nothing to share"):
        plotting.plot_sharing(make_fake_idata(arms=["A"]))


def test_intervals_are_those_of_the_draws(fake_idata):
    figure = plotting.plot_sharing(fake_idata, probs=(0.5, 0.8))
    draws = fake_idata["posterior"]["sharing"].sel(arm="SNRI", factor="F1").values
    lines = [c for c in figure.axes[0].collections if hasattr(c, "get_segments")]
    thin = lines[1].get_segments()[0][:, 0]
    np.testing.assert_allclose(thin, np.quantile(draws, [0.1, 0.9]))


def test_explained_is_in_percent_of_the_arm(fake_idata):
    figure = plotting.plot_explained(fake_idata)
    explained = fake_idata["posterior"]["explained"].mean(("chain", "draw")) * 100
    np.testing.assert_allclose(points(figure)[:3, 0], explained.sel(arm="SSRI").values[:3])
    np.testing.assert_allclose(points(figure)[3:, 0], explained.sel(arm="SNRI").values[:3])


def test_block_map_shows_the_arm_where_the_factor_is_and_signs(fake_idata):
    figure = plotting.plot_block_map(fake_idata)
    within = fake_idata["posterior"]["explained_block"].mean(("chain", "draw")) * 100
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert names == ["DMN", "CCN", "Reward"]
    titles = [ax.get_title(loc="left").split()[0] for ax in figure.axes]
    assert titles == ["F1", "F2", "F3"], "F4 is unused"
    square = np.ma.filled(figure.axes[1].images[0].get_array(), np.nan)
    wanted = within.sel(factor="F2", arm="SSRI", block="DMN-CCN")
    assert square[1, 0] == square[0, 1] == pytest.approx(float(wanted))
    assert square[2, 1] == pytest.approx(
        float(within.sel(factor="F2", arm="SSRI", block="CCN-Reward"))
    )
    # Cells of next to nothing bear no number; a block within one network bears its sign.
    inside = (fake_idata["loadings"]["block"] == "CCN-CCN").values
    loading = fake_idata["loadings"]["mean"].sel(factor="F2").values[inside]
    above = (loading[loading > 0] ** 2).sum() / (loading**2).sum()
    sign = "+" if above >= 0.8 else "\N{MINUS SIGN}" if above <= 0.2 else "±"
    (written,) = [t.get_text() for t in figure.axes[1].texts if t.get_in_layout()]
    assert written == f"{square[1, 1]:.0f}{sign}"
    assert "in the arm where it is largest" in caption_of(figure)


def test_block_map_of_signatures_and_regions(fake_idata):
    sig = signatures(fake_idata)
    figure = plotting.plot_block_map(sig, factors=["F3"])
    square = figure.axes[0].images[0].get_array()
    inside = (sig["block"] == "Reward-Reward").values
    wanted = np.sqrt((sig["mean"].sel(factor="F3").values[inside] ** 2).mean())
    assert square[2, 2] == pytest.approx(wanted)
    regional = plotting.plot_block_map(make_fake_idata(regional=True))
    assert regional.axes[0].images[0].get_array().shape == (3, 3)
    with pytest.raises(DataContractError, match="F9"):
        plotting.plot_block_map(sig, factors=["F9"])


def test_symptom_links_fill_only_what_is_clear(fake_idata):
    figure = plotting.plot_symptom_links(fake_idata)
    weight = fake_idata["posterior"]["symptom_weight"].mean(("chain", "draw"))[:3]
    np.testing.assert_allclose(points(figure)[:, 0], weight.sel(symptom="retardation").values)
    marks = next(c for c in figure.axes[0].collections if len(c.get_offsets()) == 3)
    white = (marks.get_facecolors()[:, :3] == 1).all(axis=1)
    assert white.tolist() == [False, True, True]
    with pytest.raises(DataContractError, match=r"this fit had no symptoms: name them in the spec"):
        plotting.plot_symptom_links(make_fake_idata(symptoms=False))


def test_symptom_links_by_arm_show_every_arm_in_the_unit_of_the_symptom():
    idata = make_fake_idata(links="by_arm")
    figure = plotting.plot_symptom_links(idata, by_arm=True)
    weight = idata["posterior"]["symptom_weight_by_arm"].mean(("chain", "draw"))
    first = np.concatenate([weight.sel(arm=a, symptom="retardation")[:3] for a in ("SSRI", "SNRI")])
    np.testing.assert_allclose(points(figure)[:, 0], first)
    assert len(np.unique(points(figure)[:, 1])) == 6
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["retardation", "cognitive"]
    units = [ax.get_xlabel() for ax in figure.axes[:2]]
    assert units == ["SD per SD of the score", "log-odds per SD"]
    legend = figure.axes[0].get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["SSRI", "SNRI"]
    (caption,) = [" ".join(w.split()) for w in texts(figure) if w.startswith("Links: ")]
    assert "SD of the symptom per SD" in caption and "log-odds of a higher rating" in caption
    # Panels of one unit share a scale; units do not.
    assert figure.axes[0].get_xlim() != figure.axes[1].get_xlim()
    with pytest.raises(DataContractError, match="fit with symptom_links='by_arm'"):
        plotting.plot_symptom_links(make_fake_idata(), by_arm=True)


def test_edges_shown_are_the_strongest_clear_ones(fake_idata):
    one = signatures(fake_idata).sel(factor="F1")
    shown, title = _select(one, 5, "edges", np.ones(45, dtype=bool))
    clear = (one["lower"] > 0) | (one["upper"] < 0)
    assert shown.sum() == 5
    assert clear.values[shown].all()
    rest = np.abs(one["mean"].values[clear.values & ~shown])
    assert np.abs(one["mean"].values[shown]).min() >= rest.max()
    assert title == f"the 5 strongest of {int(clear.sum())} edges whose 90% interval excludes 0"


def test_edges_of_regions_without_coordinates_are_counted(fake_idata):
    sig = signatures(fake_idata)
    sig["region_x"].values[2] = np.nan
    one = sig.sel(factor="F1")
    clear = ((one["lower"] > 0) | (one["upper"] < 0)).values
    lost = clear & ((one["region_a"] == "DMN_3") | (one["region_b"] == "DMN_3")).values
    assert 0 < lost.sum() < clear.sum()
    caption = caption_of(plotting.plot_connectome(sig, "F1"))
    assert f"All {int(clear.sum() - lost.sum())} edges" in caption
    assert f"(not drawn: {int(lost.sum())} more, of regions without coordinates)" in caption


def test_connectome_says_how_edges_were_chosen_and_names_regions(fake_idata):
    sig = signatures(fake_idata)
    figure = plotting.plot_connectome(sig, "F2")
    words = texts(figure)
    assert {"F2 SSRI-specific: CCN-CCN, DMN-CCN", "CCN", "1", "2", "3"} <= set(words)
    assert not {"DMN", "Reward"} & set(words), "networks without an edge are not in the legend"
    caption = caption_of(figure)
    assert caption.startswith("All 3 edges whose 90% interval excludes 0. Loadings: posterior")
    assert all(f"CCN_{i}" in caption for i in (1, 2, 3))
    with pytest.raises(DataContractError, match="F7"):
        plotting.plot_connectome(sig, "F7")


def test_the_sign_of_edges_is_shown_by_the_line(fake_idata):
    sig = signatures(fake_idata)
    figure = plotting.plot_connectome(sig, "F1")
    one = sig.sel(factor="F1")
    shown, _ = _select(one, 30, "edges", np.ones(45, dtype=bool))
    values = one["mean"].values[shown]
    first = figure.axes[0].child_axes[0]
    lines = [c for c in first.collections if hasattr(c, "get_segments")]
    assert [len(c.get_segments()) for c in lines] == [(values > 0).sum(), (values < 0).sum()]
    solid, dashed = (c.get_linestyles()[0] for c in lines)
    assert solid[1] is None and dashed[1] is not None
    strongest = np.abs(values[values > 0]).argmax()
    assert np.argmax(lines[0].get_linewidths()) == strongest


def test_connectome_with_nothing_to_show(fake_idata):
    sig = signatures(fake_idata).copy(deep=True)
    sig["lower"].values[:], sig["upper"].values[:] = -1.0, 1.0
    caption = caption_of(plotting.plot_connectome(sig, "F1"))
    assert caption == "No edges have a 90% interval that excludes 0."


def test_without_coordinates_a_matrix(fake_idata):
    sig = signatures(make_fake_idata(coordinates=False))
    shuffled = sig.isel(region=np.array([9, 0, 5, 2, 7, 1, 3, 4, 6, 8]))
    figure = plotting.plot_connectome(shuffled, "F2")
    matrix = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    assert matrix.shape == (10, 10)
    # Networks stay together in their order of appearance: Reward, DMN, CCN.
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["Reward", "DMN", "CCN"]
    # Each edge once: positive below the diagonal, negative above.
    assert np.isfinite(matrix).sum() == 3
    assert np.isfinite(matrix[7:, 7:]).sum() == 3
    below = np.tri(10, dtype=bool)
    assert (matrix[below & np.isfinite(matrix)] > 0).all()
    assert (matrix[~below & np.isfinite(matrix)] < 0).all()


def test_regional_maps():
    idata = make_fake_idata(regional=True, coordinates=False)
    figure = plotting.plot_connectome(signatures(idata), "F3", top=3)
    assert len(figure.axes[0].get_yticks()) == 3
    figure = plotting.plot_connectome(signatures(make_fake_idata(regional=True)), "F3")
    assert caption_of(figure).startswith("All 7 regions whose 90% interval")
    assert {"positive", "negative"} <= set(texts(figure))


def test_nothing_is_changed(fake_idata):
    before = fake_idata.copy(deep=True)
    table = classify_factors(fake_idata)
    plotting.plot_sharing(fake_idata, factors=table)
    plotting.plot_block_map(fake_idata, labels=table)
    xr.testing.assert_identical(fake_idata, before)
