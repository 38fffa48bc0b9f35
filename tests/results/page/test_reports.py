"""All reports in a browser: the factor model, polar LDA and treatment response."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import Browser
from fakes import make_fake_idata
from page_checks import check_printing, check_reading, check_using

import bayes_mdd as bm

pytestmark = pytest.mark.slow

RESPONSE = [
    *("question", "who", "average", "prognosis", "moderation", "policy", "hundred", "baselines"),
    *("missing", "controls", "power", "literature", "tripod", "references"),
]
POLAR = [
    *("summary", "factors", "tokens", "overlap", "maps", "cohort", "checks", "limits"),
    *("methods", "provenance"),
]


def write_main(path: Path) -> None:
    checks = pd.DataFrame(
        {
            "name": ["R-hat", "motion", "sites"],
            "value": [1.003, 0.2, np.nan],
            "threshold": ["<= 1.01", "< 0.1", ""],
            "passed": pd.Series([True, False, None], dtype=object),
            "advice": ["", "Edges still correlate with head motion; denoise more strictly.", ""],
        }
    )
    bm.write_report(make_fake_idata(), path, checks=checks)


def write_polar(path: Path) -> None:
    data = bm.simulate_cohort(
        seed=3, n_regions=12, n_subjects={"SSRI": 11, "SNRI": 10}, n_controls=12, source="edges"
    )
    spec = bm.PolarLDASpec(n_factors=2, n_restarts=3, n_resamples=20)
    fitted = bm.fit(spec, bm.reference_to_controls(data.features), progressbar=False)
    bm.write_report(fitted, path)


def write_response(path: Path) -> None:
    trial = bm.simulate_trial(
        seed=4, n=240, n_factors=3, benefit_sd=1.6, moderation={0: 1.0, 2: -0.8}, reliability=0.9
    )
    outcomes = trial.outcomes.copy()
    outcomes.loc[outcomes.index[:20], "hamd17"] = np.nan
    spec = bm.response_spec(outcomes)
    few = bm.EvaluationSpec(permutations=99, policy_permutations=0, folds=3, repeats=1)
    found = bm.analyse_response(
        spec, trial.scores, outcomes, evaluation=few, method="fast", progressbar=False
    )
    controls = bm.negative_controls(spec, trial.scores, outcomes, repeats=20)
    bm.write_response_report(found, path, controls=controls)


@pytest.mark.parametrize("kind", ["main", "polar", "response"])
def test_a_report_is_read_printed_and_used(browser: Browser, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "report.html"
    {"main": write_main, "polar": write_polar, "response": write_response}[kind](path)
    html = path.read_text(encoding="utf-8")
    sections = {"polar": POLAR, "response": RESPONSE}.get(kind) or [
        part.split('"', 1)[0] for part in html.split('<section id="')[1:]
    ]
    check_reading(browser, path, sections)
    check_printing(browser, path)
    check_using(browser, path, tmp_path / "saved")
    assert len(html) < 15e6
