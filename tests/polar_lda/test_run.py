"""Polar LDA as an analysis: from a FeatureSet to checks, maps, report and a run folder."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.errors import DataContractError, RunFolderError, SpecError
from bayes_mdd.polar_lda.figures import plot_compositions

SPEC = bm.PolarLDASpec(n_factors=2, n_restarts=3, n_resamples=20)


@pytest.fixture(scope="module")
def features():
    data = bm.simulate_cohort(
        seed=3,
        n_regions=12,
        n_subjects={"SSRI": 11, "SNRI": 10},
        n_controls=12,
        source="edges",
    )
    return bm.reference_to_controls(data.features)


@pytest.fixture(scope="module")
def noise(features):
    """The same subjects without any pattern."""
    rng = np.random.default_rng(8)
    return features.copy(data={"y": rng.normal(size=features["y"].shape)})


@pytest.fixture(scope="module")
def run(features, tmp_path_factory):
    folder = tmp_path_factory.mktemp("polar") / "run"
    return bm.fit(SPEC, features, run_dir=folder, progressbar=False), folder


@pytest.fixture(scope="module")
def noise_run(noise):
    return bm.fit(SPEC, noise, progressbar=False)


def test_a_run_holds_maps_compositions_and_robustness(run):
    idata, _ = run
    assert idata["model"]["beta"].dims == ("factor", "feature")
    np.testing.assert_allclose(idata["model"]["composition"].sum("factor"), 1.0)
    posterior = idata["posterior"]
    assert posterior["composition"].dims == ("chain", "draw", "subject", "factor")
    np.testing.assert_allclose(posterior["arm_expression"].sum("factor"), 1.0)
    assert {"loadings", "factors", "blocks", "restarts", "null", "sensitivity"} <= set(
        idata.children
    )
    beta, rho = (idata["model"][n].values for n in ("beta", "rho"))
    n = beta.shape[1]
    np.testing.assert_allclose(idata["loadings"]["mean"], n * beta * (2 * rho - 1))
    said = json.loads(idata.attrs["provenance"])
    assert said["excluded"] == {s: "control, used as reference only" for s in said["excluded"]}
    assert said["n_excluded"] == 12


def test_subjects_and_arms_keep_their_own_values(run, features):
    idata, _ = run
    constant = idata["constant_data"].to_dataset()
    whole = features.sel(subject=constant["subject"].values)
    np.testing.assert_array_equal(constant["arm"].values, whole["arm"].values)
    tokens = np.abs(np.rint(10 * whole["y"].values)).sum(axis=1)
    np.testing.assert_array_equal(constant["tokens"], tokens)
    own = idata["model"]["composition"].groupby(constant["arm"]).mean()
    boot = idata["posterior"]["arm_expression"].mean(("chain", "draw"))
    assert np.abs(own.sel(arm=boot["arm"]).values - boot.values).max() < 0.2


def test_the_run_folder_is_reused_and_protected(run, features):
    idata, folder = run
    assert (folder / "spec.yaml").read_text().startswith("kind: polar_lda")
    assert bm.read_spec(folder / "spec.yaml").model == SPEC
    again = bm.fit(SPEC, features, run_dir=folder, progressbar=False)
    np.testing.assert_array_equal(again["model"]["beta"], idata["model"]["beta"])
    assert again.attrs["provenance"] == idata.attrs["provenance"], "it was fitted again"
    other = bm.PolarLDASpec(n_factors=3)
    with pytest.raises(RunFolderError, match="another run"):
        bm.fit(other, features, run_dir=folder, progressbar=False)


def test_the_same_seed_gives_the_same_numbers(run, features):
    again = bm.fit(SPEC, features, progressbar=False)
    for group, name in (("model", "beta"), ("posterior", "composition"), ("null", "gain")):
        np.testing.assert_array_equal(again[group][name], run[0][group][name])


def test_checks_table_maps_and_page(run, tmp_path):
    idata, _ = run
    checks = bm.diagnose(idata)
    assert list(checks.columns) == ["name", "value", "threshold", "passed", "advice"]
    table = bm.classify_factors(idata)
    for k, factor in enumerate(table["factor"]):
        drawn = idata["posterior"]["arm_expression"].sel(factor=factor)
        gap = (drawn.sel(arm="SSRI") - drawn.sel(arm="SNRI")).values
        assert table["p_more_SSRI"][k] == pytest.approx((gap > SPEC.rope).mean())
        assert table["p_alike"][k] == pytest.approx((np.abs(gap) <= SPEC.rope).mean())
    sig = bm.signatures(idata)
    assert "even share" in sig.attrs["units"]
    names = {p.name for p in bm.export_signatures(sig, tmp_path / "maps")}
    assert {"signatures.tsv", "signatures.nc", "factor-F1_stat-mean_relmat.tsv"} <= names
    page = bm.write_report(idata, tmp_path / "page.html").read_text(encoding="utf-8")
    for text in (
        "Polar LDA",
        "permuted",
        "Dependence on the number of tokens",
        "published rule",
        "12",
    ):
        assert text in page, text
    drawn = plot_compositions(idata, points=False).axes[0].collections
    assert max(len(c.get_offsets()) for c in drawn) == 1, "arms only, no participants"
    assert "://" not in re.sub(r'base64,[^"]*', "", page)


def test_noise_is_reported_as_noise(noise_run, tmp_path):
    checks = bm.diagnose(noise_run).set_index("name")
    assert checks.loc["p of the fit against permuted edges", "passed"] is False
    table = bm.classify_factors(noise_run)
    assert (table["label"] == "n/a").all()
    assert not table["active"].any()
    assert table["verdict"].str.contains("hold no pattern").all()
    page = bm.write_report(noise_run, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "This fit is indistinguishable from noise" in page
    assert "No map is shown" in page


def test_the_command_line_runs_it(small_cohort, tmp_path, run_cli):
    settings = ["model.n_factors=2", "model.n_restarts=2", "model.n_resamples=20"]
    words = [w for s in settings for w in ("--set", s)]
    done = run_cli("fit", "polar_lda", small_cohort, "-o", tmp_path / "run", *words)
    assert done.status in (0, 1), done.err
    files = {p.name for p in (tmp_path / "run").iterdir()}
    records = {"spec.yaml", "provenance.json", "checks.json", "roles.tsv", "table1.tsv"}
    assert files == {*records, "posterior.nc", "signatures", "report.html", "log.jsonl"}
    assert "expressed in SNRI" in done.out
    verdict = json.loads((tmp_path / "run" / "checks.json").read_text(encoding="utf-8"))
    assert done.status == (0 if verdict["passed"] else 1)


def test_the_error_without_controls_names_the_possible_reference(features, tmp_path):
    patients = features.isel(subject=np.flatnonzero(features["arm"].values != "n/a"))
    within = bm.reference_to_controls(patients.assign_attrs(reference="not stated"))
    with pytest.raises(DataContractError, match=r"no controls.*model.reference to patients"):
        bm.fit(SPEC, within, progressbar=False)
    raw = features.assign_attrs(reference="not stated")
    with pytest.raises(DataContractError, match=r"not standardised.*reference_to_controls"):
        bm.fit(SPEC, raw, progressbar=False)


def test_invalid_subjects_and_counts_are_named(features):
    quiet = features.copy(deep=True)
    who = np.flatnonzero(quiet["arm"].values != "n/a")
    quiet["y"][who[0]] = 0.001 * np.arange(quiet.sizes["feature"]) / 100
    quiet["y"][who, 3] = 0.001 * np.arange(len(who))
    with pytest.raises(DataContractError) as caught:
        bm.fit(SPEC, quiet, progressbar=False)
    assert str(quiet["subject"].values[who[0]]) in caught.value.problems[0]
    assert str(quiet["feature"].values[3]) in caught.value.problems[1]
    huge = features.copy(deep=True)
    huge["y"][who[2], 0] = 1e12
    with pytest.raises(DataContractError, match="too large for 32-bit"):
        bm.fit(SPEC, huge, progressbar=False)
    with pytest.raises(SpecError, match="only 21 participants"):
        bm.fit(bm.PolarLDASpec(n_factors=22), features, progressbar=False)


@pytest.mark.parametrize(
    "bad",
    [
        {"n_factors": 1},
        {"n_null": 5},
        {"n_resamples": 2},
        {"scale": -1.0},
        {"rope": 1.0},
        {"method": "gibbs"},
        {"reference": "everybody"},
        {"rounding": "up"},
    ],
)
def test_specs_out_of_range(bad):
    with pytest.raises(SpecError, match=next(iter(bad))):
        bm.PolarLDASpec(**bad)


@pytest.mark.slow
def test_full_bayes_fills_the_same_groups(features, tmp_path):
    spec = bm.PolarLDASpec(n_factors=2, n_restarts=2, method="full_bayes")
    sampler = bm.SamplerSpec(seed=2, draws=60, tune=80, chains=2)
    idata = bm.fit(spec, features, sampler=sampler, run_dir=tmp_path / "run", progressbar=False)
    idata = bm.read_run(tmp_path / "run")
    posterior = idata["posterior"].to_dataset()
    np.testing.assert_allclose(posterior["composition"].sum("factor"), 1.0)
    np.testing.assert_allclose(posterior["arm_expression"].sum("factor"), 1.0)
    # An edge carries the pattern of its block, factor by factor.
    blocks = idata["loadings"]["block"].values
    pattern = posterior["pattern"].mean(("chain", "draw")).sel(block=blocks).values
    np.testing.assert_allclose(idata["loadings"]["mean"], pattern)
    # Every draw has the order of factors of the variational fit.
    reference = idata["model"]["composition"].values
    mean = posterior["composition"].mean(("chain", "draw")).values
    r = np.corrcoef(reference.T, mean.T)[:2, 2:]
    assert r[0, 0] > 0.5
    assert r[1, 1] > 0.5
    names = list(bm.diagnose(idata)["name"])
    assert {"divergences", "max R-hat", "min bulk ESS"} <= set(names)
    assert "independent observations in a participant's tokens" in names
    page = bm.write_report(idata, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "estimated token weight" in page
