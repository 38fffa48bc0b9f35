"""The registry of formats, and the page that documents them."""

from __future__ import annotations

import re

import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_derivatives
from bayes_mdd.features.derivatives.registry import FORMATS


def test_format_names_are_unique_and_references_exist():
    names = [f.name for f in FORMATS]
    assert len(set(names)) == len(names)
    assert {y for f in FORMATS for y in f.yields_to} <= set(names)


def test_the_page_lists_all_formats(repository):
    text = (repository / "docs" / "derivatives.md").read_text(encoding="utf-8")
    table = text[text.index("| format |") :].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {f.name for f in FORMATS}


def test_an_unknown_folder_lists_the_formats(tmp_path):
    (tmp_path / "notes.md").write_text("nothing to read")
    (tmp_path / "void.tsv").touch()
    with pytest.raises(DataContractError) as caught:
        read_derivatives(tmp_path)
    text = str(caught.value)
    assert all(f.name in text for f in FORMATS)
    assert "Empty, or links" in text
    assert "void.tsv" in text


def test_a_cohort_folder_is_referred_to_read_features(small_cohort):
    with pytest.raises(DataContractError, match="use read_features"):
        read_derivatives(small_cohort)
