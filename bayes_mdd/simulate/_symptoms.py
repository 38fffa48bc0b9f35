"""Random draws of HAMD-17 items, and their dimension scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.simulate._design import DEMO_LINKS, DIMENSIONS, HAMD17, SECTIONS, SESSIONS, Rng
from bayes_mdd.simulate._response import (
    CUTS,
    DrawnResponse,
    choose_leavers,
    draw_response,
    items_of_total,
    left_table,
    null_totals,
    total_of,
)


@dataclass(frozen=True)
class DrawnRatings:
    """Ratings of patients before and after treatment.

    Parameters
    ----------
    items : DataFrame
        HAMD-17 items, one row per subject and session.
    weights : DataFrame
        Weight of each factor in the latent severity of each section.
    null : DataFrame
        Totals of the twin in which nothing is planted, laid out like `items`.
    left : DataFrame
        Who has no second rating, and why.
    response : DrawnResponse
        Outcomes and their truth.
    """

    items: pd.DataFrame
    weights: pd.DataFrame
    null: pd.DataFrame
    left: pd.DataFrame
    response: DrawnResponse


def draw_ratings(
    rng: Rng, scores: pd.DataFrame, arm: pd.Series, settings: Mapping[str, Any]
) -> DrawnRatings:
    """Draw HAMD-17 items of both sessions."""
    n = len(scores)
    weights = pd.DataFrame(0.0, index=scores.columns, columns=list(SECTIONS))
    for symptom, factor in DEMO_LINKS.items():
        if factor in weights.index:
            weights.loc[factor, symptom] = settings["symptom_weight"]
    unique = 0.4 * rng.normal(size=(n, 1)) + np.sqrt(1 - 0.4**2) * rng.normal(
        size=(n, len(SECTIONS))
    )
    before = scores.to_numpy() @ weights.to_numpy()
    before = before + np.sqrt(1 - (weights**2).sum().to_numpy()) * unique
    noise = rng.normal(size=n)
    after = 0.6 * before + 0.6 * rng.normal(size=before.shape)
    rng.random(n)  # keeps the ratings before treatment as they were in earlier versions
    first = _score(_severity(rng, before, scores.index))
    complete = total_of(first).to_numpy(dtype=float)
    for section in SECTIONS:
        skipped = rng.random(n) < settings["missing_symptoms"]
        first.loc[skipped, [f"hamd17_{i}" for i in DIMENSIONS[section][0]]] = pd.NA
    response = draw_response(noise, complete, scores, arm, settings)
    second = items_of_total(_severity(rng, after, scores.index), response.total)
    known = dimension_scores(first)["hamd17_total"]
    reason = choose_leavers(rng, known.isna(), settings["dropout"])
    second.loc[reason != ""] = pd.NA
    for table, session in ((first, SESSIONS[0]), (second, SESSIONS[1])):
        table.insert(0, "session_id", session)
    both = pd.concat([first, second]).sort_index(kind="stable")
    return DrawnRatings(
        items=both.rename_axis("participant_id").reset_index(),
        weights=weights,
        null=null_totals(known, pd.Series(response.null, scores.index).where(reason == "")),
        left=left_table(reason),
        response=response,
    )


def _severity(rng: Rng, latent: np.ndarray, subjects: pd.Index) -> pd.DataFrame:
    """Latent severity of each item, from that of its section."""
    section = {str(i): k for k, name in enumerate(SECTIONS) for i in DIMENSIONS[name][0]}
    columns = {
        f"hamd17_{item}": 0.85 * latent[:, section[item]] + 0.53 * rng.normal(size=len(latent))
        for item in HAMD17
    }
    return pd.DataFrame(columns, index=subjects)


def _score(severity: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for item, (_, highest, shift) in HAMD17.items():
        name = f"hamd17_{item}"
        columns[name] = (severity[name].to_numpy()[:, None] > CUTS[highest] + shift).sum(axis=1)
    return pd.DataFrame(columns, index=severity.index).astype("Int64")


def dimension_scores(items: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, (numbers, max_missing) in DIMENSIONS.items():
        values = items[[f"hamd17_{i}" for i in numbers]].astype("Float64")
        known = values.notna().sum(axis=1)
        enough = known >= max(1, len(numbers) - max_missing)
        columns[name] = (values.mean(axis=1) * len(numbers)).where(enough)
    return pd.DataFrame(columns, index=items.index).astype(float)
