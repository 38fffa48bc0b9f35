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

from bayes_mdd.shared_specific.posterior.sparse_kernels import GRID, walk
from bayes_mdd.types import Array

#: Draws and features a block that settle the factors' own slab.
PILOT_DRAWS, PILOT_FEATURES = 20, 200


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

    def at(self, d: int) -> BlockDraws:
        """Keep one draw.

        Parameters
        ----------
        d : int
            Which.

        Returns
        -------
        BlockDraws
            With one draw.
        """
        return self.few(np.array([d]), self.y.shape[1])

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
        To hand to `walk_block`.
    """
    inclusion = np.clip(block.block_scale[0] ** 2 / slab, GRID[0], 0.5)
    return State(np.zeros((block.y.shape[1], slab.size)), inclusion)


def walk_block(
    block: BlockDraws, slab: Array, state: State, rng: np.random.Generator
) -> tuple[Array, NDArray[np.float32], State]:
    """Visit the features at one draw after the other, and draw inclusion probabilities at each.

    Parameters
    ----------
    block : BlockDraws
        The block.
    slab : ndarray, shape (factor,)
        The factors' own variance of a loading that is not zero, over the noise variance.
    state : State
        From `begin`, or where an earlier walk ended.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `bayes_mdd.shared_specific.posterior.inclusion.visit_features`, summed over draws.
    draws : ndarray of float32, shape (draw, factor, feature)
        Loadings.
    state : State
        After the last draw.
    """
    p, k = state.loading.shape
    kept = np.empty((block.noise.size, k, p), dtype=np.float32)
    moments, *after = walk(
        np.ascontiguousarray(block.scores_q),
        np.ascontiguousarray(block.block_scale),
        np.ascontiguousarray(block.noise),
        np.ascontiguousarray(block.y.T),
        np.ones((1, p)) if block.relative is None else np.ascontiguousarray(block.relative),
        slab,
        state.loading,
        state.inclusion,
        rng,
        kept,
    )
    return moments, kept, State(*after)


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
            _, _, states[i] = walk_block(block.at(d), slab, states[i], rng)
            part = (states[i].loading != 0).sum(axis=0)
            worth += part * np.log(block.block_scale[d] ** 2 / before)
            held += part
        slab = np.where(held > 0, np.exp(worth / np.maximum(held, 1.0)), slab)
        if d >= rows.size // 2:
            seen, weight = seen + worth, weight + held
    return np.asarray(np.where(weight > 0, np.exp(seen / np.maximum(weight, 1.0)), slab))
