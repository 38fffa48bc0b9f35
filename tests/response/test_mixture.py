"""The approximate posterior, against conjugate formulas and against draws."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_t

import bayes_mdd as bm
from bayes_mdd.response import mixture
from bayes_mdd.response.mixture import Scales, fit_mixture
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.trial import Trial

SPEC = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")


def tiny(k: int = 2, n: int = 14) -> Trial:
    rng = np.random.default_rng(5)
    other = np.arange(n) % 2 == 1
    mean = rng.standard_normal((n, k))
    outcome = 3 * rng.standard_normal(n) + 2 * mean[:, 0] * np.where(other, 1, -1)
    return Trial(
        outcome=outcome,
        other=other,
        mean=mean,
        covariance=np.zeros((n, k, k)),
        design=np.ones((n, 1)),
        design_sd=np.array([5.0]),
    )


def by_hand(trial: Trial, tau_scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability that each factor moderates, and mean slopes, from multivariate t densities."""
    n, k = trial.mean.shape
    unit, a = trial.residual_sd(), trial.code
    columns = np.column_stack([np.ones(n), trial.mean, a, a[:, None] * trial.mean])
    sizes = np.array([0.28, 0.6, 1.2, 2.0, 3.2])
    of_size = np.exp(-(sizes**2) / 2) * np.gradient(sizes)
    of_size /= of_size.sum()
    log_weight, slopes, included = [], [], []
    for pattern in product([False, True], repeat=k):
        s = sum(pattern)
        if s == 0:
            prior = 0.35
        else:
            sparse = 0.5 ** np.arange(1, k + 1)
            prior = 0.65 * 0.7 * sparse[s - 1] / sparse.sum() + (0.65 * 0.3 if s == k else 0)
        for size, w in zip(sizes, of_size, strict=True):
            if s == 0 and size != sizes[0]:
                continue
            slope = np.where(pattern, tau_scale * size / np.sqrt(max(s, 1)), 1e-3)
            sd = np.concatenate([[5.0], np.full(k, 0.3), [0.15], slope])
            cov = np.eye(n) + (columns * sd**2) @ columns.T
            y = trial.outcome / unit
            # Inverse gamma (2, 2) noise variance: a t density with 4 degrees of freedom.
            log_weight.append(
                multivariate_t(np.zeros(n), cov, df=4).logpdf(y)
                + np.log(prior / comb(k, s) * (1 if s == 0 else w))
            )
            coefficient = (sd**2)[:, None] * columns.T @ np.linalg.solve(cov, y)[:, None]
            slopes.append(unit * coefficient[-k:, 0])
            included.append(pattern)
    weight = np.exp(np.array(log_weight) - logsumexp(log_weight))
    return weight @ np.array(included), weight @ np.array(slopes)


def test_the_mixture_is_the_conjugate_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture, "SWEEPS", 1)  # equal noise of the arms
    trial = tiny()
    found = fit_mixture(trial, Scales(moderation=0.25))
    inclusion, slopes = by_hand(trial, 0.25)
    np.testing.assert_allclose(found.inclusion, inclusion, atol=1e-9)
    np.testing.assert_allclose(found.weight @ found.mean[:, -2:], slopes, atol=1e-8)


def test_draws_have_the_moments_of_the_mixture() -> None:
    found = fit_mixture(tiny())
    drawn = found.draw(np.random.default_rng(1), 40_000)
    np.testing.assert_allclose(drawn.moderation.mean(axis=0), found.weight @ found.mean[:, -2:],
                               atol=0.05)  # fmt: skip
    assert drawn.drug.mean() == pytest.approx(float(found.weight @ found.mean[:, 3]), abs=0.05)
    spread = found.root @ np.swapaxes(found.root, 1, 2)
    within = found.weight @ (
        found.rate[:, None] / (found.shape - 1) * np.diagonal(spread, axis1=1, axis2=2)
    )
    centre = found.weight @ found.mean
    between = found.weight @ (found.mean - centre) ** 2
    expected = np.sqrt(within + between)[-2:]
    np.testing.assert_allclose(drawn.moderation.std(axis=0), expected, rtol=0.03)


def test_prior_probabilities_of_patterns_sum_to_one() -> None:
    for k in range(0, 6):
        pattern, size, log_prior = mixture._components(k, 0.25)
        assert np.exp(log_prior).sum() == pytest.approx(1.0)
        assert len(pattern) == len(size)
        none = ~pattern.any(axis=1)
        assert np.exp(log_prior)[none].sum() == pytest.approx(0.35 if k else 1.0)


def test_uncertain_scores_are_weights_and_no_evidence() -> None:
    # Alike covariances of all patients scale all weights alike: only the noise changes.
    trial = tiny()
    sure = fit_mixture(trial)
    with_error = Trial(**{**trial.__dict__, "covariance": np.tile(0.3 * np.eye(2), (14, 1, 1))})
    unsure = fit_mixture(with_error)
    np.testing.assert_allclose(unsure.weight @ unsure.mean[:, -2:], sure.weight @ sure.mean[:, -2:],
                               atol=0.35)  # fmt: skip


def test_a_noisier_arm_has_its_own_noise() -> None:
    trial = bm.simulate_trial(seed=1, n=400, noise_ratio=1.6, benefit_sd=0.0)
    prepared = prepare(SPEC, trial.scores, trial.outcomes)
    default, other = fit_mixture(prepared.trial).arm_scale
    assert other / default == pytest.approx(1.6, abs=0.25)


def test_at_most_eight_factors() -> None:
    with pytest.raises(ValueError, match="at most 8"):
        fit_mixture(tiny(k=9))


def test_the_sd_of_the_benefit_does_not_depend_on_rotation() -> None:
    rng = np.random.default_rng(2)
    trial = tiny(k=3, n=40)
    mixing = rng.standard_normal((3, 3))
    rotated = Trial(**{**trial.__dict__, "mean": trial.mean @ np.linalg.inv(mixing).T})
    slopes = rng.standard_normal((10, 3))
    np.testing.assert_allclose(trial.benefit_sd(slopes), rotated.benefit_sd(slopes @ mixing))
    effect = trial.mean @ slopes.T
    np.testing.assert_allclose(trial.benefit_sd(slopes), effect.std(axis=0, ddof=1))
