"""Protocol of a log density that can be sampled without a PyMC graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from bayes_mdd.types import Array

#: Log density and its gradient at a point.
LogDensityFunction = Callable[[Array], tuple[float, Array]]


class LogDensity(Protocol):
    """A log density in unconstrained coordinates, with its gradient.

    Calling it with a point, shape (size,), returns the log density up to a constant and its
    gradient, shape (size,).
    """

    @property
    def size(self) -> int:
        """Number of coordinates."""
        ...

    @property
    def outcome_dims(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of each variable of `outcome`, without the draws."""
        ...

    def __call__(self, point: Array, /) -> tuple[float, Array]:
        """Evaluate log density and gradient at one point."""
        ...

    def outcome(self, points: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Turn points into the stored variables.

        Parameters
        ----------
        points : ndarray, shape (draw, size)
            Draws of a sampler.
        rng : numpy.random.Generator
            For variables that are drawn given the coordinates.

        Returns
        -------
        dict of ndarray
            Variables by name, draws first.
        """
        ...
