"""The page on evidence: its examples run, its numbers are those of the table."""

from __future__ import annotations

import re

import bayes_mdd as bm


def test_examples_run(repository, capsys):
    text = (repository / "docs" / "evidence.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"<!-- executed by tests/evidence/test_page\.py -->\n```python\n(.*?)```", text, flags=re.S
    )
    assert len(blocks) == 2
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "evidence.md", "exec"), scope)
    said = capsys.readouterr().out
    assert "R56-8" in said
    assert "amygdala--raphe_nuclei" in said
    assert "fewer than 50 patients" in said


def test_numbers_are_those_of_the_table(repository):
    text = (repository / "docs" / "evidence.md").read_text(encoding="utf-8")
    findings = bm.read_evidence()
    stated = {
        m[0]: int(m[1]) for m in re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", text, flags=re.M)
    }
    assert stated == findings["estimand"].value_counts().to_dict()
    assert f"{len(findings)} findings of {findings['ref'].nunique()} references" in text
    signed = findings[
        (findings["estimand"] == "prognosis")
        & findings["direction"].isin(["+", "-"])
        & (findings["feature"] == "functional_connectivity")
    ]
    assert (len(signed), signed["ref"].nunique()) == (3, 2)
    assert "three findings with a sign, of two studies" in " ".join(text.split())
