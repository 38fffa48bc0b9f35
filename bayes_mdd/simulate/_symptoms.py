"""Random draws of HAMD-17 items, and their dimension scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.simulate._design import DEMO_LINKS, DIMENSIONS, HAMD17, SECTIONS, SESSIONS, Rng


def draw_items(
    rng: Rng, scores: pd.DataFrame, settings: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw HAMD-17 items of both sessions, and return the latent weights (factor, symptom)."""
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
    improvement = rng.normal(1.4, 0.6, (n, 1))
    after = 0.6 * before + 0.6 * rng.normal(size=before.shape) - improvement
    completed = rng.random(n) >= settings["dropout"]
    tables = []
    for session, latent in zip(SESSIONS, (before, after), strict=True):
        table = _threshold(rng, pd.DataFrame(latent, index=scores.index, columns=SECTIONS))
        for section in SECTIONS:
            skipped = rng.random(n) < settings["missing_symptoms"]
            table.loc[skipped, [f"hamd17_{i}" for i in DIMENSIONS[section][0]]] = pd.NA
        if session == SESSIONS[1]:
            table.loc[~completed] = pd.NA
        table.insert(0, "session_id", session)
        tables.append(table)
    both = pd.concat(tables).sort_index(kind="stable")
    return both.rename_axis("participant_id").reset_index(), weights


def _threshold(rng: Rng, latent: pd.DataFrame) -> pd.DataFrame:
    section = {str(i): name for name in SECTIONS for i in DIMENSIONS[name][0]}
    cuts = {4: np.array([-1.6, -0.6, 0.5, 1.5]), 2: np.array([-0.8, 0.6])}
    columns = {}
    for item, (_, highest, shift) in HAMD17.items():
        severity = 0.85 * latent[section[item]].to_numpy() + 0.53 * rng.normal(size=len(latent))
        columns[f"hamd17_{item}"] = (severity[:, None] > cuts[highest] + shift).sum(axis=1)
    return pd.DataFrame(columns, index=latent.index).astype("Int64")


def dimension_scores(items: pd.DataFrame) -> pd.DataFrame:
    columns = {}
    for name, (numbers, max_missing) in DIMENSIONS.items():
        values = items[[f"hamd17_{i}" for i in numbers]].astype("Float64")
        known = values.notna().sum(axis=1)
        enough = known >= max(1, len(numbers) - max_missing)
        columns[name] = (values.mean(axis=1) * len(numbers)).where(enough)
    return pd.DataFrame(columns, index=items.index).astype(float)
