"""Figures as they are embedded in a page: SVG where it is small, PNG otherwise."""

from __future__ import annotations

import base64
import io
import re
from typing import Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from bayes_mdd.results.page.values import Picture

DPI: Final = 130
#: Size in bytes of the largest figure that is embedded as SVG: 40 of them fit in 15 MB.
LARGEST_SVG: Final = 275_000
#: Attributes whose numbers are places in the figure, in points, and what is shortened in them.
_PLACES = re.compile(rb'(?<=\s)(d|x|y|points)="([^"]*)"')
_NUMBERS = re.compile(rb"-?\d+\.\d+(?:e[-+]?\d+)?")
_LETTERS = re.compile(rb"\s*([A-Za-z])\s*")
_STYLES = re.compile(rb'style="([^"]*)"')
_BETWEEN = re.compile(rb">\s+<")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>]*>\s*")


def embed(figure: Figure, title: str, alt: str, caption: str = "") -> Picture:
    """Turn a figure into a picture of the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not closed.
    title, alt : str
        Its name, and what it shows for readers who cannot see it.
    caption : str, default ""
        Sentences under the figure: units, n, which interval; `alt` where empty.

    Returns
    -------
    Picture
        SVG with text as outlines and places to a tenth of a point, so that it looks the same
        everywhere; PNG where the SVG would be larger than 275 kB.
    """
    width, height = (float(x) for x in figure.get_size_inches())
    data = draw_svg(figure)
    if len(data) <= LARGEST_SVG:
        return Picture(title, alt, _encode(data), caption, "svg", width, height)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return Picture(title, alt, _encode(buffer.getvalue()), caption, "png", width, height)


def draw_svg(figure: Figure) -> bytes:
    """Draw a figure as SVG that is the same for the same figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not closed.

    Returns
    -------
    bytes
        SVG without date and program; places are rounded to a tenth of a point, which is less than
        a pixel and keeps marks from being read off as exact numbers.
    """
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "bayes_mdd"}):
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", facecolor="white", metadata=metadata)
    data = _BETWEEN.sub(b"><", _DOCTYPE.sub(b"", buffer.getvalue(), count=1))
    data = _STYLES.sub(lambda m: m[0].replace(b"; ", b";").replace(b": ", b":"), data)
    return _PLACES.sub(_round, data)


def _round(match: re.Match[bytes]) -> bytes:
    places = _NUMBERS.sub(lambda m: b"%g" % round(float(m[0]), 1), match[2])
    return match[1] + b'="' + (_LETTERS.sub(rb"\1", places) if match[1] == b"d" else places) + b'"'


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
