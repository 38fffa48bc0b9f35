"""Maps over structures with known loadings, and slopes of the outcome, without a fit."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

#: Labels of a volumetric atlas: structures of the findings, and others.
STRUCTURES = (
    "Hippocampus", "Cingulate Gyrus, anterior division", "Insular Cortex", "Middle Frontal Gyrus",
    "Cingulate Gyrus, posterior division", "Middle Temporal Gyrus, anterior division",
    "Amygdala", "Thalamus", "Caudate", "Precentral Gyrus", "Frontal Pole", "Temporal Pole",
    "Putamen", "Lingual Gyrus", "Cuneal Cortex", "Precuneous Cortex", "Angular Gyrus",
    "Heschl's Gyrus", "Parietal Operculum", "Planum Temporale",
)  # fmt: skip
NAMES = tuple(f"{side} {s}" for s in STRUCTURES for side in ("Left", "Right"))


def make_fit(loadings: np.ndarray, *, noise: float = 0.05, names: Sequence[str] = NAMES):
    """A fit with maps of grey matter volume; `loadings` (factor, region)."""
    rng = np.random.default_rng(3)
    draws = loadings + noise * rng.normal(size=(60, *loadings.shape))
    maps = xr.Dataset(
        {
            "mean": (("factor", "feature"), draws.mean(axis=0)),
            "loadings": (
                ("chain", "draw", "factor", "feature"),
                draws.reshape(2, 30, *loadings.shape).astype("float32"),
            ),
        },
        coords={
            "factor": [f"F{k + 1}" for k in range(len(loadings))],
            "feature": list(names),
            "region_name": ("feature", np.array(names)),
            "kind": ("feature", np.full(len(names), "volume")),
            "block": ("feature", np.full(len(names), "all")),
        },
    )
    return xr.DataTree.from_dict({"loadings": maps})


def make_response(
    prognosis: Sequence[float],
    moderation: Sequence[float] | None = None,
    arms: Sequence[str] = ("SSRI", "SNRI"),
    **spec: object,
):
    """What `fit_response` leaves about slopes; lower outcomes are better unless stated."""
    rng = np.random.default_rng(4)
    slopes = [
        np.asarray(prognosis, float),
        np.asarray(moderation or 0 * np.array(prognosis), float),
    ]
    values = {
        name: (("chain", "draw", "factor"), slope + 0.01 * rng.normal(size=(2, 50, slope.size)))
        for name, slope in zip(("prognosis", "moderation"), slopes, strict=True)
    }
    names = [f"F{k + 1}" for k in range(len(slopes[0]))]
    posterior = xr.Dataset(values, coords={"factor": names, "arm": list(arms)})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs["spec"] = json.dumps({"higher_is_better": False} | spec)
    return tree
