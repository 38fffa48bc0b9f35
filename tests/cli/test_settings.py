"""Small parts of the command line: settings, seeds, shipped models, tables and JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bayes_mdd.cli import inputs, output
from bayes_mdd.errors import SpecError
from bayes_mdd.specs import read_spec


def test_settings_are_yaml_values():
    given = ["model.n_factors=8", "model.covariates=[site, age]", "sampler.cores=null"]
    assert inputs.parse_settings(given) == {
        "model.n_factors": 8,
        "model.covariates": ["site", "age"],
        "sampler.cores": None,
    }


@pytest.mark.parametrize("word", ["model.n_factors", "=8", "model.n_factors=", "model.x=[1"])
def test_a_word_that_is_no_setting_is_refused(word):
    with pytest.raises(SpecError, match="KEY=VALUE"):
        inputs.parse_settings([word])


def test_shipped_model_is_found_by_name_and_is_the_file(repository):
    by_name = inputs.read_named_spec("shared_specific")
    assert by_name == read_spec(repository / "models" / "shared_specific.yaml")
    with pytest.raises(SpecError, match="shared_specific"):
        inputs.read_named_spec("shared_specifc")


def test_every_shipped_model_has_a_card(repository):
    models = sorted((repository / "models").glob("*.yaml"))
    assert models
    for path in models:
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        for heading in (
            "## Question",
            "## Estimand",
            "## Priors and defaults",
            "## When not to use it",
        ):
            assert heading in card, f"{path.stem}: {heading}"


def test_json_of_a_table_is_valid_and_keeps_verdicts(capsys):
    table = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "value": [1.0, np.nan, np.inf],
            "passed": pd.Series([True, False, None], dtype=object),
        }
    )
    output.print_json(output.records(table))
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [r["passed"] for r in rows] == [True, False, None]
    assert [r["value"] for r in rows] == [1.0, None, None]


def test_the_table_of_checks_says_what_failed_and_what_to_do(capsys):
    output.print_checks(
        pd.DataFrame(
            {
                "name": ["rhat", "divergences"],
                "value": [1.004, 7],
                "threshold": [1.01, 0],
                "passed": pd.Series([True, False], dtype=object),
                "advice": ["", "raise target_accept"],
            }
        )
    )
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "1.004" in out, "a value next to its threshold must not be rounded onto it"
    assert "divergences: raise target_accept" in out


def test_tables_keep_brackets(capsys):
    output.print_table("Units", pd.DataFrame({"[unit]": ["[mm]"], "n": [3]}))
    out = capsys.readouterr().out
    assert "[unit]" in out
    assert "[mm]" in out


def test_wide_tables_are_folded_and_not_cut(capsys):
    output.print_table("Wide", pd.DataFrame({f"a_long_name_{i}": [1 / 7] for i in range(20)}))
    assert "\N{HORIZONTAL ELLIPSIS}" not in capsys.readouterr().out


def test_seed_replaces_that_of_the_sampler():
    assert inputs.read_spec_argument("shared_specific", None).sampler.seed == 1
    asked = inputs.read_spec_argument("shared_specific", ["sampler.draws=50"], seed=7)
    assert (asked.sampler.seed, asked.sampler.draws) == (7, 50)


def test_a_seed_given_twice_is_refused():
    with pytest.raises(SpecError, match=r"--seed and --set sampler\.seed"):
        inputs.read_spec_argument("shared_specific", ["sampler.seed=2"], seed=7)
