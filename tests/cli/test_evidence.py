"""``bayes-mdd evidence``: findings, contradictions, comparison of a run."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm


def test_findings_are_listed_in_three_forms(run_cli):
    words = ("evidence", "--drug-class", "SNRI", "--estimand", "prognosis")
    shown = run_cli(*words)
    assert shown.status == 0, shown.err
    assert "Findings (11 in 4 references)" in shown.out
    table = pd.read_csv(
        io.StringIO(run_cli(*words, "--format", "tsv").out), sep="\t", keep_default_na=False
    )
    said = json.loads(run_cli(*words, "--json").out)
    assert said == json.loads(run_cli(*words, "--format", "json").out)
    expected = bm.find_evidence(drug_class="SNRI", estimand="prognosis")
    assert table["finding_id"].tolist() == expected["finding_id"].tolist()
    assert [row["finding_id"] for row in said] == expected["finding_id"].tolist()
    assert list(table.columns) == list(expected.columns)


def test_conditions_may_be_repeated_and_contradictions_listed(run_cli):
    both = run_cli("evidence", "--drug", "duloxetine", "--drug", "venlafaxine", "--json")
    assert {row["drug"] for row in json.loads(both.out)} == {"duloxetine", "venlafaxine"}
    pairs = run_cli("evidence", "--contradictions")
    assert "R23-1 SSRI, fractional_anisotropy, n 18" in " ".join(pairs.out.split())
    across = run_cli("evidence", "--contradictions", "--across-classes", "--format", "tsv")
    assert across.out.splitlines()[1].startswith("inferior_parietal_cortex\tmoderation")
    assert run_cli("evidence", "--contradictions", "--drug-class", "SNRI").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--drug-class", "SNRU", "--outcome", "remision"], ["'SNRI'?", "'remission'?"]),
        (["--across-classes"], ["--contradictions"]),
        (["no_such_run"], ["no_such_run"]),
        (["no_such_run", "--contradictions", "--estimand", "change", "--estimand", "prognosis"],
         ["leave RUN out", "give --estimand once"]),
        (["--findings", "no_such_folder"], ["no_such_folder"]),
        (["--format", "csv"], ["csv"]),
    ],
)  # fmt: skip
def test_bad_arguments_are_one_error(run_cli, words, said):
    done = run_cli("evidence", *words)
    assert done.status == 2
    assert all(part in done.err for part in said)
    assert not done.out


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of a fit that was not sampled."""
    from fakes import make_fake_idata

    folder = tmp_path_factory.mktemp("evidence") / "run"
    bm.save_run(make_fake_idata(), folder)
    return folder


def test_a_run_is_compared(run, run_cli):
    done = run_cli("evidence", run)
    assert done.status == 0, done.err
    assert "At least 6 studies are needed" in done.out
    said = json.loads(run_cli("evidence", run, "--estimand", "change", "--json").out)
    assert said["estimand"] == "change"
    assert not said["with_outcomes"]
    assert {"finding_id", "reason"} == set(said["not_placed"][0])
    with_outcomes = run / "response"
    with_outcomes.mkdir()
    from made_evidence import make_response

    from bayes_mdd.files.netcdf import write_netcdf

    response = make_response(np.full(4, -1.0), [0.0] * 4)
    write_netcdf(response, with_outcomes / "posterior.nc")
    said = json.loads(run_cli("evidence", run, "--json").out)
    assert said["with_outcomes"]
    assert said["fewest_studies"] == 5
    assert said["agreement"][0]["factor"] == "all factors"
    assert said["agreement"][0]["agreement"] is None
