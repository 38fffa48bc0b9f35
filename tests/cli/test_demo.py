"""The part of the demo on treatment response."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.cli import demo_response
from bayes_mdd.cli.demo_response import PARTS, Part, describe_parts
from bayes_mdd.files.marks import RUN


def part(name: str, planted: str, *, gain: float, passed: bool, changed: float = 0.25) -> Part:
    row = {"gain": gain, "lower": gain - 2, "upper": gain + 2}
    value = SimpleNamespace(table=pd.DataFrame([row], index=["declared default"]), changed=changed)
    analysis = SimpleNamespace(
        spec=bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised"),
        other_arm="SNRI",
        sentence=f"The verdict on {name}.",
        value=value,
        to_mapping=lambda: {"verdict": "moderated"},
    )
    checks = pd.DataFrame(
        {"name": ["one"], "value": [np.nan], "threshold": ["x"], "passed": [passed], "advice": [""]}
    )
    files = {"report": Path(name) / "report.html"}
    return Part(name, planted, SimpleNamespace(analysis=analysis, checks=checks, files=files))


def test_the_last_page_says_what_was_found_and_where():
    parts = [part("crossover", "planted", gain=5, passed=True),
             part("twin", "nothing", gain=0, passed=False, changed=0.0)]  # fmt: skip
    page = "\n".join(describe_parts(parts, Path("runs/demo/report.html")))
    for text in (
        "The verdict on crossover.",
        "The verdict on twin.",
        "5.0 points better [3.0, 7.0]",
        "25% of the patients would get SNRI",
        "Nobody has a preference for SNRI: the declared default, SSRI, stands.",
        "twin/report.html",
        "Read first: runs/demo/report.html",
    ):
        assert text in page, text
    assert page.count("A check failed") == 1
    assert max(map(len, page.splitlines())) < 200
    assert parts[0].to_mapping()["passed"] is True
    assert parts[1].to_mapping()["passed"] is False


@pytest.mark.slow
def test_the_demo_finds_the_crossover_and_nothing_in_the_twin(repository, tmp_path):
    output = tmp_path / "demo"
    output.mkdir()
    crossover, twin = demo_response.analyse_demo(
        repository / "data" / "demo", output, force=False, quick=False, seed=None
    )
    assert crossover.passed and twin.passed
    assert [p.name for p in (crossover, twin)] == [name for name, *_ in PARTS]
    found = crossover.to_mapping()
    assert found["verdict"] == "moderated"
    assert abs(found["average_effect"]["mean"]) < 2
    assert crossover.done.analysis.summary["moderation"].abs().max() > 5
    gain = crossover.done.analysis.value.table.loc["declared default"]
    assert gain["lower"] > 0
    assert twin.to_mapping()["verdict"] != "moderated"
    assert twin.done.analysis.value.changed == 0
    for one in (crossover, twin):
        verdict = json.loads(one.done.files["verdict"].read_text(encoding="utf-8"))
        assert verdict["patients"] == 48
        assert RUN.foreign(output / one.name) == []
    scores = [bm.read_run(output / name)["posterior"]["scores"] for name, *_ in PARTS]
    assert scores[0].equals(scores[1]), "the factors are those of the same scans"
