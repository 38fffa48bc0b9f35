"""The E-step of one subject: its inputs, and what both ways to compute it share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayes_mdd.kernels import compiled
from bayes_mdd.polar_lda.em.special import digamma
from bayes_mdd.types import Array, IntArray


class Problem(NamedTuple):
    """Document of one subject, model and stopping rule.

    Parameters
    ----------
    word : ndarray of int, shape (n,)
        Words of the subject's document.
    tokens : ndarray, shape (n,)
        Tokens of each word.
    table : ndarray, shape (vocabulary, factor)
        Probability of each word in each factor.
    alpha : float
        Parameter of the symmetric Dirichlet prior.
    limit : int
        Maximum number of passes (or sweeps) over the words.
    tol : float
        Relative change of the bound at which they stop.
    """

    word: IntArray
    tokens: Array
    table: Array
    alpha: float
    limit: int
    tol: float


@compiled
def log_weights(gamma: Array) -> Array:
    """Compute the expected log composition, up to a constant that cancels in shares.

    Parameters
    ----------
    gamma : ndarray, shape (factor,)
        Variational Dirichlet parameters.

    Returns
    -------
    ndarray, shape (factor,)
        Digamma function of each.
    """
    psi = np.empty_like(gamma)
    for k in range(len(gamma)):
        psi[k] = digamma(gamma[k])
    return psi
