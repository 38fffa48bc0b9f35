"""The validation pages and the figures in the model cards follow from the stored results."""

from __future__ import annotations

import doctest
import json
import re
import sys
from pathlib import Path

import pytest

NOTES = "docs/validation/notes.md"
#: Results that a page outside of the validation pages shows, with its command.
ELSEWHERE = {"cluster_cost.json": ("docs/clusters.md", "python benchmarks/cluster_cost.py")}
#: Written from the catalogue of bad inputs, which has a test of its own.
BAD_INPUT = "docs/validation/bad_input.md"
#: What happens at the edge, case by case; a test looks its tests up.
STRESS = "docs/validation/stress.md"


@pytest.fixture(scope="module")
def build(repository):
    """The module that renders the pages, found as the command finds it."""
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        from validation import build
    finally:
        sys.path.remove(folder)
    return build


@pytest.fixture(scope="module")
def rendered(build, repository, tmp_path_factory):
    """Every page and card, written to another folder: texts by path."""
    target = tmp_path_factory.mktemp("pages")
    written = build.write_all(repository, target)
    return {p.relative_to(target).as_posix(): p.read_text(encoding="utf-8") for p in written}


def documents(repository) -> list[Path]:
    return [
        repository / "docs" / "validation.md",
        *sorted((repository / "docs" / "validation").glob("*.md")),
        *sorted((repository / "models").glob("*.md")),
    ]


def test_pages_and_cards_are_current(rendered, repository):
    stale = [
        name
        for name, text in rendered.items()
        if not (repository / name).exists()
        or (repository / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, f"run `python benchmarks/validation_pages.py`: {', '.join(stale)}"


def test_examples_of_the_formatting_functions(build):
    done = doctest.testmod(sys.modules[build.reflow.__module__])
    assert done.attempted
    assert not done.failed


def test_only_the_notes_are_written_by_hand(rendered, repository):
    present = {p.relative_to(repository).as_posix() for p in documents(repository)}
    assert present - set(rendered) == {NOTES, BAD_INPUT, STRESS}
    notes = (repository / NOTES).read_text(encoding="utf-8")
    assert "Not regenerated automatically" in notes


def test_figures_follow_the_results(build, repository, tmp_path):
    """A changed result changes page and card: neither holds a figure of its own."""
    results = tmp_path / "results"
    for path in (repository / "benchmarks" / "results").rglob("*.json"):
        copy = results / path.relative_to(repository / "benchmarks" / "results")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    path = results / "calibration" / "noise.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    for fit in stored["fits"][:7]:
        fit["active"] = 1
    path.write_text(json.dumps(stored), encoding="utf-8")
    figures = build.all_figures(results)
    assert "96.5% ± 1.3% (n = 200)" in build.render("calibration", figures["calibration"], results)
    card = (repository / "models" / "shared_specific.md").read_text(encoding="utf-8")
    assert "no active factor in 200 of 200 cohorts" in card
    assert "no active factor in 193 of 200 cohorts" in build.fill(card, figures)


def test_every_result_is_shown_with_its_origin(build, repository):
    results = repository / "benchmarks" / "results"
    stored = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    shown = {s.file for page in build.PAGES.values() for s in page.SOURCES.values()}
    shown |= set(ELSEWHERE)
    for page, command in ELSEWHERE.values():
        assert command in (repository / page).read_text(encoding="utf-8")
    assert stored == shown | {"provenance.json"}
    record = json.loads((results / "provenance.json").read_text(encoding="utf-8"))
    assert set(record) == shown
    for page in build.PAGES.values():
        for source in page.SOURCES.values():
            script = source.command.split()[1]
            assert (repository / script).is_file(), source.command


def test_every_card_has_its_block_of_figures(build, repository):
    for card in (repository / "models").glob("*.md"):
        names = [m[2] for m in build.BLOCK.finditer(card.read_text(encoding="utf-8"))]
        assert names == [card.stem], card.name


def test_links_and_paths_lead_somewhere(repository):
    lost = []
    for document in documents(repository):
        # In tables of messages some characters are escaped.
        text = document.read_text(encoding="utf-8").replace("\\_", "_")
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in link and not (document.parent / link).exists():
                lost.append(f"{document.name}: {link}")
        for path in re.findall(r"\b((?:tests|benchmarks|models|docs)/[\w./-]+\w)", text):
            if not (repository / path).exists():
                lost.append(f"{document.name}: {path}")
    assert not lost


@pytest.mark.parametrize("card", ["shared_specific", "polar_lda"])
def test_cards_can_be_read(card, repository):
    lines = (repository / "models" / f"{card}.md").read_text(encoding="utf-8").splitlines()
    cells = [c.strip() for line in lines if line.startswith("|") for c in line.split("|")]
    assert max(map(len, cells)) <= 150
    assert len(lines) <= 160
