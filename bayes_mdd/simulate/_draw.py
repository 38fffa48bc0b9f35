"""Random draws of participants, loadings, scores and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayes_mdd.dims import CONTROL, MISSING
from bayes_mdd.simulate._design import BLOCKS_PER_FACTOR, Rng


@dataclass(frozen=True)
class DrawnEdges:
    """Edges in Fisher z with the parameters they were drawn from, and the series if there are any.

    Parameters
    ----------
    y : ndarray, shape (subject, edge)
        Fisher z.
    loadings : ndarray, shape (factor, edge)
        True loadings in residual SD.
    noise_sd : float
        Residual SD of an edge.
    series : mapping of str to ndarray
        Series (time, region) by subject.
    half_difference : ndarray, shape (subject, edge), optional
        (First half of the scan - second half) / 2.
    pieces : ndarray, shape (subject, piece, pair), optional
        Mean products of the standardised series in pieces of the scan.
    """

    y: np.ndarray
    loadings: np.ndarray
    noise_sd: float
    series: Mapping[str, np.ndarray] = field(default_factory=dict)
    half_difference: np.ndarray | None = None
    pieces: np.ndarray | None = None


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


def nuisance_columns(participants: pd.DataFrame) -> np.ndarray:
    """Age, sex and mean_fd (subject, column), standardised as they were drawn."""
    return np.column_stack(
        [
            (participants["age"] - 36) / 11,
            (participants["sex"] == "F") - 0.6,
            (np.log(participants["mean_fd"]) + 2.0) / 0.4,
        ]
    )


def site_codes(participants: pd.DataFrame) -> np.ndarray:
    """Position of the site of each participant."""
    return participants["site"].str.removeprefix("site").astype(int).to_numpy() - 1


def scores_of_all(participants: pd.DataFrame, scores: pd.DataFrame) -> np.ndarray:
    """Scores (subject, factor) of all participants; those of controls are 0."""
    values = scores.reindex(participants.index, fill_value=0.0).to_numpy()
    return values.reshape(len(participants), -1)


def draw_edges(
    rng: Rng,
    participants: pd.DataFrame,
    edges: pd.DataFrame,
    scores: pd.DataFrame,
    loadings: np.ndarray,
    settings: Mapping[str, Any],
) -> DrawnEdges:
    """Draw edges in Fisher z independently of each other."""
    shape = _, p = len(participants), len(edges)
    inside = (edges["network_a"] == edges["network_b"]).to_numpy()
    base = np.where(inside, 0.45, 0.15) + rng.normal(0, 0.1, p)
    nuisance = nuisance_columns(participants)
    effects = rng.normal(0, settings["covariate_effect"], (3, p))
    shifts = rng.normal(0, settings["site_shift"], (settings["sites"], p))
    df = settings["noise_df"]
    if df is None:
        noise = rng.normal(size=shape)
    else:
        noise = rng.standard_t(df, shape) * np.sqrt((df - 2) / df)
    site = site_codes(participants)
    all_scores = scores_of_all(participants, scores)
    deviation = all_scores @ loadings + nuisance @ effects + shifts[site] + noise
    noise_sd = settings["noise_sd"]
    return DrawnEdges(y=base + noise_sd * deviation, loadings=loadings, noise_sd=noise_sd)
