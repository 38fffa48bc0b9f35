"""Filling a template of a family in the common frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import BaseLoader, Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from bayes_mdd import __version__
from bayes_mdd.files.replace import write_text
from bayes_mdd.results.page.numbers import finish_page
from bayes_mdd.results.page.values import Column, Table, table_from_records

FRAME: Final = "bayes_mdd.results.page"


def render_page(package: str, template: str, content: Mapping[str, Any]) -> str:
    """Fill a template of a package; every text is escaped.

    Parameters
    ----------
    package : str
        Package that holds the template, e.g. ``"bayes_mdd.polar_lda"``.
    template : str
        File name. It may extend ``base.html.j2``, import from ``parts.html.j2``, and include files
        of other packages as ``"bayes_mdd.evidence/section.html.j2"``.
    content : mapping
        Values by name; a name that the template uses and that is missing is an error.

    Returns
    -------
    str
        HTML. Figures and tables are numbered, and the navigation lists the sections. A template
        that does not extend the base gives a part of a page, which goes into a whole one with
        ``{{ part | safe }}``.
    """
    environment = Environment(
        loader=_find_templates(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"slug": slug, "sentence": _end_sentence}
    environment.tests["whole"] = _is_whole
    environment.globals["as_table"] = _as_table
    common = {
        "version": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "frame_style": Markup(_read(FRAME, "page.css")),
        "frame_script": Markup(_read(FRAME, "page.js")),
    }
    return finish_page(environment.get_template(template).render(common | dict(content)))


#: A number with its interval, which is not broken into lines.
_INTERVAL: Final = re.compile(r"[-+\u2212]?[\d.]+ ?%? ?\[[^\]]{1,30}\]")


def slug(text: str) -> str:
    """Make an id of a name.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Letters, digits and hyphens.

    Examples
    --------
    >>> slug("Sharing <b> of F1 & F2")
    'sharing-b-of-f1-f2'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


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


def _end_sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")


def _is_whole(text: str) -> bool:
    return _INTERVAL.fullmatch(text) is not None


def _as_table(
    id: str,
    caption: str,
    columns: Sequence[Sequence[str]],
    records: Iterable[Mapping[Any, Any]],
    *,
    note: str = "",
    stack: bool = False,
) -> Table:
    """Make a table in a template: columns are (key, heading) or (key, heading, "n") if numeric."""
    heads = {key: Column(title, bool(rest)) for key, title, *rest in columns}
    return table_from_records(id, caption, heads, records, note=note, stack=stack)


def _find_templates(package: str) -> BaseLoader:
    """Look for a template in its package, then in the frame, or where its name says."""

    def load(name: str) -> tuple[str, str | None, Callable[[], bool]] | None:
        of, _, file = name.rpartition("/")
        for place in [of] if of else [package, FRAME]:
            if files(place).joinpath(file).is_file():
                return _read(place, file), None, lambda: True
        return None

    return FunctionLoader(load)


def _read(package: str, file: str) -> str:
    return files(package).joinpath(file).read_text(encoding="utf-8")
