"""Feature set and truth of a simulated cohort as datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FEATURE, PAIR, PIECE, SUBJECT
from bayes_mdd.simulate._draw import DrawnEdges
from bayes_mdd.simulate._response import DrawnResponse


def feature_set(
    drawn: DrawnEdges,
    participants: pd.DataFrame,
    regions: pd.DataFrame,
    edges: pd.DataFrame,
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Build the feature set; series add half differences and pieces."""

    def text(values: pd.Series | pd.Index) -> np.ndarray:
        return values.to_numpy(dtype=str) if len(values) else np.array([], dtype=str)

    coords: dict[str, Any] = {"subject": text(participants.index), "feature": text(edges.index)}
    for name, column in participants.items():
        number = pd.api.types.is_numeric_dtype(column)
        coords[str(name)] = ("subject", column.to_numpy(float) if number else text(column))
    coords |= {str(name): ("feature", text(column)) for name, column in edges.items()}
    coords["kind"] = ("feature", np.full(len(edges), "functional_connectivity"))
    coords["region"] = text(regions["region"])
    coords["region_network"] = ("region", text(regions["network"]))
    coords |= {f"region_{c}": ("region", regions[c].to_numpy(float)) for c in "xyz"}
    coords["region_hemisphere"] = ("region", text(regions["hemisphere"]))
    coords["region_label"] = ("region", regions["label"].to_numpy(int))
    provenance = {"source": "bayes_mdd.simulate", "estimator": "empirical", "settings": settings}
    attrs = {"units": "fisher_z", "reference": "none", "provenance": json.dumps(provenance)}
    variables: dict[str, Any] = {"y": ((SUBJECT, FEATURE), drawn.y)}
    if drawn.half_difference is not None and drawn.pieces is not None:
        attrs["measure"] = "correlation"
        variables["half_difference"] = ((SUBJECT, FEATURE), drawn.half_difference)
        variables["pieces"] = ((SUBJECT, PIECE, PAIR), drawn.pieces)
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def true_parameters(
    scores: pd.DataFrame,
    sharing: pd.DataFrame,
    drawn: DrawnEdges,
    weights: pd.DataFrame,
    edges: pd.DataFrame,
    response: DrawnResponse,
) -> xr.Dataset:
    """Build the dataset of the true parameters."""
    expected = response.truth.drop(columns="benefit").to_numpy(dtype=float)
    return xr.Dataset(
        {
            "scores": (("subject", "factor"), scores.to_numpy()),
            "sharing": (("arm", "factor"), sharing.to_numpy()),
            "loadings": (("factor", "feature"), drawn.loadings),
            "symptom_weight": (("factor", "symptom"), weights.to_numpy()),
            "noise_sd": drawn.noise_sd,
            "benefit": ("subject", response.truth["benefit"].to_numpy(dtype=float)),
            "expected": (("subject", "arm"), expected),
            "moderation": ("factor", response.slopes["moderation"].to_numpy(dtype=float)),
            "prognosis": ("factor", response.slopes["prognosis"].to_numpy(dtype=float)),
        },
        coords={
            "subject": scores.index.to_numpy(dtype=str),
            "factor": np.array(list(scores.columns), dtype=str),
            "arm": np.array(list(sharing.index), dtype=str),
            "feature": edges.index.to_numpy(dtype=str),
            "block": ("feature", edges["block"].to_numpy(dtype=str)),
            "symptom": np.array(list(weights.columns), dtype=str),
        },
    )
