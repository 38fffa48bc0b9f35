"""The undocumented entry of nutpie that takes a log density without a PyMC graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie

from bayes_mdd.sampling.density import LogDensityFunction
from bayes_mdd.types import Array

#: Versions of nutpie with which `compile_density` is tested; pyproject.toml requires the same.
TESTED_NUTPIE = ">=0.16.10,<0.17"


class EntryUnavailableError(Exception):
    """The installed nutpie has no entry for log densities that fits."""


def compile_density(
    log_density: LogDensityFunction,
    size: int,
    to_point: Callable[[Array], Array],
    initial_point: Callable[[int], Array],
) -> Any:
    """Make a model of a log density that ``nutpie.sample`` takes.

    Parameters
    ----------
    log_density : callable
        Value and gradient in the coordinates of the sampler.
    size : int
        Number of coordinates.
    to_point : callable
        Turns coordinates of the sampler into the stored ``point``, shape (size,).
    initial_point : callable
        Coordinates at which a chain starts, given its seed.

    Returns
    -------
    nutpie model
        With one variable, ``point``.

    Raises
    ------
    EntryUnavailableError
        If nutpie has no function ``from_pyfunc`` or its signature differs.
    """

    def _make_log_density() -> LogDensityFunction:
        return log_density

    def _make_to_point(*_: int) -> Callable[[Array], dict[str, Array]]:
        return lambda z: {"point": to_point(z)}

    try:
        from nutpie.compiled_pyfunc import from_pyfunc

        return from_pyfunc(
            size,
            _make_log_density,
            _make_to_point,
            [np.dtype("float64")],
            [(size,)],
            ["point"],
            make_initial_point_fn=initial_point,
        )
    except (ImportError, TypeError) as error:
        raise EntryUnavailableError(
            f"nutpie {nutpie.__version__} offers no compatible "
            f"'nutpie.compiled_pyfunc.from_pyfunc' ({error}); tested with nutpie {TESTED_NUTPIE}"
        ) from error
