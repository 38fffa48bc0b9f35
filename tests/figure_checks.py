"""Checks of a drawn figure: what is clipped, overlaps, is too small or needs colour to be read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

#: Smallest text, in points, when the figure is printed this many inches wide.
SMALLEST = 8.0
PAGE = 7.0
#: Pixels by which a text may stand over the border of the figure (antialiasing), or on another.
SLACK = 1.0
#: Share of the pixels of two legend marks that must differ without colour.
DIFFERENT = 0.02
#: How much finer than on the screen marks are compared.
FINE = 2
#: The shorter side of every panel is longer than this, in inches.
SMALLEST_PANEL = 0.35


def find_faults(figure: Figure, *, arms: Sequence[str] = (), alone: bool = True) -> list[str]:
    """List the faults of a figure, in words; none if it can be printed.

    Parameters
    ----------
    figure
        The figure; it is drawn.
    arms
        Names that a legend must tell apart in greyscale.
    alone
        Whether the figure is one that the function made, so that its width counts.
    """
    figure.draw_without_rendering()
    shown = visible_texts(figure)
    boxes = [_box(t) for t in shown]
    found = [f"panel of {w:.1f} x {h:.1f} inches" for w, h in _collapsed(figure)]
    found += [
        f"clipped: {_say(t)}" for t, b in zip(shown, boxes, strict=True) if not _inside(b, figure)
    ]
    found += [f"{_say(a)} lies on {_say(b)}" for a, b in _overlapping(shown, boxes)]
    scale = min(1.0, PAGE / figure.get_figwidth()) if alone else 1.0
    found += [
        f"{_say(t)} has {t.get_fontsize() * scale:.1f} pt at {PAGE:g} inches"
        for t in shown
        if t.get_fontsize() * scale < SMALLEST - 0.05
    ]
    found += [f"legend {_names(x)} covers data" for x in _legends(figure) if _covers(x)]
    return found + (_same_in_grey(figure, arms) if arms else [])


def visible_texts(figure: Figure) -> list[Text]:
    """Texts that a reader sees: none of hidden axes, no tick labels outside the view."""
    hidden: set[Text] = set()
    for ax in figure.findobj(Axes):  # insets, too
        if not ax.get_visible():
            hidden |= set(ax.findobj(Text))
        for axis in (ax.xaxis, ax.yaxis):
            hidden |= _unseen_ticks(ax, axis)
    return [
        t
        for t in dict.fromkeys(figure.findobj(Text))
        if t not in hidden and t.get_visible() and t.get_text().strip() and t.get_alpha() != 0
    ]


def _unseen_ticks(ax: Axes, axis: Axis) -> set[Text]:
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    off = not ax.axison or not axis.get_visible()
    out: set[Text] = set()
    for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
        if off or not low - margin <= tick.get_loc() <= high + margin:
            out |= {tick.label1, tick.label2}
    return out | ({axis.label, axis.get_offset_text()} if off else set())


def _say(text: Text) -> str:
    words = " ".join(text.get_text().split())
    return f"'{words if len(words) < 40 else words[:37] + '...'}'"


def _collapsed(figure: Figure) -> list[tuple[float, float]]:
    """Sizes of panels for which texts leave no room."""
    seen = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    sizes = [ax.get_window_extent().size / figure.dpi for ax in seen]
    return [(w, h) for w, h in sizes if min(w, h) < SMALLEST_PANEL]


def _box(text: Text) -> Bbox:
    """Box of the words of a text, without the arrow of an annotation."""
    return Text.get_window_extent(text)


def _inside(box: Bbox, figure: Figure) -> bool:
    page = figure.bbox
    return bool(
        box.x0 >= page.x0 - SLACK
        and box.y0 >= page.y0 - SLACK
        and box.x1 <= page.x1 + SLACK
        and box.y1 <= page.y1 + SLACK
    )


def _overlapping(shown: Sequence[Text], boxes: Sequence[Bbox]) -> list[tuple[Text, Text]]:
    """Pairs of texts that lie on each other."""
    if not shown:
        return []
    low, high = (np.array([getattr(b, end) for b in boxes]) for end in ("min", "max"))
    near = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2)
    pairs = np.argwhere(np.triu(near, 1))
    turned = {int(i): _corners(shown[i]) for i in np.unique(pairs)}
    return [(shown[i], shown[j]) for i, j in pairs if _touch(turned[int(i)], turned[int(j)])]


def _corners(text: Text) -> np.ndarray:
    """Corners of the turned rectangle that a text fills, shape (corner, 2)."""
    turn = text.get_rotation()
    around = _box(text)
    centre = np.array([(around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2])
    text.set_rotation(0)
    flat = _box(text)
    text.set_rotation(turn)
    half = np.maximum(np.array([flat.width, flat.height]) / 2 - SLACK, 0.1)
    angle = np.deg2rad(turn)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return np.asarray(centre + (signs * half) @ axes)


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two rectangles overlap (separating axes)."""
    for box in (a, b):
        for edge in (box[1] - box[0], box[2] - box[1]):
            p, q = a @ edge, b @ edge
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True


def _legends(figure: Figure) -> list[Legend]:
    own = [x for ax in figure.axes if ax.get_visible() for x in ax.findobj(Legend)]
    return list(dict.fromkeys([*own, *figure.legends]))


def _names(legend: Legend) -> list[str]:
    return [t.get_text() for t in legend.get_texts()]


def _covers(legend: Legend) -> bool:
    """Whether lines or marks of any axes lie under a legend."""
    box = legend.get_window_extent()
    figure = legend.get_figure(root=True)
    return any(
        _crosses(artist, box)
        for ax in figure.axes
        if ax.get_visible() and ax.axison
        for artist in [*ax.lines, *ax.collections]
        if artist.get_visible()
    )


def _crosses(artist: object, box: Bbox) -> bool:
    if isinstance(artist, Line2D):
        if not len(artist.get_xdata()):
            return False
        path = artist.get_path().transformed(artist.get_transform())
        if artist.get_linestyle() in ("None", "none", "", " "):
            return bool(box.count_contains(path.vertices))
        return bool(path.intersects_bbox(box, filled=False))
    if isinstance(artist, PathCollection):
        at = np.ma.filled(np.ma.asarray(artist.get_offsets(), dtype=float), np.nan)
        return bool(box.count_contains(artist.get_offset_transform().transform(at)))
    if isinstance(artist, LineCollection):
        move = artist.get_transform()
        paths = [p.transformed(move) for p in artist.get_paths()]
        return any(p.intersects_bbox(box, filled=False) for p in paths)
    return False


def _same_in_grey(figure: Figure, arms: Sequence[str]) -> list[str]:
    """Arms whose marks in a legend differ in nothing but colour."""
    for legend in _legends(figure):
        texts = {
            arm: next((t for t in legend.get_texts() if t.get_text().startswith(arm)), None)
            for arm in arms
        }
        if all(t is not None for t in texts.values()):
            boxes = {arm: t.get_window_extent() for arm, t in texts.items() if t is not None}
            page = grey(figure)
            marks = {arm: _mark(page, figure, legend, box) for arm, box in boxes.items()}
            return [
                f"{a} and {b} differ by colour alone"
                for a, b in combinations(marks, 2)
                if not any(_differ(x, y) for x, y in zip(marks[a], marks[b], strict=True))
            ]
    return [f"no legend names {' and '.join(arms)}"]


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether shapes differ wherever one is laid on the other, up to three pixels apart."""
    rows, columns = (min(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    one, other = one[:rows, :columns], other[:rows, :columns]
    moves = [(i, j) for i in range(-3, 4) for j in range(-3, 4)]
    least = min(np.mean(one != np.roll(other, move, axis=(0, 1))) for move in moves)
    return bool(least >= DIFFERENT)


def _mark(
    page: np.ndarray, figure: Figure, legend: Legend, box: Bbox
) -> tuple[np.ndarray, np.ndarray]:
    """Shape of the mark left of a text of a legend, in greyscale: all ink, and its darker half."""
    size = legend.prop.get_size() * figure.dpi / 72
    end = box.x0 - 0.3 * legend.handletextpad * size
    start = max(end - (legend.handlelength + 0.7 * legend.handletextpad) * size, 0)
    top = figure.bbox.height - (box.y0 + box.y1) / 2 - 0.6 * size
    left, right, high = (round(FINE * n) for n in (start, end, top))
    mark = page[max(high, 0) : high + round(FINE * 1.2 * size), left:right]
    return mark < 0.9, mark < (mark.min() + mark.max()) / 2


def grey(figure: Figure, fine: int = FINE) -> np.ndarray:
    """Render a figure in greyscale: luminance from 0 to 1, shape (row, column)."""
    held = io.BytesIO()
    figure.savefig(held, format="rgba", dpi=fine * figure.dpi)
    width, height = (round(fine * n) for n in figure.bbox.size)
    pixels = np.frombuffer(held.getvalue(), dtype=np.uint8).reshape(height, width, 4)
    return np.asarray(pixels[..., :3] @ [0.299, 0.587, 0.114] / 255)
