"""Sampling a compiled density: the right target, and what is sampled for a spec."""

import json
import re
import tomllib

import numpy as np
import nutpie
import pymc as pm
import pytest

import bayes_mdd as bm
from bayes_mdd.sampling.chains import digest_start
from bayes_mdd.sampling.compiled import TESTED_NUTPIE
from bayes_mdd.sampling.sample import initial_numbers, sample_density

MEAN, COVARIANCE = np.array([1.0, -2.0, 30.0]), np.diag([1.0, 4.0, 1e-4])
COVARIANCE[0, 1] = COVARIANCE[1, 0] = 1.2


class Gaussian:
    """A known density; points are stored as they are."""

    size = 3
    outcome_dims = {"noise": ("block",)}  # noqa: RUF012
    precision = np.linalg.inv(COVARIANCE)

    def __call__(self, x):
        pull = self.precision @ (x - MEAN)
        return -0.5 * float((x - MEAN) @ pull), -pull

    def outcome(self, points, rng):
        return {"noise": points}


def test_draws_come_from_the_density_whatever_the_units():
    sampler = bm.SamplerSpec(draws=2000, tune=300, chains=2, seed=3, cores=1)
    drawn = sample_density(
        Gaussian(), np.array([0.0, 0.0, 30.0]), np.array([1.0, 0.5, 0.02]), sampler,
        progressbar=False,
    )  # fmt: skip
    points = drawn["posterior"]["noise"].values.reshape(-1, 3)
    sd = np.sqrt(np.diag(COVARIANCE))
    np.testing.assert_allclose((points.mean(axis=0) - MEAN) / sd, 0.0, atol=0.12)
    np.testing.assert_allclose(
        np.cov(points.T) / np.outer(sd, sd), COVARIANCE / np.outer(sd, sd), atol=0.12
    )
    assert drawn["sample_stats"]["diverging"].shape == (2, 2000)
    assert drawn["posterior"]["noise"].dims == ("chain", "draw", "block")
    assert drawn["posterior"].attrs["inference_library"] == "nutpie"


def test_nutpie_is_required_in_the_versions_that_are_tested(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    required = [
        requirement.removeprefix("nutpie")
        for requirement in project["project"]["dependencies"]
        if re.match(r"nutpie\b", requirement)
    ]
    assert required == [TESTED_NUTPIE]


@pytest.fixture
def features(feature_set):
    def make(y):
        n = len(y)
        return feature_set(y, np.resize(["x", "y"], n), np.repeat(["a", "b"], y.shape[1] // 2))

    return make


def fitted(spec, features, tmp_path, symptoms=None):
    sampler = bm.SamplerSpec(draws=40, tune=60, chains=2, cores=1)
    idata = bm.fit(
        spec, features, symptoms=symptoms, sampler=sampler, run_dir=tmp_path / "run",
        progressbar=False,
    )  # fmt: skip
    return idata, json.loads((tmp_path / "run" / "provenance.json").read_text())


def test_a_pattern_is_sampled_without_a_graph(features, tmp_path):
    rng = np.random.default_rng(0)
    y = np.outer(rng.normal(size=24), rng.normal(size=60)) + rng.normal(size=(24, 60))
    idata, said = fitted(bm.SharedSpecificSpec(n_factors=2), features(y), tmp_path)
    assert said["sampled"] == "density" and said["n_factors_sampled"] == 1
    assert said["sampler_used"] == f"nutpie {nutpie.__version__}"
    # The pinned factor is no part of the result.
    assert idata["posterior"]["scores"].shape == (2, 40, 24, 1)


def test_pinned_factors_are_no_part_of_the_result(features, tmp_path):
    rng = np.random.default_rng(3)
    y = 1.5 * rng.normal(size=(24, 2)) @ rng.normal(size=(2, 60)) + rng.normal(size=(24, 60))
    idata, said = fitted(bm.SharedSpecificSpec(n_factors=5), features(y), tmp_path)
    assert said["n_factors_sampled"] == 2
    for name in ("scores", "arm_mean", "sharing"):
        assert idata["posterior"][name].sizes["factor"] == 2, name


def test_without_a_pattern_draws_are_independent(features, tmp_path):
    y = np.random.default_rng(1).normal(size=(24, 60))
    idata, said = fitted(bm.SharedSpecificSpec(n_factors=2), features(y), tmp_path)
    assert said["sampled"] == "independent"
    assert said["sampler_used"] == f"bayes-mdd {bm.__version__}"
    assert not bm.classify_factors(idata)["active"].any()
    np.testing.assert_allclose(idata["posterior"]["noise"].mean(), 1.0, atol=0.05)
    # Pinned factors have no convergence diagnostics; the noise has.
    checks = bm.diagnose(idata).set_index("name")
    assert 0.9 < checks.loc["max R-hat of invariants", "value"] < 1.1
    # There is no energy of independent draws to be judged.
    assert list(idata["sample_stats"]) == ["diverging"]
    assert checks.loc["min BFMI (energy)", "passed"] is None
    assert checks.loc["min BFMI (energy)", "advice"].startswith("Not judged")


def test_a_random_start_of_chains_is_identified():
    """Chains of treatment response start at draws of distributions, not at numbers."""
    start = {
        scale: digest_start(
            [initial_numbers(pm.Normal.dist(0, scale, shape=2)), initial_numbers(1)]
        )
        for scale in (0.1, 0.2)
    }
    assert start[0.1] != start[0.2]
    assert start[0.1] == digest_start([initial_numbers(pm.Normal.dist(0, 0.1, shape=2)), 1.0])
