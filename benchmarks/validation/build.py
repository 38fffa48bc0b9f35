"""Render the pages and fill in the figures of the model cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from validation import (
    baselines,
    calibration,
    combine,
    connectivity,
    correlated_errors,
    damaged_files,
    fast_path,
    feature_noise,
    participants,
    polar_lda,
    projection,
    recovery,
    residual_checks,
    response,
    speed,
    stops,
    symptoms,
)
from validation.cards import HEADLINES
from validation.sources import provenance
from validation.text import reflow

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("benchmarks") / "results"
DOCS = Path("docs")
#: The pages, in the order of the index.
PAGES: Mapping[str, ModuleType] = {
    "connectivity": connectivity,
    "calibration": calibration,
    "recovery": recovery,
    "symptoms": symptoms,
    "residual_checks": residual_checks,
    "correlated_errors": correlated_errors,
    "feature_noise": feature_noise,
    "projection": projection,
    "fast_path": fast_path,
    "combine": combine,
    "speed": speed,
    "participants": participants,
    "polar_lda": polar_lda,
    "response": response,
    "baselines": baselines,
    "damaged_files": damaged_files,
    "stops": stops,
}
HEAD = "<!-- Written by `python benchmarks/validation_pages.py`. Do not edit. -->\n\n"
#: A block of a model card that is filled in; its name stands in the opening comment.
BLOCK = re.compile(r"(<!-- figures: ([a-z_]+) -->\n)(.*?)(<!-- end of figures -->)", flags=re.S)

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
)


def all_figures(results: Path) -> dict[str, Any]:
    """Compute the figures of all pages."""
    return {name: page.figures(results) for name, page in PAGES.items()}


def render(name: str, figures: Mapping[str, Any], results: Path) -> str:
    """Render one page with its section on sources."""
    text = _ENVIRONMENT.get_template(f"{name}.md.j2").render(figures)
    sources = provenance(results, PAGES[name].SOURCES)
    return f"{HEAD}{reflow(text.rstrip())}\n\n## Source\n\n{sources}\n"


def fill(card: str, figures: Mapping[str, Any]) -> str:
    """Fill in the marked blocks of a model card.

    Raises
    ------
    KeyError
        If a block has a name that ``validation.cards`` does not hold.
    """

    def text(found: re.Match[str]) -> str:
        write: Callable[[Mapping[str, Any]], str] = HEADLINES[found[2]]
        return f"{found[1]}{write(figures)}\n{found[4]}"

    return BLOCK.sub(text, card)


def write_all(source: Path, target: Path) -> list[Path]:
    """Write every page and card, reading from one checkout and writing to another folder.

    Returns
    -------
    list of Path
        The files written.
    """
    figures = all_figures(source / RESULTS)
    index = _ENVIRONMENT.get_template("index.md.j2").render(figures)
    texts = {DOCS / "validation.md": HEAD + index}
    for name in PAGES:
        page = render(name, figures[name], source / RESULTS)
        texts[DOCS / "validation" / f"{name}.md"] = page
    for card in sorted((source / "models").glob("*.md")):
        texts[card.relative_to(source)] = fill(card.read_text(encoding="utf-8"), figures)
    for path, text in texts.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
    return [target / path for path in texts]
