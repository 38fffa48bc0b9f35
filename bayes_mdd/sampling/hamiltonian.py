"""Hamiltonian Monte Carlo with a dense metric that is known before the first draw.

The metric is not adapted and nothing is compiled: the curvature at the mode, computed within a
second, replaces a long warm-up. The path length is randomised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayes_mdd.sampling.density import LogDensityFunction
from bayes_mdd.types import Array, BoolArray, IntArray

#: Path length in SDs of the metric; about a quarter of a period, which moves a draw furthest.
PATH_LENGTH = 1.5
#: Largest number of leapfrog steps of a path.
MAX_STEPS = 24
#: Target acceptance probability.
TARGET_ACCEPT = 0.8
#: Gain of energy, in nats, above which a path counts as divergent.
MAX_ENERGY_GAIN = 1000.0


@dataclass(frozen=True, eq=False)
class Chain:
    """Draws of one chain and its sampler statistics.

    Parameters
    ----------
    points : ndarray, shape (draw, size)
        Kept draws.
    energy, accepted, diverging, steps, logp : ndarray, shape (draw,)
        Energy, acceptance probability, whether the path diverged, leapfrog steps, log density.
    step_size : float
        Leapfrog step size after warm-up.
    """

    points: Array
    energy: Array
    accepted: Array
    diverging: BoolArray
    steps: IntArray
    logp: Array
    step_size: float


@dataclass(frozen=True, eq=False)
class Metric:
    """Gaussian approximation of the target.

    Parameters
    ----------
    covariance : ndarray, shape (size, size)
        Approximate covariance of the target.
    momentum : ndarray, shape (size, size)
        Square root of the inverse of `covariance`; turns standard normal numbers into momenta.
    root : ndarray, shape (size, size)
        Square root of `covariance`.
    """

    covariance: Array
    momentum: Array
    root: Array


def sample_chain(
    density: LogDensityFunction,
    metric: Metric,
    start: Array,
    *,
    tune: int,
    draws: int,
    seed: int,
) -> Chain:
    """Draw one chain.

    Parameters
    ----------
    density : callable
        Value and gradient of the log density of the target.
    metric : Metric
        Gaussian approximation of the target.
    start : ndarray, shape (size,)
        First point.
    tune, draws : int
        Warm-up draws, which adapt the step size, and kept draws. Without warm-up draws the step
        size is adapted in all draws: such draws serve to find a metric and a start, not to
        report results.
    seed : int
        Seed of this chain.

    Returns
    -------
    Chain
        Draws and sampler statistics.

    References
    ----------
    .. [1] Neal, R. M. (2011). MCMC using Hamiltonian dynamics. In Handbook of Markov Chain Monte
       Carlo, chapter 5.
    .. [2] Hoffman, M. D. & Gelman, A. (2014). The No-U-Turn Sampler. Journal of Machine Learning
       Research, 15, 1593-1623.
    """
    rng = np.random.default_rng(seed)
    steps = StepSize(start.size)
    now = State(start, *density(start))
    kept, stats = np.empty((draws, start.size)), np.empty((draws, 5))
    for t in range(tune + draws):
        done = move(density, metric, now, steps.size, rng)
        now = done.state
        if t < (tune or draws):
            steps.adapt(done.accepted, last=t == tune - 1)
        if t >= tune:
            kept[t - tune] = now.x
            stats[t - tune] = done.energy, done.accepted, done.diverging, done.steps, now.logp
    return Chain(
        points=kept,
        energy=stats[:, 0],
        accepted=stats[:, 1],
        diverging=stats[:, 2] > 0,
        steps=stats[:, 3].astype(int),
        logp=stats[:, 4],
        step_size=steps.size,
    )


class State(NamedTuple):
    """A point with log density and gradient.

    Parameters
    ----------
    x : ndarray, shape (size,)
        The point.
    logp : float
        Log density.
    grad : ndarray, shape (size,)
        Its gradient.
    """

    x: Array
    logp: float
    grad: Array


class Move(NamedTuple):
    """Outcome of one path.

    Parameters
    ----------
    state : State
        The next state.
    energy, accepted : float
        Energy, and acceptance probability.
    diverging : bool
        Whether the path diverged.
    steps : int
        Leapfrog steps.
    """

    state: State
    energy: float
    accepted: float
    diverging: bool
    steps: int


def move(
    density: LogDensityFunction, metric: Metric, now: State, step: float, rng: np.random.Generator
) -> Move:
    """Follow one path of random length, and accept or reject its end.

    Parameters
    ----------
    density : callable
        Value and gradient of the log density of the target.
    metric : Metric
        Gaussian approximation of the target.
    now : State
        Where the path begins.
    step : float
        Leapfrog step size.
    rng : numpy.random.Generator
        For length, momentum and acceptance.

    Returns
    -------
    Move
        The next state, which may be the present one.
    """
    length = PATH_LENGTH * rng.uniform(0.6, 1.4)
    n_steps = int(np.clip(np.ceil(length / step), 1, MAX_STEPS))
    momentum = metric.momentum @ rng.standard_normal(now.x.size)
    end, before, after = _path(density, metric, now, momentum, step, n_steps)
    accepted = float(np.exp(min(before - after, 0.0)))
    moves = rng.random() < accepted
    diverged = not after - before < MAX_ENERGY_GAIN
    return Move(end if moves else now, after if moves else before, accepted, diverged, n_steps)


class StepSize:
    """Dual averaging of the log step size (Hoffman & Gelman, section 3.2).

    Parameters
    ----------
    dimensions : int
        Number of coordinates of the target.
    """

    def __init__(self, dimensions: int) -> None:
        size = 1.2 * dimensions**-0.25
        self.size = size
        self._anchor, self._averaged = np.log(2 * size), np.log(size)
        self._gap, self._count = 0.0, 0

    def adapt(self, accepted: float, *, last: bool) -> None:
        """Adapt the step size.

        Parameters
        ----------
        accepted : float
            Acceptance probability of a path with this step size.
        last : bool
            Whether to fix the step size, at its average.
        """
        self._count += 1
        t = float(self._count)
        self._gap += (TARGET_ACCEPT - accepted - self._gap) / (t + 10.0)
        current = self._anchor - np.sqrt(t) / 0.05 * self._gap
        self._averaged += t**-0.75 * (current - self._averaged)
        self.size = float(np.exp(self._averaged if last else current))


def _path(
    density: LogDensityFunction, metric: Metric, begin: State, p: Array, step: float, n_steps: int
) -> tuple[State, float, float]:
    """Take leapfrog steps; return the end point and the energy before and after."""
    before = 0.5 * float(p @ (metric.covariance @ p)) - begin.logp
    now = begin
    p = p + 0.5 * step * now.grad
    for i in range(n_steps):
        x = now.x + step * (metric.covariance @ p)
        now = State(x, *density(x))
        if not now.logp > -before - MAX_ENERGY_GAIN:
            return now, before, np.inf
        p += (1.0 if i < n_steps - 1 else 0.5) * step * now.grad
    return now, before, 0.5 * float(p @ (metric.covariance @ p)) - now.logp
