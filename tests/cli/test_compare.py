"""``bayes-mdd compare``: which models it makes, and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.cli.comparison import parse_numbers
from bayes_mdd.errors import SpecError


def test_numbers_are_separated_by_commas():
    assert parse_numbers("2, 4,6") == [2, 4, 6]
    with pytest.raises(SpecError, match="'2;4'"):
        parse_numbers("2;4")


def test_compare_prints_and_writes(small_spec, small_cohort, run_cli, tmp_path, monkeypatch):
    seen = {}

    def compare(models, features, **options):
        seen.update(options, models=models, features=features)
        table = pd.DataFrame(
            {"rank": [0, 1], "elpd": [-10.0, -12.5], "warning": ["", "3 divergences"]},
            index=pd.Index(list(models), name="model"),
        )
        people = xr.Dataset({"elpd": (("model", "subject"), np.zeros((2, 3)))})
        return bm.Comparison(table, None, people)

    monkeypatch.setattr(bm, "compare_models", compare)
    words = ("compare", small_spec, small_cohort, "--n-factors", "2,3", "--folds", "4")
    done = run_cli(*words, "-o", tmp_path, "--set", "sampler.draws=50")
    assert done.status == 0, done.err
    assert "K=2" in done.out and "-12.5" in done.out and "3 divergences" in done.out
    assert {p.name for p in tmp_path.iterdir()} == {"compare_features.tsv", "compare_people.nc"}
    assert [m.n_factors for m in seen["models"].values()] == [2, 3]
    assert seen["models"]["K=2"].covariates == ("site",)
    assert seen["folds"] == 4 and seen["sampler"].draws == 50
    assert seen["features"].attrs["reference"].startswith("z against 10 controls")
    said = json.loads(run_cli(*words, "--json").out)
    assert said["features"][1] == {
        "model": "K=3", "rank": 1, "elpd": -12.5, "warning": "3 divergences",
    }  # fmt: skip


def test_what_cannot_be_compared_is_refused(small_spec, small_cohort, tmp_path, run_cli):
    done = run_cli("compare", small_spec, small_cohort)
    assert done.status == 2
    assert "at least two models" in done.err
    done = run_cli("compare", "polar_lda", small_cohort, "--n-factors", "2,3")
    assert done.status == 2
    assert "Reading" not in done.err
    assert "polar_lda does not support K-fold comparison" in done.err


def test_the_former_name_of_an_option_warns(small_spec, small_cohort, run_cli, monkeypatch):
    asked = []

    def compare(models, features, **options):
        asked.append(list(models))
        raise SpecError("asked enough")

    monkeypatch.setattr(bm, "compare_models", compare)
    former = run_cli("compare", small_spec, small_cohort, "--symptom-link")
    now = run_cli("compare", small_spec, small_cohort, "--without-symptoms")
    assert asked == [["K=3", "K=3, without symptoms"]] * 2
    assert "Warning: --symptom-link is now called --without-symptoms" in former.err
    assert "now called" not in now.err
    assert "--symptom-link" not in run_cli("compare", "--help").out
