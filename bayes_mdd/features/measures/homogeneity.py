"""Regional homogeneity (ReHo): Kendall's W of 27 neighbouring voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d
from scipy.stats import rankdata

from bayes_mdd.features.loading import Floats

#: Number of voxels ranked at a time, to limit memory.
CHUNK = 20_000


def regional_homogeneity(bold: Floats, mask: npt.NDArray[np.bool_]) -> Floats:
    r"""Compute Kendall's coefficient of concordance of each voxel with its 26 neighbours.

    The neighbourhood of a voxel consists of the :math:`k` voxels of its 3 x 3 x 3 cube that lie in
    the mask. With :math:`R_t` the sum of their ranks at time :math:`t` of :math:`n`,

    .. math::

        W = \frac{12 \sum_t R_t^2 - 3 k^2 n (n + 1)^2}{k^2 n (n^2 - 1) - k \sum_j T_j}.

    Ties get their mean rank, and :math:`T_j = \sum (g^3 - g)` is the sum over the groups of
    :math:`g` ties in voxel :math:`j`. AFNI's 3dReHo, which XCP-D uses for volumes, computes the
    same.

    Parameters
    ----------
    bold : numpy.ndarray, shape (x, y, z, time)
        Time series of the voxels.
    mask : numpy.ndarray of bool, shape (x, y, z)
        Voxels to include; all must be finite and vary over time.

    Returns
    -------
    numpy.ndarray, shape (x, y, z)
        Between 0 and 1; NaN outside the mask and for voxels without a neighbour in it.

    References
    ----------
    .. [1] Zang, Y., Jiang, T., Lu, Y., He, Y. and Tian, L. (2004). Regional homogeneity approach
       to fMRI data analysis. NeuroImage, 22, 394-400.
    .. [2] Kendall, M. G. and Babington Smith, B. (1939). The problem of m rankings. Annals of
       Mathematical Statistics, 10, 275-287.

    Examples
    --------
    >>> same = np.broadcast_to(np.arange(30.0), (3, 3, 3, 30))
    >>> float(regional_homogeneity(same, np.ones((3, 3, 3), dtype=bool))[1, 1, 1])
    1.0
    """
    n = bold.shape[-1]
    ranks, ties = _ranks(bold[mask])
    k = _sum_of_27(mask.astype(np.float64))
    tied = _sum_of_27(_in_space(ties, mask))
    squares = np.zeros(mask.shape)
    for t in range(n):
        squares += _sum_of_27(_in_space(ranks[:, t], mask)) ** 2
    above = 12 * squares - 3 * k**2 * n * (n + 1.0) ** 2
    below = k**2 * n * (n**2 - 1.0) - k * tied
    w = np.full(mask.shape, np.nan)
    np.divide(above, below, out=w, where=mask & (k > 1))
    return w


def _ranks(series: Floats) -> tuple[npt.NDArray[np.float32], Floats]:
    """Ranks over time (voxel, time), ties at their mean rank, and sum of g^3 - g per voxel."""
    # Multiples of 1/2 up to 2^22 are exact in single precision.
    ranks = np.empty(series.shape, dtype=np.float32)
    ties = np.empty(len(series))
    for start in range(0, len(series), CHUNK):
        part = slice(start, start + CHUNK)
        ranks[part] = rankdata(series[part], axis=1)
        # A group of g ties at mean rank m lowers the sum of squared ranks by (g^3 - g) / 12.
        n = series.shape[1]
        full = n * (n + 1) * (2 * n + 1) / 6
        ties[part] = 12 * (full - (ranks[part].astype(np.float64) ** 2).sum(axis=1))
    return ranks, ties


def _in_space(values: npt.NDArray[np.floating[Any]], mask: npt.NDArray[np.bool_]) -> Floats:
    volume = np.zeros(mask.shape)
    volume[mask] = values
    return volume


def _sum_of_27(volume: Floats) -> Floats:
    for axis in range(3):
        volume = convolve1d(volume, np.ones(3), axis=axis, mode="constant", cval=0.0)
    return volume
