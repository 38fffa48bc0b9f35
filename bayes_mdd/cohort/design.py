"""Check of the design: size of the arms, and confounding of arm with covariates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING, SITE
from bayes_mdd.errors import DataContractError, some

#: Smallest number of subjects from which the factors of an arm can be estimated.
MIN_PER_ARM = 3
#: Smallest share of the variance of a contrast of arms that covariates must leave unexplained.
LEAST_OWN = 1e-3
#: Levels that a message lists.
LISTED = 8


def check_design(
    participants: pd.DataFrame, covariates: Sequence[str] = (), *, min_per_arm: int = MIN_PER_ARM
) -> None:
    """Raise one error if an arm is too small or confounded with a covariate.

    Only subjects with an arm who are not controls count. Confounding of arm with ``site`` is
    checked whenever the table has this column, even if it is not a covariate: arms measured at
    different sites differ by site.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by subject, with a column ``arm`` and the covariates. Text columns are treated as
        categories.
    covariates : sequence of str
        Covariates that the model integrates out.
    min_per_arm : int, default 3
        Smallest number of subjects per arm.

    Raises
    ------
    DataContractError
        If there is no arm, an arm is too small, a covariate is absent or missing for a subject, or
        arm is confounded with the covariates.

    Examples
    --------
    >>> import pandas as pd
    >>> subjects = pd.DataFrame({"arm": ["A", "A", "A", "B", "B", "B"], "site": list("xyxyxy")})
    >>> check_design(subjects, ["site"])
    """
    if ARM not in participants:
        raise DataContractError(
            "design",
            [
                f"participants.tsv has no column '{ARM}'; found {some(participants.columns, 12)}. "
                f"Rename the column that holds the treatment arm to '{ARM}'."
            ],
        )
    subjects = participants[participants[ARM].notna() & (participants[ARM] != MISSING)]
    if DIAGNOSIS in subjects:
        subjects = subjects[subjects[DIAGNOSIS] != CONTROL]
    if subjects.empty:
        raise DataContractError(
            "design",
            [
                f"no patient has an arm ('{ARM}' is {MISSING} for all of them), so there is "
                f"nothing to fit. Fill in '{ARM}' in participants.tsv."
            ],
        )
    problems = _size_problems(subjects[ARM], min_per_arm)
    usable = []
    for name in covariates:
        found = _covariate_problems(subjects, name)
        problems += found
        if not found:
            usable.append(name)
    problems += _confounding_problems(subjects, usable)
    if problems:
        raise DataContractError("design", problems)


def _size_problems(arm: pd.Series, least: int) -> list[str]:
    return [
        f"arm {name!r} has {len(ids)} participant{'' if len(ids) == 1 else 's'} "
        f"({some(ids)}), expected at least {least}: "
        f"exclude the arm (set it to {MISSING}) or add participants."
        for name, ids in arm.groupby(arm, sort=False).groups.items()
        if len(ids) < least
    ]


def _covariate_problems(subjects: pd.DataFrame, name: str) -> list[str]:
    if name not in subjects:
        return [
            f"covariate '{name}' is not a column of participants.tsv; found "
            f"{some(subjects.columns, 12)}."
        ]
    unknown = subjects.index[subjects[name].isna() | (subjects[name] == MISSING)]
    if len(unknown):
        return [
            f"covariate '{name}' is missing for {some(unknown)}: "
            "fill it in, exclude these participants, or drop the covariate."
        ]
    return []


def _confounding_problems(subjects: pd.DataFrame, covariates: list[str]) -> list[str]:
    arms = _columns(subjects, ARM)
    if not arms.shape[1]:
        return []
    singles = list(dict.fromkeys([*covariates, *([SITE] if SITE in subjects else [])]))
    confounded = [name for name in singles if _confounded(subjects, arms, [name])]
    if confounded:
        return [_confounded_with(subjects, name) for name in confounded]
    if len(covariates) > 1 and _confounded(subjects, arms, covariates):
        return [
            f"arm is confounded with the covariates {some(covariates, 12)} taken together: "
            "together they predict the arm exactly. Drop one of them."
        ]
    return []


def _confounded(subjects: pd.DataFrame, arms: np.ndarray, covariates: list[str]) -> bool:
    """Test whether a contrast of arms lies in the span of intercept and covariates, or nearly."""
    ones = np.ones((len(subjects), 1))
    base = np.column_stack([ones, *(_columns(subjects, c) for c in covariates)])
    u, size, _ = np.linalg.svd(base, full_matrices=False)
    basis = u[:, size > size[0] * len(base) * np.finfo(float).eps]
    contrasts = np.linalg.qr(arms - arms.mean(axis=0))[0]
    left = contrasts - basis @ (basis.T @ contrasts)
    smallest = np.linalg.svd(left, compute_uv=False)[-1]
    return bool(smallest**2 < LEAST_OWN)


def _confounded_with(subjects: pd.DataFrame, name: str) -> str:
    if pd.api.types.is_numeric_dtype(subjects[name]):
        detail = "its values predict the arm (almost) exactly"
    else:
        counts = pd.crosstab(subjects[name], subjects[ARM])
        levels = [
            f"{level}: " + ", ".join(f"{n} {arm}" for arm, n in row.items() if n)
            for level, row in counts.iterrows()
        ]
        more = f"; and {len(levels) - LISTED} more" if len(levels) > LISTED else ""
        detail = "; ".join(levels[:LISTED]) + more
    return (
        f"arm is confounded with {name} ({detail}): their effects cannot be separated. "
        f"Each arm needs participants who share a {name} with another arm."
    )


def _columns(subjects: pd.DataFrame, name: str) -> np.ndarray:
    """Design columns of one variable, without intercept, scaled for a reliable rank."""
    values = subjects[name]
    if name != ARM and pd.api.types.is_numeric_dtype(values):
        spread = float(values.std()) or 1.0
        return ((values - values.mean()) / spread).to_numpy(dtype=float)[:, None]
    return pd.get_dummies(values.astype(str), drop_first=True, dtype=float).to_numpy()
