"""The M-step: parameters given expected tokens and compositions."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import polygamma, psi

from bayes_mdd.polar_lda.em.parameters import LDAParameters
from bayes_mdd.types import Array

#: Logarithm of a probability estimated as zero, as in the published program.
LOG_ZERO = -100.0
#: Largest log rho of the published program, so that log(1 - rho) stays finite.
LOG_RHO_MAX = -1e-6


def m_step(expected: Array, alpha: float) -> LDAParameters:
    """Estimate beta and rho from expected tokens, with the clips of the published program.

    Parameters
    ----------
    expected : ndarray, shape (word, factor)
        Expected tokens of each signed word from each factor.
    alpha : float
        Copied to the result.

    Returns
    -------
    LDAParameters
        An edge without tokens in a factor has beta exp(-100) and rho 1/2.
    """
    hypo, hyper = expected[0::2].T, expected[1::2].T
    return parameters_from_tokens(hypo + hyper, hyper, alpha)


def parameters_from_tokens(total: Array, hyper: Array, alpha: float) -> LDAParameters:
    """Estimate beta and rho from all tokens of each edge and its hyper-connected ones.

    Parameters
    ----------
    total, hyper : ndarray, shape (factor, edge)
        Expected tokens of both polarities, and of the positive one.
    alpha : float
        Copied to the result.

    Returns
    -------
    LDAParameters
        The parameters, clipped as by `m_step`.
    """
    zero = np.exp(LOG_ZERO)
    beta = np.where(total > 0, total / total.sum(axis=1, keepdims=True), zero)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.where(hyper > 0, hyper / total, zero)
    rho = np.where(total > 0, np.minimum(rho, np.exp(LOG_RHO_MAX)), 0.5)
    return LDAParameters(np.ascontiguousarray(beta), np.ascontiguousarray(rho), alpha)


def estimate_alpha(gamma: Array) -> float:
    """Maximise the bound over the symmetric Dirichlet parameter.

    Newton's method in log alpha, started at 100 as published. Where it leaves the range that can
    be represented, the root of the derivative is bracketed instead.

    Parameters
    ----------
    gamma : ndarray, shape (subject, factor)
        Variational Dirichlet parameters.

    Returns
    -------
    float
        The maximiser.
    """
    n_subjects, k = gamma.shape
    if k == 1:
        return 1.0
    total = float((psi(gamma) - psi(gamma.sum(axis=1, keepdims=True))).sum())

    def _slope(a: float) -> float:
        return float(n_subjects * k * (psi(k * a) - psi(a)) + total)

    log_a = np.log(100.0)
    for _ in range(1000):
        a = float(np.exp(log_a))
        first = _slope(a)
        if abs(first) <= 1e-5:
            return a
        second = n_subjects * (k * k * polygamma(1, k * a) - k * polygamma(1, a))
        log_a -= first / (second * a + first)
        if not abs(log_a) < 30:
            break
    return float(np.exp(brentq(lambda x: _slope(np.exp(x)), -30.0, 30.0, xtol=1e-12)))
