"""The page on numbers under stress names tests that exist."""

from __future__ import annotations

import re


def test_every_case_names_a_test_that_exists(repository):
    page = (repository / "docs" / "validation" / "stress.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    named = {m for row in rows for m in re.findall(r"`(test_\w+\.py)`", row)}
    folder = repository / "tests" / "stress"
    assert named == {p.name for p in folder.glob("test_*.py")} - {"test_page.py"}
    cases = [row for row in rows if not row.startswith(("| Case", "| Stage"))]
    assert len(cases) > 40
