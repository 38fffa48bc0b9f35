"""Alignment of the factors of all draws of all chains to one order and sign."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from bayes_mdd.types import Array, IntArray


@dataclass(frozen=True, eq=False)
class Alignment:
    """Order and sign of the factors of each draw.

    Parameters
    ----------
    order : ndarray of int, shape (chain, draw, factor)
        ``order[c, d, k]`` is the factor of the raw draw that becomes factor k.
    sign : ndarray, shape (chain, draw, factor)
        1 or -1, to multiply the reordered factor with.
    match : ndarray, shape (chain, factor)
        Absolute correlation of each chain's mean scores with the mean over all chains.
    """

    order: IntArray
    sign: Array
    match: Array

    def apply(self, draws: Array, *, signed: bool) -> Array:
        """Reorder draws whose last axis is the factor.

        Parameters
        ----------
        draws : ndarray, shape (chain, draw, ..., factor)
            Raw draws.
        signed : bool
            Whether the quantity changes sign with its factor (scores, symptom weights).

        Returns
        -------
        ndarray
            The aligned draws, same shape.
        """
        middle = (1,) * (draws.ndim - 3)
        index = self.order.reshape(*self.order.shape[:2], *middle, -1)
        aligned = np.take_along_axis(draws, np.broadcast_to(index, draws.shape), axis=-1)
        return aligned * self.sign.reshape(index.shape) if signed else aligned


def align_factors(
    scores: Array, block_scale: Array, *, fixed: Array | None = None, iterations: int = 4
) -> Alignment:
    """Match the factors of every draw with one consensus.

    Factors have no order and no sign. A draw's factors are matched with the consensus by the
    Hungarian algorithm, on the similarity of scores times the similarity of block scales. The
    consensus starts at the last draw of the first chain; after each pass it is the mean of the
    aligned draws.

    Parameters
    ----------
    scores : ndarray, shape (chain, draw, subject, factor)
        Raw draws of scores.
    block_scale : ndarray, shape (chain, draw, block, factor)
        Raw draws of block scales.
    fixed : ndarray, shape (factor, arm), optional
        Fixed pattern of sharing: factors are exchanged only with factors of equal rows.
    iterations : int, default 4
        Passes over all draws.

    Returns
    -------
    Alignment
        Order, sign, and agreement of each chain with the consensus.

    References
    ----------
    .. [1] Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research
       Logistics Quarterly, 2, 83-97.
    .. [2] Poworoznek, E., Ferrari, F. & Dunson, D. (2021). Efficiently resolving rotational
       ambiguity in Bayesian matrix sampling with matching. arXiv:2107.13783.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> h, tau = rng.normal(size=(1, 1, 9, 2)), rng.uniform(size=(1, 1, 3, 2))
    >>> both = np.concatenate([h, -h[..., ::-1]]), np.concatenate([tau, tau[..., ::-1]])
    >>> found = align_factors(*both)
    >>> aligned = found.apply(both[0], signed=True)
    >>> bool(np.allclose(aligned[0], aligned[1]))
    True
    """
    chains, draws, _, k = scores.shape
    allowed = (
        np.ones((k, k), dtype=bool)
        if fixed is None
        else (fixed[:, None, :] == fixed[None, :, :]).all(axis=2)
    )
    weighted = scores * np.sqrt((block_scale**2).mean(axis=2))[:, :, None, :]
    reference, profile = weighted[0, -1], block_scale[0, -1]
    current = Alignment(
        np.tile(np.arange(k), (chains, draws, 1)), np.ones((chains, draws, k)), np.ones((chains, k))
    )
    for _ in range(iterations):
        cosine = _cosine(weighted, reference)
        similarity = np.abs(cosine) * (0.2 + 0.8 * _cosine(block_scale, profile))
        order = _assign(np.where(allowed, similarity, -10.0))
        # cosine[c, d, i, j] is that of raw factor i = order[j] with factor j of the consensus.
        chosen = np.take_along_axis(cosine, order[:, :, None, :], axis=2)[:, :, 0, :]
        current = replace(current, order=order, sign=np.where(chosen < 0, -1.0, 1.0))
        reference = current.apply(weighted, signed=True).mean(axis=(0, 1))
        profile = current.apply(block_scale, signed=False).mean(axis=(0, 1))
    means = current.apply(weighted, signed=True).mean(axis=1)
    return replace(current, match=np.abs(np.stack([_columns_cosine(m, reference) for m in means])))


def _assign(similarity: Array) -> IntArray:
    """Raw factor for each factor of the consensus, shape (chain, draw, factor)."""
    order = np.empty(similarity.shape[:3], dtype=np.int64)
    for c, d in np.ndindex(*order.shape[:2]):
        order[c, d] = linear_sum_assignment(similarity[c, d].T, maximize=True)[1]
    return order


def _cosine(draws: Array, reference: Array) -> Array:
    """Cosine of each draw's factor i with reference factor j, shape (chain, draw, i, j)."""
    product = np.einsum("cdnk,nj->cdkj", draws, reference, optimize=True)
    size = np.sqrt((draws**2).sum(axis=2))[..., :, None] * np.sqrt((reference**2).sum(axis=0))
    return np.asarray(product / np.maximum(size, 1e-300))


def _columns_cosine(a: Array, b: Array) -> Array:
    """Cosine of each column of one matrix with the same column of another."""
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.asarray((a * b).sum(axis=0) / np.maximum(size, 1e-300))
