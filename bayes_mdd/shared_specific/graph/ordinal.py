r"""The cumulative logit: ordered levels of an item, given a latent position and cutpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray


def observe_levels(
    name: str,
    position: Any,
    cut: Any,
    *,
    item: NDArray[np.int64],
    n_cuts: NDArray[np.int64],
    level: NDArray[np.int64],
) -> Any:
    r"""Observe ratings of several items, one entry a rating.

    The probability of level c is :math:`\sigma(\kappa_{c+1} - \eta) - \sigma(\kappa_c - \eta)`
    with infinite outer cutpoints.

    Parameters
    ----------
    name : str
        Name of the variable.
    position : TensorVariable, shape (rating,)
        Latent position :math:`\eta`, in log-odds.
    cut : TensorVariable, shape (cutpoint,)
        Ascending cutpoints of the first item, then of the second, ...
    item : ndarray of int, shape (rating,)
        Which item is rated.
    n_cuts : ndarray of int, shape (item,)
        Cutpoints of each item: its levels less one.
    level : ndarray of int, shape (rating,)
        What was rated, from 0.

    Returns
    -------
    TensorVariable
        The observed variable.

    References
    ----------
    .. [1] McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal
       Statistical Society B, 42, 109-142.
    """
    first, highest = (np.cumsum(n_cuts) - n_cuts)[item], n_cuts[item]

    def _logp(value: Any, position: Any, cut: Any) -> Any:
        # CustomDist hands parameters over with a batch axis of length one.
        eta = position[0] if position.ndim > 1 else position
        kappa = cut[0] if cut.ndim > 1 else cut
        top, bottom = pt.eq(value, highest), pt.eq(value, 0)
        upper = kappa[first + pt.minimum(value, highest - 1)] - eta
        lower = kappa[first + pt.maximum(value - 1, 0)] - eta
        # sigma(u) - sigma(l) = sigma(u) sigma(-l) (1 - exp(l - u)): no digits are lost in tails.
        outer = pt.or_(top, bottom)
        width = pt.switch(outer, 1.0, upper - lower)
        return (
            pt.switch(top, 0.0, -pt.softplus(-upper))
            + pt.switch(bottom, 0.0, -pt.softplus(lower))
            + pt.switch(outer, 0.0, pt.log1mexp(-width))
        )

    def _random(
        position: NDArray[np.float64], cut: NDArray[np.float64], rng: Any = None, size: Any = None
    ) -> NDArray[np.int64]:
        latent = np.ravel(position) + rng.logistic(size=item.size)
        kappa = np.split(np.ravel(cut), np.cumsum(n_cuts)[:-1])
        drawn = [np.searchsorted(kappa[j], x) for j, x in zip(item, latent, strict=True)]
        return np.array(drawn, dtype=np.int64)

    return pm.CustomDist(
        name,
        position,
        cut,
        logp=_logp,
        random=_random,
        signature="(n),(c)->(n)",
        dtype="int64",
        observed=np.asarray(level, dtype=np.int64),
    )
