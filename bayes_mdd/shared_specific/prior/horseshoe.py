"""The regularised horseshoe: overall and local scales, bounded by a slab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_mdd.shared_specific.prior.scales import HalfT
from bayes_mdd.types import Array


def slab_ratio(scale: Any, slab: float) -> Any:
    """Squared ratio of a scale to its regularised value; its inverse is the slope in logs.

    Parameters
    ----------
    scale : float or ndarray
        A scale of a horseshoe.
    slab : float
        Its upper bound.

    Returns
    -------
    float or ndarray
        ``1 + (scale / slab)**2``.
    """
    return 1.0 + (scale / slab) ** 2


def regularise(scale: Array, slab: float) -> Array:
    """Bound scales of a horseshoe by the slab.

    Parameters
    ----------
    scale : ndarray
        Products of overall and local scales.
    slab : float
        Their upper bound.

    Returns
    -------
    ndarray
        Same shape as `scale`.

    References
    ----------
    .. [1] Piironen, J. & Vehtari, A. (2017). Sparsity information and regularization in the
       horseshoe and other shrinkage priors. Electronic Journal of Statistics, 11, 5018-5051.
    """
    return np.asarray(scale / np.sqrt(slab_ratio(scale, slab)))


def log_regularise(scale: Array, slab: float) -> Array:
    """Compute the logs of regularised scales.

    Parameters
    ----------
    scale : ndarray
        Products of overall and local scales.
    slab : float
        Their upper bound.

    Returns
    -------
    ndarray
        Same shape as `scale`.
    """
    return np.asarray(np.log(scale) - 0.5 * np.log1p((scale / slab) ** 2))


def unbounded(scale: Array, slab: float) -> Array:
    """Invert `regularise`.

    Parameters
    ----------
    scale : ndarray
        Regularised scales.
    slab : float
        Their upper bound.

    Returns
    -------
    ndarray
        Same shape as `scale`; finite and positive for scales of 0 and of the slab, too.
    """
    ratio = np.minimum(scale / slab, 1 - 1e-9)
    return np.maximum(slab * ratio / np.sqrt(1 - ratio**2), 1e-300)


@dataclass(frozen=True)
class Horseshoe:
    """Regularised horseshoe: overall times local scales, bounded by a slab.

    Parameters
    ----------
    overall : HalfT
        Prior of the scale that a group of parameters has in common.
    local : HalfT
        Prior of the relative scale of each parameter.
    slab : float
        Upper bound of the product.
    """

    overall: HalfT
    local: HalfT
    slab: float

    def draw_scale(
        self, rng: np.random.Generator, shape: tuple[int, ...], common: tuple[int, ...]
    ) -> Array:
        """Draw regularised scales.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws: overall scales, then local ones.
        shape : tuple of int
            Their shape.
        common : tuple of int
            Axes along which the overall scale is the same.

        Returns
        -------
        ndarray, shape `shape`
            Positive values, below the slab.
        """
        groups = tuple(1 if axis in common else n for axis, n in enumerate(shape))
        overall = self.overall.draw(rng, groups)
        return regularise(overall * self.local.draw(rng, shape), self.slab)

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, ...], common: tuple[int, ...]
    ) -> Array:
        """Draw normal parameters with regularised scales.

        Parameters
        ----------
        rng : numpy.random.Generator
            For the draws: scales, then parameters.
        shape : tuple of int
            Their shape.
        common : tuple of int
            Axes along which the overall scale is the same.

        Returns
        -------
        ndarray, shape `shape`
            Parameters.
        """
        scale = self.draw_scale(rng, shape, common)
        return scale * rng.standard_normal(shape)
