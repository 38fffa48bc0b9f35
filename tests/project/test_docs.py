"""The documentation site: complete, without warnings, without dead links."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import bayes_mdd as bm

#: Page from which all others are reached.
ROOT = "docs/index.md"
BUILT_IN_PAGES = {"docs/api/generated/commands.md"}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def listed_in(module: Path) -> list[str]:
    """Read ``__all__`` without importing the module."""
    for node in ast.parse(read(module)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    raise AssertionError(f"{module} has no __all__")


def test_every_public_name_has_an_entry_in_the_reference(repository):
    text = read(repository / "docs" / "api" / "index.md")
    block = r"currentmodule:: (\S+)\n\n\.\. autosummary::\n   :toctree: generated\n\n(.*?)```"
    entries = [
        f"{module}.{name}"
        for module, names in re.findall(block, text, re.S)
        for name in names.split()
    ]
    modules = {
        "plotting": listed_in(repository / "bayes_mdd" / "plotting" / "__init__.py"),
        "polar_lda": bm.polar_lda.__all__,
    }
    public = {f"bayes_mdd.{name}" for name in bm.__all__ if name not in modules}
    public |= {f"bayes_mdd.{module}.{name}" for module, names in modules.items() for name in names}
    assert sorted(entries) == sorted(public), "add the name to docs/api/index.md"


def entries(page: Path) -> list[str]:
    """Name what the tables of contents of a page list, without patterns."""
    found = re.findall(r"```\{toctree\}\n(.*?)```", read(page), re.S)
    lines = [line.strip() for block in found for line in block.splitlines()]
    return [re.sub(r".*<(.*)>", r"\1", s) for s in lines if s and not s.startswith(":")]


def test_every_page_is_in_a_table_of_contents(repository):
    reached, queue = set(), [repository / ROOT]
    while queue:
        page = queue.pop().resolve()
        name = page.relative_to(repository).as_posix()
        if name in reached or name in BUILT_IN_PAGES:
            continue
        assert page.exists(), name
        reached.add(name)
        if page.suffix == ".md":
            for entry in entries(page):
                if "*" in entry:
                    queue += page.parent.glob(entry)
                else:
                    queue.append((page.parent / entry).with_suffix(".md"))
    there = {
        p.relative_to(repository).as_posix()
        for pattern in ("docs/**/*.md", "models/*.md", "docs/**/*.ipynb", "data/evidence/*.md")
        for p in repository.glob(pattern)
        if "generated" not in p.parts and "_build" not in p.parts
    }
    assert there - reached == set()


def test_links_between_pages_lead_somewhere(repository):
    lost = []
    pages = [*repository.glob("docs/**/*.md"), *repository.glob("*.md")]
    for page in (p for p in pages if "_build" not in p.parts and "generated" not in p.parts):
        for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", read(page)):
            target = (page.parent / link).resolve()
            name = target.relative_to(repository).as_posix()
            if not target.exists() and name not in BUILT_IN_PAGES:
                lost.append(f"{page.relative_to(repository)}: {link}")
    assert not lost


def joined(text: str) -> str:
    """Join texts that the code splits into lines."""
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_messages_that_the_faq_quotes_are_those_of_the_program(repository):
    quoted = re.findall(r'^### "([^"]+)"', read(repository / "docs" / "faq.md"), re.M)
    assert len(quoted) >= 7
    said = "\n".join(joined(read(p)) for p in (repository / "bayes_mdd").rglob("*.py"))
    assert [q for q in quoted if q not in said] == []


class _Links(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if identifier := values.get("id"):
            self.anchors.add(identifier)
        if tag != "link" or values.get("rel") == "stylesheet":
            self.links += [v for k in ("href", "src") if (v := values.get(k))]


def dead_links(site: Path) -> tuple[list[str], list[str]]:
    """List the links of a site that lead nowhere, and what it loads from elsewhere."""
    pages = {}
    for path in (p for p in site.rglob("*.html") if "_static" not in p.parts):
        pages[path.resolve()] = found = _Links()
        found.feed(read(path))
    lost, loaded = [], []
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                # Formulas in docstrings are set by MathJax where there is a network.
                if parts.path.endswith((".js", ".css", ".woff2")) and "mathjax" not in link:
                    loaded.append(link)
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchors = pages[target].anchors if target in pages else set()
            if not target.exists() or (anchors and unquote(parts.fragment) not in {"", *anchors}):
                lost.append(f"{page.relative_to(site.resolve())}: {link}")
    return lost, loaded


@pytest.mark.slow
def test_site_is_built_without_warnings_and_dead_links(repository, tmp_path):
    # `DEV=`: in the environment of the tests, nothing is installed.
    words = ["DEV=", f"BIN={Path(sys.executable).parent}", f"ARGS=-d {tmp_path}"]
    done = subprocess.run(
        ["make", "--silent", "docs", *words], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    site = repository / "docs" / "_build" / "html"
    assert len(list(site.rglob("*.html"))) > len(bm.__all__) + 40
    lost, loaded = dead_links(site)
    assert not lost, lost[:20]
    assert not loaded, "the site loads something from elsewhere"
