"""The section of a report on the quality of the features."""

from __future__ import annotations

from typing import Any

from bayes_mdd.features import Quality
from bayes_mdd.results.figures.quality import plot_quality
from bayes_mdd.results.page import check_row, embed, format_number
from bayes_mdd.results.result import Result


def gather_quality(result: Result, quality: Quality | None) -> dict[str, Any] | None:
    """Gather what the section on the quality of the features shows.

    Parameters
    ----------
    result : Result
        A fit; the quality may have been recorded with its features.
    quality : Quality, optional
        What `check_quality` returned.

    Returns
    -------
    dict or None
        Checks, motion and pictures; None where nothing is known.
    """
    if quality is None:
        facts = result.features.get("quality")
        if not isinstance(facts, dict) or not facts.get("checks"):
            return None
        quality = Quality.from_facts(facts)
    pictures = []
    if quality.subjects[["motion", "largest_z"]].notna().any(axis=None):
        alt = (
            "motion and outliers of every participant, and the correlation of features with motion"
        )
        pictures.append(embed(plot_quality(quality), "Quality", alt))
    return {
        "checks": [check_row(row) for _, row in quality.checks.iterrows()],
        "columns": [str(c) for c in quality.motion.columns],
        "motion": [
            [format_number(v) for v in row] for row in quality.motion.to_numpy(dtype=object)
        ],
        "pictures": pictures,
    }
