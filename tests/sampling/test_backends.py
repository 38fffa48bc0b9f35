"""Every back end samples the graph, whose posterior is that of the compiled density."""

import importlib.util
import json
import logging
from dataclasses import replace

import arviz as az
import numpy as np
import nutpie.compiled_pyfunc
import pymc as pm
import pytensor
import pytest

import bayes_mdd as bm
from bayes_mdd.sampling.compiled import EntryUnavailableError, compile_density
from bayes_mdd.sampling.sample import sample_graph
from bayes_mdd.shared_specific.posterior import sampling

SPEC = bm.SharedSpecificSpec(n_factors=2)
#: Quantities that do not depend on order and sign of the factors.
INVARIANTS = ("explained", "communality", "noise", "sharing")


@pytest.fixture(scope="module")
def features(feature_set):
    """10 + 10 subjects, 24 features, one strong pattern of all subjects."""
    rng = np.random.default_rng(0)
    y = np.outer(rng.normal(size=20), 0.8 * rng.normal(size=24)) + rng.normal(size=(20, 24))
    return feature_set(y, np.repeat(["a", "b"], 10), np.repeat(["A-A", "A-B"], 12))


def fit(features, **settings):
    sampler = bm.SamplerSpec(**{"chains": 2, "cores": 1, "seed": 1} | settings)
    idata = bm.fit(SPEC, features, sampler=sampler, progressbar=False)
    return idata, json.loads(idata.attrs["provenance"])


def test_without_the_entry_of_nutpie_the_graph_is_sampled(features, monkeypatch, caplog):
    asked = []

    def interpreted(model, initial, sampler, **options):
        # A few draws of PyMC's sampler by the interpreter cost less than compilation for nutpie.
        asked.append(sampler.backend)
        with pytensor.config.change_flags(mode="FAST_COMPILE"):
            return sample_graph(model, initial, replace(sampler, backend="pymc"), **options)

    monkeypatch.delattr(nutpie.compiled_pyfunc, "from_pyfunc")
    monkeypatch.setattr(sampling, "sample_graph", interpreted)
    with caplog.at_level(logging.INFO, logger="bayes_mdd.sampling"):
        idata, said = fit(features, draws=2, tune=2)
    assert asked == [bm.SamplerSpec().backend] == ["auto"]
    assert said["sampled"] == "graph" and said["sampler_used"] == f"pymc {pm.__version__}"
    assert np.isfinite(idata["posterior"]["explained"]).all()
    warning, line = (r for r in caplog.records if r.name == "bayes_mdd.sampling")
    assert warning.levelno == logging.WARNING
    assert "Sampling the PyMC graph instead" in warning.message
    assert "2 chains of 2 draws after 2 warm-up draws, seed 1" in line.message


@pytest.mark.parametrize("backend", ["auto", "nutpie", "alternating"])
def test_the_log_names_the_sampler_of_a_graph(backend, monkeypatch, caplog):
    class Reached(Exception):
        pass

    def stop(model, **_):
        raise Reached

    monkeypatch.setattr(nutpie, "compile_pymc_model", stop)
    with pm.Model() as model:
        pm.Normal("x")
    caplog.set_level(logging.INFO, logger="bayes_mdd.sampling")
    with pytest.raises(Reached):
        sample_graph(
            model,
            {},
            bm.SamplerSpec(backend=backend),
            var_names=["x"],
            progressbar=False,
        )
    assert "(1 free variables) with nutpie: 4 chains" in caplog.text


def test_another_signature_counts_as_no_entry(monkeypatch):
    monkeypatch.setattr(nutpie.compiled_pyfunc, "from_pyfunc", lambda size: None)
    with pytest.raises(EntryUnavailableError, match=r"tested with nutpie >=0\.16\.10"):
        compile_density(lambda x: (0.0, x), 2, lambda z: z, lambda seed: np.zeros(2))


def test_missing_jax_is_reported(features, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr("bayes_mdd.sampling.sample.import_module", missing)
    with pytest.raises(bm.SpecError, match=r"needs the extra 'bayes-mdd\[jax\]'"):
        fit(features, backend="numpyro", draws=4, tune=4)


@pytest.fixture(scope="module")
def reference(features):
    """Long chains of the compiled density."""
    idata, said = fit(features, draws=2000, tune=500)
    assert said["sampled"] == "density"
    return idata["posterior"].to_dataset()[[*INVARIANTS]]


NEEDS_JAX = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("jax", "numpyro")),
    reason="the extra bayes-mdd[jax] is not installed",
)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["nutpie", "pymc", pytest.param("numpyro", marks=NEEDS_JAX)])
def test_posterior_of_the_graph_is_that_of_the_density(backend, features, reference, monkeypatch):
    if backend == "nutpie":
        monkeypatch.delattr(nutpie.compiled_pyfunc, "from_pyfunc")
    idata, said = fit(features, backend=backend, draws=300, tune=300)
    assert said["sampled"] == "graph" and said["sampler_used"].startswith(backend)
    drawn = idata["posterior"].to_dataset()[[*INVARIANTS]]
    assert not idata["sample_stats"]["diverging"].mean() > 0.02
    here, there = (x.mean(("chain", "draw")) for x in (drawn, reference))
    error = np.sqrt(az.mcse(drawn) ** 2 + az.mcse(reference) ** 2)
    for name in INVARIANTS:
        # Superfluous factors are pinned at zero: no error, and no difference.
        difference = np.abs(here[name] - there[name]).values
        bound = 5 * np.nan_to_num(error[name].values) + 1e-12
        assert (difference <= bound).all(), (name, difference / bound)
