"""Whether the arms can be told apart from the covariates of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, some

#: A factor of an arm cannot be estimated from fewer people.
MIN_PER_ARM = 3


def check_design(
    participants: pd.DataFrame, covariates: Sequence[str] = (), *, min_per_arm: int = MIN_PER_ARM
) -> None:
    """Raise one error if an arm is too small or cannot be told apart from a covariate.

    Only people with an arm who are not controls count. `site` is looked at whenever the table has
    it, named as covariate or not: arms that were measured at different sites differ by site.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by person, with a column ``arm`` and the covariates. Text columns are categories.
    covariates : sequence of str
        Columns the model integrates out.
    min_per_arm : int, default 3
        Smallest number of people of an arm.

    Raises
    ------
    DataContractError
        If there is no arm, an arm is too small, a covariate is absent or not known for somebody, or
        an arm is confounded with the covariates.

    Examples
    --------
    >>> import pandas as pd
    >>> people = pd.DataFrame({"arm": ["A", "A", "A", "B", "B", "B"], "site": list("xyxyxy")})
    >>> check_design(people, ["site"])
    """
    if ARM not in participants:
        raise DataContractError("design", [f"column '{ARM}' is missing: who belongs to which arm?"])
    people = participants[participants[ARM].notna() & (participants[ARM] != MISSING)]
    if DIAGNOSIS in people:
        people = people[people[DIAGNOSIS] != CONTROL]
    if people.empty:
        raise DataContractError(
            "design",
            [f"nobody has an arm ('{ARM}' is {MISSING} for all patients): nothing to fit."],
        )
    problems = _size_problems(people[ARM], min_per_arm)
    usable = []
    for name in covariates:
        found = _covariate_problems(people, name)
        problems += found
        usable += [] if found else [name]
    problems += _confounding_problems(people, usable)
    if problems:
        raise DataContractError("design", problems)


def _size_problems(arm: pd.Series, least: int) -> list[str]:
    return [
        f"arm {name!r} has {len(ids)} {'person' if len(ids) == 1 else 'people'} "
        f"({some(ids)}), expected at least {least}: "
        f"leave the arm out (arm {MISSING}) or add people."
        for name, ids in arm.groupby(arm, sort=False).groups.items()
        if len(ids) < least
    ]


def _covariate_problems(people: pd.DataFrame, name: str) -> list[str]:
    if name not in people:
        return [f"covariate '{name}' is not a column; known are {some(people.columns, 12)}."]
    unknown = people.index[people[name].isna() | (people[name] == MISSING)]
    if len(unknown):
        return [
            f"covariate '{name}' is not known for {some(unknown)}: "
            "fill it in, leave these people out, or drop the covariate."
        ]
    return []


def _confounding_problems(people: pd.DataFrame, covariates: list[str]) -> list[str]:
    arms = _columns(people, ARM)
    if not arms.shape[1]:
        return []
    singles = list(dict.fromkeys([*covariates, *([SITE] if SITE in people else [])]))
    alone = [name for name in singles if _confounded(people, arms, [name])]
    if alone:
        return [_confounded_with(people, name) for name in alone]
    if len(covariates) > 1 and _confounded(people, arms, covariates):
        return [
            f"arm is confounded with the covariates {some(covariates, 12)} taken together: "
            "they predict the arm exactly; drop one of them."
        ]
    return []


def _confounded(people: pd.DataFrame, arms: np.ndarray, covariates: list[str]) -> bool:
    """Whether some contrast of arms lies in the span of intercept and covariates."""
    base = np.column_stack([np.ones(len(people)), *(_columns(people, c) for c in covariates)])
    both = np.column_stack([base, arms])
    added = np.linalg.matrix_rank(both) - np.linalg.matrix_rank(base)
    return bool(added < arms.shape[1])


def _confounded_with(people: pd.DataFrame, name: str) -> str:
    if pd.api.types.is_numeric_dtype(people[name]):
        detail = "its values predict the arm exactly"
    else:
        counts = pd.crosstab(people[name], people[ARM])
        detail = "; ".join(
            f"{level}: " + ", ".join(f"{n} {arm}" for arm, n in row.items() if n)
            for level, row in counts.iterrows()
        )
    return (
        f"arm is confounded with {name} ({detail}): their effects cannot be told apart. "
        f"Each arm needs people that share a {name} with another arm."
    )


def _columns(people: pd.DataFrame, name: str) -> np.ndarray:
    """Design columns of one variable without intercept, scaled so that ranks are well judged."""
    values = people[name]
    if name != ARM and pd.api.types.is_numeric_dtype(values):
        spread = float(values.std()) or 1.0
        return ((values - values.mean()) / spread).to_numpy(dtype=float)[:, None]
    return pd.get_dummies(values.astype(str), drop_first=True, dtype=float).to_numpy()
