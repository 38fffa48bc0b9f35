"""Measures of connectivity, their estimators and units."""

from __future__ import annotations

from typing import Literal, get_args

from bayes_mdd.errors import SpecError
from bayes_mdd.features.matrices import FISHER_Z, R

Measure = Literal["correlation", "partial correlation", "tangent"]
Estimator = Literal["empirical", "ledoit-wolf"]


def check_method(kind: str, estimator: str) -> None:
    """Check the names of measure and estimator.

    Parameters
    ----------
    kind, estimator : str
        See `connectivity_from_timeseries`.

    Raises
    ------
    SpecError
        If one of them is unknown.
    """
    for name, value, choices in (
        ("kind", kind, get_args(Measure)),
        ("estimator", estimator, get_args(Estimator)),
    ):
        if value not in choices:
            raise SpecError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")


def units_of(kind: str, fisher_z: bool) -> str:
    """Units of a measure.

    Parameters
    ----------
    kind : str
        Measure of connectivity.
    fisher_z : bool
        Whether Fisher's z transform was applied.

    Returns
    -------
    str
        ``tangent``, ``fisher_z`` or ``r``.
    """
    if kind == "tangent":
        return kind
    return FISHER_Z if fisher_z else R


def is_fisher_z(kind: str, fisher_z: bool) -> bool:
    """Whether the edges of a measure are Fisher z.

    Parameters
    ----------
    kind : str
        Measure of connectivity.
    fisher_z : bool
        Whether Fisher's z transform was requested.

    Returns
    -------
    bool
        False for ``tangent``.
    """
    return units_of(kind, fisher_z) == FISHER_Z
