"""``bayes-mdd baselines`` on a small simulated trial."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import bayes_mdd as bm

SPEC = """\
kind: treatment_response
response:
  covariates_if_present: [age, no_such_column]
stage_one:
  model: {n_factors: 2, covariates_if_present: [age, mean_fd]}
evaluation: {folds: 2, repeats: 1}
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial") / "cohort"
    made = bm.simulate_trial(
        seed=5, n=40, n_factors=2, n_regions=14, n_controls=12, features=True, whole_points=True
    )
    bm.write_trial(made, folder)
    (folder.parent / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return folder


def words(trial, run, *more):
    return ("baselines", trial.parent / "spec.yaml", trial, "-o", run, *more)


def test_tables_page_and_sentences_are_written(trial, tmp_path, run_cli):
    run = tmp_path / "run"
    few = (
        "--method", "majority", "--method", "ridge", "--view", "imaging", "--permutations", "0",
        "--leak", "selection",
    )  # fmt: skip
    done = run_cli(*words(trial, run, *few))
    assert done.status == 0, done.err
    assert {p.name for p in (run / "response").iterdir()} == {
        "baselines.tsv", "baselines_paired.tsv", "baselines.json", "folds.tsv", "baselines.html",
    }  # fmt: skip
    table = pd.read_csv(run / "response" / "baselines.tsv", sep="\t", keep_default_na=False)
    assert table["method"].tolist() == ["majority", "ridge"]
    facts = json.loads((run / "response" / "baselines.json").read_text(encoding="utf-8"))
    assert facts["sentences"][0] in done.out.replace("\n", " ")
    assert "no_such_column" in done.err
    assert "LEAKY" in done.out
    again = run_cli(*words(trial, run, *few))
    assert again.status == 2
    assert "--force" in again.err


def test_bad_words_are_refused_together_and_nothing_is_written(trial, tmp_path, run_cli):
    run = tmp_path / "run"
    done = run_cli(*words(trial, run, "--method", "rigde", "--view", "boht", "--permutations", "3"))
    assert done.status == 2
    for text in ("Did you mean 'ridge'?", "Did you mean 'both'?", "0 or at least 19, got 3"):
        assert text in done.err
    assert not run.exists()
