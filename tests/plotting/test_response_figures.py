"""Figures of treatment response show the numbers, name units and patients, and clip nothing."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import bayes_mdd as bm
from bayes_mdd import plotting
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.response.figures.benefits import ICONS
from bayes_mdd.response.power import Plan, power_moderator
from bayes_mdd.response.power_curves import tabulate_power


@pytest.fixture(scope="module")
def response() -> xr.DataTree:
    """A fast fit of a small simulated trial."""
    trial = bm.simulate_trial(seed=2, n=48, n_factors=3, benefit_sd=1.0)
    spec = bm.response_spec(trial.outcomes)
    return bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")


@pytest.fixture(scope="module")
def people(response: xr.DataTree) -> xr.Dataset:
    new = bm.simulate_trial(seed=3, n=20, n_factors=3, prefix="new").scores
    return bm.predict_benefit(response, new)


CURVE = pd.DataFrame(
    {"p_star": [0.5, 0.8], "gain": [0.4, 0.2], "se": [0.2, 0.1], "decided": [0.6, 0.3]}
)
GROUPS = pd.DataFrame({"predicted": [-1.0, 1.0], "observed": [0.2, 1.4], "se": [0.6, 0.7]})
COUNTS = {"SNRI preferred": 14, "SSRI preferred": 20, "no preference": 64, "outside": 2}


def toc(n: int = 20) -> pd.DataFrame:
    share = np.arange(1, n + 1) / n
    table = pd.DataFrame({"share": share, "gain": 2 * (1 - share), "se": 0.5 * (1 - share)})
    table.attrs.update(autoc=0.95, qini=0.31)
    return table


def texts(figure: Figure) -> list[str]:
    """All words on a figure, after it was drawn."""
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(plt.Text) if t.get_text()]


def clipped(figure: Figure) -> list[str]:
    """Words that do not lie inside the figure, and tick labels that lie on each other."""
    figure.draw_without_rendering()
    page, ticks = figure.bbox, set()
    found = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels = [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            ticks |= {t.label1 for t in axis.get_major_ticks()} - set(labels)
            boxes = [t.get_window_extent() for t in labels if t.get_text() and t.get_visible()]
            found += ["tick labels" for a, b in pairwise(boxes) if a.overlaps(b)]
    for text in figure.findobj(plt.Text):
        if text in ticks or not text.get_text().strip() or not text.get_visible():
            continue
        box = text.get_window_extent()
        if not (box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1):
            found.append(text.get_text())
    return found


def test_prognosis_stands_beside_moderation_on_one_scale(response: xr.DataTree) -> None:
    figure = plotting.plot_response_factors(response)
    words = texts(figure)
    assert {"Prognosis: outcome on either drug", "Moderation: SNRI minus SSRI"} <= set(words)
    assert "points per SD of the score (48 patients)" in words
    assert any("50% and 90% equal-tailed" in " ".join(w.split()) for w in words)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    for axis, name in enumerate(("prognosis", "moderation")):
        mean = response["posterior"][name].mean(("chain", "draw")).values
        sets = [np.asarray(c.get_offsets()) for c in figure.axes[axis].collections]
        (points,) = [s for s in sets if s.shape == (3, 2) and len(np.unique(s[:, 1])) == 3]
        np.testing.assert_allclose(points[:, 0], mean)


def test_crossover_shows_the_factor_that_moderates_most(response: xr.DataTree) -> None:
    figure = plotting.plot_crossover(response)
    strongest = abs(response["posterior"]["moderation"].mean(("chain", "draw"))).idxmax("factor")
    assert f"score of {strongest.item()}, SD" in texts(figure)
    # Both arms' outcomes are drawn.
    drawn = sum(
        len(c.get_offsets()) for c in figure.axes[0].collections if len(c.get_offsets()) > 1
    )
    assert drawn == 48
    # Where the lines cross, neither drug is better.
    lines = {str(line.get_label())[:4]: line for line in figure.axes[0].lines}
    benefit = figure.axes[1].lines[0].get_ydata()
    apart = lines["SSRI"].get_ydata() - lines["SNRI"].get_ydata()
    np.testing.assert_allclose(apart, benefit, atol=1e-9)
    assert lines["SSRI"].get_linestyle() != lines["SNRI"].get_linestyle()
    assert lines["SSRI"].get_label() == "SSRI (n = 24)"
    with pytest.raises(DataContractError, match="no factor 'F9'"):
        plotting.plot_crossover(response, factor="F9")


def test_response_figures_draw_on_given_axes(response: xr.DataTree) -> None:
    own = Figure()
    axes = own.subplots(1, 2)
    assert plotting.plot_crossover(response, axes=axes) is own
    assert plotting.plot_response_factors(response, axes=Figure().subplots(1, 2)) is not own
    with pytest.raises(SpecError, match="axes must be 2 Axes, one for each panel, got 1"):
        plotting.plot_crossover(response, axes=[axes[0]])
    for plot, given in (
        (plotting.plot_gain_curve, CURVE),
        (plotting.plot_priorities, toc()),
        (plotting.plot_benefit_calibration, GROUPS),
        (plotting.plot_icons, COUNTS),
        (plotting.plot_power, tabulate_power(Plan(), sizes=(0.5, 1.0))),
    ):
        page = Figure()
        assert plot(given, ax=page.subplots()) is page


def test_benefits_are_sorted_and_name_nobody(people: xr.Dataset) -> None:
    figure = plotting.plot_benefits(people)
    heights = np.asarray(figure.axes[0].collections[2].get_offsets())[:, 1]
    np.testing.assert_allclose(heights, np.sort(people["benefit_mean"].values))
    words = texts(figure)
    assert not [w for w in words if "new-" in w]
    assert "points (above 0: SNRI is better)" in words
    assert "20 patients, sorted" in words
    (said,) = [" ".join(w.split()) for w in words if w.startswith("point: ")]
    assert said == (
        "point: posterior mean; lines: 50% and 90% equal-tailed intervals; "
        "shaded: less than 1.5 points, no preference"
    )
    with pytest.raises(DataContractError, match="benefit_lower"):
        plotting.plot_benefits(pd.DataFrame({"benefit": [1.0]}))


def test_gain_and_calibration_show_the_numbers() -> None:
    figure = plotting.plot_gain_curve(CURVE)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[60, 0.4], [30, 0.2]])
    drawn = plotting.plot_benefit_calibration(GROUPS).axes[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, [[-1.0, 0.2], [1.0, 1.4]])
    for plot in (
        plotting.plot_gain_curve,
        plotting.plot_benefit_calibration,
        plotting.plot_priorities,
        plotting.plot_power,
    ):
        with pytest.raises(DataContractError, match="there is no column"):
            plot(pd.DataFrame())


def test_priorities_have_a_band_and_areas_without_a_p_value() -> None:
    figure = plotting.plot_priorities(toc())
    words = texts(figure)
    (said,) = [" ".join(w.split()) for w in words if "AUTOC" in w]
    assert said.endswith("; AUTOC 0.95, Qini 0.31 points (descriptive, not tested)")
    assert not [w for w in words if "p =" in w]
    assert "patients of highest predicted benefit, %" in words
    of_a_file = plotting.plot_priorities(toc(), n=48)
    assert "patients of highest predicted benefit, % (n = 48)" in texts(of_a_file)
    line = figure.axes[0].lines[0].get_xydata()
    assert line[0] == pytest.approx([10, 1.8]), "fewer than a tenth are not drawn"
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.8 + 1.645 * 0.45)


def test_icons_are_a_hundred_and_differ_without_colours() -> None:
    figure = plotting.plot_icons(COUNTS)
    drawn = [np.asarray(c.get_offsets()) for c in figure.axes[0].collections]
    # Each group is drawn once in the field and once in the legend.
    assert [len(x) for x in drawn[::2]] == list(COUNTS.values())
    assert all(len(x) == 1 for x in drawn[1::2])
    assert {"14  SNRI preferred", "64  no preference"} <= set(texts(figure))
    assert len({marker for marker, _, _ in ICONS}) == len(ICONS)
    grey = sorted(np.dot([0.299, 0.587, 0.114], to_rgb(face)) for _, face, _ in ICONS[:3])
    assert min(np.diff(grey)) > 0.2
    for wrong in ({"a": 99}, {str(i): 20 for i in range(5)}, {"a": 110, "b": -10}):
        with pytest.raises(DataContractError, match="of sum 100"):
            plotting.plot_icons(wrong)


def test_power_curves_are_those_of_the_closed_form() -> None:
    table = tabulate_power(Plan(candidates=3), sizes=(0.02, 0.5), reliabilities=(0.5, 1.0))
    assert table["n_per_arm"].isna().sum() == 2, "not within 5000"
    for row in table.dropna().itertuples():
        plan = Plan(benefit_sd=row.benefit_sd, candidates=3, reliability=row.reliability)
        assert power_moderator(2 * row.n_per_arm, plan) >= 0.8
        assert power_moderator(2 * row.n_per_arm - 2, plan) < 0.8
    figure = plotting.plot_power(table, trial=(0.7, 40))
    assert {"0.5", "1", "this trial", "reliability of the scores"} <= set(texts(figure))
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 2


def test_rows_of_plan_power_are_drawn_and_nothing_is_refused() -> None:
    # The closed form has no standard error.
    plan = pd.DataFrame(
        {"benefit_sd": [0.4, 0.6], "reliability": 1.0, "n_per_arm": [102, 47], "se": np.nan}
    ).astype({"n_per_arm": "Int64"})
    (line,) = plotting.plot_power(plan).axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [102, 47])
    with pytest.raises(DataContractError, match="no number of patients is known"):
        plotting.plot_power(plan.assign(n_per_arm=np.nan))


def test_leaky_baselines_are_red_and_marked_beside_paired_differences() -> None:
    table = pd.DataFrame(
        {
            "method": ["clinical", "ridge", "svm rbf"], "view": ["clinical", "imaging", "both"],
            "auc": [0.6, 0.9, 0.55], "auc_lower": [0.5, 0.8, 0.5], "auc_upper": [0.7, 0.95, 0.6],
            "leaky": [False, True, False],
        }
    )  # fmt: skip
    paired = pd.DataFrame(
        {
            "measure": ["auc", "auc"], "reference_method": "ridge", "reference_view": "imaging",
            "method": ["clinical", "svm rbf"], "view": ["clinical", "both"],
            "difference": [0.3, 0.35], "lower": [0.1, 0.2], "upper": [0.5, 0.5],
        }
    )  # fmt: skip
    figure = plotting.plot_baselines(table, paired)
    assert clipped(figure) == []
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == [
        "LEAKY: ridge (imaging)", "clinical only", "svm rbf (both)",
    ]  # fmt: skip
    red = to_rgb(left.get_yticklabels()[0].get_color())
    assert red != to_rgb(left.get_yticklabels()[1].get_color())
    drawn = np.concatenate([np.asarray(c.get_offsets()) for c in right.collections])
    drawn = drawn[drawn[:, 1] > 0]
    np.testing.assert_allclose(np.sort(drawn[:, 0]), [-0.35, -0.3])
    assert {"minus the best method", "area under the curve"} <= set(texts(figure))
    assert any(w.startswith("95% intervals, corrected") for w in texts(figure))
    same = plotting.plot_baselines(table.set_index(["method", "view"]))
    assert len(same.axes) == 1
    with pytest.raises(DataContractError, match="measure must be one of"):
        plotting.plot_baselines(table, measure="accuracy")
    with pytest.raises(DataContractError, match="there is no column r2"):
        plotting.plot_baselines(table, measure="r2")
