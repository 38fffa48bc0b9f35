"""The list of formats, and the page that describes them."""

from __future__ import annotations

import re

import pytest

from bayes_mdd.errors import DataContractError
from bayes_mdd.features import read_derivatives
from bayes_mdd.features.derivatives.registry import FORMATS


def test_names_are_unique_and_known_where_they_are_named():
    names = [f.name for f in FORMATS]
    assert len(set(names)) == len(names)
    assert {y for f in FORMATS for y in f.yields_to} <= set(names)


def test_the_page_names_every_format_and_no_other(repository):
    text = (repository / "docs" / "derivatives.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {f.name for f in FORMATS}


def test_a_folder_of_nothing_names_the_formats(tmp_path):
    (tmp_path / "notes.md").write_text("nothing to read")
    (tmp_path / "void.tsv").touch()
    with pytest.raises(DataContractError) as caught:
        read_derivatives(tmp_path)
    text = str(caught.value)
    assert all(f.name in text for f in FORMATS)
    assert "Empty, or links" in text
    assert "void.tsv" in text


def test_a_cohort_folder_of_ours_is_sent_to_its_own_reader(small_cohort):
    with pytest.raises(DataContractError, match="use read_features"):
        read_derivatives(small_cohort)
