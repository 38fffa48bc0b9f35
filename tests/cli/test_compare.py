"""``bayes-mdd compare``: which models it makes, and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.cli.comparing import make_models, parse_numbers
from bayes_mdd.errors import SpecError


def test_models_of_the_options():
    spec = bm.SharedSpecificSpec(n_factors=5, symptoms=("retardation",))
    found = make_models(spec, [2, 3], symptom_link=True, shared_only=True)
    assert len(found) == 6
    assert found["K=2, without symptoms"].symptoms == ()
    assert found["K=3, all shared"].sharing == {"shared": 3}
    assert list(make_models(spec, [], symptom_link=True, shared_only=False)) == [
        "K=5", "K=5, without symptoms",
    ]  # fmt: skip


def test_bad_options_are_refused():
    plain = bm.SharedSpecificSpec()
    with pytest.raises(SpecError, match="one model cannot be compared"):
        make_models(plain, [], symptom_link=False, shared_only=False)
    with pytest.raises(SpecError, match="links no symptoms"):
        make_models(plain, [], symptom_link=True, shared_only=False)
    fixed = bm.SharedSpecificSpec(sharing={"shared": 2})
    with pytest.raises(SpecError, match="fixes 'sharing' already"):
        make_models(fixed, [], symptom_link=False, shared_only=True)
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
    assert run_cli("compare", small_spec, small_cohort).status == 2
