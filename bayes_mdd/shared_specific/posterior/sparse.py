r"""Sparse loadings: the second stage of the model, in which single loadings may be zero.

The collapsed likelihood relies on Gaussian loadings with a common variance in a block. Where only
some edges of a block take part in a factor, this prior blurs the map. Given a draw of all other
parameters, the second stage replaces it by a prior with the same second moment,

.. math:: \lambda_{pk} \sim \pi_{bk} N(0, \sigma_b^2 \tau_{bk}^2 / \pi_{bk})
    + (1 - \pi_{bk})\, \delta_0 ,

and samples :math:`\pi_{bk}` along the draws. The variance of a loading that is not zero,
:math:`v_{bk} = \tau_{bk}^2 / \pi_{bk}`, is expected to be similar in all blocks of a factor
(log-normal around the slab variance :math:`s_k^2` of the factor). So a block without the factor
(:math:`\tau_{bk} \to 0`) is one in which no edge takes part, not one in which all edges have small
loadings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.posterior.sparse_kernels import GRID, sweep_draws
from bayes_mdd.types import Array, IntArray

#: Draws, and features of each block, from which the slab variance of the factors is estimated.
PILOT_DRAWS, PILOT_FEATURES = 20, 200


@dataclass(frozen=True, eq=False)
class BlockDraws:
    """Draws that concern the features of one block, with the features.

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

    def single(self, d: int) -> BlockDraws:
        """Select one draw.

        Parameters
        ----------
        d : int
            Its position.

        Returns
        -------
        BlockDraws
            With one draw and all features.
        """
        return self.thin(np.array([d]), self.y.shape[1])

    def thin(self, draws: IntArray, features: int) -> BlockDraws:
        """Select some draws, and about a given number of features, evenly spaced.

        Parameters
        ----------
        draws : ndarray of int
            Positions of the draws.
        features : int
            Number of features: all are kept of a block with fewer, else at least this many and
            less than twice as many.

        Returns
        -------
        BlockDraws
            The selected part.
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
    """State of a block's chain of loadings and inclusion probabilities.

    Parameters
    ----------
    loading : ndarray, shape (feature, factor)
        One draw of the loadings.
    inclusion : ndarray, shape (factor,)
        Probability that a loading of the block is not zero.
    """

    loading: Array
    inclusion: Array


def initial_state(block: BlockDraws, slab: Array) -> State:
    """Start with loadings of zero and the inclusion that the block scale suggests.

    Parameters
    ----------
    block : BlockDraws
        The block.
    slab : ndarray, shape (factor,)
        From `estimate_slab`.

    Returns
    -------
    State
        For `sweep_block`.
    """
    inclusion = np.clip(block.block_scale[0] ** 2 / slab, GRID[0], 0.5)
    return State(np.zeros((block.y.shape[1], slab.size)), inclusion)


def sweep_block(
    block: BlockDraws, slab: Array, state: State, rng: np.random.Generator
) -> tuple[Array, NDArray[np.float32], State]:
    """Update loadings and inclusion probabilities of a block at each draw in turn.

    Parameters
    ----------
    block : BlockDraws
        The block.
    slab : ndarray, shape (factor,)
        Slab variance of each factor, in units of the noise variance.
    state : State
        From `initial_state`, or from an earlier call.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    moments : ndarray, shape (4, feature, factor)
        As in `bayes_mdd.shared_specific.posterior.inclusion.enumerate_patterns`, summed over
        draws.
    draws : ndarray of float32, shape (draw, factor, feature)
        Loadings.
    state : State
        After the last draw.
    """
    p, k = state.loading.shape
    kept = np.empty((block.noise.size, k, p), dtype=np.float32)
    moments, *after = sweep_draws(
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


def estimate_slab(blocks: Sequence[BlockDraws], rng: np.random.Generator) -> Array:
    """Estimate the slab variance of each factor: that of a loading that is not zero.

    Parameters
    ----------
    blocks : sequence of BlockDraws
        All blocks.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (factor,)
        Geometric mean of v over blocks and the second half of the pilot draws, each weighted by
        its number of loadings that are not zero. In units of the noise variance.
    """
    n_draws = blocks[0].noise.size
    rows = np.linspace(0, n_draws - 1, min(n_draws, PILOT_DRAWS)).round().astype(int)
    slab = np.stack([(b.block_scale**2).mean(axis=0) for b in blocks]).max(axis=0)
    pilots = [b.thin(rows, PILOT_FEATURES) for b in blocks]
    states = [initial_state(b, slab) for b in pilots]
    total, weight = np.zeros_like(slab), np.zeros_like(slab)
    for d in range(rows.size):
        log_sum, count = np.zeros_like(slab), np.zeros_like(slab)
        for i, block in enumerate(pilots):
            before = states[i].inclusion
            _, _, states[i] = sweep_block(block.single(d), slab, states[i], rng)
            n_included = (states[i].loading != 0).sum(axis=0)
            log_sum += n_included * np.log(block.block_scale[d] ** 2 / before)
            count += n_included
        slab = np.where(count > 0, np.exp(log_sum / np.maximum(count, 1.0)), slab)
        if d >= rows.size // 2:
            total, weight = total + log_sum, weight + count
    return np.asarray(np.where(weight > 0, np.exp(total / np.maximum(weight, 1.0)), slab))
