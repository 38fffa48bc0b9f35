"""The log density within spans: gradient, brute force, and the volume of the coordinates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.density.frame import span_value_and_grad, unpack
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.posterior.alternating import Alternating
from bayes_mdd.shared_specific.posterior.spans import describe_span, frame_of, join_scores
from bayes_mdd.shared_specific.posterior.subject_rows import read_rows
from bayes_mdd.shared_specific.start.spectral import Start
from bayes_mdd.specs import SharedSpecificSpec

N, K = 26, 2


@pytest.fixture(scope="module")
def target(feature_set):
    """Two factors, two arms, three blocks, noise scales of subjects and a symptom with a gap."""
    rng = np.random.default_rng(2)
    arm = np.array(["SSRI", "SNRI"])[np.arange(N) % 2]
    block = np.repeat(["A-A", "A-B", "B-B"], [5, 9, 4])
    features = feature_set(rng.normal(size=(N, block.size)), arm, block)
    symptoms = pd.DataFrame({"mood": rng.normal(size=N)}, index=features["subject"].values)
    symptoms.iloc[3] = np.nan
    spec = SharedSpecificSpec(
        n_factors=K, symptoms=("mood",), feature_dependence="independent", mean_scale=0.7
    )
    data = prepare(spec, features, symptoms).with_scale(rng.uniform(0.7, 1.3, N))
    scores = rng.normal(size=(N, K))
    start = Start(scores, np.full((3, K), 0.4), np.full((K, 2), 0.5), np.ones(3), K)
    return spec, data, Alternating(read_rows(spec, data, scores, np.array([0.1, 0.4])), start)


def test_frames_depend_on_the_spans_only(target):
    _, _, t = target
    scores = t.start.scores
    frame, z = frame_of(t.rows, scores)
    np.testing.assert_allclose(join_scores(t.rows, frame, z), scores)
    turned = scores.copy()
    for a in range(2):
        at = t.rows.arm == a
        turned[at] = scores[at] @ np.array([[0.3, 1.0], [-2.0, 0.5 + a]]) + a
    np.testing.assert_allclose(frame_of(t.rows, turned)[0], frame, atol=1e-10)
    for a in range(2):
        own = frame[t.rows.arm == a]
        np.testing.assert_allclose(own.T @ own, len(own) * np.eye(K), atol=1e-9)


def test_the_gradient_is_that_of_the_value(target):
    _, _, t = target
    state = t.first()
    x = state.x + 0.2 * np.random.default_rng(0).normal(size=state.x.size)
    steps = 1e-5 * np.eye(x.size)
    value = [[span_value_and_grad(x + s * e, state.span)[0] for s in (1, -1)] for e in steps]
    found = span_value_and_grad(x, state.span)[1]
    np.testing.assert_allclose(
        found, np.subtract(*np.transpose(value)) / 2e-5, atol=1e-5 * np.abs(found).max()
    )


def brute_force(spec, data, t, state, x):
    """The same up to a constant: densities of all scores, with the volume of the coordinates."""
    span, prior = state.span, t.rows.priors
    z, tau, sharing, _, shift, noise = unpack(x, span)
    scores = join_scores(t.rows, state.frame, z)
    s = data.stats
    value = collapsed_value_and_grad(
        s.score_basis.T @ scores, tau, noise, s.cross_products, s.traces, s.block_size
    )[0].sum()
    columns = 2 * (K + 1)
    strength = x[columns * K : (columns + 3) * K].reshape(3, K)
    log_scale = x[(columns + 3) * K : (columns + 4) * K]
    local = strength - shift - log_scale
    value += (stats.t(spec.local_df).logpdf(np.exp(local)) + local).sum()
    scale = np.exp(log_scale)
    value += (stats.cauchy(scale=spec.factor_scale).logpdf(scale) + log_scale).sum()
    value += (stats.norm(scale=spec.noise_scale).logpdf(noise) + np.log(noise)).sum()
    for j in range(K):
        value += spec.sharing_concentration * np.log(sharing[j]).sum()
        for a in range(2):
            own = scores[t.rows.arm == a, j]
            across, v = 2 * sharing[j, a], span.score_variance[j]
            covariance = across * np.eye(own.size) + prior.arm_mean.variance[a, j]
            value += stats.multivariate_normal(np.zeros(own.size), covariance).logpdf(own)
            along = across + own.size * prior.arm_mean.variance[a, j]
            # From raw coordinates to scores: K within the span, one along the mean.
            value += 0.5 * K * np.log(across / (across + v)) + 0.5 * np.log(along / (along + v))
    for a in range(2):
        own = z[a * (K + 1) : a * (K + 1) + K]
        value += (span.arm_size[a] - 1 - K) * np.linalg.slogdet(own)[1]
    return value


def test_the_value_is_that_of_all_scores(target):
    spec, data, t = target
    spec, data = replace(spec, symptoms=()), replace(data, symptoms=())
    t = Alternating(read_rows(spec, data, t.start.scores, t.rows.score_variance), t.start)
    state = t.first()
    rng = np.random.default_rng(1)
    points = [state.x + 0.3 * rng.normal(size=state.x.size) for _ in range(4)]
    ours = [span_value_and_grad(x, state.span)[0] for x in points]
    brute = [brute_force(spec, data, t, state, x) for x in points]
    np.testing.assert_allclose(np.diff(ours), np.diff(brute), rtol=1e-8)


def test_symptoms_in_frames_are_those_of_all_subjects(target):
    _, data, t = target
    span, _ = describe_span(t.rows, t.first().frame)
    frame, z = frame_of(t.rows, t.start.scores)
    given = data.symptoms[0]
    seen = given.basis.T @ t.start.scores[given.rated]
    inside = span.ratings.basis[0] @ z
    np.testing.assert_allclose(inside.T @ inside, seen.T @ seen)
    np.testing.assert_allclose(inside.T @ span.ratings.value[0], seen.T @ given.value)
    assert (span.ratings.value[0] ** 2).sum() == pytest.approx((given.value**2).sum())
    assert span.ratings.rows[0] == given.value.size
    assert frame.shape == (N, K)


def test_long_means_have_a_density(target):
    _, _, t = target
    state = t.first()
    x = state.x.copy()
    # The mean of the first arm, as of a thousand subjects.
    x[K * K : K * K + K] = 60.0
    value, slope = t.density(state)(x)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
    x[-1] = 60.0
    assert t.density(state)(x)[0] == -np.inf
