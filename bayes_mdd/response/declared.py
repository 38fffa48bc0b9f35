"""The spec of a table of outcomes, from what the table declares."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bayes_mdd.errors import SpecError, some
from bayes_mdd.specs.response import ResponseSpec

#: Arguments of `ResponseSpec`, and the attribute of the table that holds them.
_FROM_ATTRS = {
    "outcome": "outcome",
    "baseline": "baseline",
    "default_arm": "default",
    "assignment": "assignment",
    "higher_is_better": "higher_is_better",
}
_NEEDED = ("outcome", "default_arm", "assignment")


def response_spec(outcomes: pd.DataFrame, **changes: Any) -> ResponseSpec:
    """Build the spec of a table of outcomes.

    Outcome, baseline, direction, default drug and assignment are those that the table declares in
    its attributes; everything else has the defaults of `ResponseSpec`.

    Parameters
    ----------
    outcomes : DataFrame
        From `read_outcomes`, or `simulate_trial(...).outcomes`.
    **changes
        Arguments of `ResponseSpec` that replace or add to what the table declares, such as
        ``covariates=("age", "sex")``.

    Returns
    -------
    ResponseSpec
        The spec.

    Raises
    ------
    SpecError
        If the table does not declare what a spec needs, or a value is unknown or out of its range.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> spec = response_spec(bm.simulate_trial(seed=1).outcomes, covariates=("age",))
    >>> spec.outcome, spec.baseline, spec.default_arm, spec.assignment
    ('hamd17', 'hamd17_baseline', 'SSRI', 'randomised')
    """
    known = {
        name: outcomes.attrs[attribute]
        for name, attribute in _FROM_ATTRS.items()
        if outcomes.attrs.get(attribute) is not None
    }
    stated = {**known, **changes}
    if absent := [name for name in _NEEDED if name not in stated]:
        raise SpecError(
            f"The table of outcomes does not declare {some(absent)}. Read it with read_outcomes, "
            f"or pass {', '.join(f'{name}=...' for name in absent)}. (Some operations on a table, "
            "such as a join, drop its attributes.)"
        )
    return ResponseSpec.from_mapping(stated)
