"""Every registered model family serves the main job through the same seam."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import SpecError
from bayes_mdd.results.checks import CHECK_COLUMNS, Check
from bayes_mdd.results.family import Family
from bayes_mdd.results.names import read_names
from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.specs import MODELS, kind_of
from bayes_mdd.workflow.families import FAMILIES, family_of

#: Settings that keep a fit small; a family without an entry is fitted with its defaults.
SMALL = {
    "shared_specific": {"n_factors": 2, "covariates": ("site",), "symptoms": ("retardation",)},
    "polar_lda": {"n_factors": 2, "n_restarts": 2, "n_resamples": 20, "n_null": 19},
}
SAMPLER = bm.SamplerSpec(draws=100, tune=150, chains=2, seed=2)


@pytest.fixture(scope="module")
def cohort(small_cohort):
    features = bm.reference_to_controls(bm.read_features(small_cohort), covariates=["age"])
    return features, bm.read_cohort(small_cohort).symptoms


@pytest.fixture(scope="module", params=list(FAMILIES))
def fitted(request, cohort, tmp_path_factory):
    features, symptoms = cohort
    spec = MODELS[request.param](**SMALL.get(request.param, {}))
    folder = tmp_path_factory.mktemp(request.param) / "run"
    idata = bm.fit(
        spec, features, symptoms=symptoms, sampler=SAMPLER, run_dir=folder, progressbar=False
    )
    return family_of(request.param), spec, idata, folder


def test_the_registry_serves_every_spec():
    assert list(FAMILIES) == list(MODELS)
    for kind in FAMILIES:
        family = family_of(kind)
        assert family.kind == kind == kind_of(family.spec())
        assert family.spec is MODELS[kind]
    with pytest.raises(SpecError, match="kind must be one of"):
        family_of("no_such_model")


def test_a_result_names_its_family_and_reads_back(fitted):
    family, spec, idata, folder = fitted
    result = read_result(idata)
    assert (result.kind, result.spec) == (family.kind, spec)
    assert result.sampler == SAMPLER
    again = read_result(bm.read_run(folder))
    assert (again.kind, again.spec, again.provenance) == (family.kind, spec, result.provenance)
    assert set(result.arms) == {"SSRI", "SNRI"}
    assert 1 <= len(result.factors) <= spec.n_factors  # without those pinned to zero


def test_checks_are_rows_of_one_table(fitted):
    family, _, idata, _ = fitted
    assert all(isinstance(c, Check) for c in family.checks(read_result(idata), None))
    table = bm.diagnose(idata)
    assert tuple(table.columns) == CHECK_COLUMNS
    assert table["name"].is_unique
    assert set(table["passed"]) <= {True, False, None}
    strict = bm.diagnose(idata, rhat_max=1.0001, ess_min=1e6)
    assert list(strict["name"]) == list(table["name"])


def test_the_table_has_a_row_per_factor(fitted):
    family, spec, idata, _ = fitted
    table = bm.classify_factors(idata)
    assert len(table) == len(read_result(idata).factors) <= spec.n_factors
    assert {"factor", "label", "networks", "reproducible", "verdict"} <= set(table)
    assert {"probability", "ci_prob"} <= set(table.attrs["rules"])
    short = family.overview(table)
    used = table[table["label"] != "unused"]
    named = [" ".join(cell.split()) for cell in short["factor"]]
    assert named == read_names(used)
    assert all(
        n.startswith(f"{k} ") or n.startswith(f"{k}:")
        for n, k in zip(named, used["factor"], strict=True)
    )
    assert short.map(lambda cell: isinstance(cell, str)).all(axis=None)


def test_maps_and_report_follow_from_the_result(fitted, tmp_path):
    _, _, idata, _ = fitted
    maps = bm.signatures(idata)
    used = bm.classify_factors(idata).query("label != 'unused'")["factor"]
    assert maps["factor"].values.tolist() == used.tolist()
    assert bm.export_signatures(maps, tmp_path / "maps")
    page = bm.write_report(idata, tmp_path / "report.html", title="A title").read_text()
    assert "A title" in page
    assert page.rstrip().endswith("</html>")
    assert str(bm.diagnose(idata)["name"].iloc[0]) in page


def test_tables_are_exported_and_every_column_is_described(fitted, tmp_path):
    _, _, idata, _ = fitted
    done = bm.export_run(idata, tmp_path, formats=["tables"], with_participants=True)
    assert (tmp_path / "tables" / "scores.tsv") in done.files["tables"]
    dictionary = pd.read_csv(tmp_path / "tables" / "dictionary.tsv", sep="\t")
    assert dictionary["meaning"].notna().all()


def test_what_a_family_may_leave_out_has_a_neutral_answer(fitted, cohort):
    family, spec, idata, _ = fitted
    assert isinstance(family.arm_totals(read_result(idata), RULES.ci_prob), pd.DataFrame)
    assert all(isinstance(item, str) for item in family.items(spec))
    assert family.describe_fit(spec, SAMPLER, "mcmc")
    if family.prior is not None:
        expected = family.prior(spec, *cohort, 100, 1)
        assert len(expected)


def test_a_method_is_refused_in_words_or_served(fitted, cohort):
    family, spec, _, _ = fitted
    features, symptoms = cohort
    with pytest.raises(SpecError, match="method must be"):
        bm.fit(spec, features, symptoms=symptoms, method="exact")
    try:
        family.check_method(spec, "fast")
    except SpecError as error:
        assert "method='fast'" in str(error)


def test_the_same_seed_gives_the_same_draws(fitted, cohort):
    _, spec, idata, _ = fitted
    features, symptoms = cohort
    again = bm.fit(spec, features, symptoms=symptoms, sampler=SAMPLER, progressbar=False)
    np.testing.assert_array_equal(again["posterior"]["scores"], idata["posterior"]["scores"])


def test_the_seam_is_documented():
    text = inspect.getdoc(Family) or ""
    assert all(f"\n{field.name} : " in text for field in fields(Family))
