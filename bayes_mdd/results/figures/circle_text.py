"""Words around a circle, and the room they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from bayes_mdd.results.figures.circle_geometry import point
from bayes_mdd.results.figures.style import INK, SMALL

#: Width of a character in units of the font size.
WIDE: Final = 0.62


def square_side(ax: Axes) -> float:
    """Measure the square that the axes have room for.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Before the layout.

    Returns
    -------
    float
        Its side in inches.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    place = ax.get_position()
    return float(min(place.width * figure.get_figwidth(), place.height * figure.get_figheight()))


def set_limit(ax: Axes, limit: float) -> None:
    """Show at least the square from -limit to limit, however wide or high the axes are.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    limit : float
        Half of the side; the largest of several calls counts.
    """
    ax.update_datalim([(-limit, -limit), (limit, limit)])
    ax.margins(0)


def text_length(words: Sequence[str], size: float = SMALL) -> float:
    """Estimate the length of the longest text.

    Parameters
    ----------
    words : sequence of str
        Texts of one line.
    size : float
        Font size in points.

    Returns
    -------
    float
        In inches.
    """
    return max((len(w) for w in words), default=0) * WIDE * size / 72


def write_radially(ax: Axes, text: str, angle: float, radius: float, **style: Any) -> None:
    """Write a text along the radius, never upside down.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    text : str
        One line.
    angle, radius : float
        Where it begins.
    **style
        Of the text.
    """
    left = np.cos(angle) < -1e-9
    turn = np.rad2deg(angle) + (180 if left else 0)
    x, y = point(angle, radius)
    ax.text(
        x,
        y,
        text,
        rotation=turn,
        rotation_mode="anchor",
        ha="right" if left else "left",
        va="center",
        **{"fontsize": SMALL, "color": INK, **style},
    )


def write_around(ax: Axes, text: str, angle: float, radius: float, **style: Any) -> None:
    """Write a text along the circle, never upside down.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Changed in place.
    text : str
        One line.
    angle, radius : float
        Its middle.
    **style
        Of the text.
    """
    below = np.sin(angle) < 0
    turn = np.rad2deg(angle) + (90 if below else -90)
    x, y = point(angle, radius)
    ax.text(
        x,
        y,
        text,
        rotation=turn,
        ha="center",
        va="center",
        **{"fontsize": SMALL, "color": INK, **style},
    )
