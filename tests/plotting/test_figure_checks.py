"""The checks of figures can fail: each fault, made on purpose, is found."""

from __future__ import annotations

import numpy as np
import pytest
from figure_checks import find_faults
from matplotlib.figure import Figure

X = np.arange(5.0)


def plain(width: float = 6, *, title: str = "Title") -> Figure:
    figure = Figure(figsize=(width, 3), layout="constrained")
    ax = figure.subplots()
    ax.plot(X, X, "o-", label="SSRI")
    ax.plot(X, 4 - X, "s--", label="SNRI")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def test_a_figure_without_faults_has_none() -> None:
    figure = plain()
    figure.axes[0].set_xticks(X, ["a long name of a region"] * 5, rotation=45, ha="right")
    assert find_faults(figure, arms=("SSRI", "SNRI")) == []


def test_a_clipped_label_is_found() -> None:
    figure = plain()
    label = figure.axes[0].text(3, 2, "this label is longer than the room that is left for it")
    label.set_in_layout(False)
    assert any(f.startswith("clipped: 'this label") for f in find_faults(figure))
    figure = plain(title="a title that is much too long for a figure of this width " * 2)
    assert any(f.startswith("clipped: 'a title") for f in find_faults(figure))
    crowded = plain()
    crowded.axes[0].set_xlabel("a label\n" * 12)
    assert any(f.startswith("panel of") for f in find_faults(crowded))
    hidden = plain()
    hidden.axes[0].text(9, 9, "far away").set_visible(False)
    assert find_faults(hidden) == []


@pytest.mark.parametrize("turn", [0, 45])
def test_tick_labels_that_overlap_are_found(turn: int) -> None:
    figure = plain()
    at = np.linspace(0, 4, 60 if turn else 12)
    figure.axes[0].set_xticks(at, ["a long name"] * len(at), rotation=turn)
    assert "'a long name' lies on 'a long name'" in find_faults(figure)


def test_small_text_is_found_at_the_width_of_a_page() -> None:
    assert find_faults(plain(7)) == []
    assert any(f.startswith("'SSRI' has 7.0 pt") for f in find_faults(plain(10)))
    assert find_faults(plain(10), alone=False) == [], "the caller chose the width"
    figure = plain(5)
    figure.axes[0].text(1, 1, "tiny", fontsize=6)
    assert find_faults(figure) == ["'tiny' has 6.0 pt at 7 inches"]


def test_arms_that_differ_by_colour_alone_are_found() -> None:
    figure = plain()
    for line in figure.axes[0].lines:
        line.set(marker="o", linestyle="-")
    figure.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    arms = ("SSRI", "SNRI")
    assert find_faults(figure, arms=arms) == ["SSRI and SNRI differ by colour alone"]
    figure.axes[0].lines[0].set_marker("D")
    figure.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    assert find_faults(figure, arms=arms) == []
    figure.axes[0].legend([], [])
    assert find_faults(figure, arms=arms) == ["no legend names SSRI and SNRI"]
    bars = Figure(figsize=(6, 3), layout="constrained")
    ax = bars.subplots()
    for i, (arm, hatch) in enumerate(zip(arms, (None, "///"), strict=True)):
        ax.bar(i, 1, label=arm, hatch=hatch, color="0.6", edgecolor="k")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    assert find_faults(bars, arms=arms) == []


def test_a_legend_on_data_is_found() -> None:
    figure = plain()
    figure.axes[0].legend(loc="center")
    assert find_faults(figure) == ["legend ['SSRI', 'SNRI'] covers data"]
