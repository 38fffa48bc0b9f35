"""Scores of pieces: brute-force refits without the subject, sampling variance, no leak of noise."""

import numpy as np

from bayes_mdd.shared_specific.reliability.pieces import score_pieces

N, K, F, P = 30, 6, 2, 600
CODE = np.repeat(np.arange(4), P // 4)
BLOCK_SD = np.array([0.7, 1.0, 1.4, 2.0])[CODE]


def cohort(rng, signal=0.3, n=N, n_features=P):
    """Traits in pieces: features of the pieces and of the means M and half differences D."""
    code = np.arange(n_features) * 4 // n_features
    sd = np.array([0.7, 1.0, 1.4, 2.0])[code]
    loadings = signal * rng.normal(size=(F, n_features)) * sd
    scores = rng.normal(size=(n, F))
    noise = rng.normal(size=(n, K, n_features)) * sd
    pieces = (scores @ loadings)[:, None] + noise
    halves = pieces.reshape(n, 2, K // 2, n_features).mean(axis=2)
    m, d = (halves[:, 0] + halves[:, 1]) / 2, (halves[:, 0] - halves[:, 1]) / 2
    features = np.vstack([m - m.mean(axis=0), d - d.mean(axis=0)])
    rows = np.vstack([scores - scores.mean(axis=0), np.zeros((n, F))])
    return pieces, rows, features, scores, code


def brute_force(pieces, scores, features, noise_scale, owner, code):
    """The same by refitting without each subject, with explicit diagonal matrices."""
    weight = 1 / noise_scale**2
    root = np.sqrt(weight)[:, None]
    fit = np.linalg.lstsq(scores * root, features * root, rcond=None)[0]
    noise = np.mean(((features - scores @ fit) * root) ** 2)
    centred = pieces - pieces.mean(axis=0)
    within = np.mean([x.var(axis=0, ddof=1) for x in centred], axis=0)
    within = np.array([within[code == b].mean() for b in code])
    out = []
    for i in range(len(pieces)):
        others = owner != i
        a, b = (x[others] * root[others] for x in (scores, features))
        loadings = np.linalg.lstsq(a, b, rcond=None)[0]
        error = noise * np.diag(np.linalg.inv(a.T @ a))
        for f in range(len(loadings)):
            for block in np.unique(code):
                at = code == block
                signal = max(np.mean(loadings[f, at] ** 2) - error[f], 0)
                loadings[f, at] *= signal / (signal + error[f])
        precision = np.diag(1 / within)
        w = precision @ loadings.T @ np.linalg.inv(loadings @ precision @ loadings.T)
        out.append((centred[i] @ w, within @ w**2))
    scores = np.array([s for s, _ in out])
    return scores - scores.mean(axis=0), np.mean([v for _, v in out], axis=0)


def test_scores_equal_refits_without_each_subject():
    rng = np.random.default_rng(0)
    pieces, rows, features, _, code = cohort(rng)
    rows[N:] = 0.2 * rng.normal(size=(N, F))
    scale = rng.uniform(0.7, 1.4, size=2 * N)
    owner = np.tile(np.arange(N), 2)
    # Two subjects have no series.
    pieces, owner = pieces[2:], owner - 2
    owner[owner < 0] = -1
    got = score_pieces(pieces, rows, features, scale, owner, code)
    scores, sampling = brute_force(pieces, rows, features, scale, owner, code)
    assert got.scores.shape == (N - 2, K, F)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(got.sampling, sampling, rtol=1e-8)


def test_traits_are_recovered_with_their_sampling_variance():
    rng = np.random.default_rng(1)
    pieces, rows, features, scores, code = cohort(rng)
    got = score_pieces(pieces, rows, features, np.ones(2 * N), np.tile(np.arange(N), 2), code)
    for f in range(F):
        assert np.corrcoef(got.scores[:, :, f].mean(axis=1), scores[:, f])[0, 1] > 0.95
    within = got.scores.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(within / got.sampling, 1, atol=0.2)


def test_noise_of_a_subject_does_not_count_as_trait():
    # No signal: loadings from all subjects contain the mean noise of the scan of each subject.
    rng = np.random.default_rng(2)
    pieces, _, features, _, code = cohort(rng, signal=0.0)
    rows = np.vstack([rng.normal(size=(N, F)), np.zeros((N, F))])
    owner = np.tile(np.arange(N), 2)

    def between(scores):
        """Covariance of different pieces over the variance of one."""
        pairs = [(a, b) for a in range(K) for b in range(a)]
        return (
            np.mean([scores[:, a, f] @ scores[:, b, f] for a, b in pairs for f in range(F)])
            / (scores**2).sum(axis=0).mean()
        )

    leak = score_pieces(pieces, rows, features, np.ones(2 * N), np.full(2 * N, -1), code)
    clean = score_pieces(pieces, rows, features, np.ones(2 * N), owner, code)
    assert between(leak.scores) > 0.3
    assert abs(between(clean.scores)) < 0.1


def test_single_precision_and_order_of_rows_do_not_matter():
    rng = np.random.default_rng(3)
    pieces, rows, features, _, code = cohort(rng)
    owner, scale = np.tile(np.arange(N), 2), rng.uniform(0.7, 1.4, size=2 * N)
    want = score_pieces(pieces, rows, features, scale, owner, code)
    order = rng.permutation(2 * N)
    got = score_pieces(
        pieces.astype(np.float32), rows[order], features[order].astype(np.float32), scale[order],
        owner[order], code,
    )  # fmt: skip
    np.testing.assert_allclose(got.scores, want.scores, atol=1e-4)
    np.testing.assert_allclose(got.sampling, want.sampling, rtol=1e-4)


def test_factor_without_loadings_gets_zero_scores():
    rng = np.random.default_rng(4)
    pieces, rows, features, _, code = cohort(rng)
    rows = np.column_stack([rows, np.zeros(2 * N)])
    got = score_pieces(pieces, rows, features, np.ones(2 * N), np.tile(np.arange(N), 2), code)
    assert np.isfinite(got.scores).all()
    assert (np.abs(got.scores[:, :, F]) < 1e-9).all()
