"""Cohorts at the edge of what the model can take, with known factors and independent errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.features.blocks import region_coordinates, regional_coordinates

TWO_ARMS = {"A": 20, "B": 20}


@dataclass(frozen=True, eq=False)
class Planted:
    """A feature set, symptoms of the patients, and their true scores.

    `owner` names the arm of each factor, None for shared ones.
    """

    features: xr.Dataset
    symptoms: pd.DataFrame
    scores: np.ndarray
    owner: tuple[str | None, ...]


def plant(
    seed: int = 0,
    *,
    arms: Mapping[str, int] = TWO_ARMS,
    p: int = 300,
    blocks: int = 6,
    shared: int = 1,
    specific: Mapping[str, int] | None = None,
    strength: float = 0.8,
    controls: int = 0,
    df: float | None = None,
) -> Planted:
    """Draw regional features with independent errors of SD 1.

    `strength` is the SD of loadings in the blocks that carry a factor. `df`: heavy tails. The
    scores of a specific factor are 0 in other arms, and its variance is the number of arms.
    """
    rng = np.random.default_rng([77, seed])
    arm = np.repeat(list(arms), list(arms.values()))
    owner = (*[None] * shared, *(a for a, m in (specific or {}).items() for _ in range(m)))
    n, k = arm.size, len(owner)
    scores = rng.standard_normal((n, k))
    for j, own in enumerate(owner):
        if own is not None:
            scores[:, j] *= np.sqrt(len(arms)) * (arm == own)
    block = np.arange(p) * blocks // p
    on = rng.random((blocks, k)) < max(0.4, 1 / blocks)
    for j in range(k):
        on[rng.integers(blocks), j] = True
    loadings = strength * rng.standard_normal((p, k)) * on[block]
    size = (n + controls, p)
    y = rng.standard_normal(size) if df is None else rng.standard_t(df, size)
    y[:n] += scores @ loadings.T
    ids = [f"sub-{i + 1:03d}" for i in range(n + controls)]
    regions = pd.DataFrame(
        {"region": [f"r{i + 1}" for i in range(p)], "network": [f"N{b + 1}" for b in block]}
    ).assign(**dict(zip("xyz", rng.uniform(-60, 60, (3, p)), strict=True)))
    features = xr.Dataset(
        {"y": (("subject", "feature"), y)},
        {
            "subject": np.array(ids),
            "arm": ("subject", np.concatenate([arm, np.full(controls, "n/a")]).astype(str)),
            "diagnosis": ("subject", np.array(["MDD"] * n + ["HC"] * controls)),
            **regional_coordinates(regions, np.arange(p), kind="reho"),
            **region_coordinates(regions),
        },
        {"units": "z", "reference": "z against 30 controls", "reference_group": "controls"},
    )
    linked = 0.7 * scores[:, 0] if k else np.zeros(n)
    symptoms = pd.DataFrame(
        {"anhedonia": linked + 0.7 * rng.standard_normal(n)},
        index=pd.Index(ids[:n], name="participant_id"),
    )
    return Planted(features, symptoms, scores, owner)


def with_values(features: xr.Dataset, values: np.ndarray) -> xr.Dataset:
    """The same feature set with other values."""
    return features.assign(y=(("subject", "feature"), values))


def fit_fast(
    made: Planted, n_factors: int = 3, method: str = "fast", **settings: object
) -> xr.DataTree:
    """A fit without symptoms, by default a fast one; `settings` of the model."""
    spec = bm.SharedSpecificSpec(n_factors=n_factors, **settings)
    return bm.fit(spec, made.features, method=method, progressbar=False)


def found_scores(idata: xr.DataTree, made: Planted) -> np.ndarray:
    """Largest absolute correlation of each true factor with the scores of a factor of a fit."""
    mean = idata["posterior"]["scores"].mean(("chain", "draw")).transpose("subject", "factor")
    ids = made.symptoms.index.get_indexer(mean["subject"].values.astype(str))
    true = made.scores[ids[ids >= 0]]
    each = np.corrcoef(true.T, mean.values[ids >= 0].T)[: true.shape[1], true.shape[1] :]
    return np.abs(each).max(axis=1)
