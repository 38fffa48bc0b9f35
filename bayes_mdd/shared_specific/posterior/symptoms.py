"""Variables of a result that concern symptoms: coordinates, units, invariants and ratings."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayes_mdd.dims import (
    ARM,
    CUTPOINT,
    DIMENSION,
    FACTOR,
    ITEM,
    ITEM_COVARIATE,
    SUBJECT,
    SYMPTOM,
)
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.graph.symptoms import symptom_coords
from bayes_mdd.shared_specific.schema import (
    SCORES,
    SYMPTOM_KIND,
    SYMPTOM_NOISE,
    SYMPTOM_UNIT,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
)
from bayes_mdd.types import Array, IntArray

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
        By name of the dimension. Empty without symptoms. Coordinates that are no dimension would
        belong to some variables of the posterior only, which ArviZ does not accept; see
        `describe_symptoms`.
    """
    names = symptom_coords(data)
    return {
        axis: np.array(names[axis], dtype=object)
        for axis in (SYMPTOM, CUTPOINT, ITEM, ITEM_COVARIATE)
        if axis in names
    }


def describe_symptoms(data: ModelData) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Kind of link and unit of the weights of each symptom.

    Parameters
    ----------
    data : ModelData
        The fitted data.

    Returns
    -------
    dict of str to tuple
        ``symptom_kind`` and ``symptom_unit`` (symptom), for the group ``constant_data``. Empty
        without symptoms.
    """
    kinds = ["gaussian"] * len(data.symptoms) + ["ordinal"] * len(data.items)
    if not kinds:
        return {}
    return {
        SYMPTOM_KIND: ((SYMPTOM,), np.array(kinds, dtype=object)),
        SYMPTOM_UNIT: ((SYMPTOM,), np.array([UNITS[k] for k in kinds], dtype=object)),
    }


def read_link_units(result: Result) -> dict[str, tuple[str, str]]:
    """Read what kind each linked symptom is and what its weights are measured in.

    Parameters
    ----------
    result : Result
        A fit with symptoms.

    Returns
    -------
    dict of str to (str, str)
        By symptom: kind (``gaussian`` or ``ordinal``) and unit.

    Raises
    ------
    DataContractError
        If the fit had no symptoms.
    """
    weight = result.group("posterior", ["symptom_weight"])["symptom_weight"]
    names = [str(s) for s in weight[SYMPTOM].values]
    # Runs of earlier versions hold them as coordinates of the weights.
    source = result.constant if result.holds("constant_data", SYMPTOM_KIND) else weight
    if SYMPTOM_KIND not in (*source.coords, *getattr(source, "data_vars", ())):
        return dict.fromkeys(names, ("gaussian", UNITS["gaussian"]))
    kinds, units = source[SYMPTOM_KIND].values, source[SYMPTOM_UNIT].values
    return {n: (str(k), str(u)) for n, k, u in zip(names, kinds, units, strict=True)}


def describe_weights(posterior: xr.Dataset) -> xr.Dataset:
    """Attach the units of both kinds of links to the weights of symptoms.

    Parameters
    ----------
    posterior : Dataset
        Aligned draws; it is not changed.

    Returns
    -------
    Dataset
        The same values; ``symptom_weight`` and ``symptom_weight_by_arm`` carry ``units_gaussian``
        and ``units_ordinal``.
    """
    described = posterior.copy()
    for name in (SYMPTOM_WEIGHT, SYMPTOM_WEIGHT_BY_ARM):
        if name in described:
            described[name].attrs.update({f"units_{kind}": u for kind, u in UNITS.items()})
    return described


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
        ``symptom_spread``, the SD over subjects of what the factors predict, and
        ``symptom_noise`` of the Gaussian dimensions. Empty without symptoms.
    """
    if SYMPTOM_WEIGHT not in posterior:
        return {}
    invariants = {"symptom_spread": _predict(posterior, data).std(SUBJECT)}
    if data.symptoms:
        noise = posterior[SYMPTOM_NOISE].isel({SYMPTOM: slice(len(data.symptoms))})
        invariants[SYMPTOM_NOISE] = noise.drop_vars(SYMPTOM, errors="ignore").rename(
            {SYMPTOM: DIMENSION}
        )
    return invariants


def _predict(posterior: xr.Dataset, data: ModelData) -> xr.DataArray:
    """Symptoms as the factors predict them, with the subjects ordered by arm where links differ."""
    scores = posterior[SCORES]
    predicted: xr.DataArray
    if SYMPTOM_WEIGHT_BY_ARM not in posterior:
        predicted = xr.dot(scores, posterior[SYMPTOM_WEIGHT], dim=FACTOR)
        return predicted
    weight = posterior[SYMPTOM_WEIGHT_BY_ARM]
    # Arm by arm: a weight for each subject and draw would be the largest array of the result.
    parts = [
        xr.dot(scores.isel({SUBJECT: data.arm == a}), weight.isel({ARM: a}, drop=True), dim=FACTOR)
        for a in range(weight.sizes[ARM])
    ]
    predicted = xr.concat(parts, dim=SUBJECT)
    return predicted


def observed_ratings(data: ModelData) -> dict[str, tuple[Any, ...]]:
    """Ratings as they were fitted, one entry for each subject.

    Parameters
    ----------
    data : ModelData
        The fitted data.

    Returns
    -------
    dict of str to tuple
        ``symptoms``, the scores of all dimensions as they were given, and ``symptom_<name>`` for
        each dimension and item; NaN where not rated.
    """
    found: dict[str, tuple[Any, ...]] = {}
    if data.symptoms:
        found["symptoms"] = (
            (SUBJECT, DIMENSION),
            np.stack([_fill(data, s.rated, s.score) for s in data.symptoms], axis=1),
        )
    for s in data.symptoms:
        found[f"symptom_{s.name}"] = (
            (SUBJECT,),
            _fill(data, s.rated, s.mean + s.sd * (s.basis @ s.value)),
            {"long_name": "score with covariates projected out; NaN where not rated"},
        )
    for item in data.items:
        found[f"symptom_{item.name}"] = (
            (SUBJECT,),
            _fill(data, item.rated, np.array(item.values, dtype=float)[item.level]),
            {"long_name": "item score as rated; NaN where not rated"},
        )
    return found


def _fill(data: ModelData, rated: IntArray, values: Array) -> Array:
    """One value for each subject; NaN where not rated."""
    full = np.full(len(data.arm), np.nan)
    full[rated] = values
    return full
