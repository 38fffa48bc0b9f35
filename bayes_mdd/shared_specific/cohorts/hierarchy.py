r"""Variance of patterns by arm over cohorts: posterior with heterogeneity between cohorts.

The log variance of pattern k in arm a of cohort c is

.. math:: \eta_{cka} = \mu_{ka} + \tau_1 z_{ck} + \tau_2 z_{cka}, \qquad z \sim N(0, 1),

so that cohorts differ in the size of a pattern (:math:`\tau_1`) and in how the arms share it
(:math:`\tau_2`); both are common to all patterns and half-normal a priori. The cohorts that found
a pattern contribute the likelihood of `bayes_mdd.shared_specific.cohorts.size`. A cohort that did
not find it either lacks it, or has it and missed it, with a probability that follows from its
smallest detectable variance; the share of cohorts that have a pattern is uniform a priori. Shares
of the arms have the Dirichlet prior of the model, once.

The z are integrated out: over :math:`z_{cka}` in tables on a grid of log variances, over
:math:`z_{ck}` at the nodes of Gauss-Hermite quadrature. What remains (means, two SDs, which cohorts
have a pattern) is sampled by random-walk Metropolis and Gibbs steps in several chains at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayes_mdd.shared_specific.cohorts.size_tables import Sizes, SizeTables, log_sum_exp
from bayes_mdd.types import Array, BoolArray, IntArray

#: Steps of the random walk: within the posterior, and along flat tails.
STEPS: Final = (0.12, 0.4, 2.0)


@dataclass(frozen=True, eq=False)
class SizeDraws:
    """Draws of the posterior.

    Parameters
    ----------
    log_variance : ndarray, shape (chain, draw, pattern, arm)
        Means over cohorts.
    size_sd, sharing_sd : ndarray, shape (chain, draw)
        SDs between cohorts: of the log variance in all arms, and in one.
    present : ndarray of bool, shape (chain, draw, cohort, pattern)
        Which cohorts have which patterns.
    prevalence : ndarray, shape (chain, draw, pattern)
        Share of cohorts that have a pattern.
    """

    log_variance: Array
    size_sd: Array
    sharing_sd: Array
    present: BoolArray
    prevalence: Array


def log_share_prior(log_variance: Array, concentration: float) -> Array:
    """Log density of the Dirichlet prior of shares in terms of log variances.

    Parameters
    ----------
    log_variance : ndarray, shape (..., arm)
        Log variances; their overall level has a flat prior.
    concentration : float
        Of the Dirichlet distribution.

    Returns
    -------
    ndarray, shape (...)
        Up to a constant.
    """
    log_share = log_variance - log_sum_exp(log_variance)[..., None]
    return np.asarray(concentration * log_share.sum(axis=-1))


class _Chains:
    """Several chains that move side by side."""

    def __init__(
        self, sizes: Sizes, tables: SizeTables, rng: np.random.Generator, chains: int
    ) -> None:
        self.sizes, self.tables, self.rng, self.chains = sizes, tables, rng, chains
        n_cohorts, self.n_arms, self.n_patterns = sizes.observed.shape
        self.mu = _start(sizes, chains, rng)
        self.size: IntArray = rng.integers(0, tables.sd.size, chains)
        self.sharing: IntArray = rng.integers(0, tables.sd.size, chains)
        shape = (chains, n_cohorts, self.n_patterns)
        self.present: BoolArray = np.broadcast_to(sizes.found, shape).copy()
        self.prevalence = np.zeros((chains, self.n_patterns))
        self.prior = log_share_prior(self.mu, sizes.concentration)
        self.now = self.density(self.mu, self.size, self.sharing)

    def density(self, mu: Array, size: IntArray, sharing: IntArray) -> Array:
        """Log likelihood by pattern, shape (chain, pattern)."""
        found = self.sizes.found
        value = np.where(found, self.tables.found(mu, size, sharing), 0.0)
        away = self.present & ~found
        if away.any():
            value = value + np.where(away, self.tables.missed(mu, size), 0.0)
        return np.asarray(value.sum(axis=1))

    def move_means(self) -> None:
        """Take one random-walk step of each width in the log variances."""
        rng, alpha = self.rng, self.sizes.concentration
        for width in STEPS:
            arm = rng.integers(0, self.n_arms, (self.chains, self.n_patterns))
            jump = width * rng.standard_normal((self.chains, self.n_patterns, 1))
            new = self.mu + np.eye(self.n_arms)[arm] * jump
            then = self.density(new, self.size, self.sharing)
            legal = ((new > self.tables.low) & (new < self.tables.high)).all(axis=2)
            prior = log_share_prior(new, alpha)
            gain = then + prior - self.now - self.prior
            accept = legal & (np.log(rng.random(gain.shape)) < gain)
            self.mu = np.where(accept[:, :, None], new, self.mu)
            self.now = np.where(accept, then, self.now)
            self.prior = np.where(accept, prior, self.prior)

    def move_spread(self) -> None:
        """Take one step in each SD between cohorts."""
        for name in ("size", "sharing"):
            old = getattr(self, name)
            jump = self.rng.integers(1, 4, self.chains) * self.rng.choice([-1, 1], self.chains)
            new = old + jump
            legal = (new >= 0) & (new < self.tables.sd.size)
            new = np.where(legal, new, old)
            at = {"size": self.size, "sharing": self.sharing} | {name: new}
            then = self.density(self.mu, **at)
            prior = self.tables.log_prior
            gain = (then - self.now).sum(axis=1) + prior[new] - prior[old]
            accept = legal & (np.log(self.rng.random(self.chains)) < gain)
            setattr(self, name, np.where(accept, new, old))
            self.now = np.where(accept[:, None], then, self.now)

    def draw_present(self) -> None:
        """Draw how many cohorts have each pattern, and which of those that did not find it."""
        found, total = self.sizes.found, self.present.sum(axis=1)
        self.prevalence = self.rng.beta(1.0 + total, 1.0 + len(found) - total)
        if found.all():
            return
        log_on = np.log(self.prevalence)[:, None] + self.tables.missed(self.mu, self.size)
        chance = 1.0 / (1.0 + np.exp(np.log1p(-self.prevalence)[:, None] - log_on))
        self.present = found | (self.rng.random(chance.shape) < chance)
        self.now = self.density(self.mu, self.size, self.sharing)


def sample_sizes(
    sizes: Sizes,
    rng: np.random.Generator,
    *,
    scale: float,
    draws: int = 400,
    thin: int = 3,
    warmup: int = 300,
    chains: int = 4,
) -> SizeDraws:
    """Sample the variance of patterns over cohorts.

    Parameters
    ----------
    sizes : Sizes
        What the cohorts tell.
    rng : numpy.random.Generator
        Random numbers.
    scale : float
        Scale of the half-normal priors of the SDs between cohorts; 0 for none.
    draws, thin, warmup, chains : int
        Kept draws of each chain, steps between them, steps before them, and chains.

    Returns
    -------
    SizeDraws
        All chains.
    """
    tables = SizeTables(sizes, scale)
    state = _Chains(sizes, tables, rng, chains)
    kept: list[tuple[Any, ...]] = []
    for step in range(warmup + draws * thin):
        state.move_means()
        if scale > 0:
            state.move_spread()
        state.draw_present()
        if step >= warmup and (step - warmup) % thin == 0:
            sds = tables.sd[state.size], tables.sd[state.sharing]
            kept.append((state.mu, *sds, state.present, state.prevalence))
    return SizeDraws(*(np.stack(values, axis=1) for values in zip(*kept, strict=True)))


def _start(sizes: Sizes, chains: int, rng: np.random.Generator) -> Array:
    """Log variances near the estimates, shape (chain, pattern, arm)."""
    signal = np.maximum(sizes.observed - sizes.error, 0.1 * sizes.error)
    weight = np.where(sizes.found[:, None, :], sizes.dof, 0.0)
    mean = (weight * np.where(weight > 0, signal, 0.0)).sum(axis=0) / weight.sum(axis=0)
    return np.asarray(np.log(mean).T + 0.2 * rng.standard_normal((chains, *mean.T.shape)))


def sample_alone(sizes: Sizes, rng: np.random.Generator, *, draws: int) -> Array:
    """Draw the log variances of each cohort from its own estimates and the prior.

    Parameters
    ----------
    sizes : Sizes
        What the cohorts tell.
    rng : numpy.random.Generator
        Random numbers.
    draws : int
        Draws of each of four chains.

    Returns
    -------
    ndarray, shape (draw, cohort, pattern, arm)
        NaN for patterns that a cohort did not find.
    """
    cohort, pattern = np.nonzero(sizes.found)
    # Every pattern of every cohort is one of a cohort of its own.
    own = Sizes(
        np.ones((1, cohort.size), dtype=bool),
        sizes.observed[cohort, :, pattern].T[None],
        sizes.dof[cohort, :, pattern].T[None],
        sizes.error[cohort, :, pattern].T[None],
        sizes.noise[:1],
        sizes.limit[:1],
        sizes.concentration,
    )
    drawn = sample_sizes(own, rng, scale=0.0, draws=draws, thin=2).log_variance
    flat = drawn.reshape(-1, *drawn.shape[2:])
    out = np.full((len(flat), *sizes.found.shape, flat.shape[2]), np.nan)
    out[:, cohort, pattern] = flat
    return out


def predict_new(draws: SizeDraws, rng: np.random.Generator) -> Array:
    """Draw the log variances of a new cohort that has the patterns.

    Parameters
    ----------
    draws : SizeDraws
        Posterior.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    ndarray, shape (chain, draw, pattern, arm)
        Log variances.
    """
    mu = draws.log_variance
    every = draws.size_sd[..., None, None] * rng.standard_normal((*mu.shape[:3], 1))
    each = draws.sharing_sd[..., None, None] * rng.standard_normal(mu.shape)
    return np.asarray(mu + every + each)
