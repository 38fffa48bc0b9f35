"""What every page must do in a browser: checks shared by the tests of all reports."""

from __future__ import annotations

import csv
import struct
import time
from pathlib import Path
from xml.etree import ElementTree

from browser import Browser

NARROW, WIDE = 390, 1280
#: Width of A4 between the margins of the printed page, in CSS pixels.
PAPER = 680
#: What reaches beyond the page and is not in a box that scrolls.
BEYOND = """Array.from(document.querySelectorAll("main *, .menu *")).filter(e => {
  const b = e.getBoundingClientRect();
  if (!b.width || b.right <= innerWidth + 1) return false;
  for (let p = e.parentElement; p; p = p.parentElement)
    if (p !== document.body && getComputedStyle(p).overflowX !== "visible") return false;
  return true;
}).map(e => `${e.tagName} ${e.id} ${e.className} ${Math.round(e.getBoundingClientRect().right)}`)"""
OPEN = "document.querySelectorAll('main details').forEach(d => { d.open = true; })"
SECTIONS = """Array.from(document.querySelectorAll("main > section")).map(s =>
  [s.id, s.getBoundingClientRect().height])"""
LINKS = """Array.from(document.querySelectorAll("a[href^='#']")).map(a => a.getAttribute("href")
  .slice(1)).filter(id => id && !document.getElementById(id))"""
FIGURES = """Array.from(document.querySelectorAll("figure")).map(f => ({
  number: f.querySelector("figcaption .number").textContent,
  caption: f.querySelector("figcaption").textContent.trim().length,
  alt: f.querySelector("img").alt.length, loaded: f.querySelector("img").naturalWidth > 0,
  share: f.querySelector("img").width / f.querySelector("img").getAttribute("width")}))"""
TABLES = """Array.from(document.querySelectorAll(".table")).map(t =>
  t.querySelector(".number").textContent)"""
ADVICE = """Array.from(document.querySelectorAll("td[data-label=advice]")).filter(c =>
  c.textContent).map(c => c.getBoundingClientRect().width)"""
PRINTED = """Array.from(document.querySelectorAll("main img, main table, main pre")).filter(e =>
  !e.closest(".bm-brain")).map(e => {
  const b = e.getBoundingClientRect();
  return [e.tagName + " " + (e.closest("[id]") || e).id, b.left, b.right, b.height];
})"""


def check_reading(browser: Browser, path: Path, sections: list[str]) -> None:
    """Check a page on a wide and on a narrow screen: nothing is missing, cut off, or fetched."""
    for width in (WIDE, NARROW):
        browser.show(path, width)
        assert browser.complaints == []
        assert browser.requests == [path.resolve().as_uri()]
        found = browser.run(SECTIONS)
        assert [name for name, _ in found] == sections
        assert all(height > 20 for _, height in found)
        browser.run(OPEN)
        browser.settle()
        beyond = browser.run(BEYOND)
        assert beyond == [], f"at {width} pixels beyond the page: {beyond}"
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide == width, f"a page of {width} pixels scrolls to {wide}"
        assert browser.run(LINKS) == [], "links in the page lead nowhere"
        listed = browser.run(
            "Array.from(document.querySelectorAll('nav')).map(n => n.querySelectorAll("
            "'ol > li:not(.inner) > a').length)"
        )
        assert min(listed) >= len(sections)
        figures = browser.run(FIGURES)
        assert [f["number"] for f in figures] == [f"Figure {i + 1}" for i in range(len(figures))]
        assert all(f["loaded"] and f["alt"] > 5 and f["caption"] > 10 for f in figures)
        assert all(f["share"] > 0.79 for f in figures), "text of figures is too small"
        tables = browser.run(TABLES)
        assert tables == [f"Table {i + 1}" for i in range(len(tables))]
        ids = browser.run("Array.from(document.querySelectorAll('[id]')).map(e => e.id)")
        assert len(ids) == len(set(ids))
    assert all(width > 250 for width in browser.run(ADVICE))
    menu = "document.querySelector('details.menu')"
    assert browser.run(f"getComputedStyle({menu}).position") == "sticky"
    browser.run(f"{menu}.querySelector('summary').click(); {menu}.querySelector('a').click()")
    assert browser.run(f"{menu}.open") is False, "the menu stays open"


def check_printing(browser: Browser, path: Path) -> None:
    """Check that nothing is cut off on paper, and that everything is there."""
    browser.show(path, WIDE)
    browser.media("print")
    browser.resize(PAPER)
    browser.settle()
    try:
        for name, left, right, height in browser.run(PRINTED):
            assert left >= -1 and right <= PAPER + 1, f"{name} is cut off: {left} to {right}"
            assert height > 0, f"{name} is not printed"
        hidden = ".side, .menu, .to-top, .tools, th button"
        shown = f"Array.from(document.querySelectorAll('{hidden}')).filter(e => e.offsetHeight)"
        assert browser.run(f"{shown}.length") == 0
        heads = (
            "Array.from(document.querySelectorAll('thead')).map(t => getComputedStyle(t).display)"
        )
        assert set(browser.run(heads)) <= {"table-header-group"}
    finally:
        browser.media("")


def check_using(browser: Browser, path: Path, folder: Path) -> None:
    """Check sorting by keyboard, the skip link and downloads."""
    browser.show(path, WIDE)
    press(browser, "Tab")
    assert browser.run("document.activeElement.className") == "skip"
    table = "document.querySelector('.table:has(th button)')"
    if browser.run(f"{table} !== null"):
        cells = f"Array.from({table}.querySelectorAll('tbody tr')).map(r => r.cells[0].textContent)"
        before = browser.run(cells)
        head = f"{table}.querySelector('thead th')"
        for state in ("ascending", "descending", "none"):
            browser.run(f"{head}.querySelector('button').focus()")
            press(browser, "Enter")
            assert browser.run(f"{head}.getAttribute('aria-sort')") == state
            if state == "ascending":
                rising = browser.run(cells)
        assert browser.run(cells) == before
        assert sorted(rising) == sorted(before)
    folder.mkdir()
    browser.download_to(folder)
    browser.run("document.querySelectorAll('figure .tools')[0].querySelectorAll('button').forEach("
                "b => b.click())")  # fmt: skip
    browser.run("document.querySelector('.table .tools button').click()")
    files = wait_for(folder, 3)
    assert set(files) == {".svg", ".png", ".tsv"}
    assert ElementTree.fromstring(files[".svg"].read_bytes()).tag.endswith("svg")
    png = files[".png"].read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    inches = browser.run("document.querySelector('figure img').getAttribute('width') / 96")
    assert abs(struct.unpack(">I", png[16:20])[0] - 300 * inches) < 4, "300 pixels per inch"
    with files[".tsv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert len({len(row) for row in rows}) == 1 and len(rows) > 1
    assert all(name.strip() == name for name in rows[0])


def press(browser: Browser, key: str) -> None:
    """Press and release a key."""
    code = {"Tab": 9, "Enter": 13}[key]
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent",
            **{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code},
            **(text if kind == "keyDown" else {}),
        )


def wait_for(folder: Path, count: int, seconds: float = 20) -> dict[str, Path]:
    """Wait until files are complete; by suffix."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [p for p in folder.iterdir() if p.suffix != ".crdownload" and p.stat().st_size]
        if len(found) >= count:
            return {p.suffix: p for p in found}
        time.sleep(0.05)
    raise AssertionError(f"only {sorted(p.name for p in folder.iterdir())} were downloaded")
