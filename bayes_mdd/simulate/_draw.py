"""Random draws of participants, loadings, scores and edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.simulate._design import BLOCKS_PER_FACTOR, Rng


def draw_participants(rng: Rng, settings: Mapping[str, Any]) -> pd.DataFrame:
    groups = [*settings["n_subjects"].items(), (MISSING, settings["n_controls"])]
    arm = np.repeat([name for name, _ in groups], [n for _, n in groups])
    # Sites are assigned within each group, so that site is not confounded with arm.
    site = np.concatenate([rng.permutation(np.arange(n) % settings["sites"]) for _, n in groups])
    n = len(arm)
    participants = pd.DataFrame(
        {
            "diagnosis": np.where(arm == MISSING, CONTROL, "MDD"),
            "arm": arm,
            "site": np.array([f"site{s + 1}" for s in range(settings["sites"])])[site],
            "age": np.clip(np.round(rng.normal(36, 11, n)), 18, 65),
            "sex": np.where(rng.random(n) < 0.6, "F", "M"),
            "mean_fd": np.round(np.exp(rng.normal(-2.0, 0.4, n)), 3),
        }
    )
    # Groups are mixed, so that joining tables by position gives wrong results that tests detect.
    participants = participants.iloc[rng.permutation(n)]
    width = max(3, len(str(n)))
    ids = [f"sub-{i:0{width}d}" for i in range(1, n + 1)]
    return participants.set_index(pd.Index(ids, name="participant_id"))


def make_sharing(settings: Mapping[str, Any]) -> pd.DataFrame:
    arms = list(settings["n_subjects"])
    columns = {f"shared{k + 1}": [1 / len(arms)] * len(arms) for k in range(settings["n_shared"])}
    for arm, n in settings["n_specific"].items():
        columns |= {f"{arm}{k + 1}": [float(a == arm) for a in arms] for k in range(n)}
    return pd.DataFrame(columns, index=arms, dtype=float)


def draw_loadings(
    rng: Rng, block: pd.Series, sharing: pd.DataFrame, settings: Mapping[str, Any]
) -> np.ndarray:
    """Draw loadings (factor, feature) in residual SD."""
    known = list(dict.fromkeys(block))
    scale = settings["loading_scale"]
    loadings = np.zeros((sharing.shape[1], len(block)))
    for k, factor in enumerate(sharing.columns):
        drawn = rng.choice(known, min(BLOCKS_PER_FACTOR, len(known)), replace=False)
        named = [b for b in settings["patterns"].get(factor, ()) if b in known]
        for name in named or drawn:
            at = (block == name).to_numpy()
            mean = rng.normal(0, scale)
            mean = np.copysign(max(abs(mean), 0.7 * scale), mean)
            loadings[k, at] = mean + rng.normal(0, 0.6 * scale, at.sum())
        if (sharing[factor] == 1).any() and len(sharing) > 1:
            loadings[k] *= settings["specific_strength"]
    return loadings


def draw_scores(rng: Rng, participants: pd.DataFrame, sharing: pd.DataFrame) -> pd.DataFrame:
    arm = participants.loc[participants["arm"] != MISSING, "arm"]
    scores = rng.normal(size=(len(arm), sharing.shape[1]))
    scores[sharing.loc[arm].to_numpy() == 0] = 0.0
    return pd.DataFrame(scores, index=arm.index, columns=sharing.columns)


def draw_edges(
    rng: Rng,
    participants: pd.DataFrame,
    edges: pd.DataFrame,
    scores: pd.DataFrame,
    loadings: np.ndarray,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Draw edges (subject, feature) in Fisher z."""
    shape = n, p = len(participants), len(edges)
    inside = (edges["network_a"] == edges["network_b"]).to_numpy()
    base = np.where(inside, 0.45, 0.15) + rng.normal(0, 0.1, p)
    nuisance = np.column_stack(
        [
            (participants["age"] - 36) / 11,
            (participants["sex"] == "F") - 0.6,
            (np.log(participants["mean_fd"]) + 2.0) / 0.4,
        ]
    )
    effects = rng.normal(0, settings["covariate_effect"], (3, p))
    shifts = rng.normal(0, settings["site_shift"], (settings["sites"], p))
    df = settings["noise_df"]
    if df is None:
        noise = rng.normal(size=shape)
    else:
        noise = rng.standard_t(df, shape) * np.sqrt((df - 2) / df)
    site = participants["site"].str.removeprefix("site").astype(int).to_numpy() - 1
    all_scores = scores.reindex(participants.index, fill_value=0.0).to_numpy().reshape(n, -1)
    deviation = all_scores @ loadings + nuisance @ effects + shifts[site] + noise
    y: np.ndarray = base + settings["noise_sd"] * deviation
    return y
