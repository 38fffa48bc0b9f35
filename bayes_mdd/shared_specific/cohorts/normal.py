r"""Normal estimates of several cohorts: closed form given scales, which are integrated on a grid.

Estimate :math:`x_{cp}` of quantity p in cohort c has standard error :math:`s_{cp}`:

.. math:: x_{cp} \sim N(\theta_p + \delta_{cp},\, s_{cp}^2), \quad
   \delta_{cp} \sim N(0, \tau^2), \quad \theta_p \sim N(0, \omega^2)

With :math:`v_{cp} = s_{cp}^2 + \tau^2`, :math:`q_p = \sum_c 1/v_{cp}` and
:math:`m_p = \sum_c x_{cp}/v_{cp}`, the estimates of p have the log density

.. math:: -\tfrac12 \sum_c \Big(\log 2\pi v_{cp} + \frac{x_{cp}^2}{v_{cp}}\Big)
   - \tfrac12 \log(1 + \omega^2 q_p) + \tfrac12 \frac{m_p^2}{q_p + \omega^{-2}}

and :math:`\theta_p` is normal with precision :math:`q_p + \omega^{-2}` and mean
:math:`m_p / (q_p + \omega^{-2})`. For maps :math:`\tau = \rho\,\omega_b`: blocks have their own
:math:`\omega_b`, and :math:`\rho` is common to all blocks of a pattern. With a sparse prior of the
same variance, a part :math:`1 - \pi` of the quantities of a block is zero in all cohorts, and the
others have the prior variance :math:`\omega^2 / \pi`; the density is then the mixture of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import logsumexp

from bayes_mdd.types import Array, IntArray

#: Prior SDs that are considered, relative to the root mean square of the estimates.
SCALES: Final = np.geomspace(0.003, 4.0, 22)
#: Shares of quantities that are not zero, of a sparse prior.
INCLUDED: Final = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.0])
#: SDs between cohorts that are considered, in units of the scale of their prior.
BETWEEN: Final = np.array([0, 0.15, 0.3, 0.45, 0.6, 0.8, 1, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0])


@dataclass(frozen=True, eq=False)
class NormalDraws:
    """Draws of the means over cohorts.

    Parameters
    ----------
    mean : ndarray, shape (draw, quantity)
        Means over cohorts.
    between : ndarray, shape (draw,)
        SD between cohorts: relative to the prior SD of the block, or absolute.
    new : ndarray, shape (draw, quantity)
        Value in a new cohort.
    inclusion : ndarray, shape (quantity,)
        Probability of not being zero.
    """

    mean: Array
    between: Array
    new: Array
    inclusion: Array


def log_density(x: Array, variance: Array, omega: Array | float) -> Array:
    """Log density of the estimates of each quantity, its mean integrated out.

    Parameters
    ----------
    x : ndarray, shape (cohort, quantity)
        Estimates.
    variance : ndarray, shape (cohort, quantity)
        Squared standard errors plus the variance between cohorts; infinite where a cohort has no
        estimate.
    omega : float or ndarray
        Prior SD of the means.

    Returns
    -------
    ndarray, shape (quantity,)
        Log densities of the estimates that there are.

    Examples
    --------
    >>> float(log_density(np.zeros((1, 1)), np.ones((1, 1)), 0.0)[0].round(4))
    -0.9189
    """
    known = np.isfinite(variance)
    weight = np.where(known, 1.0 / np.where(known, variance, 1.0), 0.0)
    total, mean = weight.sum(axis=0), (weight * x).sum(axis=0)
    each = np.where(known, np.log(2 * np.pi * np.where(known, variance, 1.0)), 0.0)
    squared = np.square(omega)
    return np.asarray(
        -0.5 * (each + weight * x**2).sum(axis=0)
        - 0.5 * np.log1p(squared * total)
        + 0.5 * squared * mean**2 / (1.0 + squared * total)
    )


def conditional(x: Array, variance: Array, omega: Array | float) -> tuple[Array, Array]:
    """Mean and SD of the means over cohorts, given the scales.

    Parameters
    ----------
    x, variance : ndarray, shape (cohort, quantity)
        As of `log_density`.
    omega : float or ndarray
        Prior SD of the means.

    Returns
    -------
    mean, sd : ndarray, shape (quantity,)
        Of a normal distribution.
    """
    known = np.isfinite(variance)
    weight = np.where(known, 1.0 / np.where(known, variance, 1.0), 0.0)
    squared = np.square(omega)
    shrink = squared / (1.0 + squared * weight.sum(axis=0))
    return np.asarray(shrink * (weight * x).sum(axis=0)), np.asarray(np.sqrt(shrink))


def combine_normal(
    x: Array,
    se: Array,
    block: IntArray,
    rng: np.random.Generator,
    *,
    scale: float,
    relative: bool,
    sparse: bool = False,
    weight: float = 1.0,
    draws: int = 400,
    half_cauchy: float = 0.0,
) -> NormalDraws:
    """Combine estimates of several cohorts.

    Parameters
    ----------
    x, se : ndarray, shape (cohort, quantity)
        Estimates and standard errors; infinite errors where a cohort has none.
    block : ndarray of int, shape (quantity,)
        Block of each quantity; all of a block have one prior SD.
    rng : numpy.random.Generator
        Random numbers.
    scale : float
        Scale of the half-normal prior of the SD between cohorts; 0 for none.
    relative : bool
        Whether that SD is in units of the prior SD of the block.
    sparse : bool, default False
        Whether a part of the quantities of a block may be zero in all cohorts.
    weight : float, default 1.0
        Power of the likelihood in the posterior of the scales: effective over actual number of
        quantities.
    draws : int, default 400
        Number of draws.
    half_cauchy : float, default 0.0
        Scale of a half-Cauchy prior of the prior SD of the blocks; 0 for one that is flat in the
        logarithm.

    Returns
    -------
    NormalDraws
        Independent draws.
    """
    known = np.isfinite(se)
    x = np.where(known, x, 0.0)
    unit = float(np.sqrt((x[known] ** 2).mean())) if known.any() else 1.0
    omegas = SCALES * max(unit, 1e-12)
    log_omega = np.zeros(omegas.size)
    if half_cauchy > 0:
        log_omega = np.log(omegas) - np.log1p((omegas / half_cauchy) ** 2)
    betweens = BETWEEN * scale if scale > 0 else np.zeros(1)
    log_between = np.zeros(1)
    if scale > 0:
        log_between = -0.5 * BETWEEN**2 + np.log(np.gradient(betweens))
    n_blocks = int(block.max()) + 1
    square = se**2
    included = INCLUDED if sparse else np.ones(1)
    nothing = log_density(x, square, 0.0)
    grid = [(omega, part) for omega in omegas for part in included]
    table = np.empty((betweens.size, len(grid), n_blocks))
    for i, between in enumerate(betweens):
        for j, (omega, part) in enumerate(grid):
            each = _of_quantities(x, square, nothing, omega, part, between, relative)
            table[i, j] = weight * np.bincount(block, each, n_blocks)
    table += np.repeat(log_omega, included.size)[None, :, None]
    of_between = log_between + logsumexp(table, axis=1).sum(axis=1)
    chosen = _draw(of_between, draws, rng)
    mean = np.empty((draws, block.size))
    new = np.empty_like(mean)
    inclusion = np.zeros(block.size)
    pairs = np.array(grid)
    for d, i in enumerate(chosen):
        at = (table[i] + rng.gumbel(size=table[i].shape)).argmax(axis=0)
        omega, part = pairs[at, 0][block], pairs[at, 1][block]
        slab = omega / np.sqrt(part)
        tau = betweens[i] * (slab if relative else 1.0)
        variance = square + np.square(tau)
        on = np.log(part) + log_density(x, variance, slab)
        with np.errstate(divide="ignore"):
            off = np.log1p(-part) + nothing
        chance = np.where(part < 1, np.exp(on - np.logaddexp(on, off)), 1.0)
        inclusion += chance / draws
        takes_part = rng.random(block.size) < chance
        centre, sd = conditional(x, variance, slab)
        drawn = centre + sd * rng.standard_normal(block.size)
        mean[d] = np.where(takes_part, drawn, 0.0)
        new[d] = np.where(takes_part, drawn + tau * rng.standard_normal(block.size), 0.0)
    return NormalDraws(mean, betweens[chosen], new, inclusion)


def _of_quantities(
    x: Array,
    square: Array,
    nothing: Array,
    omega: float,
    part: float,
    between: float,
    relative: bool,
) -> Array:
    """Log density of each quantity, a part of which is zero."""
    slab = omega / np.sqrt(part)
    tau = between * (slab if relative else 1.0)
    on = np.log(part) + log_density(x, square + tau**2, slab)
    return on if part == 1 else np.asarray(np.logaddexp(on, np.log1p(-part) + nothing))


def _draw(logp: Array, n: int, rng: np.random.Generator) -> IntArray:
    p = np.exp(logp - logp.max())
    return np.asarray(rng.choice(logp.size, size=n, p=p / p.sum()))
