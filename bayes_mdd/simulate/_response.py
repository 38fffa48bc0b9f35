"""Outcomes after treatment: a crossover of two drugs on one factor, and a twin without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayes_mdd.simulate._design import DIMENSIONS, HAMD17, MODERATOR, PROGNOSTIC, SESSIONS, Rng
from bayes_mdd.types import Array, IntArray

#: Mean total after treatment, its slope on the total before, its slope on the prognostic factor,
#: and its SD given all of these, in points.
MEAN, BASELINE_SLOPE, PROGNOSIS, NOISE_SD = 13.0, 0.4, 2.0, 5.0
#: Mean total before treatment, in points.
BASELINE: Final = 24.0
#: Thresholds of the latent severity of an item, by its highest score.
CUTS: Final[Mapping[int, Array]] = {
    4: np.array([-1.6, -0.6, 0.5, 1.5]),
    2: np.array([-0.8, 0.6]),
}
HIGHEST: Final = sum(highest for _, highest, _ in HAMD17.values())
REASONS: Final = ("withdrew", "lost", "adverse_event", "lack_of_efficacy", "administrative")
#: Name of the table without a planted effect.
NULL_TWIN: Final = "hamd17_null"


@dataclass(frozen=True)
class DrawnResponse:
    """Totals after treatment and their truth, in points.

    Parameters
    ----------
    total, null : ndarray, shape (subject,)
        Total of the HAMD-17, and of its twin: the same patients, arms and noise, no benefit.
    truth : DataFrame
        By patient: ``benefit`` of the second drug (above 0: fewer points on it) and the expected
        outcome on each drug.
    slopes : DataFrame
        By factor: ``moderation``, slope of (outcome on the second drug minus on the first), and
        ``prognosis``, slope on either drug, in points per SD.
    """

    total: IntArray
    null: IntArray
    truth: pd.DataFrame
    slopes: pd.DataFrame


def draw_response(
    noise: Array, before: Array, scores: pd.DataFrame, arm: pd.Series, settings: Mapping[str, Any]
) -> DrawnResponse:
    """Plant prognosis in both drugs and a crossover of two drugs.

    `noise` has SD 1; `before` are totals before treatment, `arm` the drug of each patient.
    """
    arms = list(settings["n_subjects"])
    slopes = pd.DataFrame(0.0, index=scores.columns, columns=["moderation", "prognosis"])
    if PROGNOSTIC in slopes.index:
        slopes.loc[PROGNOSTIC, "prognosis"] = PROGNOSIS
    if MODERATOR in slopes.index and len(arms) == 2:
        slopes.loc[MODERATOR, "moderation"] = -settings["benefit_sd"]
    eta = scores.to_numpy()
    difference = eta @ slopes["moderation"].to_numpy()
    common = MEAN + BASELINE_SLOPE * (before - BASELINE) + eta @ slopes["prognosis"].to_numpy()
    side = (arm == arms[-1]).to_numpy() - 0.5
    truth = pd.DataFrame({"benefit": -difference}, index=scores.index)
    for k, name in enumerate(arms):
        own = k - 0.5 if len(arms) == 2 else 0.0
        truth[f"expected_{name}"] = common + own * difference
    without = common + NOISE_SD * noise
    return DrawnResponse(_whole(without + side * difference), _whole(without), truth, slopes)


def items_of_total(severity: pd.DataFrame, total: IntArray) -> pd.DataFrame:
    """Score items so that they sum to a total: one shift of all severities of a patient."""
    steps = [
        (item, cut + shift) for item, (_, highest, shift) in HAMD17.items() for cut in CUTS[highest]
    ]
    distance = np.column_stack([at - severity[f"hamd17_{item}"].to_numpy() for item, at in steps])
    reached = distance.argsort(axis=1).argsort(axis=1) < total[:, None]
    columns = {
        name: reached[:, [f"hamd17_{item}" == name for item, _ in steps]].sum(axis=1)
        for name in severity
    }
    return pd.DataFrame(columns, index=severity.index).astype("Int64")


def choose_leavers(rng: Rng, incomplete: pd.Series, dropout: float) -> pd.Series:
    """Draw who has no rating after treatment, with the reason; the others are ``""``.

    All whose first rating is `incomplete` leave, and others until the share `dropout` is reached.
    """
    order = rng.permutation(len(incomplete))
    order = order[np.argsort(~incomplete.to_numpy()[order], kind="stable")]
    n = max(int(incomplete.sum()), round(dropout * len(incomplete)))
    reason = np.full(len(incomplete), "", dtype=object)
    reason[order[:n]] = np.array(REASONS, dtype=object)[rng.integers(len(REASONS), size=n)]
    return pd.Series(reason, index=incomplete.index)


def null_totals(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """Arrange the totals of the twin as one row per patient and session."""
    tables = [
        pd.DataFrame({"session_id": session, f"{NULL_TWIN}_total": values})
        for session, values in zip(SESSIONS, (before, after), strict=True)
    ]
    both = pd.concat(tables).sort_index(kind="stable")
    return both.rename_axis("participant_id").reset_index()


def left_table(reason: pd.Series) -> pd.DataFrame:
    """Arrange the reasons of those who left as ``phenotype/disposition.tsv``."""
    left = reason[reason != ""]
    table = pd.DataFrame({"last_session": SESSIONS[0], "reason": left})
    return table.rename_axis("participant_id").reset_index()


def total_of(items: pd.DataFrame) -> pd.Series:
    """Sum all items; missing where one is."""
    numbers = DIMENSIONS["hamd17_total"][0]
    return items[[f"hamd17_{i}" for i in numbers]].sum(axis=1, skipna=False)


def _whole(total: Array) -> IntArray:
    return np.clip(np.round(total), 0, HIGHEST).astype(np.int64)
