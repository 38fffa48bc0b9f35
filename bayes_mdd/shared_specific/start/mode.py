"""Mode finding: optimisation of the collapsed likelihood from several starts.

The spectral start does not use blocks. With tens of thousands of features, a chain that starts
near an inferior mode never leaves it: on real connectivity (49 subjects, 87 571 edges) one of four
chains stayed 275 nats below the others. Optimisation from a few starts takes a second and finds
the mode that holds the mass; the number of starts that reach it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.likelihood.collapsed import collapsed_value_and_grad
from bayes_mdd.shared_specific.start.spectral import SCALE_RANGE, Start, spread_over_arms
from bayes_mdd.shared_specific.whitening.leading import ALL_UP_TO, leading_pairs
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

#: Number of starts besides the given one: displaced from it, and random.
DISPLACED, RANDOM = 3, 2
#: Optimiser steps for each start: largest and smallest number, and multiplications in between.
MOST_STEPS, LEAST_STEPS, BUDGET = 1000, 150, 3e10
#: Leading directions of many subjects in which scores are sought, besides one for each factor.
DIRECTIONS = 40
#: Optima within this many nats of the best are taken for the same mode: the last steps adjust
#: block scales near zero, which hardly matter.
SAME_MODE = 60.0
#: Largest distance of the noise from its start, on the log scale.
NOISE_RANGE = 7.0


@dataclass(frozen=True, eq=False)
class ModeSearch:
    """Best of several optimisations.

    Parameters
    ----------
    start : Start
        The best optimum.
    log_density : ndarray, shape (start,)
        Collapsed log-likelihood plus the log density of standard normal scores, at each optimum.
    """

    start: Start
    log_density: Array

    @property
    def agreeing(self) -> int:
        """Number of optimisations that reached the best mode."""
        return int((self.log_density > self.log_density.max() - SAME_MODE).sum())


def find_modes(
    data: ModelData, start: Start, *, seed: int = 0, steps: int | None = None
) -> ModeSearch:
    """Maximise the collapsed likelihood with standard normal scores from several starts.

    Factors that start switched off are left unchanged.

    Parameters
    ----------
    data : ModelData
        From `prepare`.
    start : Start
        From `spectral_start`.
    seed : int, default 0
        Seed of the displaced and random starts.
    steps : int, optional
        Optimiser steps for each start. Default: as many as a fixed amount of arithmetic allows,
        between 150 and 1000.

    Returns
    -------
    ModeSearch
        The best optimum, and the log densities of all.

    References
    ----------
    .. [1] Byrd, R. H., Lu, P., Nocedal, J. & Zhu, C. (1995). A limited memory algorithm for bound
       constrained optimization. SIAM Journal on Scientific Computing, 16, 1190-1208.
    """
    on = start.n_on
    if not on:
        return ModeSearch(start, np.zeros(1))
    rng = generator(seed, Stream.MODES)
    given = start.first(on)
    if len(given.scores) > ALL_UP_TO:
        return _find_confined(data, start, given, rng, steps)
    shape = given.scores.shape
    starts = [given.scores]
    if on > 1:
        starts += [given.scores + 0.5 * rng.standard_normal(shape) for _ in range(DISPLACED)]
        starts += [rng.standard_normal(shape) for _ in range(RANDOM)]
    if steps is None:
        n, blocks = data.stats.basis.shape[1], len(data.stats.blocks)
        affordable = BUDGET / (len(starts) * blocks * n**2 * on)
        steps = int(np.clip(affordable, LEAST_STEPS, MOST_STEPS))
    stats = data.stats
    problem = _Problem(
        stats.score_basis,
        np.eye(0),
        stats.cross_products,
        stats.traces,
        stats.block_size,
        stats.basis.shape[1],
    )
    optima = [_optimise(problem, replace(given, scores=h), steps) for h in starts]
    log_density = np.array([value for value, _ in optima])
    best = optima[int(log_density.argmax())][1]
    return ModeSearch(_with_switched_off(data, start, best), log_density)


@dataclass(frozen=True, eq=False)
class _Problem:
    """What is maximised.

    Parameters
    ----------
    to_visible : ndarray, shape (coordinate, visible)
        Its transpose maps coordinates of scores to what the features see.
    length : ndarray, shape (coordinate, coordinate)
        Squared lengths of scores by coordinate; empty where coordinates are the scores.
    cross_products, traces, block_size : ndarray
        As in `BlockStatistics`.
    rows : int
        Dimension of the features.
    """

    to_visible: Array
    length: Array
    cross_products: Array
    traces: Array
    block_size: Array
    rows: int


def _find_confined(
    data: ModelData,
    start: Start,
    given: Start,
    rng: np.random.Generator,
    steps: int | None,
) -> ModeSearch:
    """Maximise within the leading directions of many subjects, in which the mode lies nearly."""
    on, stats = start.n_on, data.stats
    y = stats.basis @ data.projected
    code, noise = data.code, np.sqrt(stats.traces / stats.block_size)
    leading = leading_pairs(y / np.maximum(noise, 1e-12)[code], DIRECTIONS + on)[1]
    scale = data.subject_scale[:, None]
    seen = stats.basis @ (stats.score_basis.T @ given.scores)
    basis = np.linalg.qr(np.column_stack([seen, leading]))[0]
    inside = np.sqrt(data.weight) * (basis.T @ y)
    blocks = range(len(stats.blocks))
    lift = basis * scale
    problem = _Problem(
        np.eye(basis.shape[1]),
        lift.T @ lift,
        np.stack([inside[:, code == b] @ inside[:, code == b].T for b in blocks]),
        stats.traces,
        stats.block_size,
        stats.basis.shape[1],
    )
    first = basis.T @ (given.scores / scale)
    size = np.sqrt(len(y) / len(first))
    starts = [first]
    if on > 1:
        shape = first.shape
        starts += [first + 0.5 * size * rng.standard_normal(shape) for _ in range(DISPLACED)]
        starts += [size * rng.standard_normal(shape) for _ in range(RANDOM)]
    optima = [_optimise(problem, replace(given, scores=h), steps or MOST_STEPS) for h in starts]
    log_density = np.array([value for value, _ in optima])
    best = optima[int(log_density.argmax())][1]
    best = replace(best, scores=lift @ best.scores)
    return ModeSearch(_with_switched_off(data, start, best), log_density)


def _optimise(problem: _Problem, start: Start, steps: int) -> tuple[float, Start]:
    """Optimise scores, log block scales and log noise; return log density and optimum."""
    n, k = start.scores.shape
    cut = np.cumsum([n * k, start.block_scale.size])
    rest = (problem.cross_products, problem.traces, problem.block_size, problem.rows)
    to_visible, length = problem.to_visible, problem.length

    def split(x: Array) -> tuple[Array, Array, Array]:
        h, tau, noise = np.split(x, cut)
        return h.reshape(n, k), np.exp(tau).reshape(-1, k), np.exp(noise)

    def negative(x: Array) -> tuple[float, Array]:
        h, tau, noise = split(x)
        value, to_h, to_tau, to_noise = collapsed_value_and_grad(
            np.ascontiguousarray(to_visible.T @ h), tau, noise, *rest
        )
        own = length @ h if length.size else h
        gradient = np.concatenate(
            [(to_visible @ to_h - own).ravel(), (to_tau * tau).ravel(), to_noise * noise]
        )
        return 0.5 * float((h * own).sum()) - float(value.sum()), -gradient

    low, high = np.log(SCALE_RANGE)
    tau = np.log(np.clip(start.block_scale, *SCALE_RANGE))
    x = np.concatenate([start.scores.ravel(), tau.ravel(), np.log(start.noise)])
    upper = np.full(x.size, np.inf)
    upper[cut[0] : cut[1]] = high
    lower = np.full(x.size, -np.inf)
    lower[cut[0] : cut[1]] = low
    # Without these bounds a line search may try a noise of exp(-800) = 0.
    upper[cut[1] :] = x[cut[1] :] + NOISE_RANGE
    lower[cut[1] :] = x[cut[1] :] - NOISE_RANGE
    found = minimize(
        negative,
        x,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([lower, upper]),
        options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": 20},
    )
    h, scale, noise = split(found.x)
    return -float(found.fun), replace(start, scores=h, block_scale=scale, noise=noise)


def _with_switched_off(data: ModelData, start: Start, found: Start) -> Start:
    """Join the optimised factors with those that start switched off."""
    on = start.n_on
    size = np.sqrt((found.scores**2).mean(axis=0))
    return replace(
        start,
        scores=np.column_stack([found.scores / size, start.scores[:, on:]]),
        block_scale=np.column_stack([found.block_scale * size, start.block_scale[:, on:]]),
        sharing=np.concatenate([spread_over_arms(data, found.scores), start.sharing[on:]]),
        noise=found.noise,
    )
