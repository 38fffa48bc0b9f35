"""Variance explained and maps on edges with correlated errors, given known scores."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.posterior.edge_maps import summarise_edge_maps
from bayes_mdd.shared_specific.posterior.edges import edge_explained, edge_moments, edge_scales
from bayes_mdd.shared_specific.whitening.transform import build_whitening, unpack
from bayes_mdd.specs import SharedSpecificSpec

N, R, NU = 40, 9, 150
SPEC = SharedSpecificSpec(
    n_factors=2, covariates=("age",), feature_dependence="matrix", feature_noise="equal"
)
DRAWS = 80


class Cohort:
    """Edges with known loadings, and errors with the covariance of those of correlations."""

    def __init__(self, correlations, seed, size=(0.06, 0.03)):
        rng = np.random.default_rng([seed, 7])
        frame = correlations(N, R)
        networks = [*frame["network_a"].values[:1], *frame["network_b"].values[: R - 1]]
        c = np.tanh(unpack(frame["y"].values.mean(axis=0)[None], R, diagonal=False)[0]) + np.eye(R)
        white = build_whitening(c, networks)
        # Loadings and scores are the same in all repetitions.
        fixed = np.random.default_rng(11)
        self.scores = fixed.normal(size=(N, 2))
        self.loadings = np.array(size)[:, None] * white.back(fixed.normal(size=(2, 45)))
        scale = fixed.uniform(0.7, 1.3, N)
        self.scale = scale / np.sqrt((scale**2).mean())
        error = self.scale[:, None] * white.back(rng.normal(size=(N, 45))) / np.sqrt(NU)
        self.error_variance = (white.back(np.eye(45)) ** 2).sum(axis=0) / NU
        y = c[np.triu_indices(R, 1)] + self.scores @ self.loadings + error
        features = frame.assign(y=(("subject", "feature"), y)).assign_attrs(units="r")
        # Of 36 edges noise scales cannot be estimated well.
        self.data = prepare(SPEC, features).with_scale(self.scale)
        self.draws = np.broadcast_to(self.scores, (DRAWS, N, 2))
        self.rng = rng

    @property
    def noise(self):
        stats = self.data.stats
        return np.sqrt(stats.traces / stats.block_size / stats.basis.shape[1])

    def by_block(self, values):
        code, n_blocks = self.data.shown.code, len(self.data.shown.stats.blocks)
        return np.stack([values[..., code == b].sum(axis=-1) for b in range(n_blocks)], axis=-1)


@pytest.fixture(scope="module")
def repeats(correlations):
    found = []
    for seed in range(120):
        cohort = Cohort(correlations, seed)
        moments = edge_moments(cohort.data, cohort.draws, cohort.noise, cohort.rng)
        found.append((cohort, moments))
    return found


def test_sums_of_squared_loadings_are_unbiased(repeats):
    cohort = repeats[0][0]
    truth = cohort.by_block(cohort.loadings**2).T  # (block, factor)
    means = np.array([m.squares.mean(axis=0) for _, m in repeats])
    error = means.std(axis=0) / np.sqrt(len(means))
    assert (np.abs(means.mean(axis=0) - truth) < 4 * error + 0.01 * truth).all()
    total = means.sum(axis=1)
    error = total.std(axis=0) / np.sqrt(len(total))
    assert (error < 0.05 * truth.sum(axis=0)).all()
    assert (np.abs(total.mean(axis=0) - truth.sum(axis=0)) < 3.5 * error).all()
    # Without the correction the weaker factor would seem much larger.
    plain = [np.linalg.lstsq(_centred(c.scores), _centred(c.data.shown.features["y"].values),
                             rcond=None)[0] for c, _ in repeats]  # fmt: skip
    naive = np.mean([(p**2).sum(axis=1) for p in plain], axis=0)
    assert naive[1] > 1.15 * truth.sum(axis=0)[1]


def _centred(values):
    return values - values.mean(axis=0)


def test_residual_variance_is_that_of_the_errors(repeats):
    cohort = repeats[0][0]
    truth = cohort.by_block(cohort.error_variance)
    found = np.mean([m.residual[0] for _, m in repeats], axis=0)
    np.testing.assert_allclose(found, truth, rtol=0.06)


def covered(repeats):
    """Share of the 90 % intervals of sums of squares that hold the truth, (block, factor)."""
    truth = repeats[0][0].by_block(repeats[0][0].loadings ** 2).T
    return np.mean(
        [
            (np.quantile(m.squares, 0.05, axis=0) < truth)
            & (truth < np.quantile(m.squares, 0.95, axis=0))
            for _, m in repeats
        ],
        axis=0,
    )


def test_intervals_hold_the_truth(repeats):
    assert 0.84 < covered(repeats).mean() < 0.97
    truth = repeats[0][0].by_block(repeats[0][0].loadings ** 2).sum(axis=1)
    total = [m.squares.sum(axis=1) for _, m in repeats]
    inside = [
        (np.quantile(t, 0.05, axis=0) < truth) & (truth < np.quantile(t, 0.95, axis=0))
        for t in total
    ]
    assert np.mean(inside) > 0.8


def test_independent_errors_would_give_intervals_that_are_too_short(repeats, monkeypatch):
    """The bank of errors matters: their correlations widen sums over edges."""
    cohort = repeats[0][0]

    def spread():
        rng = np.random.default_rng(0)
        many = np.broadcast_to(cohort.scores, (2000, N, 2))
        return edge_moments(cohort.data, many, cohort.noise, rng).squares.sum(axis=1).std(axis=0)

    correlated = spread()
    size = np.sqrt(cohort.error_variance)
    monkeypatch.setattr(
        "bayes_mdd.shared_specific.posterior.edges._error_maps",
        lambda _data, _noise, rng: size * rng.normal(size=(64, size.size)),
    )
    assert (spread() < correlated).all()


@pytest.mark.slow
def test_coverage_of_intervals(correlations):
    found = []
    for seed in range(1000, 1600):
        cohort = Cohort(correlations, seed)
        moments = edge_moments(
            cohort.data, np.repeat(cohort.draws[:1], 400, axis=0), cohort.noise, cohort.rng
        )
        found.append((cohort, moments))
    assert 0.87 < covered(found).mean() < 0.95


def test_shares_of_variance(repeats):
    sharing = np.broadcast_to([[0.9, 0.5], [0.1, 0.5]], (DRAWS, 2, 2))
    found = [edge_explained(c.data, c.draws, sharing, c.noise, c.rng) for c, _ in repeats[:40]]
    overall = np.mean([f[0].mean(axis=0) for f in found], axis=0)
    cohort = repeats[0][0]
    parts = 2 * sharing[0] * (cohort.loadings**2).sum(axis=1)
    truth = parts / (parts.sum(axis=1) + cohort.error_variance.sum())[:, None]
    np.testing.assert_allclose(overall, truth, atol=0.02)
    by_block = found[0][1]
    assert by_block.shape == (DRAWS, 2, 6, 2)
    assert (by_block >= 0).all() and (by_block.sum(axis=3) < 1).all()


def test_scales_of_edges_are_recovered(repeats):
    cohort = repeats[0][0]
    size = cohort.data.shown.stats.block_size
    found = [edge_scales(c.data, c.draws[:1]) for c, _ in repeats]
    noise = np.mean([sd[0] ** 2 for _, sd in found], axis=0)
    np.testing.assert_allclose(noise, cohort.by_block(cohort.error_variance) / size, rtol=0.06)
    square = np.array([t[0] ** 2 * sd[0][:, None] ** 2 for t, sd in found])
    truth = cohort.by_block(cohort.loadings**2).T / size[:, None]
    error = square.std(axis=0) / np.sqrt(len(square))
    # Negative estimates are raised to about zero, which matters where the truth is near it.
    large = truth > 2 * square.std(axis=0)
    assert large.sum() >= 6
    assert (np.abs(square.mean(axis=0) - truth) < 4 * error)[large].all()


def test_factors_that_are_not_in_the_model_have_nothing(repeats):
    cohort, _ = repeats[0]
    draws = cohort.draws * np.array([1.0, 0.0])
    moments = edge_moments(cohort.data, draws, cohort.noise, np.random.default_rng(0))
    scale, _ = edge_scales(cohort.data, draws)
    assert moments.squares[..., 0].mean() > 0
    assert not moments.squares[..., 1].any() and not scale[..., 1].any()
    nothing = edge_moments(cohort.data, 0 * draws, cohort.noise, np.random.default_rng(0))
    assert not nothing.squares.any()
    y = cohort.data.shown.features["y"].values / cohort.data.subject_scale[:, None]
    columns = cohort.data.design.to_numpy() / cohort.data.subject_scale[:, None]
    left = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    expected = cohort.by_block((left**2).sum(axis=0)) / (N - 2)
    np.testing.assert_allclose(nothing.residual[0], expected)
    scale, noise = edge_scales(cohort.data, 0 * draws)
    assert not scale.any()
    np.testing.assert_allclose(noise[0] ** 2 * cohort.data.shown.stats.block_size, expected)


def test_maps_are_those_of_the_edges(correlations):
    rms, inside = [], []
    for seed in range(10):
        cohort = Cohort(correlations, seed, size=(0.06, 0.05))
        summary, kept = summarise_edge_maps(
            cohort.data, np.repeat(cohort.draws, 4, axis=0), ci_prob=0.9, keep=5, rng=cohort.rng
        )
        assert kept.shape == (5, 2, 36)
        truth = cohort.loadings
        for k in range(2):
            assert np.corrcoef(summary["mean"][k], truth[k])[0, 1] > 0.85
        left = summary["mean"] - truth
        rms.append(np.sqrt((left**2).mean() / (summary["sd"] ** 2).mean()))
        inside.append((summary["lower"] < truth) & (truth < summary["upper"]))
        assert ((summary["p_positive"] > 0.5) == (summary["mean"] > 0)).mean() > 0.95
    assert np.mean(rms) == pytest.approx(1, abs=0.15)
    assert 0.85 < np.mean(inside) < 0.96
