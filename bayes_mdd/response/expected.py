r"""Expected outcomes of new patients under each drug, whatever the kind of the outcome.

Given the parameters, the linear predictor of a patient under drug a is normal over what the scan
leaves open about the scores: mean :math:`\mu_a + c_a^\top m` and variance :math:`c_a^\top V c_a`,
with :math:`c_a = \beta + A_a \theta`. Scores are integrated out in closed form for expectations,
and drawn for the benefit of a single patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayes_mdd.response.parameters import Draws
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array

#: Codes of the default and the other drug.
CODES = (-0.5, 0.5)


@dataclass(frozen=True, eq=False)
class Predictor:
    """Linear predictor of patients under each drug.

    Parameters
    ----------
    mean, variance : ndarray, shape (draw, subject, arm)
        Over what the scan leaves open about the scores.
    product : ndarray, shape (draw, subject)
        Covariance of both drugs.
    """

    mean: Array
    variance: Array
    product: Array


def predict_linear(draws: Draws, mean: Array, covariance: Array, design: Array) -> Predictor:
    """Evaluate the linear predictor.

    Parameters
    ----------
    draws : Draws
        Parameters.
    mean : ndarray, shape (subject, factor)
        Posterior means of the scores, in the unit of the fit.
    covariance : ndarray, shape (subject, factor, factor)
        Their posterior covariances.
    design : ndarray, shape (subject, column)
        Intercept first.

    Returns
    -------
    Predictor
        Mean, variance and covariance.
    """
    columns = design[:, design.shape[1] - draws.coefficient.shape[1] :]
    common = draws.coefficient @ columns.T + draws.prognosis @ mean.T
    change = draws.drug[:, None] + draws.moderation @ mean.T
    slopes = [draws.prognosis + code * draws.moderation for code in CODES]
    variance = np.stack([_products(c, c, covariance) for c in slopes], axis=-1)
    return Predictor(
        mean=np.stack([common + code * change for code in CODES], axis=-1),
        variance=np.maximum(variance, 0.0),
        product=_products(slopes[0], slopes[1], covariance),
    )


def _products(left: Array, right: Array, covariance: Array) -> Array:
    """Bilinear forms left' V right, shape (draw, subject)."""
    outer = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
    return np.asarray(outer @ covariance.reshape(len(covariance), -1).T)


def expect_outcome(draws: Draws, found: Predictor, trials: Array) -> Array:
    """Expect the outcome of each patient under each drug, the scores integrated out.

    Parameters
    ----------
    draws : Draws
        Parameters.
    found : Predictor
        From `predict_linear`.
    trials : ndarray, shape (subject,)
        Numbers of trials of binomial outcomes.

    Returns
    -------
    ndarray, shape (draw, subject, arm)
        Points; the probability of a 1; the expected level; or the expected number of successes.
    """
    return _mean_outcome(draws, found.mean, found.variance, trials)


def draw_outcome_means(
    draws: Draws, found: Predictor, trials: Array, rng: np.random.Generator
) -> Array:
    """Draw what each patient's outcome would be on average under each drug, given the scores.

    Parameters
    ----------
    draws : Draws
        Parameters.
    found : Predictor
        From `predict_linear`.
    trials : ndarray, shape (subject,)
        Numbers of trials of binomial outcomes.
    rng : numpy.random.Generator
        Source of randomness, for the scores.

    Returns
    -------
    ndarray, shape (draw, subject, arm)
        In the unit of `expect_outcome`. Both drugs have the same scores.
    """
    first, second = (rng.standard_normal(found.product.shape) for _ in CODES)
    sd = np.sqrt(found.variance[..., 0])
    slope = np.divide(found.product, sd, out=np.zeros_like(sd), where=sd > 0)
    rest = np.sqrt(np.maximum(found.variance[..., 1] - slope**2, 0.0))
    moved = np.stack([sd * first, slope * first + rest * second], axis=-1)
    return _mean_outcome(draws, found.mean + moved, np.zeros_like(moved), trials)


def _mean_outcome(draws: Draws, mean: Array, variance: Array, trials: Array) -> Array:
    if draws.kind in ("gaussian", "student"):
        return np.asarray(draws.level + mean)
    if draws.kind == "ordinal":
        steps = np.diff(draws.levels)
        expected = np.full(mean.shape, draws.levels[-1])
        for step, below in zip(steps, probabilities_at_most(draws, mean, variance), strict=True):
            expected -= step * below
        return expected
    probability = ndtr(mean / np.sqrt(1 + variance))
    return probability * trials[:, None] if draws.kind == "binomial" else np.asarray(probability)


def probabilities_at_most(draws: Draws, mean: Array, variance: Array) -> Iterator[Array]:
    """Give the probability of an outcome at or below each level but the last.

    Parameters
    ----------
    draws : Draws
        Parameters of an ordinal outcome.
    mean, variance : ndarray, shape (draw, subject, arm)
        Of the linear predictor.

    Yields
    ------
    ndarray, shape (draw, subject, arm)
        For one level after the other.
    """
    if draws.cut is not None:
        scale = np.sqrt(1 + variance)
        for cut in draws.cut.T:
            yield np.asarray(ndtr((cut[:, None, None] - mean) / scale))


def probability_below(
    draws: Draws, found: Predictor, limit: float, rng: np.random.Generator
) -> Array:
    """Probability of an outcome in points at or below a limit under each drug.

    Parameters
    ----------
    draws : Draws
        Parameters of a Gaussian or Student outcome.
    found : Predictor
        From `predict_linear`.
    limit : float
        In points.
    rng : numpy.random.Generator
        Source of randomness, for the weights of Student outcomes.

    Returns
    -------
    ndarray, shape (subject, arm)
        Averaged over the draws.
    """
    noise = draws.sigma[:, None, :] ** 2
    if draws.degrees is not None:
        half = np.broadcast_to(draws.degrees[:, None, None] / 2, found.mean.shape)
        noise = noise / (rng.standard_gamma(half) / half)
    z = (limit - draws.level - found.mean) / np.sqrt(noise + found.variance)
    return np.asarray(ndtr(z).mean(axis=0))


def unit_of(spec: ResponseSpec) -> str:
    """Name the unit of expected outcomes and benefits.

    Parameters
    ----------
    spec : ResponseSpec
        Kind of the outcome.

    Returns
    -------
    str
        Words after a number.
    """
    return {
        "binary": f"probability of {spec.outcome} = 1",
        "ordinal": f"levels of {spec.outcome}",
        "binomial": f"successes of {spec.outcome}",
    }.get(spec.kind, "points")
