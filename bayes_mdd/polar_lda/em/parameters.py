"""What EM takes and returns: stopping rules, point parameters, a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_mdd.types import Array

EStepMethod = Literal["newton", "published"]


@dataclass(frozen=True, kw_only=True)
class EMOptions:
    """How the E-step is computed, and when EM and the E-step stop.

    Parameters
    ----------
    max_iterations : int, default 101
        Maximum number of EM iterations. The published program runs 101 with its setting
        ``em max iter 100``.
    tolerance : float, default 1e-12
        Relative change of the bound at which EM stops, not before the third iteration.
    inner_iterations : int, default 1000
        Maximum number of passes of the E-step over the words of a subject.
    inner_tolerance : float, default 1e-12
        Relative change of a subject's bound at which the E-step stops.
    estimate_alpha : bool, default True
        Whether the symmetric Dirichlet parameter is estimated.
    e_step : {"newton", "published"}, default "newton"
        How compositions are inferred. "newton" finds the fixed point by Newton's method, and EM
        never lets the bound fall. "published" updates edge by edge, in the order of the published
        program: slower, equal to that program digit for digit, and the bound may dip where that
        program's does.
    fresh_iterations : int, default 30
        With "newton": the number of E-steps that start from equal factors before most of them
        continue from the previous compositions.
    """

    max_iterations: int = 101
    tolerance: float = 1e-12
    inner_iterations: int = 1000
    inner_tolerance: float = 1e-12
    estimate_alpha: bool = True
    e_step: EStepMethod = "newton"
    fresh_iterations: int = 30


@dataclass(frozen=True, eq=False)
class LDAParameters:
    """Point parameters of the model.

    Parameters
    ----------
    beta : ndarray, shape (factor, edge)
        Probability of an edge in a factor; rows sum to 1.
    rho : ndarray, shape (factor, edge)
        Probability that a token of that edge is hyper-connected.
    alpha : float
        Parameter of the symmetric Dirichlet prior of compositions.
    """

    beta: Array
    rho: Array
    alpha: float

    @property
    def table(self) -> Array:
        """Probability of each signed word in each factor, shape (word, factor)."""
        both = np.stack([self.beta * (1 - self.rho), self.beta * self.rho], axis=-1)
        return np.ascontiguousarray(both.reshape(len(self.beta), -1).T)

    @property
    def maps(self) -> Array:
        """Hyper- minus hypo-connected probability of each edge, shape (factor, edge)."""
        return np.asarray(self.beta * (2 * self.rho - 1))


@dataclass(frozen=True, eq=False)
class Solution:
    """Result of EM.

    Parameters
    ----------
    parameters : LDAParameters
        After the last M-step.
    gamma : ndarray, shape (subject, factor)
        Variational Dirichlet parameters of each subject, from the E-step before the last M-step.
    history : ndarray, shape (iteration,)
        Evidence lower bound after every E-step.
    """

    parameters: LDAParameters
    gamma: Array
    history: Array

    @property
    def elbo(self) -> float:
        """Evidence lower bound after the last E-step."""
        return float(self.history[-1])

    @property
    def composition(self) -> Array:
        """Mean composition of each subject, shape (subject, factor)."""
        return mean_composition(self.gamma)


def mean_composition(gamma: Array) -> Array:
    """Compute the means of Dirichlet distributions.

    Parameters
    ----------
    gamma : ndarray, shape (subject, factor)
        Dirichlet parameters.

    Returns
    -------
    ndarray, shape (subject, factor)
        Rows sum to 1.
    """
    return np.asarray(gamma / gamma.sum(axis=1, keepdims=True))
