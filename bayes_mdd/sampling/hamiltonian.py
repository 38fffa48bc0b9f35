"""Hamiltonian Monte Carlo with a dense metric that is known before the first draw.

No adaptation of the metric, no compilation: the curvature at the mode, found in a second, takes
the place of a long warm-up. The rest is the plain algorithm with a randomised path length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.types import Array

#: Length of a path in SDs of the metric: a quarter of a period moves a draw as far as it can.
PATH = 1.5
#: Steps of one path, at most.
MOST_STEPS = 24
#: Aimed acceptance.
TARGET = 0.8
#: A path that gains so many nats of energy has left the surface.
DIVERGED = 1000.0


@dataclass(frozen=True, eq=False)
class Chain:
    """What a chain leaves behind.

    Parameters
    ----------
    points : ndarray, shape (draw, size)
        Kept draws.
    energy, accepted, diverging, steps, logp : ndarray, shape (draw,)
        Energy, acceptance probability, whether the path diverged, leapfrog steps, log density.
    step_size : float
        After warm-up.
    """

    points: Array
    energy: Array
    accepted: Array
    diverging: NDArray[np.bool_]
    steps: NDArray[np.int64]
    logp: Array
    step_size: float


@dataclass(frozen=True, eq=False)
class Metric:
    """A Gaussian that resembles the target.

    Parameters
    ----------
    covariance : ndarray, shape (size, size)
        Of the target, about.
    momentum : ndarray, shape (size, size)
        Matrix that turns standard normal numbers into momenta, a root of its inverse.
    root : ndarray, shape (size, size)
        A root of `covariance`.
    """

    covariance: Array
    momentum: Array
    root: Array


def sample_chain(
    density: Density, metric: Metric, start: Array, *, tune: int, draws: int, seed: int
) -> Chain:
    """Draw one chain.

    Parameters
    ----------
    density : Density
        The target.
    metric : Metric
        A Gaussian that resembles it.
    start : ndarray, shape (size,)
        First point.
    tune, draws : int
        Warm-up draws, in which the step size is found, and kept ones. Without warm-up draws the
        step size moves all the time: such draws tell where to go, not what to report.
    seed : int
        Of this chain.

    Returns
    -------
    Chain
        The draws and how they came about.

    References
    ----------
    .. [1] Neal, R. M. (2011). MCMC using Hamiltonian dynamics. In Handbook of Markov Chain Monte
       Carlo, chapter 5.
    .. [2] Hoffman, M. D. & Gelman, A. (2014). The No-U-Turn Sampler. Journal of Machine Learning
       Research, 15, 1593-1623.
    """
    rng = np.random.default_rng(seed)
    steps = _StepSize(1.2 * start.size**-0.25)
    now = _State(start, *density(start))
    kept, stats = np.empty((draws, start.size)), np.empty((draws, 5))
    for t in range(tune + draws):
        length = PATH * rng.uniform(0.6, 1.4)
        n_steps = int(np.clip(np.ceil(length / steps.size), 1, MOST_STEPS))
        momentum = metric.momentum @ rng.standard_normal(start.size)
        end, before, after = _path(density, metric, now, momentum, steps.size, n_steps)
        accepted = float(np.exp(min(before - after, 0.0)))
        moves = rng.random() < accepted
        now = end if moves else now
        if t < (tune or draws):
            steps.learn(accepted, last=t == tune - 1)
        if t >= tune:
            kept[t - tune] = now.x
            diverged = not after - before < DIVERGED
            energy = after if moves else before
            stats[t - tune] = energy, accepted, diverged, n_steps, now.logp
    return Chain(
        points=kept,
        energy=stats[:, 0],
        accepted=stats[:, 1],
        diverging=stats[:, 2] > 0,
        steps=stats[:, 3].astype(int),
        logp=stats[:, 4],
        step_size=steps.size,
    )


class _State(NamedTuple):
    x: Array
    logp: float
    grad: Array


class _StepSize:
    """Dual averaging of the log step size (Hoffman & Gelman, section 3.2)."""

    def __init__(self, size: float) -> None:
        self.size = size
        self._anchor, self._averaged = np.log(2 * size), np.log(size)
        self._gap, self._count = 0.0, 0

    def learn(self, accepted: float, *, last: bool) -> None:
        self._count += 1
        t = float(self._count)
        self._gap += (TARGET - accepted - self._gap) / (t + 10.0)
        current = self._anchor - np.sqrt(t) / 0.05 * self._gap
        self._averaged += t**-0.75 * (current - self._averaged)
        self.size = float(np.exp(self._averaged if last else current))


def _path(
    density: Density, metric: Metric, begin: _State, p: Array, step: float, n_steps: int
) -> tuple[_State, float, float]:
    """Leapfrog steps; the end, and the energy before and after."""
    before = 0.5 * float(p @ (metric.covariance @ p)) - begin.logp
    now = begin
    p = p + 0.5 * step * now.grad
    for i in range(n_steps):
        x = now.x + step * (metric.covariance @ p)
        now = _State(x, *density(x))
        if not now.logp > -before - DIVERGED:
            return now, before, np.inf
        p += (1.0 if i < n_steps - 1 else 0.5) * step * now.grad
    return now, before, 0.5 * float(p @ (metric.covariance @ p)) - now.logp
