"""The frame of all reports: numbers, contents, escaping, and what a browser makes of it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from browser import Browser
from jinja2 import ChoiceLoader, DictLoader
from matplotlib.figure import Figure
from page_checks import check_printing, check_reading, check_using

from bayes_mdd.results.page import (
    Cell,
    Column,
    Picture,
    Row,
    Table,
    embed,
    render,
    render_page,
    table_from_records,
)
from bayes_mdd.results.page.numbers import finish_page
from bayes_mdd.results.page.pictures import draw_svg
from bayes_mdd.results.privacy import withhold_content

HOSTILE = "<script>window.hacked = 1</script>\"'&</style><!--contents--><b onclick=x>"
PAGE = """{% extends "base.html.j2" %}
{% from "parts.html.j2" import checks_table, copy_block, figure, ref, table %}
{% block main %}
<section id="summary"><h2>Summary</h2>
<p>{{ ref("fig-line") }} and {{ ref("table-links") }}, {{ ref("table-none") }}.</p>
{{ figure(picture) }}{{ figure(picture) }}</section>
<section id="tables" data-title="{{ bad }}" data-state="failed"><h2>{{ bad }}</h2>
{{ table(links) }}{{ checks_table(rows) }}
<article id="f1" class="card"><h3>{{ bad }}</h3><p>x</p></article></section>
<section id="methods"><h2>Methods</h2>{{ copy_block(bad, bad) }}{{ copy_block(bad, "b", true) }}
<details><summary>More</summary>{{ table(links) }}</details></section>
{% endblock %}"""


def draw() -> Figure:
    figure = Figure(figsize=(7, 3))
    figure.subplots().plot([1, 2, 3])
    return figure


def make_links() -> Table:
    return Table(
        "links",
        f"Links {HOSTILE}",
        ["factor", Column(HOSTILE, numeric=True), "p"],
        [
            ["F1", "1.20 [0.10, 2.40]", "< 0.01"],
            Row([Cell("F2", href="#f1"), "-0.50 [-0.90, 0.10]", HOSTILE], "quiet"),
            ["F10", "n/a", Cell("> 0.99", "strong")],
        ],
        note=HOSTILE,
    )


def make_rows() -> list[dict[str, str]]:
    words = "Edges still correlate with head motion: keep mean_fd as a covariate. "
    return [
        {"name": "R-hat", "value": "1.01", "threshold": "<= 1.01", "state": "passed",
         "advice": "sample more"},
        {"name": HOSTILE, "value": "0.2", "threshold": "< 0.1", "state": "failed",
         "advice": words * 3},
        {"name": "sites", "value": "n/a", "threshold": "", "state": "not judged", "advice": "none"},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    find = render._find_templates
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            render, "_find_templates", lambda of: ChoiceLoader([DictLoader({"x": PAGE}), find(of)])
        )
        html = render_page(
            "bayes_mdd.polar_lda",
            "x",
            {
                "title": f"Frame {HOSTILE}",
                "bad": HOSTILE,
                "picture": embed(draw(), "Line", f"A line {HOSTILE}"),
                "links": make_links(),
                "rows": make_rows(),
            },
        )
    path = tmp_path_factory.mktemp("frame") / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


def test_what_names_hold_cannot_leave_the_text(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert "<script>window" not in html and "<b onclick" not in html
    assert html.count("</style>") == 1 and html.count("<script>") == 2
    assert "<!--contents-->" not in html
    assert "://" not in re.sub(r"base64,[^\"]*", "", html), "nothing is fetched from elsewhere"
    assert "default-src 'none'" in html


def test_numbers_references_and_contents(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert re.findall(r'class="number">([^<]*)', html) == [
        *("Figure 1", "Figure 2", "Table 1", "Table 2", "Table 3")
    ]
    assert re.findall(r'class="ref" href="#([^"]*)">([^<]*)', html) == [
        ("fig-line", "Figure 1"), ("table-links", "Table 1"),
    ]  # fmt: skip
    assert "</a>, below." in html, "what is not in the page is not linked"
    assert html.count('<a href="#summary">Summary</a>') == 2, "beside the text, and in the menu"
    assert html.count('<span class="mark failed">✗</span>') == 2
    assert html.count('<li class="inner"><ol><li><a href="#f1">') == 2
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids)), "equal ids get a number"
    assert "≤ 1.01" in html
    assert "sample more" not in html, "a check that passed gives no advice"


def test_only_pages_with_a_packed_library_compile_functions(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert "unsafe-eval" not in html
    start = "<!--contents--><meta content=\"script-src 'unsafe-inline'\">"
    packed = finish_page(f'{start}<script type="application/gzip">x</script>')
    assert "script-src 'unsafe-inline' 'unsafe-eval'" in packed


def test_a_figure_is_the_same_svg_every_time_and_large_ones_are_png() -> None:
    data = draw_svg(draw())
    assert data == draw_svg(draw())
    assert b"DOCTYPE" not in data and b"dc:date" not in data
    places = re.findall(rb'\sd="([^"]*)"', data)
    assert not re.search(rb"\d\.\d\d", b" ".join(places)), "places are rounded"
    picture = embed(draw(), "x", "y", "z")
    assert base64.b64decode(picture.data) == data
    assert (picture.kind, picture.width, picture.height, picture.caption) == ("svg", 7, 3, "z")
    crowded = draw()
    crowded.axes[0].scatter(range(5000), range(5000))
    large = embed(crowded, "x", "y")
    assert large.kind == "png" and base64.b64decode(large.data)[:4] == b"\x89PNG"


def test_tables_of_records_and_what_is_withheld() -> None:
    columns = {"a": Column("A", numeric=True), "b": "B"}
    records = [{"a": 1, "b": Cell("sub-01", "passed"), "quiet": True}, {"a": 2, "b": "x"}]
    table = table_from_records("t", "of sub-01", columns, records)
    assert [c.title for c in table.heads] == ["A", "B"]
    assert table.lines[0].cls == "quiet" and table.lines[1].cells[0] == Cell("2")
    said = withhold_content({"t": table, "p": Picture("sub-01", "a", "sub-01")}, ["sub-01"])
    assert said["t"].caption == "of one participant"
    assert said["t"].lines[0].cells[1] == Cell("one participant", "passed")
    assert said["p"].title == "one participant" and said["p"].data == "sub-01"


def test_a_browser_shows_all_of_it(browser: Browser, page: Path) -> None:
    check_reading(browser, page, ["summary", "tables", "methods"])
    assert browser.run("window.hacked === undefined")
    violated = """new Promise(done => {
      document.addEventListener("securitypolicyviolation", e => done(e.blockedURI));
      new Image().src = "http://localhost:9/x.png"; })"""
    assert browser.run(violated).startswith("http://localhost:9")


def test_a_browser_prints_all_of_it(browser: Browser, page: Path) -> None:
    check_printing(browser, page)


def test_a_browser_sorts_and_saves(browser: Browser, page: Path, tmp_path: Path) -> None:
    check_using(browser, page, tmp_path / "saved")
    column = "Array.from(document.querySelectorAll('#table-links tbody tr')).map(r => r.cells[0]"
    head = "document.querySelectorAll('#table-links thead th')"
    orders = []
    for k in (0, 1, 1, 2):
        browser.run(f"{head}[{k}].querySelector('button').click()")
        orders.append(browser.run(f"{column}.textContent)"))
    assert orders[0] == ["F1", "F2", "F10"], "numbers in names count as numbers"
    assert orders[1] == ["F2", "F1", "F10"] and orders[2] == ["F1", "F2", "F10"], "n/a comes last"


def test_without_javascript_everything_is_visible(browser: Browser, page: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.show(page, 390)
        assert browser.run("document.documentElement.className") == ""
        assert browser.run("document.querySelectorAll('button').length") == 0
        heights = "Array.from(document.querySelectorAll('main > section')).map(s => s.offsetHeight)"
        assert min(browser.run(heights)) > 50
        assert browser.run("document.documentElement.scrollWidth") == 390
        assert browser.run("getComputedStyle(document.querySelector('.to-top')).visibility") == (
            "visible"
        )
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
