"""Methods are written in three styles, and cite works that exist."""

from __future__ import annotations

import re

from bayes_mdd.shared_specific.report.references import (
    ARVIZ,
    NILEARN,
    NUTPIE,
    REFERENCES,
    list_cited,
    write_methods,
)

SAID = ["A 90% interval of a_b [6].", "Two of them & more [1, 2].", "Twice [6], never [99]."]


def test_citations_are_numbered_in_order_or_named():
    assert write_methods(SAID) == (
        "A 90% interval of a_b [1]. Two of them & more [2, 3]. Twice [1], never [99]."
    )
    assert [r.key for r in list_cited(SAID)] == ["Vehtari2021", "DeVito2019", "Piironen2017"]
    markdown = write_methods(SAID, "markdown")
    assert "a\\_b [@Vehtari2021]" in markdown and "[@DeVito2019; @Piironen2017]" in markdown
    latex = write_methods(SAID, "latex")
    assert r"90\% interval of a\_b \cite{Vehtari2021}" in latex
    assert r"them \& more \cite{DeVito2019,Piironen2017}" in latex


def test_names_of_arms_cannot_become_commands():
    evil = r"\input{x} <script> $x$ ~^ #1"
    latex = write_methods([evil], "latex")
    assert r"\textbackslash{}input\{x\}" in latex and r"\$x\$" in latex and r"\#1" in latex
    assert r"\<script\>" in write_methods([evil], "markdown")


def test_references_are_complete():
    assert len({r.key for r in REFERENCES}) == len(REFERENCES)
    for position, name in ((ARVIZ, "ArviZ"), (NILEARN, "Nilearn"), (NUTPIE, "Hamiltonian")):
        assert name in REFERENCES[position - 1].text
    for reference in REFERENCES:
        entry = reference.bibtex
        assert entry.startswith(f"@{reference.kind}{{{reference.key},")
        assert entry.count("{") == entry.count("}") and "title = {" in entry
        assert not reference.doi or re.fullmatch(r"10\.\d{4,5}/\S+", reference.doi)
    with_doi = {r.key for r in REFERENCES if r.doi}
    assert {"AbrilPla2023", "Martin2026", "Nilearn", "Seyboldt2026"} <= with_doi
