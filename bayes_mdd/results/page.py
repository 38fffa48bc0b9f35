"""The frame of the report: figures inline, text escaped, nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from bayes_mdd import __version__
from bayes_mdd.dims import MISSING
from bayes_mdd.features import Quality
from bayes_mdd.files.replace import write_text
from bayes_mdd.results.checks import judge_check

DPI = 130


@dataclass(frozen=True)
class Picture:
    """A figure as it goes into the page.

    Parameters
    ----------
    title : str
        Its name.
    alt : str
        What it shows, for readers who cannot see it.
    data : str
        PNG in base64.
    """

    title: str
    alt: str
    data: str


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What a caller chooses about a report.

    Parameters
    ----------
    title : str, optional
        Heading; by default that of the model family.
    quality : Quality, optional
        From `check_quality`; by default what was recorded with the features.
    top_edges : int, default 60
        Edges in each connectome picture.
    with_participants : bool, default False
        Whether the page names participants, the command line and folders.
    """

    title: str | None = None
    quality: Quality | None = None
    top_edges: int = 60
    with_participants: bool = False


def render_page(package: str, template: str, content: Mapping[str, Any]) -> str:
    """Fill a template of a package; every text is escaped.

    Parameters
    ----------
    package : str
        Package that holds the template, e.g. ``"bayes_mdd.polar_lda"``.
    template : str
        File name.
    content : mapping
        Values by name; a name that the template uses and that is missing is an error.

    Returns
    -------
    str
        HTML.
    """
    source = files(package).joinpath(template).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    common = {
        "version": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return environment.from_string(source).render(common | dict(content))


def write_page(path: Path, page: str) -> Path:
    """Write a page under a temporary name, then move it into place.

    Parameters
    ----------
    path : Path
        The file.
    page : str
        HTML.

    Returns
    -------
    Path
        `path`.
    """
    return write_text(path, page)


def embed(figure: Figure, title: str, alt: str) -> Picture:
    """Turn a figure into a picture of the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not closed.
    title, alt : str
        Its name, and what it shows for readers who cannot see it.

    Returns
    -------
    Picture
        PNG in base64.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return Picture(title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))


def check_row(row: pd.Series[Any]) -> dict[str, str]:
    """Write one check as text for the page.

    Parameters
    ----------
    row : pandas.Series
        One row of a table of checks.

    Returns
    -------
    dict of str to str
        ``name``, ``value``, ``threshold``, ``state`` and ``advice``.
    """
    return {
        "name": str(row["name"]),
        "value": format_number(row["value"]),
        "threshold": format_number(row["threshold"]),
        "state": judge_check(row["passed"]),
        "advice": "" if row["advice"] is None or pd.isna(row["advice"]) else str(row["advice"]),
    }


def format_number(value: Any) -> str:
    """Write a number with four digits; what is missing becomes ``n/a``.

    Parameters
    ----------
    value : object
        A number, text or None.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> format_number(0.123456), format_number(float("nan")), format_number("< 1.01")
    ('0.1235', 'n/a', '< 1.01')
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_)):
        return f"{value:.4g}"
    return str(value)
