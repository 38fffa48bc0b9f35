"""Places on a circle: networks, curves between them, and labels apart from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.path import Path

Array = npt.NDArray[np.float64]
#: Radius of the ends of curves, and of the inner and outer border of the band of networks.
ENDS, INNER, OUTER = 0.985, 1.0, 1.05
#: Radius at which labels begin.
LABELS: Final = 1.12
#: Angle between two networks, and the largest share of the circle that such gaps may take.
GAP: Final = 0.07
GAPS_AT_MOST: Final = 0.25


def place_arcs(sizes: Sequence[float]) -> tuple[Array, Array]:
    """Divide a circle among networks, clockwise from the top.

    Parameters
    ----------
    sizes : sequence of float
        Size of each network.

    Returns
    -------
    start, end : ndarray, shape (network,)
        Angles in radians.
    """
    size = np.asarray(sizes, dtype=float)
    gap = min(GAP, GAPS_AT_MOST * 2 * np.pi / len(size)) if len(size) > 1 else 0.0
    unit = (2 * np.pi - gap * len(size)) / size.sum()
    before = np.concatenate([[0.0], np.cumsum(size * unit + gap)[:-1]])
    start = np.pi / 2 - gap / 2 - before
    return start, start - size * unit


def point(angle: npt.ArrayLike, radius: npt.ArrayLike) -> Array:
    """Convert polar to Cartesian coordinates.

    Parameters
    ----------
    angle : array_like
        In radians.
    radius : array_like
        Distance from the centre.

    Returns
    -------
    ndarray, shape (..., 2)
        x and y.
    """
    a, r = np.broadcast_arrays(np.asarray(angle, dtype=float), np.asarray(radius, dtype=float))
    return np.stack([r * np.cos(a), r * np.sin(a)], axis=-1)


def depth(a: float, b: float) -> float:
    """Choose the radius of the control points of a curve: the nearer its ends, the flatter.

    Parameters
    ----------
    a, b : float
        Angles of the ends.

    Returns
    -------
    float
        Between 0 and `ENDS`.
    """
    apart = abs((a - b + np.pi) % (2 * np.pi) - np.pi) / np.pi
    return float(ENDS * (1 - min(1.0, 0.35 + 0.75 * apart)))


def curve(a: float, b: float) -> Path:
    """Draw a curve between two points of the circle.

    Parameters
    ----------
    a, b : float
        Angles of the ends.

    Returns
    -------
    matplotlib.path.Path
        A cubic Bézier curve.
    """
    inside = depth(a, b)
    nodes = [point(a, ENDS), point(a, inside), point(b, inside), point(b, ENDS)]
    return Path(np.array(nodes), [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def ribbon(a: tuple[float, float], b: tuple[float, float]) -> Path:
    """Draw a ribbon between two arcs of the circle; a bow where they are neighbours.

    Parameters
    ----------
    a, b : tuple of float
        Start and end angle of each arc.

    Returns
    -------
    matplotlib.path.Path
        Closed.
    """
    if np.isclose(a[1], b[0]):
        height = ENDS - min(0.4, 0.15 + 0.6 * abs(a[0] - b[1]))
        along = point(np.linspace(a[0], b[1], 40), ENDS)
        nodes = [*along, point(b[1], height), point(a[0], height), along[0]]
        return Path(np.array(nodes), [Path.MOVETO, *[Path.LINETO] * 39, *[Path.CURVE4] * 3])
    first, second = (point(np.linspace(*ends, 20), ENDS) for ends in (a, b))
    nodes = [
        *first,
        *(point(a[1], depth(a[1], b[0])), point(b[0], depth(a[1], b[0]))),
        *second,
        *(point(b[1], depth(b[1], a[0])), point(a[0], depth(b[1], a[0])), first[0]),
    ]
    codes = [
        *(Path.MOVETO, *[Path.LINETO] * 19),
        *[Path.CURVE4] * 3,
        *[Path.LINETO] * 19,
        *[Path.CURVE4] * 3,
    ]
    return Path(np.array(nodes), codes)


def band(start: float, end: float) -> Path:
    """Draw the part of the ring that belongs to a network.

    Parameters
    ----------
    start, end : float
        Angles.

    Returns
    -------
    matplotlib.path.Path
        Closed.
    """
    angles = np.linspace(start, end, 60)
    nodes = np.concatenate([point(angles, INNER), point(angles[::-1], OUTER)])
    return Path(nodes, closed=False)


def spread(angles: Array, least: float) -> Array:
    """Move angles apart where they are too near to each other.

    Parameters
    ----------
    angles : ndarray, shape (label,)
        Where labels belong, in radians.
    least : float
        Smallest distance of two labels; at most 2 pi over their number.

    Returns
    -------
    ndarray, shape (label,)
        In the same order around the circle.
    """
    if len(angles) < 2:
        return angles
    order = np.argsort(angles % (2 * np.pi), kind="stable")
    at = angles[order] % (2 * np.pi)
    for _ in range(2000):
        gaps = np.diff(np.append(at, at[0] + 2 * np.pi))
        short = np.maximum(least - gaps, 0)
        if short.max() < 1e-3 * least:
            break
        at = at + 0.5 * (np.roll(short, 1) - short)
    moved = np.empty_like(at)
    moved[order] = at
    return moved
