"""Ratings at all visits of a simulated trial, and who left it when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.simulate._design import Rng
from bayes_mdd.simulate._trial_draw import round_points
from bayes_mdd.types import Array, BoolArray

#: Week of each session; the last one is the endpoint.
WEEKS: Final[Mapping[str, int]] = {
    "ses-baseline": 0,
    "ses-week2": 2,
    "ses-week4": 4,
    "ses-week8": 8,
}
#: Weeks after which most of the improvement is reached, and SD of ratings in between, in points.
_PACE, _VISIT_SD = 3.0, 3.0


def draw_visits(
    rng: Rng, names: list[str], first: Array, last: Array, gone: BoolArray, *, whole: bool
) -> tuple[pd.DataFrame, pd.Series]:
    """Draw ratings between baseline and endpoint.

    Patients who are gone have ratings up to a random visit before the endpoint. Returned are one
    row per patient and session (``value`` is NaN from drop-out on), and the last session of the
    patients who left.
    """
    weeks = np.array([*WEEKS.values()], dtype=float)
    course = (1 - np.exp(-weeks / _PACE)) / (1 - np.exp(-weeks[-1] / _PACE))
    values = first[:, None] + course * (last - first)[:, None]
    values[:, 1:-1] += _VISIT_SD * rng.standard_normal((len(names), len(weeks) - 2))
    if whole:
        values = round_points(values)
    seen = rng.integers(1, len(weeks), size=len(names))
    values[gone[:, None] & (np.arange(len(weeks)) >= seen[:, None])] = np.nan
    sessions = list(WEEKS)
    table = pd.DataFrame(
        {
            "participant_id": np.repeat(names, len(weeks)),
            "session_id": sessions * len(names),
            "week": np.tile(weeks, len(names)),
            "value": values.ravel(),
        }
    )
    left = pd.Series([sessions[s - 1] for s in seen[gone]], index=np.array(names)[gone], dtype=str)
    return table, left
