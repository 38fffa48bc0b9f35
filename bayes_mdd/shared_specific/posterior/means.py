"""Mean scores of the arms, drawn given the scores."""

from __future__ import annotations

import numpy as np

from bayes_mdd.dims import CONTROL
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.types import Array


def draw_arm_means(
    data: ModelData, scores: Array, sharing: Array, variance: Array, rng: np.random.Generator
) -> Array:
    r"""Draw arm means from their conditional distribution.

    With :math:`h_i \sim N(m_a, A w_a)` for the n subjects of an arm and :math:`m_a \sim N(0, s^2)`,

    .. math:: m_a \mid h \sim N\Big(\frac{n s^2 \bar h_a}{A w_a + n s^2},
        \frac{s^2 A w_a}{A w_a + n s^2}\Big).

    Arm means are integrated out during sampling. So is the intercept of the features, which
    leaves differences between arms identified. The mean of controls is 0 where they are an arm;
    otherwise the means sum to 0 over arms.

    Parameters
    ----------
    data : ModelData
        For the arm of each subject.
    scores : ndarray, shape (..., subject, factor)
        Draws.
    sharing : ndarray, shape (..., arm, factor)
        Draws.
    variance : ndarray, shape (arm, factor)
        Prior variance s^2, from `mean_variance`.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (..., arm, factor)
        In SD of the scores of an average arm.
    """
    size = data.arm_size[:, None]
    within = len(data.arms) * sharing
    observed = np.einsum("an,...nk->...ak", data.arm_average, scores, optimize=True)
    total = np.maximum(within + size * variance, 1e-300)
    mean = size * variance * observed / total
    sd = np.sqrt(variance * within / total)
    drawn = mean + sd * rng.standard_normal(mean.shape)
    if CONTROL in data.arms:
        return np.asarray(drawn)
    return np.asarray(drawn - drawn.mean(axis=-2, keepdims=True))
