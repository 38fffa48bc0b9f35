"""From a rough start to the mode of the collapsed likelihood, tried from several sides.

A spectral split knows nothing of blocks. With tens of thousands of features, a chain that starts
in the valley of an inferior mode never leaves it: on real connectivity (49 people, 87 571 edges)
one of four chains stayed 275 nats below the others. An optimiser from a handful of starts costs a
second and finds the mode that holds the mass; how many of the starts agree on it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.start.spectral import SCALE_RANGE, Start, spread_over_arms
from bayes_mdd.types import Array

#: Starts beside the given one: displaced, and drawn at random.
DISPLACED, RANDOM = 3, 2
#: Steps of the optimiser for each start: at most, at least, and in multiplications in between.
MOST_STEPS, LEAST_STEPS, BUDGET = 1000, 150, 3e10
#: Ends within so many nats of the best are taken to be at the same mode: the last steps go into
#: block scales near zero, which hardly matter.
SAME_MODE = 60.0
#: How far the noise may go from its start, on the log scale.
NOISE_RANGE = 7.0


@dataclass(frozen=True, eq=False)
class Climb:
    """Where the best of several climbs ended.

    Parameters
    ----------
    start : Start
        The point.
    height : ndarray, shape (climb,)
        Collapsed log-likelihood plus the log density of standard normal scores, at each end.
    """

    start: Start
    height: Array

    @property
    def agreeing(self) -> int:
        """Number of climbs that ended at the height of the best."""
        return int((self.height > self.height.max() - SAME_MODE).sum())


def climb(data: ModelData, start: Start, *, seed: int = 0, steps: int | None = None) -> Climb:
    """Maximise the collapsed likelihood with standard normal scores from several starts.

    Only factors that start on a pattern take part; the others are handed through.

    Parameters
    ----------
    data : ModelData
        What the model sees.
    start : Start
        From `spectral_start`.
    seed : int, default 0
        Of the displaced and random starts.
    steps : int, optional
        Steps of the optimiser for each start; default as many as a fixed amount of arithmetic
        allows, between 150 and 1000.

    Returns
    -------
    Climb
        The highest point and the heights of all.

    References
    ----------
    .. [1] Byrd, R. H., Lu, P., Nocedal, J. & Zhu, C. (1995). A limited memory algorithm for bound
       constrained optimization. SIAM Journal on Scientific Computing, 16, 1190-1208.
    """
    on = start.n_on
    if not on:
        return Climb(start, np.zeros(1))
    rng = np.random.default_rng([seed, on])
    given = start.first(on)
    shape = given.scores.shape
    starts = [given.scores]
    if on > 1:
        starts += [given.scores + 0.5 * rng.standard_normal(shape) for _ in range(DISPLACED)]
        starts += [rng.standard_normal(shape) for _ in range(RANDOM)]
    if steps is None:
        n, blocks = data.stats.basis.shape[1], len(data.stats.blocks)
        afford = BUDGET / (len(starts) * blocks * n**2 * on)
        steps = int(np.clip(afford, LEAST_STEPS, MOST_STEPS))
    ends = [_ascend(data, replace(given, scores=h), steps) for h in starts]
    height = np.array([value for value, _ in ends])
    best = ends[int(height.argmax())][1]
    return Climb(_with_the_rest(data, start, best), height)


def _ascend(data: ModelData, start: Start, steps: int) -> tuple[float, Start]:
    """Follow the gradient in scores, log block scales and log noise."""
    stats = data.stats
    n, k = start.scores.shape
    cut = np.cumsum([n * k, start.block_scale.size])
    rest = (stats.cross_products, stats.traces, stats.block_size)

    def split(x: Array) -> tuple[Array, Array, Array]:
        h, tau, noise = np.split(x, cut)
        return h.reshape(n, k), np.exp(tau).reshape(-1, k), np.exp(noise)

    def descend(x: Array) -> tuple[float, Array]:
        h, tau, noise = split(x)
        value, to_h, to_tau, to_noise = collapsed_value_and_grad(
            np.ascontiguousarray(stats.basis.T @ h), tau, noise, *rest
        )
        gradient = np.concatenate(
            [(stats.basis @ to_h - h).ravel(), (to_tau * tau).ravel(), to_noise * noise]
        )
        return 0.5 * float((h**2).sum()) - float(value.sum()), -gradient

    low, high = np.log(SCALE_RANGE)
    tau = np.log(np.clip(start.block_scale, *SCALE_RANGE))
    x = np.concatenate([start.scores.ravel(), tau.ravel(), np.log(start.noise)])
    wide = np.full(x.size, np.inf)
    wide[cut[0] : cut[1]] = high
    narrow = np.full(x.size, -np.inf)
    narrow[cut[0] : cut[1]] = low
    # A line search that overshoots would else ask for a noise of exp(-800) = 0.
    wide[cut[1] :] = x[cut[1] :] + NOISE_RANGE
    narrow[cut[1] :] = x[cut[1] :] - NOISE_RANGE
    found = minimize(
        descend,
        x,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([narrow, wide]),
        options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": 20},
    )
    h, scale, noise = split(found.x)
    return -float(found.fun), replace(start, scores=h, block_scale=scale, noise=noise)


def _with_the_rest(data: ModelData, start: Start, found: Start) -> Start:
    """Put the climbed factors back beside those that start switched off."""
    on = start.n_on
    size = np.sqrt((found.scores**2).mean(axis=0))
    return replace(
        start,
        scores=np.column_stack([found.scores / size, start.scores[:, on:]]),
        block_scale=np.column_stack([found.block_scale * size, start.block_scale[:, on:]]),
        sharing=np.concatenate([spread_over_arms(data, found.scores), start.sharing[on:]]),
        noise=found.noise,
    )
