"""Reliability of factor scores, a part of the prior of symptom weights."""

from __future__ import annotations

import numpy as np

from bayes_mdd.types import Array


def reliability(block_scale: Array, block_size: Array) -> Array:
    """Reliability of factor scores, by which symptom weights are multiplied.

    The information about the scores of a factor is the sum over blocks of size times squared block
    scale; the reliability is information / (1 + information). Without it, a factor that the
    features do not measure could fit the residual of a symptom.

    Parameters
    ----------
    block_scale : ndarray, shape (draw, block, factor)
        Draws.
    block_size : ndarray, shape (block,)
        Number of features of each block.

    Returns
    -------
    ndarray, shape (draw, factor)
        Between 0 and 1.
    """
    information = np.einsum("dbk,b->dk", block_scale**2, block_size)
    return np.asarray(information / (1 + information))
