r"""Priors of single scales and degrees of freedom: half-t, half-normal, gamma.

A prior is a frozen value with a normalised density (`logp`) and draws (`draw`). Its density
without the constant is written once, as a function of a squared standardised value, and used by
NumPy and by the compiled density. Slopes are derivatives in :math:`\log x`; the Jacobian of a
coordinate is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from bayes_mdd.types import Array


def half_t_log(square: Any, df: float) -> Any:
    """Log density of a half-t prior without its constant.

    Parameters
    ----------
    square : float or ndarray
        ``(x / scale)**2 / df``.
    df : float
        Degrees of freedom.

    Returns
    -------
    float or ndarray
        Same shape as `square`.
    """
    return -0.5 * (df + 1) * np.log1p(square)


def half_t_slope(square: Any, df: float) -> Any:
    """Differentiate `half_t_log` in log x.

    Parameters
    ----------
    square : float or ndarray
        ``(x / scale)**2 / df``.
    df : float
        Degrees of freedom.

    Returns
    -------
    float or ndarray
        Same shape as `square`.
    """
    return -(df + 1) * square / (1 + square)


def half_normal_log(square: Any) -> Any:
    """Log density of a half-normal prior without its constant.

    Parameters
    ----------
    square : float or ndarray
        ``(x / scale)**2``.

    Returns
    -------
    float or ndarray
        Same shape as `square`.
    """
    return -0.5 * square


def half_normal_slope(square: Any) -> Any:
    """Differentiate `half_normal_log` in log x.

    Parameters
    ----------
    square : float or ndarray
        ``(x / scale)**2``.

    Returns
    -------
    float or ndarray
        Same shape as `square`.
    """
    return -square


@dataclass(frozen=True)
class HalfT:
    """Half-t prior of a scale; with one degree of freedom, half-Cauchy.

    Parameters
    ----------
    df : float
        Degrees of freedom.
    scale : float
        Scale.
    """

    df: float
    scale: float

    def log_kernel(self, x: Array) -> Array:
        """Log density without its constant.

        Parameters
        ----------
        x : ndarray
            Positive values.

        Returns
        -------
        ndarray
            Same shape as `x`.
        """
        return np.asarray(half_t_log((x / self.scale) ** 2 / self.df, self.df))

    def log_kernel_of_log(self, log_x: Array) -> Array:
        """Log density at exp(log_x) without its constant, for values whose squares overflow.

        Parameters
        ----------
        log_x : ndarray
            Logs of positive values.

        Returns
        -------
        ndarray
            Same shape as `log_x`.
        """
        log_square = 2 * (log_x - np.log(self.scale)) - np.log(self.df)
        return np.asarray(-0.5 * (self.df + 1) * np.logaddexp(0.0, log_square))

    def logp(self, x: Array) -> Array:
        """Log density.

        Parameters
        ----------
        x : ndarray
            Positive values.

        Returns
        -------
        ndarray
            Same shape as `x`.
        """
        constant = lgamma((self.df + 1) / 2) - lgamma(self.df / 2) + np.log(2.0)
        constant -= 0.5 * np.log(self.df * np.pi) + np.log(self.scale)
        return np.asarray(constant + self.log_kernel(x))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw values.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.
        shape : tuple of int
            Their shape.

        Returns
        -------
        ndarray, shape `shape`
            Positive values.
        """
        return self.scale * np.abs(rng.standard_t(self.df, shape))


@dataclass(frozen=True)
class HalfNormal:
    """Half-normal prior of a residual standard deviation.

    Parameters
    ----------
    scale : float
        Scale.
    """

    scale: float

    def log_kernel(self, x: Array) -> Array:
        """Log density without its constant.

        Parameters
        ----------
        x : ndarray
            Positive values.

        Returns
        -------
        ndarray
            Same shape as `x`.
        """
        return np.asarray(half_normal_log(x**2 / self.scale**2))

    def log_kernel_of_log(self, log_x: Array) -> Array:
        """Log density at exp(log_x) without its constant.

        Parameters
        ----------
        log_x : ndarray
            Logs of positive values.

        Returns
        -------
        ndarray
            Same shape as `log_x`.
        """
        return np.asarray(half_normal_log(np.exp(2 * log_x) / self.scale**2))

    def logp(self, x: Array) -> Array:
        """Log density.

        Parameters
        ----------
        x : ndarray
            Positive values.

        Returns
        -------
        ndarray
            Same shape as `x`.
        """
        constant = 0.5 * np.log(2 / np.pi) - np.log(self.scale)
        return np.asarray(constant + self.log_kernel(x))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw values.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.
        shape : tuple of int
            Their shape.

        Returns
        -------
        ndarray, shape `shape`
            Positive values.
        """
        return self.scale * np.abs(rng.standard_normal(shape))


@dataclass(frozen=True)
class Gamma:
    """Gamma prior of degrees of freedom.

    Parameters
    ----------
    shape, rate : float
        Its parameters.
    """

    shape: float
    rate: float

    def logp(self, x: Array) -> Array:
        """Log density.

        Parameters
        ----------
        x : ndarray
            Positive values.

        Returns
        -------
        ndarray
            Same shape as `x`.
        """
        constant = self.shape * np.log(self.rate) - gammaln(self.shape)
        return np.asarray(constant + xlogy(self.shape - 1, x) - self.rate * x)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw values.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws.
        shape : tuple of int
            Their shape.

        Returns
        -------
        ndarray, shape `shape`
            Positive values.
        """
        return rng.gamma(self.shape, 1 / self.rate, shape)
