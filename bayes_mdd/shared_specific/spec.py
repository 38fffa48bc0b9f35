"""The spec of a fit of the factor model."""

from __future__ import annotations

from typing import cast

from bayes_mdd.errors import DataContractError
from bayes_mdd.results.result import Result
from bayes_mdd.specs import SharedSpecificSpec

KIND = "shared_specific"


def spec_of(result: Result) -> SharedSpecificSpec:
    """Read the spec of a fit of the factor model.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    SharedSpecificSpec
        Its spec.

    Raises
    ------
    DataContractError
        If the result is of another model.
    """
    if result.kind != KIND:
        raise DataContractError(
            "fitted result", [f"this needs a fit of the model {KIND}, not of {result.kind}."]
        )
    return cast(SharedSpecificSpec, result.spec)
