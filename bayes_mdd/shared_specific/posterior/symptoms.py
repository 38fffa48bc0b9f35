"""What a result says of symptoms: axes, units, predictions and ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.dims import ARM, CHAIN, DIMENSION, DRAW, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.graph.symptoms import CUTPOINT, ITEM, ITEM_COVARIATE, symptom_coords

#: Axes of the raw draws, the factor last where there is one.
SYMPTOM_DIMS = {
    "symptom_weight": (SYMPTOM, FACTOR),
    "symptom_weight_by_arm": (ARM, SYMPTOM, FACTOR),
    "symptom_noise": (SYMPTOM,),
    "symptom_cutpoint": (CUTPOINT,),
    "symptom_covariate": (ITEM, ITEM_COVARIATE),
}
#: Those without a factor, and those that change sign with it.
SYMPTOM_PLAIN = ("symptom_noise", "symptom_cutpoint", "symptom_covariate")
SYMPTOM_SIGNED = ("symptom_weight", "symptom_weight_by_arm")
#: Unit of a weight by kind of symptom, per SD that the model gives a factor's scores over all arms.
UNITS = {
    "gaussian": "SD of the symptom per SD of the factor's score",
    "ordinal": "log-odds of a higher rating per SD of the factor's score",
}


def result_coords(data: ModelData) -> dict[str, Any]:
    """Coordinates of a result that concern symptoms.

    Parameters
    ----------
    data : ModelData
        The fitted data.

    Returns
    -------
    dict
        By name; ``symptom_kind`` and ``symptom_unit`` lie on ``symptom``. Empty without symptoms.
    """
    names = symptom_coords(data)
    coords: dict[str, Any] = {
        axis: np.array(names[axis], dtype=object)
        for axis in (SYMPTOM, CUTPOINT, ITEM, ITEM_COVARIATE)
        if axis in names
    }
    if names:
        kinds = ["gaussian"] * len(data.symptoms) + ["ordinal"] * len(data.items)
        coords["symptom_kind"] = ((SYMPTOM,), np.array(kinds, dtype=object))
        units = np.array([UNITS[k] for k in kinds], dtype=object)
        coords["symptom_unit"] = ((SYMPTOM,), units)
    return coords


def described_weights(posterior: xr.Dataset) -> xr.Dataset:
    """Put the axes of weights in the promised order and say what they mean.

    Parameters
    ----------
    posterior : Dataset
        Aligned draws; not changed.

    Returns
    -------
    Dataset
        With ``symptom_weight`` (chain, draw, factor, symptom) and, where links differ by arm,
        ``symptom_weight_by_arm`` (chain, draw, arm, factor, symptom).
    """
    said = {
        "symptom_weight": "weight of each factor in each symptom",
        "symptom_weight_by_arm": "the same within each arm; where a factor has no variance in an "
        "arm, nothing but the prior speaks of it there",
    }
    found = posterior.copy()
    if "symptom_weight_by_arm" in found:
        said["symptom_weight"] += ", average over arms"
    for name, text in said.items():
        if name in found:
            found[name] = found[name].transpose(CHAIN, DRAW, ..., FACTOR, SYMPTOM)
            found[name].attrs.update(
                long_name=text,
                units="see symptom_unit",
                **{f"units_{k}": u for k, u in UNITS.items()},
            )
    return found


def symptom_invariants(posterior: xr.Dataset, data: ModelData) -> dict[str, xr.DataArray]:
    """Quantities of the link that no order, sign or rotation of factors changes.

    Parameters
    ----------
    posterior : Dataset
        Aligned draws.
    data : ModelData
        The fitted data.

    Returns
    -------
    dict of str to DataArray
        ``symptom_spread``, SD over people of what the factors predict, and ``symptom_noise`` of
        the Gaussian dimensions. Empty without symptoms.
    """
    if "symptom_weight" not in posterior:
        return {}
    scores = posterior["scores"]
    if "symptom_weight_by_arm" in posterior:
        weight = posterior["symptom_weight_by_arm"]
        # Arm by arm: a weight for each person and draw would be the largest array of the run.
        parts = [
            xr.dot(
                scores.isel({SUBJECT: data.arm == a}), weight.isel({ARM: a}, drop=True), dim=FACTOR
            )
            for a in range(weight.sizes[ARM])
        ]
        predicted = xr.concat(parts, dim=SUBJECT)
    else:
        predicted = xr.dot(scores, posterior["symptom_weight"], dim=FACTOR)
    found = {"symptom_spread": predicted.std(SUBJECT)}
    if data.symptoms:
        noise = posterior["symptom_noise"].isel({SYMPTOM: slice(len(data.symptoms))})
        found["symptom_noise"] = noise.drop_vars(
            [SYMPTOM, "symptom_kind", "symptom_unit"], errors="ignore"
        ).rename({SYMPTOM: "dimension"})
    return found


def observed_ratings(data: ModelData) -> dict[str, tuple[Any, ...]]:
    """Ratings as they were fitted, one entry a person.

    Parameters
    ----------
    data : ModelData
        The fitted data.

    Returns
    -------
    dict of str to tuple
        Variables by name, ``symptom_<name>``; NaN where not rated.
    """
    found: dict[str, tuple[Any, ...]] = {}
    if data.symptoms:
        found["symptoms"] = (
            (SUBJECT, DIMENSION),
            np.stack([_spread(data, s.rated, s.score) for s in data.symptoms], axis=1),
            {"long_name": "scores of dimensions as they came; NaN where not rated"},
        )
    for s in data.symptoms:
        found[f"symptom_{s.name}"] = (
            (SUBJECT,),
            _spread(data, s.rated, s.mean + s.sd * (s.basis @ s.value)),
            {"long_name": "score with covariates projected out; NaN where not rated"},
        )
    for item in data.items:
        found[f"symptom_{item.name}"] = (
            (SUBJECT,),
            _spread(data, item.rated, np.array(item.values, dtype=float)[item.level]),
            {"long_name": "item score as rated; NaN where not rated"},
        )
    return found


def _spread(
    data: ModelData, rated: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    full = np.full(len(data.arm), np.nan)
    full[rated] = values
    return full
