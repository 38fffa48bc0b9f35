"""Scores and loadings in turn: the posterior of nutpie, and exact conditionals."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import arviz as az
import numpy as np
import pandas as pd
import pytest

from bayes_mdd.errors import SpecError
from bayes_mdd.results.result import read_result
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.likelihood import cross_products
from bayes_mdd.shared_specific.likelihood.cross_products import CrossProducts
from bayes_mdd.shared_specific.posterior.alternating import alternates, sample_by_alternation
from bayes_mdd.shared_specific.posterior.assemble import assemble
from bayes_mdd.shared_specific.posterior.sampling import sample_posterior
from bayes_mdd.shared_specific.posterior.spans import describe_span, frame_of
from bayes_mdd.shared_specific.posterior.stored_data import read_model_data
from bayes_mdd.shared_specific.posterior.subject_rows import read_rows
from bayes_mdd.shared_specific.posterior.sweep import Scales, sweep
from bayes_mdd.shared_specific.start.mode import find_modes
from bayes_mdd.shared_specific.start.spectral import Start, spectral_start
from bayes_mdd.specs import SamplerSpec, SharedSpecificSpec

SPEC = SharedSpecificSpec(n_factors=2, symptoms=("mood",), feature_dependence="independent")


@pytest.fixture(scope="module")
def cohort(feature_set):
    """One factor of both arms and one of the first; a symptom of the second factor."""
    rng = np.random.default_rng(4)
    n, sizes = 44, (40, 30, 20)
    arm = np.array(["SSRI", "SNRI"])[np.arange(n) % 2]
    h = rng.normal(size=(n, 2))
    h[arm == "SNRI", 1] *= 0.2
    size = np.repeat([[0.6, 0.4, 0.0], [0.0, 0.5, 0.7]], sizes, 1)
    loadings = size * rng.normal(size=size.shape)
    y = h @ loadings + rng.uniform(0.8, 1.2, (n, 1)) * rng.normal(size=(n, sum(sizes)))
    features = feature_set(y, arm, np.repeat(["A-A", "A-B", "B-B"], sizes))
    mood = pd.DataFrame({"mood": h[:, 1] + rng.normal(size=n)}, features["subject"].values)
    mood.iloc[[2, 9]] = np.nan
    data = prepare(SPEC, features, mood)
    start = find_modes(data, spectral_start(data, 2)).start
    assert start.n_on == 2
    return data, start


def drawn(draws: int, **settings: object) -> SamplerSpec:
    return SamplerSpec(**{"seed": 3, "draws": draws, "tune": draws, "chains": 2, **settings})


def test_draws_do_not_depend_on_cores_and_chains_are_kept(cohort):
    data, start = cohort
    kept = {}

    class Store:
        def read(self, chain):
            return kept.get(chain)

        def write(self, chain, tree):
            kept[chain] = tree

    one = sample_by_alternation(SPEC, data, start, drawn(6, cores=1), store=Store())
    del kept[1]
    two = sample_by_alternation(SPEC, data, start, drawn(6, cores=2), store=Store())
    for name in one["posterior"].data_vars:
        np.testing.assert_array_equal(one["posterior"][name], two["posterior"][name])
    assert set(kept) == {0, 1}
    # Chains of another start are drawn again.
    other = replace(start, noise=1.1 * start.noise)
    again = sample_by_alternation(SPEC, data, other, drawn(6), store=Store())
    assert not np.array_equal(one["posterior"]["noise"], again["posterior"]["noise"])


def test_a_sweep_leaves_what_the_features_do_not_inform_to_the_prior(cohort):
    data, start = cohort
    rows = read_rows(SPEC, data, start.scores, np.full(2, 0.1))
    rng = np.random.default_rng(0)
    scales = Scales(
        start.block_scale, start.noise, np.full((2, 2), 0.5), np.zeros((2, 1)), np.ones(1)
    )
    span, projected = describe_span(rows, frame_of(rows, start.scores)[0])
    z = frame_of(rows, start.scores)[1]
    found, moved = sweep(rows, start.scores, scales, z.T @ span.gram @ z, z.T @ projected, rng)
    assert moved
    assert found.shape == start.scores.shape
    # What the features see stays near the scores: their reliability is high.
    seen = [rows.seen(h)[:, 0] for h in (found, start.scores)]
    assert np.corrcoef(*seen)[0, 1] > 0.9
    assert not np.allclose(rows.design.T @ found, rows.design.T @ start.scores)


def test_what_is_not_supported_is_refused(cohort):
    data, start = cohort
    assert alternates(SPEC, data)
    few = replace(SPEC, n_factors=12)
    assert not alternates(few, data)
    assert not alternates(replace(SPEC, spare_factors="sampled"), data)
    assert not alternates(replace(SPEC, sharing={"SSRI": 1, "SNRI": 1}), data)
    with pytest.raises(SpecError, match="fewer than 3 participants per factor: use 'auto'"):
        sample_posterior(few, data, start, drawn(5, backend="alternating"), progressbar=False)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 0.6])
def test_the_posterior_is_that_of_nutpie(cohort, weight):
    data, start = cohort
    data = data.weighted(weight)
    sampler = drawn(1500, chains=4)
    ours = sample_by_alternation(SPEC, data, start, sampler)
    nuts = sample_posterior(
        SPEC, data, start, replace(sampler, backend="nutpie"), progressbar=False
    ).raw
    assert float(ours["sample_stats"]["moved"].mean()) > (0.999 if weight == 1.0 else 0.8)
    assert not ours["sample_stats"]["diverging"].mean() > 0.002
    for name in ("sharing", "block_scale", "noise", "symptom_weight", "symptom_noise"):
        a, b = (np.asarray(t["posterior"][name]) for t in (ours, nuts))
        if name == "symptom_weight":
            a, b = a**2, b**2
        for i in np.ndindex(a.shape[2:]):
            x, y = a[(..., *i)], b[(..., *i)]
            error = np.hypot(float(az.mcse(x)), float(az.mcse(y)))
            assert abs(x.mean() - y.mean()) < 4.5 * error, (name, i)
            assert 0.8 < x.std() / y.std() < 1.25, (name, i)


def test_rows_of_several_arms_need_not_follow_each_other(cohort):
    data, start = cohort
    rows = read_rows(SPEC, data, start.scores, np.full(2, 0.1))
    frame, _ = frame_of(rows, start.scores)
    span, projected = describe_span(rows, frame)
    apart = np.zeros((len(frame), 6))
    for a in range(2):
        at = rows.arm == a
        apart[at, 3 * a : 3 * a + 2], apart[at, 3 * a + 2] = frame[at], 1.0
    np.testing.assert_allclose(projected, rows.seen(apart).T @ rows.y, atol=1e-9)
    np.testing.assert_allclose(span.products.sum(axis=0), projected @ projected.T, atol=1e-8)
    assert isinstance(start, Start)


def test_a_result_of_many_subjects_stores_features_in_place_of_matrices(cohort, monkeypatch):
    data, start = cohort
    raw = sample_by_alternation(SPEC, data, start, drawn(5))
    small = assemble(SPEC, data, raw, drawn(5))
    monkeypatch.setattr(cross_products, "MATRICES_UP_TO", 20)
    many = replace(data, stats=replace(data.stats, products=copied(data.stats.products)))
    many = replace(many, total=copied(data.total))
    large = assemble(SPEC, many, raw, drawn(5))
    assert "features" in small["observed_data"]
    assert "features" not in large["observed_data"]
    for group in ("posterior", "invariants", "loadings", "block_log_density"):
        for name, values in small[group].data_vars.items():
            np.testing.assert_allclose(large[group][name], values, rtol=1e-6, atol=1e-8)
    large.attrs |= {"spec": json.dumps(asdict(SPEC)), "sampler": "{}", "provenance": "{}"}
    again = read_model_data(read_result(large))
    # Stored features have single precision.
    np.testing.assert_allclose(again.stats.traces, data.stats.traces, rtol=1e-5)
    np.testing.assert_allclose(
        again.stats.cross_products, data.stats.cross_products, rtol=1e-3, atol=1e-3
    )


def copied(products: CrossProducts) -> CrossProducts:
    """The same, without what was computed."""
    return CrossProducts(products.features, products.start, weight=products.weight)
