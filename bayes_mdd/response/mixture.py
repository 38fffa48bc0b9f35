r"""Approximate posterior of the second stage: an exact mixture over patterns of moderation.

Every subset of factors may moderate, with a few sizes :math:`\tau` of the SD of the benefit. Given
pattern, size and weights of the subjects, coefficients and noise variance are conjugate. Scores are
integrated out: they add :math:`c_i^\top V_i c_i` to the variance of subject i, which enters as a
weight only, with c from the previous sweep, so that variances are no evidence about moderation.
The noise of each arm has its own scale, estimated from residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb

import numpy as np
from scipy.special import softmax

from bayes_mdd.response.trial import Trial, quadratic
from bayes_mdd.types import Array, BoolArray

#: Largest number of factors: patterns double with each.
MOST_FACTORS = 8
#: SD of the benefit, in residual SD, relative to the prior scale: the grid of sizes.
SIZES = np.array([0.28, 0.6, 1.2, 2.0, 3.2])
#: Prior probability that no factor moderates; of all factors, given that some do.
P_NONE, P_ALL = 0.35, 0.3
#: Prior SD of a coefficient that a pattern leaves out: it is kept to have one design for all.
EXCLUDED_SD = 1e-3
#: Prior of the noise variance, inverse gamma in units of the residual variance.
NOISE_SHAPE, NOISE_RATE = 2.0, 2.0
SWEEPS = 3


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Prior scales, in residual SD of the outcome.

    Parameters
    ----------
    drug : float, default 0.15
        Prior SD of the average difference between the drugs.
    moderation : float, default 0.25
        Scale of the half-normal prior of the SD of the benefit.
    prognosis : float, default 0.3
        Prior SD of the slope on each factor that is common to both drugs.
    """

    drug: float = 0.15
    moderation: float = 0.25
    prognosis: float = 0.3


@dataclass(frozen=True, eq=False)
class Mixture:
    """Posterior as a mixture of normal-inverse-gamma distributions.

    Coefficients are in points, in the order design, prognosis (factor), drug, moderation (factor).

    Parameters
    ----------
    weight : ndarray, shape (component,)
        Posterior probabilities.
    pattern : ndarray of bool, shape (component, factor)
        Factors that moderate.
    mean : ndarray, shape (component, coefficient)
        Means of the coefficients.
    root : ndarray, shape (component, coefficient, coefficient)
        Matrices R with covariance R R' of the coefficients at noise variance 1.
    shape : float
        Of the inverse gamma distribution of the noise variance.
    rate : ndarray, shape (component,)
        Of the same, in squared points.
    arm_scale : ndarray, shape (2,)
        Noise SD of default and other arm relative to the square root of the noise variance.
    n_factors : int
        Number of factors.
    """

    weight: Array
    pattern: BoolArray
    mean: Array
    root: Array
    shape: float
    rate: Array
    arm_scale: Array
    n_factors: int

    @property
    def p_moderation(self) -> float:
        """Posterior probability that any factor moderates."""
        return float(self.weight[self.pattern.any(axis=1)].sum())

    @property
    def inclusion(self) -> Array:
        """Posterior probability that each factor moderates, shape (factor,)."""
        return np.asarray(self.weight @ self.pattern)

    @property
    def average(self) -> Array:
        """Posterior means of the coefficients, shape (coefficient,)."""
        return np.asarray(self.weight @ self.mean)

    def draw(self, rng: np.random.Generator, n_draws: int) -> MixtureDraws:
        """Draw from the posterior.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        n_draws : int
            Number of draws.

        Returns
        -------
        MixtureDraws
            Independent draws.
        """
        at = rng.choice(self.weight.size, n_draws, p=self.weight)
        variance = self.rate[at] / rng.gamma(self.shape, size=n_draws)
        normal = rng.standard_normal((n_draws, self.mean.shape[1]))
        moved = np.empty_like(normal)
        # Component by component: a copy of the matrix of every draw would be large.
        for j in np.unique(at):
            moved[at == j] = normal[at == j] @ self.root[j].T
        values = self.mean[at] + np.sqrt(variance)[:, None] * moved
        k = self.n_factors
        return MixtureDraws(
            prognosis=values[:, -2 * k - 1 : -k - 1],
            drug=values[:, -k - 1],
            moderation=values[:, -k:] if k else values[:, :0],
            design=values[:, : values.shape[1] - 2 * k - 1],
            sigma=np.sqrt(variance)[:, None] * self.arm_scale,
        )


@dataclass(frozen=True, eq=False)
class MixtureDraws:
    """Draws of the coefficients, in points.

    Parameters
    ----------
    prognosis : ndarray, shape (draw, factor)
        Change of the outcome per SD of a score, averaged over the two drugs.
    drug : ndarray, shape (draw,)
        Outcome on the other drug minus that on the default, at the mean of the scores.
    moderation : ndarray, shape (draw, factor)
        Change of this difference per SD of a score.
    design : ndarray, shape (draw, column)
        Coefficients of the columns of the design.
    sigma : ndarray, shape (draw, 2)
        Noise SD of the default and of the other arm.
    """

    prognosis: Array
    drug: Array
    moderation: Array
    design: Array
    sigma: Array


@lru_cache(maxsize=16)
def _patterns(n_factors: int) -> tuple[BoolArray, Array]:
    """All subsets of factors, shape (pattern, factor), and their prior probabilities."""
    pattern = np.array(list(product([False, True], repeat=n_factors))).reshape(
        2**n_factors, n_factors
    )
    size = pattern.sum(axis=1)
    if n_factors == 0:
        return pattern, np.ones(1)
    sparse = 0.5 ** np.arange(1, n_factors + 1)
    of_size = np.append(P_NONE, (1 - P_NONE) * (1 - P_ALL) * sparse / sparse.sum())
    of_size[-1] += (1 - P_NONE) * P_ALL
    number = np.array([comb(n_factors, int(s)) for s in range(n_factors + 1)])
    return pattern, (of_size / number)[size]


def _components(n_factors: int, scale: float) -> tuple[BoolArray, Array, Array]:
    """Patterns (component, factor), prior SD of included slopes, log prior probabilities."""
    pattern, prior = _patterns(n_factors)
    tau = scale * SIZES
    # Half-normal density at the grid times the width of its cells.
    of_size = np.exp(-0.5 * SIZES**2) * np.gradient(SIZES)
    of_size = of_size / of_size.sum()
    some = pattern.any(axis=1)
    repeats = np.where(some, tau.size, 1)
    rows = np.repeat(np.arange(len(pattern)), repeats)
    sizes = np.concatenate([np.arange(r) for r in repeats])
    log_prior = np.log(prior[rows]) + np.where(some[rows], np.log(of_size[sizes]), 0.0)
    sd = tau[sizes] / np.sqrt(np.maximum(pattern[rows].sum(axis=1), 1))
    return pattern[rows], sd, log_prior


@dataclass(frozen=True, eq=False)
class PatternPrior:
    """Prior of the coefficients, one component for each pattern and size.

    Parameters
    ----------
    pattern : ndarray of bool, shape (component, factor)
        Factors that moderate.
    sd : ndarray, shape (component, coefficient)
        Prior SD, in the order design, prognosis (factor), drug, moderation (factor); only those of
        moderation may differ between components.
    log_prior : ndarray, shape (component,)
        Log prior probabilities.
    """

    pattern: BoolArray
    sd: Array
    log_prior: Array


def pattern_prior(design_sd: Array, n_factors: int, scales: Scales) -> PatternPrior:
    """Build the prior of the coefficients.

    Parameters
    ----------
    design_sd : ndarray, shape (column,)
        Prior SD of the coefficients of the design.
    n_factors : int
        Number of factors.
    scales : Scales
        Prior scales.

    Returns
    -------
    PatternPrior
        In residual SD of the outcome.
    """
    k, n = n_factors, len(design_sd)
    pattern, size, log_prior = _components(k, scales.moderation)
    sd = np.empty((len(pattern), n + 2 * k + 1))
    sd[:, :n] = design_sd
    sd[:, n : n + k] = scales.prognosis
    sd[:, n + k] = scales.drug
    sd[:, n + k + 1 :] = np.where(pattern, size[:, None], EXCLUDED_SD)
    return PatternPrior(pattern, sd, log_prior)


def integrate_patterns(
    gram: Array, cross: Array, square: float, shape: float, prior: PatternPrior
) -> tuple[Array, Array, Array, Array]:
    """Condition every component of the prior on a Gaussian likelihood.

    Parameters
    ----------
    gram : ndarray, shape (coefficient, coefficient)
        Precision of the likelihood at noise variance 1.
    cross : ndarray, shape (coefficient,)
        Its precision times its mean.
    square : float
        Weighted sum of squares of the outcomes.
    shape : float
        Of the inverse gamma posterior of the noise variance.
    prior : PatternPrior
        Components.

    Returns
    -------
    probability : ndarray, shape (component,)
        Posterior probabilities.
    mean : ndarray, shape (component, coefficient)
        Posterior means.
    root : ndarray, shape (component, coefficient, coefficient)
        Matrices R with covariance R R' at noise variance 1.
    rate : ndarray, shape (component,)
        Of the inverse gamma posterior.
    """
    p = prior.sd.shape[1] - prior.pattern.shape[1]
    # Coefficients with the same prior in every component are eliminated once for all of them.
    common_sd, slope_sd = prior.sd[0, :p], prior.sd[:, p:]
    common = _inverse_root(gram[:p, :p] + np.diag(common_sd**-2))
    across, level = common.T @ gram[:p, p:], common.T @ cross[:p]
    left_gram, left_cross = gram[p:, p:] - across.T @ across, cross[p:] - across.T @ level
    root = _inverse_root(left_gram + slope_sd[:, :, None] ** -2 * np.eye(slope_sd.shape[1]))
    slope = (root @ (left_cross @ root)[..., None])[..., 0]
    mean = np.column_stack([(level - slope @ across.T) @ common.T, slope])
    rate = NOISE_RATE + 0.5 * (square - level @ level - slope @ left_cross)
    log_determinant = -2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    log_evidence = (
        prior.log_prior
        - np.log(slope_sd).sum(axis=1)
        - 0.5 * log_determinant
        - shape * np.log(rate)
    )
    return softmax(log_evidence), mean, _join_roots(common, across, root), rate


def _inverse_root(precision: Array) -> Array:
    """Upper triangular R with R R' the inverse of each matrix."""
    return np.asarray(np.swapaxes(np.linalg.inv(np.linalg.cholesky(precision)), -1, -2))


def _join_roots(common: Array, across: Array, slope: Array) -> Array:
    """Roots of the covariances of all coefficients, shape (component, coefficient, coefficient)."""
    p, k = across.shape
    joined = np.zeros((len(slope), p + k, p + k))
    joined[:, :p, :p] = common
    joined[:, :p, p:] = -(common @ across) @ slope
    joined[:, p:, p:] = slope
    return joined


def fit_mixture(trial: Trial, scales: Scales | None = None) -> Mixture:
    """Integrate the posterior over all patterns of moderation.

    Parameters
    ----------
    trial : Trial
        Outcomes, arms and scores.
    scales : Scales, optional
        Prior scales.

    Returns
    -------
    Mixture
        The posterior, in points.

    Raises
    ------
    ValueError
        If there are more than `MOST_FACTORS` factors.
    """
    scales = scales or Scales()
    k = trial.n_factors
    if k > MOST_FACTORS:
        raise ValueError(f"{k} factors have too many patterns: at most {MOST_FACTORS}.")
    code = trial.code
    columns = trial.columns
    unit = trial.residual_sd()
    y = trial.outcome / unit
    prior = pattern_prior(trial.design_sd, k, scales)
    added = np.zeros(len(y))
    arm_scale = np.ones(2)
    shape = NOISE_SHAPE + len(y) / 2
    uncertain = bool(trial.covariance.any())
    for _ in range(SWEEPS):
        noise = arm_scale[trial.other.astype(int)] ** 2
        weight = 1 / (noise + added)
        gram = (columns * weight[:, None]).T @ columns
        cross = columns.T @ (weight * y)
        probability, mean, root, rate = integrate_patterns(
            gram, cross, float(weight @ y**2), shape, prior
        )
        average = probability @ mean
        variance = float(probability @ rate) / (shape - 1)
        beta = average[columns.shape[1] - 2 * k - 1 : columns.shape[1] - k - 1]
        slope = beta + code[:, None] * average[columns.shape[1] - k :]
        if uncertain and k:
            added = quadratic(slope, trial.covariance) / variance
        arm_scale = _arm_scales(y - columns @ average, added * variance, trial.other)
    return Mixture(
        weight=probability,
        pattern=prior.pattern,
        mean=mean * unit,
        root=root,
        shape=shape,
        rate=rate * unit**2,
        arm_scale=arm_scale,
        n_factors=k,
    )


def _arm_scales(left: Array, added: Array, other: BoolArray) -> Array:
    """Noise SD of each arm from residuals, relative to their root mean square."""
    square = np.array([max(float((left[a] ** 2 - added[a]).mean()), 0.0) for a in (~other, other)])
    overall = max(float((left**2 - added).mean()), 1e-12)
    # An arm of few subjects is moved towards equal noise, as by ten further subjects.
    number = np.array([(~other).sum(), other.sum()])
    ratio = (number * square / overall + 10.0) / (number + 10.0)
    ratio = np.maximum(ratio, 0.05)
    return np.asarray(np.sqrt(ratio / np.average(ratio, weights=number)))
