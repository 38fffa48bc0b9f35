"""Benefit of the other drug for patients with a known scan and an unknown outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayes_mdd.types import Array, IntArray

#: A probability that equals a threshold in decimals may differ from it in binary digits.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """When a drug is preferred.

    Parameters
    ----------
    minimum : float
        Smallest expected benefit, in points, that is worth a change.
    p_star : float, default 0.8
        Smallest probability that there is any benefit.
    cost : float, default 0.0
        What the other drug costs apart from the outcome (side effects, preference), in points.
    """

    minimum: float
    p_star: float = 0.8
    cost: float = 0.0

    def decide(self, mean: Array, p_benefit: Array) -> IntArray:
        """Decide for each subject.

        Parameters
        ----------
        mean : ndarray, shape (subject,)
            Expected benefit of the other drug, in points.
        p_benefit : ndarray, shape (subject,)
            Probability that the benefit is above 0.

        Returns
        -------
        ndarray of int, shape (subject,)
            1 for the other drug, -1 for the default, 0 for no preference.

        Examples
        --------
        >>> rule = DecisionRule(minimum=1.5)
        >>> rule.decide(np.array([3.0, 3.0, -2.0]), np.array([0.9, 0.7, 0.1]))
        array([ 1,  0, -1])
        """
        net = mean - self.cost
        other = (net > self.minimum) & (p_benefit >= self.p_star - ROUNDING)
        default = (net < -self.minimum) & (p_benefit <= 1 - self.p_star + ROUNDING)
        return np.where(other, 1, np.where(default, -1, 0))


def benefit_moments(
    drug: Array, moderation: Array, mean: Array, covariance: Array
) -> tuple[Array, Array]:
    """Mean and variance of the benefit given each draw of the coefficients.

    Parameters
    ----------
    drug : ndarray, shape (draw,)
        Average difference between the drugs, other minus default; lower is better.
    moderation : ndarray, shape (draw, factor)
        Change of this difference per unit of a score.
    mean : ndarray, shape (subject, factor)
        Posterior means of the scores, from the scan alone.
    covariance : ndarray, shape (subject, factor, factor)
        Posterior covariances of the scores.

    Returns
    -------
    mean, variance : ndarray, shape (draw, subject)
        In points and squared points.
    """
    centre = -(drug[:, None] + moderation @ mean.T)
    products = (moderation[:, :, None] * moderation[:, None, :]).reshape(len(moderation), -1)
    spread = products @ covariance.reshape(len(covariance), -1).T
    return centre, np.maximum(spread, 0.0)


def draw_benefit(
    drug: Array, moderation: Array, mean: Array, covariance: Array, rng: np.random.Generator
) -> Array:
    """Draw the benefit of the other drug for subjects whose outcome is not used.

    Parameters
    ----------
    drug, moderation, mean, covariance : ndarray
        As for `benefit_moments`.
    rng : numpy.random.Generator
        Source of randomness, for the scores.

    Returns
    -------
    ndarray, shape (draw, subject)
        Points that the other drug saves.
    """
    centre, spread = benefit_moments(drug, moderation, mean, covariance)
    return centre + np.sqrt(spread) * rng.standard_normal(centre.shape)
