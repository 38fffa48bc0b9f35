"""The quality of the features: checks of the data of a fit, and a section of the report."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from bayes_mdd.features import Quality
from bayes_mdd.features.adjust.quality_checks import FOLLOW_MOTION
from bayes_mdd.results.checks import Check, tabulate_checks
from bayes_mdd.results.figures.quality import plot_quality
from bayes_mdd.results.page import Column, Table, check_row, embed, format_number
from bayes_mdd.results.result import Result
from bayes_mdd.specs.column_names import is_motion_name

_MOTION_HEADS: Final = {
    "people": "n",
    "known": "with motion",
    "sd": "SD",
    "above": "above the limit",
}
#: Added to the correlation of features with motion where the model has a covariate of motion.
ACCOUNTED: Final = (
    "{covariate} is a covariate of the model, which removes its linear effect in the fit: the "
    "correlations before the fit are not a failure."
)


def read_quality(result: Result) -> Quality | None:
    """Read the quality that was recorded with the features of a fit.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    Quality or None
        None where nothing was recorded.
    """
    facts = result.features.get("quality")
    if not isinstance(facts, dict) or not facts.get("checks"):
        return None
    return Quality.from_facts(facts)


def judge_data(result: Result, quality: Quality | None = None) -> list[Check]:
    """Judge the data of a fit: rows of the one table of checks.

    Parameters
    ----------
    result : Result
        A fit; the quality may have been recorded with its features.
    quality : Quality, optional
        What `check_quality` returned.

    Returns
    -------
    list of Check
        The checks of the quality. Features that correlate with motion are not judged where motion
        is a covariate of the model. Empty where nothing is known.
    """
    quality = read_quality(result) if quality is None else quality
    if quality is None:
        return []
    motion = [c for c in map(str, getattr(result.spec, "covariates", ())) if is_motion_name(c)]
    return [_judge(row, motion) for _, row in quality.checks.iterrows()]


def _judge(row: pd.Series[Any], motion: list[str]) -> Check:
    passed = None if row["passed"] is None or pd.isna(row["passed"]) else bool(row["passed"])
    advice = "" if row["advice"] is None or pd.isna(row["advice"]) else str(row["advice"])
    if row["name"] == FOLLOW_MOTION and passed is False and motion:
        passed, advice = None, ACCOUNTED.format(covariate=motion[0])
    value = float("nan") if row["value"] is None else float(row["value"])
    return Check(str(row["name"]), value, f"<= {row['threshold']:g}", passed, advice)


def gather_quality(
    result: Result, quality: Quality | None, *, points: bool = False
) -> dict[str, Any] | None:
    """Gather what the section on the quality of the features shows.

    Parameters
    ----------
    result : Result
        A fit; the quality may have been recorded with its features.
    quality : Quality, optional
        What `check_quality` returned.
    points : bool, default False
        Whether values of single participants are shown: one mark each, and the largest motion.

    Returns
    -------
    dict or None
        Checks as `judge_data` judges them, motion and pictures; None where nothing is known.
    """
    checks = judge_data(result, quality)
    quality = read_quality(result) if quality is None else quality
    if quality is None:
        return None
    pictures = []
    if quality.subjects[["motion", "largest_z"]].notna().any(axis=None):
        of = "every participant" if points else "each group"
        alt = f"motion and largest values of {of}, and the correlation of features with motion"
        figure = plot_quality(quality, participants=points)
        pictures.append(embed(figure, "Quality of the features", alt))
    return {
        "checks": [check_row(row) for _, row in tabulate_checks(checks).iterrows()],
        "motion_table": _tabulate_motion(quality.motion, points=points),
        "pictures": pictures,
    }


def _tabulate_motion(motion: pd.DataFrame, *, points: bool) -> Table:
    """Write motion by group; the largest value is that of one participant."""
    shown = motion if points else motion.drop(columns="max", errors="ignore")
    heads = [_MOTION_HEADS.get(str(c), str(c)) for c in shown.columns]
    columns = [Column(head, numeric=i > 0) for i, head in enumerate(heads)]
    rows = [[format_number(v) for v in row] for row in shown.to_numpy(dtype=object)]
    return Table("motion", "Head motion (mm) by group", columns, rows)
