"""Notebooks are stored without outputs; their executed copies are pages of the documentation."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def render() -> Iterator[Any]:
    """The script behind ``make notebooks``."""
    sys.path.insert(0, str(FOLDER))
    try:
        import render

        yield render
    finally:
        sys.path.remove(str(FOLDER))


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_page_for_each_notebook(render):
    assert NAMES
    assert sorted(path.stem for path in render.PAGES.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_stored_without_outputs(name, render):
    notebook = render.read(FOLDER / f"{name}.ipynb")
    assert notebook.cells[0].cell_type == "markdown"
    assert "?" in notebook.cells[0].source, "a notebook starts with its question"
    code = code_of(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert any("assert " in cell.source for cell in code), "no number is asserted"


@pytest.mark.parametrize("name", NAMES)
def test_page_is_the_executed_notebook(name, render):
    page = render.read(render.PAGES / f"{name}.ipynb")
    assert render.problems_of(render.read(FOLDER / f"{name}.ipynb"), page) == []
    pictures = [
        o for cell in code_of(page) for o in cell.outputs if "image/png" in o.get("data", {})
    ]
    assert len(pictures) >= 3


def test_a_stale_or_unclean_page_is_found(render):
    cell, text = nbformat.v4.new_code_cell("1 + 1"), nbformat.v4.new_markdown_cell("Two?")
    source = nbformat.v4.new_notebook(cells=[text, cell])
    page = nbformat.from_dict(source)
    picture = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    page.cells[1].outputs = [picture]
    assert render.problems_of(source, page) == []
    folder = "/" + "tmp/x"
    for unclean, said in (
        (nbformat.v4.new_output("stream", name="stderr", text="a note"), "stderr"),
        (nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[]), "failed"),
        (nbformat.v4.new_output("stream", text=f"wrote {folder}"), "path"),
        (nbformat.v4.new_output("stream", text="<object at 0x7f0011223344>"), "address"),
    ):
        page.cells[1].outputs = [picture, unclean]
        assert said in "".join(render.problems_of(source, page))
    page.cells[1].outputs = []
    assert "picture" in "".join(render.problems_of(source, page))
    page.cells[1].outputs = [picture]
    page.cells[1].source = "1 + 2"
    assert "make notebooks" in "".join(render.problems_of(source, page))


def test_links_of_a_notebook_lead_from_its_page(render):
    text = render.linked_from_pages("[a](../docs/x.md) [b](../models/y.md) [c](https://z.org)")
    assert text == "[a](../x.md) [b](../../models/y.md) [c](https://z.org)"


def uses_of(name: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield every public name that a notebook uses, with the keywords of its calls."""
    code = code_of(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4))
    lines = "\n".join(cell.source for cell in code).splitlines()
    tree = ast.parse("\n".join(line for line in lines if not line.startswith(("%", "!"))))
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else node
        if isinstance(function, ast.Attribute) and ast.unparse(function).startswith("bm."):
            parts = ast.unparse(function).split(".")[1:]
            words = [k.arg for k in node.keywords if k.arg] if isinstance(node, ast.Call) else []
            if all(part.isidentifier() for part in parts):
                yield parts, words


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def defined(module: str, name: str) -> ast.stmt | None:
    """Find the definition of a name by following imports, without importing anything."""
    base = FOLDER.parent / Path(*module.split("."))
    files = [base / "__init__.pyi", base / "__init__.py", base.with_suffix(".py")]
    for path in (p for p in files if p.exists()):
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return node
            if not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
                    source = ".".join(s for s in (parent, node.module) if s)
                    return node if source == module else defined(source, alias.name) or node
    return None


@pytest.mark.parametrize("name", NAMES)
def test_public_names_and_keywords_exist(name):
    uses = list(uses_of(name))
    assert uses
    for parts, words in uses:
        found = defined(".".join(["bayes_mdd", *parts[:-1]]), parts[-1])
        assert found is not None, f"bm.{'.'.join(parts)}"
        if isinstance(found, ast.FunctionDef) and not found.args.kwarg:
            known = {a.arg for a in (*found.args.args, *found.args.kwonlyargs)}
            assert set(words) <= known, f"bm.{'.'.join(parts)}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
# Jupyter's client is not the subject: it leaves sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_runs_with_the_real_sampler(name, render):
    pytest.importorskip("nbclient")
    source = render.read(FOLDER / f"{name}.ipynb")
    executed = render.execute(FOLDER / f"{name}.ipynb")
    assert render.problems_of(source, render.page_text(source, executed)) == []
