"""Mode and curvature of a log density."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.types import Array

#: Half the step of the central differences.
DIFFERENCE = 1e-4


def find_mode(density: Density, point: Array, *, steps: int = 2000) -> tuple[Array, float]:
    """Find the mode near a point.

    Parameters
    ----------
    density : Density
        The log density.
    point : ndarray, shape (size,)
        Starting point.
    steps : int, default 2000
        Largest number of optimiser steps.

    Returns
    -------
    mode : ndarray, shape (size,)
        The mode.
    value : float
        Log density there.
    """
    found = minimize(
        _negative(density),
        point,
        jac=True,
        method="L-BFGS-B",
        bounds=_bounds(density),
        options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": 30, "ftol": 1e-12},
    )
    return np.asarray(found.x), -float(found.fun)


def _negative(density: Density) -> Callable[[Array], tuple[float, Array]]:
    def negative(x: Array) -> tuple[float, Array]:
        value, gradient = density(x)
        return -value, -gradient

    return negative


def _bounds(density: Density) -> Array:
    """Bounds that keep long first steps out of the region beyond the slab, which is flat."""
    slab = density.priors.block_scale.slab
    reach = {"log_strength": (-12.0, np.log(10 * slab)), "sharing_simplex__": (-6.0, 6.0)}
    low, high = (
        density.join(
            {
                name: np.full(shape, reach.get(name, (-np.inf, np.inf))[side])
                for name, shape in density.shapes.items()
            }
        )
        for side in (0, 1)
    )
    return np.column_stack([low, high])


def hessian(density: Density, point: Array) -> Array:
    """Second derivatives by central differences of the gradient.

    Parameters
    ----------
    density : Density
        The log density.
    point : ndarray, shape (size,)
        The point.

    Returns
    -------
    ndarray, shape (size, size)
        Symmetric matrix.
    """
    found = np.empty((point.size, point.size))
    for i, step in enumerate(DIFFERENCE * np.eye(point.size)):
        found[i] = (density(point + step)[1] - density(point - step)[1]) / (2 * DIFFERENCE)
    return np.asarray(0.5 * (found + found.T))
