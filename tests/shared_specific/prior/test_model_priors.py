"""The priors of a model: those of its spec, of its graphs, and of its compiled density."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.density import density as density_module
from bayes_mdd.shared_specific.density.density import make_density
from bayes_mdd.shared_specific.graph.model import build_generative
from bayes_mdd.shared_specific.prior.horseshoe import Horseshoe, unbounded
from bayes_mdd.shared_specific.prior.priors import build_priors
from bayes_mdd.shared_specific.prior.scales import Gamma, HalfNormal, HalfT
from bayes_mdd.specs import SharedSpecificSpec

pytestmark = pytest.mark.usefixtures("interpreted")

ARMS = ("x", "y", "z")


@pytest.fixture(scope="module")
def case(feature_set):
    """A spec without default values, and its data."""
    rng = np.random.default_rng(0)
    spec = SharedSpecificSpec(
        n_factors=2,
        symptoms=("u", "v"),
        sharing_concentration=0.7,
        factor_scale=0.3,
        local_df=3.0,
        slab_scale=1.7,
        noise_scale=0.8,
        symptom_scale=0.9,
    )
    block = np.repeat(["a", "b", "c"], (7, 1, 4))
    features = feature_set(rng.normal(size=(12, 12)), np.resize(ARMS, 12), block)
    table = pd.DataFrame(rng.normal(size=(12, 2)), features["subject"].values, ["u", "v"])
    return spec, prepare(spec, features, table)


def test_priors_are_those_of_the_spec(case):
    priors = build_priors(case[0], ARMS)
    assert (priors.sharing.concentration, priors.sharing.n_arms) == (0.7, 3)
    np.testing.assert_array_equal(priors.arm_mean.variance, np.full((3, 2), 0.25))
    assert priors.block_scale == Horseshoe(HalfT(1.0, 0.3), HalfT(3.0, 1.0), 1.7)
    assert (priors.noise, priors.symptom_noise) == (HalfNormal(0.8), HalfNormal(0.9))


def test_priors_that_no_spec_sets_are_those_of_the_model_card():
    priors = build_priors(SharedSpecificSpec(), ARMS)
    assert priors.noise_df == Gamma(2.0, 0.1)
    assert priors.symptom_weight == Horseshoe(HalfT(1.0, 0.2), HalfT(1.0, 1.0), 1.0)
    assert priors.symptom_arm == Horseshoe(HalfT(1.0, 0.1), HalfT(1.0, 1.0), 1.0)


def test_graph_declares_the_same_priors(case):
    spec, data = case
    priors = build_priors(spec, data.arms)
    rng = np.random.default_rng(1)
    size = {"factor_scale": (2,), "local_scale": (3, 2), "noise": (3,), "symptom_global": ()}
    size |= {"symptom_local": (2, 2), "dimension_noise": (2,)}
    declared = {
        "factor_scale": priors.block_scale.overall,
        "local_scale": priors.block_scale.local,
        "noise": priors.noise,
        "symptom_global": priors.symptom_weight.overall,
        "symptom_local": priors.symptom_weight.local,
        "dimension_noise": priors.symptom_noise,
    }
    model = build_generative(spec, data)
    for name, prior in declared.items():
        x = prior.draw(rng, size[name])
        np.testing.assert_allclose(pm.logp(model[name], x).eval(), prior.logp(x), err_msg=name)
    shares, prior = priors.sharing.draw(rng, (2,)), priors.sharing
    np.testing.assert_allclose(pm.logp(model["sharing"], shares).eval(), prior.logp(shares))


def test_graph_declares_the_same_priors_of_other_specs(case):
    spec, data = case
    by_arm = build_generative(replace(spec, symptom_links="by_arm"), data)
    prior = build_priors(spec, ARMS).symptom_arm
    x = prior.overall.draw(np.random.default_rng(2), ())
    np.testing.assert_allclose(
        pm.logp(by_arm["symptom_arm_global"], x).eval(), prior.overall.logp(x)
    )
    student = build_generative(replace(spec, feature_noise="student"), data)
    x = build_priors(spec, ARMS).noise_df.draw(np.random.default_rng(3), ())
    np.testing.assert_allclose(
        pm.logp(student["noise_df"], x).eval(), build_priors(spec, ARMS).noise_df.logp(x)
    )


def block(priors, **changes):
    return replace(priors, block_scale=replace(priors.block_scale, **changes))


def symptom(priors, **changes):
    return replace(priors, symptom_weight=replace(priors.symptom_weight, **changes))


CHANGES = {
    "sharing": lambda p: replace(p, sharing=replace(p.sharing, concentration=1.3)),
    "factor scale": lambda p: block(p, overall=HalfT(2.5, 0.11)),
    "local scales": lambda p: block(p, local=HalfT(6.0, 1.0)),
    "noise": lambda p: replace(p, noise=HalfNormal(1.9)),
    "symptom scale": lambda p: symptom(p, overall=HalfT(2.5, 0.6)),
    "symptom local scales": lambda p: symptom(p, local=HalfT(3.0, 1.0)),
    "symptom noise": lambda p: replace(p, symptom_noise=HalfNormal(0.4)),
}


def log_prior(priors, density, x):
    """Log density of all parameters at a point."""
    parts, out = density.split(x), density.outcome(x[None], np.random.default_rng(0))
    scale = np.exp(parts["factor_scale_log__"])
    free = unbounded(out["block_scale"][0], priors.block_scale.slab)
    whole = priors.symptom_weight
    logs = (
        priors.sharing.logp(out["sharing"][0]),
        priors.block_scale.overall.logp(scale),
        priors.block_scale.local.logp(free / scale),
        priors.noise.logp(out["noise"][0]),
        whole.overall.logp(np.exp(parts["symptom_global_log__"])),
        whole.local.logp(np.exp(parts["symptom_local_log__"])),
        priors.symptom_noise.logp(out["symptom_noise"][0]),
    )
    return sum(np.sum(x) for x in logs)


@pytest.mark.parametrize("name", CHANGES)
def test_compiled_density_takes_its_priors_from_the_values(case, name, monkeypatch):
    spec, data = case
    before = make_density(spec, data)
    changed = CHANGES[name](before.priors)
    monkeypatch.setattr(density_module, "build_priors", lambda *_: changed)
    after = make_density(spec, data)
    rng = np.random.default_rng(4)
    points = 0.7 * rng.normal(size=(4, before.size))
    found = np.array([after(x)[0] - before(x)[0] for x in points])
    true = [log_prior(changed, after, x) - log_prior(before.priors, before, x) for x in points]
    assert found.std() > 0.01
    # Constants are left out of the density.
    np.testing.assert_allclose(found - found[0], np.array(true) - true[0], rtol=0, atol=1e-9)
    x, step = points[0], 1e-5 * rng.normal(size=before.size)
    slope = after(x + step)[0] - after(x - step)[0]
    assert slope == pytest.approx(2 * after(x)[1] @ step, rel=1e-5)
