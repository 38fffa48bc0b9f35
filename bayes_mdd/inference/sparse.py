r"""Loadings of which some are zero: the second stage of the model.

The collapsed likelihood rests on Gaussian loadings with a common variance in a block. Where only
some edges of a block take part in a factor that prior blurs the map. Given a draw of everything
else, the second stage replaces it by one of the same second moment,

.. math:: \lambda_{pk} \sim \pi_{bk} N(0, \sigma_b^2 \tau_{bk}^2 / \pi_{bk})
    + (1 - \pi_{bk})\, \delta_0 ,

and learns :math:`\pi_{bk}` along the draws. What an edge that takes part is worth,
:math:`v_{bk} = \tau_{bk}^2 / \pi_{bk}`, is expected to be alike in all blocks of a factor
(log-normal around the factor's own :math:`s_k^2`), so that a block without the factor
(:math:`\tau_{bk} \to 0`) is one in which no edge takes part, not one in which all do a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.inference.patterns import sweep_features, visit_features

Array = NDArray[np.float64]

#: Patterns are visited one and all up to this many factors; beyond, by Gibbs sweeps.
VISIT_AT_MOST = 6
SWEEPS = 3
#: SD of the log of v between the blocks of a factor.
SLAB_SPREAD = 0.7
#: Draws and features a block that settle the factors' own slab.
PILOT_DRAWS, PILOT_FEATURES = 20, 200
#: Values that an inclusion probability can take, evenly spaced on the logit scale.
GRID = 1.0 / (1.0 + np.exp(-np.linspace(-8.0, 7.0, 76)))


@dataclass(frozen=True, eq=False)
class BlockDraws:
    """What the draws say of one block.

    Parameters
    ----------
    scores_q : ndarray, shape (draw, n, factor)
        Scores in the basis orthogonal to the design.
    block_scale : ndarray, shape (draw, factor)
        Block scales, above zero.
    noise : ndarray, shape (draw,)
        Noise SD.
    y : ndarray, shape (n, feature)
        Features in the same basis.
    relative : ndarray, shape (draw, feature), optional
        Noise SD of each feature relative to the block; all 1 when absent.
    """

    scores_q: Array
    block_scale: Array
    noise: Array
    y: Array
    relative: Array | None = None

    def relative_noise(self, d: int) -> Array:
        """Noise SD of each feature at one draw, relative to the block.

        Parameters
        ----------
        d : int
            The draw.

        Returns
        -------
        ndarray, shape (feature, 1)
            A column, to scale loadings with.
        """
        if self.relative is None:
            return np.ones((self.y.shape[1], 1))
        return np.asarray(self.relative[d][:, None])

    def few(self, draws: NDArray[np.int64], features: int) -> BlockDraws:
        """Keep some draws and at most so many features, evenly spaced.

        Parameters
        ----------
        draws : ndarray of int
            Which draws.
        features : int
            How many features.

        Returns
        -------
        BlockDraws
            A smaller one.
        """
        step = max(1, self.y.shape[1] // features)
        return BlockDraws(
            self.scores_q[draws],
            self.block_scale[draws],
            self.noise[draws],
            self.y[:, ::step],
            None if self.relative is None else self.relative[draws, ::step],
        )


class State(NamedTuple):
    """Where a block's chain of loadings and inclusion probabilities stands.

    Parameters
    ----------
    loading : ndarray, shape (feature, factor)
        One draw of the loadings.
    inclusion : ndarray, shape (factor,)
        Probability that a loading of the block is not zero.
    """

    loading: Array
    inclusion: Array


def begin(block: BlockDraws, slab: Array) -> State:
    """Start with no loadings and the inclusion that the block scale suggests.

    Parameters
    ----------
    block : BlockDraws
        The block.
    slab : ndarray, shape (factor,)
        From `learn_slab`.

    Returns
    -------
    State
        To hand to `step`.
    """
    inclusion = np.clip(block.block_scale[0] ** 2 / slab, GRID[0], 0.5)
    return State(np.zeros((block.y.shape[1], slab.size)), inclusion)


def step(
    block: BlockDraws, d: int, slab: Array, state: State, rng: np.random.Generator
) -> tuple[Array, State]:
    """Visit the features at draw `d`, then draw the inclusion probabilities.

    Parameters
    ----------
    block : BlockDraws
        The block.
    d : int
        The draw.
    slab : ndarray, shape (factor,)
        The factors' own variance of a loading that is not zero, over the noise variance.
    state : State
        After the draw before.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `visit_features`.
    state : State
        After this draw.
    """
    h, noise, tau2 = block.scores_q[d], float(block.noise[d]), block.block_scale[d] ** 2
    p, k = state.loading.shape
    # In units of its own noise every feature has the noise of the block.
    own = block.relative_noise(d)
    projected, gram = np.ascontiguousarray(block.y.T @ h / own), h.T @ h
    worth = tau2 / state.inclusion
    if k <= VISIT_AT_MOST:
        moments, loading = visit_features(
            projected,
            gram,
            worth,
            state.inclusion,
            noise,
            rng.standard_normal((p, k)),
            rng.random((p,)),
        )
    else:
        moments, loading = sweep_features(
            projected,
            gram,
            worth,
            state.inclusion,
            noise,
            rng.standard_normal((SWEEPS, p, k)),
            rng.random((SWEEPS, p, k)),
            state.loading / own,
        )
    inclusion = draw_inclusion(loading / noise, tau2, slab, rng)
    moments[1] *= own
    moments[2] *= own**2
    return moments, State(loading * own, inclusion)


def draw_inclusion(loading: Array, tau2: Array, slab: Array, rng: np.random.Generator) -> Array:
    """Draw inclusion probabilities given the loadings of a block, on a grid.

    Parameters
    ----------
    loading : ndarray, shape (feature, factor)
        Loadings in units of the noise.
    tau2 : ndarray, shape (factor,)
        Squared block scales.
    slab : ndarray, shape (factor,)
        Prior centre of tau^2 / inclusion.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (factor,)
        Values of `GRID`.
    """
    p, k = loading.shape
    taking_part = (loading != 0).sum(axis=0)[:, None]
    squares = (loading**2).sum(axis=0)[:, None]
    log_slab = np.log(tau2)[:, None] - np.log(GRID)
    value = (
        # The prior is that of v = tau^2 / pi; the grid is even in logit(pi), so the Jacobian
        # d log(v) / d logit(pi) = 1 - pi enters.
        taking_part * np.log(GRID)
        + (p - taking_part + 1.0) * np.log1p(-GRID)
        - 0.5 * taking_part * log_slab
        - 0.5 * squares / np.exp(log_slab)
        - 0.5 * ((log_slab - np.log(slab)[:, None]) / SLAB_SPREAD) ** 2
    )
    reach = np.cumsum(np.exp(value - value.max(axis=1, keepdims=True)), axis=1)
    at = (reach < rng.random((k, 1)) * reach[:, -1:]).sum(axis=1)
    return np.asarray(GRID[np.minimum(at, GRID.size - 1)])


def learn_slab(blocks: Sequence[BlockDraws], rng: np.random.Generator) -> Array:
    """Estimate what an edge that takes part is worth, for each factor.

    Parameters
    ----------
    blocks : sequence of BlockDraws
        All blocks.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (factor,)
        The geometric mean of v over blocks and pilot draws, each weighted by the number of edges
        that take part.
    """
    n_draws = blocks[0].noise.size
    rows = np.linspace(0, n_draws - 1, min(n_draws, PILOT_DRAWS)).round().astype(int)
    slab = np.stack([(b.block_scale**2).mean(axis=0) for b in blocks]).max(axis=0)
    small = [b.few(rows, PILOT_FEATURES) for b in blocks]
    states = [begin(b, slab) for b in small]
    seen, weight = np.zeros_like(slab), np.zeros_like(slab)
    for d in range(rows.size):
        worth, held = np.zeros_like(slab), np.zeros_like(slab)
        for i, block in enumerate(small):
            before = states[i].inclusion
            _, states[i] = step(block, d, slab, states[i], rng)
            part = (states[i].loading != 0).sum(axis=0)
            worth += part * np.log(block.block_scale[d] ** 2 / before)
            held += part
        slab = np.where(held > 0, np.exp(worth / np.maximum(held, 1.0)), slab)
        if d >= rows.size // 2:
            seen, weight = seen + worth, weight + held
    return np.asarray(np.where(weight > 0, np.exp(seen / np.maximum(weight, 1.0)), slab))
