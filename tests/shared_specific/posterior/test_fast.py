"""The fast path: what it finds, and that every result says that it is approximate."""

import json

import numpy as np
import pytest

import bayes_mdd as bm
from bayes_mdd.results.cohort_facts import describe_cohort
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.posterior import fast
from bayes_mdd.shared_specific.posterior.no_factor import draw_sd
from bayes_mdd.shared_specific.prior.scales import HalfNormal
from bayes_mdd.shared_specific.report.content import summarise_findings
from bayes_mdd.shared_specific.report.methods import describe_methods

SPEC = bm.SharedSpecificSpec(n_factors=3, covariates=("site",), symptoms=("retardation",))


@pytest.fixture(scope="module")
def cohort():
    return bm.simulate_cohort(
        6,
        n_regions=28,
        loading_scale=0.8,
        n_controls=0,
        n_subjects={"SSRI": 20, "SNRI": 20},
        n_shared=1,
        site_shift=0.0,
        covariate_effect=0.0,
        source="edges",
    )


@pytest.fixture(scope="module")
def run(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fast") / "run"
    features = bm.reference_to_controls(cohort.features, covariates=[])
    idata = bm.fit(
        SPEC, features, symptoms=cohort.symptoms, method="fast", run_dir=folder, progressbar=False
    )
    return idata, features, folder


def test_fast_fit_finds_what_is_there(run, cohort):
    idata = run[0]
    table = bm.classify_factors(idata)
    assert sorted(table["label"]) == ["SNRI-specific", "SSRI-specific", "shared"]
    scores = idata["posterior"]["scores"].mean(("chain", "draw")).values
    truth = cohort.truth["scores"].sel(subject=idata["posterior"]["subject"]).values
    r = np.abs(np.corrcoef(scores.T, truth.T)[:3, 3:])
    assert (r.max(axis=0) > 0.9).all()


def test_fast_fit_says_that_it_is_approximate(run):
    idata, _, folder = run
    assert idata.attrs["method"] == "fast"
    table, checks = bm.classify_factors(idata), bm.diagnose(idata).set_index("name")
    assert table.attrs["approximate"]
    assert table["verdict"].str.contains("Approximate (fast path)", regex=False).all()
    assert checks.loc["approximate (fast path)", "passed"] is None
    assert checks.loc["max R-hat of invariants", "threshold"] == "< 1.05"
    # A longer fit of the same features has the same errors and covariates.
    of_draws = checks.drop(["independent share of the features", "covariates of head motion"])
    assert of_draws["advice"].str.contains("mcmc").all()
    said = " ".join(summarise_findings(table, bm.diagnose(idata), None, 0.9))
    assert "This is a fast fit" in said
    result = read_result(idata)
    methods = " ".join(describe_methods(result, describe_cohort(result), table))
    assert "approximated (fast path)" in methods and "4 chains of 150" in methods
    assert "was sampled with the No-U-Turn sampler" not in methods
    said = json.loads((folder / "provenance.json").read_text())
    assert said["method"] == "fast" and said["sampled"] == "density"
    assert said["sampler_used"] == f"bayes-mdd {bm.__version__}"
    assert said["fast"] == {"chains": 4, "tune": 120, "draws": 150}
    assert bm.read_run(folder).attrs["method"] == "fast"


def test_exact_and_fast_runs_do_not_take_each_other_for_finished(run, cohort):
    idata, features, folder = run
    again = bm.fit(SPEC, features, symptoms=cohort.symptoms, method="fast", run_dir=folder)
    assert again.attrs["provenance"] == idata.attrs["provenance"]
    with pytest.raises(bm.RunFolderError, match="method is fast, requested is mcmc"):
        bm.fit(SPEC, features, symptoms=cohort.symptoms, run_dir=folder)


def test_same_seed_same_numbers_on_one_core_or_two(run, cohort):
    idata, features, _ = run
    again = bm.fit(
        SPEC, features, symptoms=cohort.symptoms, method="fast", sampler=bm.SamplerSpec(cores=1)
    )
    for name in ("scores", "sharing", "symptom_weight"):
        np.testing.assert_array_equal(again["posterior"][name], idata["posterior"][name])


# In the first of these, some pattern exceeds the null of the start; in the second none does.
@pytest.mark.parametrize(("seed", "labels"), [(7, {"n/a", "unused"}), (8, {"unused"})])
def test_noise_has_no_active_factor(cohort, seed, labels):
    rng = np.random.default_rng(seed)
    features = bm.reference_to_controls(cohort.features, covariates=[])
    noise = features.assign(y=(("subject", "feature"), rng.normal(size=features["y"].shape)))
    idata = bm.fit(bm.SharedSpecificSpec(n_factors=2), noise, method="fast")
    table = bm.classify_factors(idata)
    assert not table["active"].any()
    assert set(table["label"]) <= labels
    # Independent draws have no energy, and no statistic is made up for them.
    sampled = "n/a" in table["label"].values
    assert ("energy" in idata["sample_stats"]) == sampled
    bfmi = bm.diagnose(idata).set_index("name").loc["min BFMI (energy)"]
    assert (bfmi["passed"] is None) != sampled


def test_noise_is_drawn_from_its_posterior():
    # 12 values with mean square 2 under a half-normal(1) prior, against a fine grid.
    drawn = draw_sd(24.0, 12.0, HalfNormal(1.0), 100_000, np.random.default_rng(1))
    sd = np.linspace(0.3, 6, 20_000)
    density = sd**-12.0 * np.exp(-12 / sd**2 - 0.5 * sd**2)
    mean = (sd * density).sum() / density.sum()
    spread = np.sqrt((sd**2 * density).sum() / density.sum() - mean**2)
    assert drawn.mean() == pytest.approx(mean, abs=5 * spread / np.sqrt(drawn.size))
    assert drawn.std() == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize(
    ("subjects", "tune", "draws"),
    [(401, 240, 600), (1000, 240, 300), (2000, 150, 150), (5000, 120, 150)],
)
def test_draws_of_many_subjects_fall_with_their_number(subjects, tune, draws):
    assert fast._affordable(subjects, *fast.TUNE_OF_MANY) == tune
    assert fast._affordable(subjects, *fast.DRAWS_OF_MANY) == draws


def test_scores_and_loadings_of_many_subjects_are_drawn_in_turn(run, monkeypatch):
    _, features, _ = run
    monkeypatch.setattr(fast, "ALL_UP_TO", 20)
    monkeypatch.setattr(fast, "TUNE_OF_MANY", (10, 30))
    monkeypatch.setattr(fast, "DRAWS_OF_MANY", (10, 20))
    idata = bm.fit(bm.SharedSpecificSpec(n_factors=3), features, method="fast", progressbar=False)
    said = json.loads(idata.attrs["provenance"])
    assert said["sampled"] == "alternating"
    assert said["fast"] == {"chains": 4, "tune": 30, "draws": 20}
    assert idata["posterior"].sizes["draw"] == 20


def test_unknown_method_is_refused(run):
    with pytest.raises(bm.SpecError, match="'mcmc' or 'fast', got 'quick'"):
        bm.fit(SPEC, run[1], method="quick")
