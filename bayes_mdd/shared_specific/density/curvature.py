"""The mode of the density and the Gaussian that fits it there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from bayes_mdd.shared_specific.density.density import Density
from bayes_mdd.types import Array

#: Half the step of the central differences.
DIFFERENCE = 1e-4


def find_mode(density: Density, point: Array, *, steps: int = 2000) -> tuple[Array, float]:
    """Follow the gradient to the highest point nearby.

    Parameters
    ----------
    density : Density
        What to climb.
    point : ndarray, shape (size,)
        Where to start.
    steps : int, default 2000
        Steps of the optimiser, at most.

    Returns
    -------
    mode : ndarray, shape (size,)
        The point.
    height : float
        Log density there.
    """
    found = minimize(
        _descend(density),
        point,
        jac=True,
        method="L-BFGS-B",
        bounds=_bounds(density),
        options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": 30, "ftol": 1e-12},
    )
    return np.asarray(found.x), -float(found.fun)


def _descend(density: Density) -> Callable[[Array], tuple[float, Array]]:
    def negative(x: Array) -> tuple[float, Array]:
        value, gradient = density(x)
        return -value, -gradient

    return negative


def _bounds(density: Density) -> Array:
    """Keep long first steps of the optimiser out of the flat land beyond the slab."""
    slab = density.inputs.prior[3]
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
    """Differentiate the gradient.

    Parameters
    ----------
    density : Density
        The log density.
    point : ndarray, shape (size,)
        Where.

    Returns
    -------
    ndarray, shape (size, size)
        Second derivatives, symmetric.
    """
    found = np.empty((point.size, point.size))
    for i, step in enumerate(DIFFERENCE * np.eye(point.size)):
        found[i] = (density(point + step)[1] - density(point - step)[1]) / (2 * DIFFERENCE)
    return np.asarray(0.5 * (found + found.T))
