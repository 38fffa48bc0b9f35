"""What a page knows only when it is complete: numbers of figures and tables, and the contents."""

from __future__ import annotations

import html
import re
from typing import Final

#: Where the frame puts the contents: twice, beside the text and as a menu.
CONTENTS: Final = "<!--contents-->"
#: A library that is unpacked in the page (the rotatable brain) compiles functions.
_LIBRARY: Final = '<script type="application/gzip"'
_SCRIPTS: Final = "script-src 'unsafe-inline'"
_ID = re.compile(r'<(figure|div class="table[^"]*") id="([^"]+)"')
_NUMBER = re.compile(r'<span class="number" data-of="([^"]+)"></span>')
_REFERENCE = re.compile(r'<a class="ref" href="#([^"]+)"></a>')
_PLACE = re.compile(
    r"<(section|article)\b([^>]*)>(?:\s*<header[^>]*>)?\s*<(h[23])\b([^>]*)>(.*?)</\3>", re.DOTALL
)
_ATTRIBUTE = re.compile(r'\b(id|data-title|data-state)="([^"]*)"')
_TAG = re.compile(r"<[^>]+>")
_MARKS: Final = {"failed": "✗", "not-judged": "○"}


def finish_page(page: str) -> str:
    """Give figures and tables numbers, fill in references to them, and list the sections.

    Parameters
    ----------
    page : str
        HTML from a template that extends ``base.html.j2``. Anything else is a part of a page, which
        stays as it is until the whole is finished.

    Returns
    -------
    str
        The page. Ids that occur twice get a number, and the content security policy lets a
        library that is packed in the page compile functions.

    Examples
    --------
    >>> page = '<!--contents--><figure id="a"><span class="number" data-of="a"></span></figure>'
    >>> finish_page(page).endswith('<figure id="a"><span class="number">Figure 1</span></figure>')
    True
    """
    if CONTENTS not in page:
        return page
    if _LIBRARY in page:
        page = page.replace(_SCRIPTS, f"{_SCRIPTS} 'unsafe-eval'", 1)
    page, names = _number(page)
    page = _REFERENCE.sub(lambda m: _refer(m[1], names), page)
    head, *rest = page.split(CONTENTS)
    contents = _list_places("".join(rest))
    return contents.join([head, *rest[:-1], _link_headings(rest[-1])])


def _number(page: str) -> tuple[str, dict[str, str]]:
    """Give numbers to what has an id, in order; the first of equal ids keeps it."""
    counts = {"Figure": 0, "Table": 0}
    names: dict[str, str] = {}
    parts, end = [], 0
    starts = list(_ID.finditer(page))
    for k, match in enumerate(starts):
        kind = "Figure" if match[1] == "figure" else "Table"
        counts[kind] += 1
        name = match[2]
        new = name if name not in names else f"{name}-{kind.lower()}-{counts[kind]}"
        names[new] = f"{kind} {counts[kind]}"
        stop = starts[k + 1].start() if k + 1 < len(starts) else len(page)
        own = page[match.start() : stop]
        if new != name:
            own = own.replace(f'"{name}-', f'"{new}-').replace(f'"{name}"', f'"{new}"')
        own = _NUMBER.sub(lambda m: f'<span class="number">{names.get(m[1], "")}</span>', own)
        parts += [page[end : match.start()], own]
        end = stop
    return "".join([*parts, page[end:]]), names


def _refer(name: str, names: dict[str, str]) -> str:
    return f'<a class="ref" href="#{name}">{names[name]}</a>' if name in names else "below"


def _list_places(page: str) -> str:
    """List sections, and the articles in them, as links."""
    items: list[str] = []
    inner: list[str] = []
    for kind, attributes, _, _, heading in _PLACE.findall(page):
        given = dict(_ATTRIBUTE.findall(attributes))
        if "id" not in given:
            continue
        title = given.get("data-title") or " ".join(_TAG.sub("", heading).split())
        mark = _MARKS.get(given.get("data-state", ""), "")
        mark = f' <span class="mark {given["data-state"]}">{mark}</span>' if mark else ""
        link = f'<a href="#{given["id"]}">{title}{mark}</a>'
        if kind == "article" and items:
            inner.append(f"<li>{link}</li>")
            continue
        items, inner = [*items, *_close(inner)], []
        items.append(f"<li>{link}</li>")
    items += _close(inner)
    return "\n".join(["<ol>", *items, "</ol>"])


def _close(inner: list[str]) -> list[str]:
    return [f'<li class="inner"><ol>{"".join(inner)}</ol></li>'] if inner else []


def _link_headings(page: str) -> str:
    """Give the heading of each section a link to itself."""

    def add(match: re.Match[str]) -> str:
        given = dict(_ATTRIBUTE.findall(match[2]))
        if "id" not in given:
            return match[0]
        title = html.escape(html.unescape(_TAG.sub("", match[5])).strip(), quote=True)
        link = f'<a class="anchor" href="#{given["id"]}" aria-label="Link to {title}">#</a>'
        end = f"</{match[3]}>"
        return match[0].removesuffix(end) + link + end

    return _PLACE.sub(add, page)
