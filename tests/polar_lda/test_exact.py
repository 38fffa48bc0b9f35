"""The bound, the E-step, alpha and EM against independent oracles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, polygamma, psi
from sklearn.decomposition import LatentDirichletAllocation

from bayes_mdd.polar_lda import fit_counts, infer_counts
from bayes_mdd.polar_lda.em.corpus import read_corpus
from bayes_mdd.polar_lda.em.expectation import e_step
from bayes_mdd.polar_lda.em.maximisation import estimate_alpha, m_step
from bayes_mdd.polar_lda.em.parameters import EMOptions, LDAParameters
from bayes_mdd.polar_lda.em.special import digamma, trigamma

PATHS = ("newton", "published")


def signed_words(counts):
    """Documents over 2 V ordinary words."""
    both = np.stack([np.maximum(-counts, 0), np.maximum(counts, 0)], axis=-1)
    return both.reshape(len(counts), -1)


def random_parameters(rng, k, v, alpha=0.4):
    return LDAParameters(rng.dirichlet(np.ones(v), size=k), rng.uniform(0.02, 0.98, (k, v)), alpha)


def log_evidence(tokens, table, alpha):
    """Sum over every assignment of tokens to factors, with the composition integrated out."""
    k = table.shape[1]
    total = -np.inf
    for z in itertools.product(range(k), repeat=len(tokens)):
        n = np.bincount(z, minlength=k)
        prior = gammaln(k * alpha) - gammaln(k * alpha + len(z))
        prior += (gammaln(alpha + n) - gammaln(alpha)).sum()
        total = np.logaddexp(total, prior + np.log(table[tokens, list(z)]).sum())
    return total


def bound_by_hand(counts, p, gamma):
    """Section 3 of the maths, term by term, for one subject, with phi computed from gamma."""
    w = np.flatnonzero(counts)
    c, y = np.abs(counts[w]), counts[w] > 0
    loglik = np.log(p.beta[:, w]) + np.where(y, np.log(p.rho[:, w]), np.log1p(-p.rho[:, w]))
    score = psi(gamma)[:, None] + loglik
    phi = np.exp(score - np.logaddexp.reduce(score, axis=0))
    new = p.alpha + phi @ c
    e = psi(new) - psi(new.sum())
    k = len(gamma)
    value = gammaln(k * p.alpha) - k * gammaln(p.alpha) + ((p.alpha - 1) * e).sum()
    value += -gammaln(new.sum()) + (gammaln(new) - (new - 1) * e).sum()
    return value + (c * phi * (e[:, None] + loglik - np.log(phi))).sum(), new


def test_special_functions():
    x = np.concatenate([np.geomspace(1e-3, 1e6, 200), [1.0, 2.5, 9.999999, 10.0]])
    np.testing.assert_allclose([digamma(v) for v in x], psi(x), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose([trigamma(v) for v in x], polygamma(1, x), rtol=1e-12)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seed", range(6))
def test_the_bound_is_below_the_log_evidence_and_close_to_it(path, seed):
    rng = np.random.default_rng(seed)
    p = random_parameters(rng, k=2 + seed % 2, v=4)
    counts = rng.integers(-2, 3, size=(1, 4))
    counts[0, 0] = 2
    corpus = read_corpus(counts, training=False)
    _, bound, _ = e_step(corpus, p, EMOptions(e_step=path))
    tokens = np.repeat(corpus.word, corpus.count.astype(int))
    exact = log_evidence(tokens, p.table, p.alpha)
    assert bound[0] <= exact
    assert bound[0] > exact - 1.5


@pytest.mark.parametrize("path", PATHS)
def test_bound_and_fixed_point_are_those_of_the_maths(path, corpus):
    counts = corpus[0].astype(np.int64)
    p = random_parameters(np.random.default_rng(1), k=3, v=counts.shape[1])
    gamma, bound, _ = e_step(read_corpus(counts), p, EMOptions(e_step=path, inner_tolerance=0.0))
    for i, row in enumerate(counts):
        value, again = bound_by_hand(row, p, gamma[i])
        assert bound[i] == pytest.approx(value, abs=1e-7)
        np.testing.assert_allclose(again, gamma[i], rtol=0, atol=1e-5)


def test_it_is_ordinary_lda_over_signed_words(corpus):
    counts = corpus[0]
    p = random_parameters(np.random.default_rng(2), k=3, v=counts.shape[1])
    other = LatentDirichletAllocation(
        3, doc_topic_prior=p.alpha, mean_change_tol=1e-12, max_doc_update_iter=10_000
    )
    words = signed_words(counts)
    other.components_ = other.exp_dirichlet_component_ = np.ascontiguousarray(p.table.T)
    other.doc_topic_prior_, other.random_state_ = p.alpha, np.random.RandomState(0)
    other.n_features_in_ = words.shape[1]
    theirs = other.transform(words)
    gamma, _, _ = e_step(read_corpus(counts), p, EMOptions())
    np.testing.assert_allclose(gamma / gamma.sum(axis=1, keepdims=True), theirs, atol=1e-6)


def test_alpha_maximises_the_bound(corpus):
    rng = np.random.default_rng(3)
    for true, k in ((0.05, 2), (0.7, 4), (30.0, 3)):
        gamma = 500 * rng.dirichlet(np.full(k, true), size=200) + 1e-2
        total = (psi(gamma) - psi(gamma.sum(axis=1, keepdims=True))).sum()

        def loss(log_a, k=k, total=total):
            a = np.exp(log_a)
            return -(200 * (gammaln(k * a) - k * gammaln(a)) + (a - 1) * total)

        best = minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10})
        assert estimate_alpha(gamma) == pytest.approx(np.exp(best.x), rel=1e-5)


def test_m_step_clips_as_published():
    expected = np.array([[0.0, 3.0], [0.0, 1.0], [2.0, 4.0], [0.0, 0.0], [0.0, 0.0], [5.0, 2.0]])
    p = m_step(expected, 1.0)
    zero = np.exp(-100.0)
    np.testing.assert_allclose(p.beta, [[zero, 2 / 7, 5 / 7], [0.4, 0.4, 0.2]], rtol=1e-12)
    np.testing.assert_allclose(p.rho[0], [0.5, zero, np.exp(-1e-6)], rtol=1e-12)
    np.testing.assert_allclose(p.rho[1], [0.25, zero, np.exp(-1e-6)], rtol=1e-12)


@pytest.mark.parametrize("path", PATHS)
def test_em_with_one_factor_is_counting(path, corpus):
    counts = corpus[0].astype(float)
    found = fit_counts(corpus[0], 1, 1, e_step=path)
    total, hyper = np.abs(counts).sum(axis=0), np.maximum(counts, 0).sum(axis=0)
    np.testing.assert_allclose(found["beta"][0], total / total.sum(), rtol=1e-10)
    np.testing.assert_allclose(found["rho"][0], hyper / total, atol=2e-6)
    np.testing.assert_allclose(found["composition"], 1.0)


def test_the_bound_never_falls_and_newton_and_sweeps_agree_after_convergence(corpus):
    found = fit_counts(corpus[0], 2, 2)
    assert (np.diff(found["history"]) >= 0).all()
    solved, swept = (
        fit_counts(corpus[0], start=found, e_step=path, max_iterations=1) for path in PATHS
    )
    assert solved.attrs["elbo"] == pytest.approx(swept.attrs["elbo"], abs=1e-5)
    np.testing.assert_allclose(solved["composition"], swept["composition"], atol=1e-5)
    # EM by sweeps from there does not find a much higher bound.
    continued = fit_counts(corpus[0], start=found, max_iterations=100)
    assert found.attrs["elbo"] - 1e-6 <= continued.attrs["elbo"] < found.attrs["elbo"] + 0.01


def test_truth_is_recovered_and_new_subjects_are_inferred(corpus):
    counts, truth = corpus
    found = fit_counts(counts, 2, 5)
    oracle = infer_counts(
        found.assign({n: found[n].copy(data=truth[n]) for n in ("beta", "rho")}), counts
    )
    mine, known = (
        np.abs(np.corrcoef(truth["theta"][:, 0], x["composition"][:, 0])[0, 1])
        for x in (found, oracle)
    )
    assert known > 0.95
    assert mine > known - 0.05
    inferred = infer_counts(found, counts)
    np.testing.assert_allclose(inferred["composition"], found["composition"], atol=1e-3)
    assert float(inferred["elbo"].sum()) >= found.attrs["elbo"] - 1e-6


def test_order_of_subjects_and_edges_storage_and_jobs_do_not_matter(corpus):
    counts, _ = corpus
    start = fit_counts(counts, 2, 1, max_iterations=1)
    kwargs = {"max_iterations": 20, "e_step": "newton"}
    one = fit_counts(counts, start=start, n_jobs=1, **kwargs)
    subjects, edges = np.argsort(counts[:, 0], kind="stable"), np.arange(counts.shape[1])[::-1]
    moved = fit_counts(
        sparse.csr_array(counts[subjects][:, edges]),
        start=start.isel(edge=edges, person=subjects),
        n_jobs=2,
        **kwargs,
    )
    np.testing.assert_allclose(moved["composition"], one["composition"][subjects], atol=1e-8)
    np.testing.assert_allclose(moved["beta"], one["beta"][:, edges], atol=1e-10)


def test_restarts_do_not_depend_on_cores_and_can_be_chosen_by_agreement(corpus):
    one, two = (fit_counts(corpus[0], 3, 6, n_jobs=n, max_iterations=15) for n in (1, 2))
    np.testing.assert_array_equal(one["restart_elbo"], two["restart_elbo"])
    alike = fit_counts(corpus[0], 3, 6, choose_by="correlation", max_iterations=15)
    chosen = alike.attrs["chosen_restart"]
    assert chosen == int(np.argmax(alike["restart_agreement"].values))
    assert alike.attrs["elbo"] == float(alike["restart_elbo"][chosen])
