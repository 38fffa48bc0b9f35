"""Every public figure can be printed: nothing clipped, nothing that needs colour; it composes."""

from __future__ import annotations

import inspect
from functools import cache

import matplotlib.pyplot as plt
import pytest
from figure_checks import find_faults
from figure_table import CASES, PENDING, Case
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bayes_mdd import plotting

ALL = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
#: Variants compose as the first case of a function does: they are tried in the slow tests.
FIRST = {case.name: case for case in reversed(CASES)}
EACH = pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c.id, marks=[] if FIRST[c.name] is c else pytest.mark.slow) for c in CASES],
)


@cache
def drawn(case: Case) -> Figure:
    """The figure that the function makes itself."""
    return case.draw()


def panels(figure: Figure) -> list[Axes]:
    """The axes that a caller would have to give: no colour bars, no insets."""
    return [
        ax
        for ax in figure.axes
        if ax.get_visible() and ax.get_label() != "<colorbar>" and ax.get_subplotspec() is not None
    ]


def grid(figure: Figure) -> tuple[int, int]:
    """Rows and columns of the panels of a figure."""
    place = panels(figure)[0].get_subplotspec()
    assert place is not None
    rows, columns = place.get_topmost_subplotspec().get_gridspec().get_geometry()
    return rows, columns


def keyword(case: Case) -> str:
    """How the function takes axes."""
    names = inspect.signature(getattr(plotting, case.name)).parameters
    found = [n for n in ("ax", "axes") if n in names]
    assert len(found) == 1, f"{case.name} must take ax or axes"
    assert names[found[0]].default is None
    return found[0]


def test_every_public_figure_is_in_the_table() -> None:
    named = {case.name for case in CASES}
    assert sorted(named | set(PENDING)) == sorted(plotting.__all__)
    assert not PENDING, "add a line to CASES"
    assert len({case.id for case in CASES}) == len(CASES), "two lines need different variants"


@ALL
def test_it_can_be_printed_in_black_and_white(case: Case) -> None:
    figure = drawn(case)
    assert isinstance(figure, Figure)
    assert find_faults(figure, arms=case.arms) == []
    assert plt.get_fignums() == []


@EACH
def test_two_fit_side_by_side_into_a_figure_of_the_caller(case: Case) -> None:
    """Each takes half of a figure that is twice as wide, and leaves the figure as it is."""
    own = drawn(case)
    name, (rows, columns), count = keyword(case), grid(own), len(panels(own))
    page = Figure(figsize=(2 * own.get_figwidth(), own.get_figheight()), layout="constrained")
    size, engine = tuple(page.get_size_inches()), page.get_layout_engine()
    both = page.subplots(rows, 2 * columns, squeeze=False)
    for half in (both[:, :columns], both[:, columns:]):
        given = list(half.ravel())[:count]
        for unused in list(half.ravel())[count:]:
            unused.set_axis_off()
        target = given[0] if name == "ax" else given
        assert case.draw(**{name: target}) is page
    assert tuple(page.get_size_inches()) == size and page.get_layout_engine() is engine
    assert isinstance(engine, ConstrainedLayoutEngine)
    whole = [page._suptitle, page._supxlabel, page._supylabel]
    assert not [*page.legends, *page.texts, *(t for t in whole if t)], "belongs to the axes"
    assert find_faults(page, alone=False) == []
    assert plt.get_fignums() == []
