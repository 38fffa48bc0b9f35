"""Half differences of scans as further rows of a fit: a sample of error with no trait in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, SUBJECT, WITHIN_SCAN
from bayes_mdd.shared_specific.data.model_data import ModelData, WhitenedEdges
from bayes_mdd.shared_specific.likelihood.collapsed import reduce_features
from bayes_mdd.shared_specific.reliability.balance import balance_halves
from bayes_mdd.shared_specific.whitening.subject_scale import subject_scales
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class WithDifferences:
    """Data of a fit with the rows of half differences.

    Parameters
    ----------
    data : ModelData
        The subjects alone, with balanced halves.
    rows : ModelData
        The subjects and, as the last arm, their half differences.
    """

    data: ModelData
    rows: ModelData


def add_differences(data: ModelData, difference: Array) -> WithDifferences:
    """Append half differences as the rows of one more arm, with an intercept of their own.

    With halves A and B of a scan, (A + B) / 2 and (A - B) / 2 are independent given equal halves,
    and the second has the covariance of the error of the first. Halves that are not equally noisy
    are balanced first.

    Parameters
    ----------
    data : ModelData
        With whitened edges.
    difference : ndarray, shape (subject, feature)
        Half differences of the edges as they were given; rows of NaN for subjects without halves.

    Returns
    -------
    WithDifferences
        Both sets of rows.
    """
    white = data.whitening
    if white is None:
        raise ValueError("the features are not whitened")
    has = np.isfinite(difference).all(axis=1)
    code = data.code
    y = data.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    between = np.full_like(y, np.nan)
    between[has] = white.map.forward(difference[has][:, white.order]) / white.unit
    y, between = balance_halves(y, between, code)
    between = between[has]
    n, n_rows = len(y), len(y) + int(has.sum())
    design = np.zeros((n_rows, data.design.shape[1] + 1))
    design[:n, :-1], design[n:, -1] = data.design.to_numpy(), 1.0
    both = np.vstack([y, between])
    scale = subject_scales(both, code, design)
    scale /= np.sqrt((scale[:n] ** 2).mean())
    subjects = replace(
        _with_features(data, y, scale[:n], data.design.to_numpy()),
        whitening=_with_scale(white, data, scale[:n]),
    )
    names = [*data.subjects, *(f"{WITHIN_SCAN}/{s}" for s in np.array(data.subjects)[has])]
    table = pd.DataFrame(design, index=names, columns=[*data.design.columns, WITHIN_SCAN])
    rows = replace(
        _with_features(data, both, scale, design, names),
        arms=(*data.arms, WITHIN_SCAN),
        arm=np.concatenate([data.arm, np.full(n_rows - n, len(data.arms))]),
        design=table,
        symptom_design=data.symptom_design.reindex(names, fill_value=0.0),
        whitening=subjects.whitening,
    )
    return WithDifferences(subjects, rows)


def _with_features(
    data: ModelData, y: Array, scale: Array, design: Array, names: list[str] | None = None
) -> ModelData:
    """The same features with other values, rows and noise scales."""
    features = data.features.assign(y=((SUBJECT, FEATURE), y)) if names is None else None
    if features is None:
        features = xr.Dataset(
            {"y": ((SUBJECT, FEATURE), y)},
            coords={
                SUBJECT: np.array(names, dtype=object),
                FEATURE: data.features[FEATURE].values,
                BLOCK: (FEATURE, data.features[BLOCK].values),
            },
        )
    block = data.features[BLOCK].values.astype(str)
    return replace(
        data,
        features=features,
        stats=reduce_features(y / data.feature_noise, design, block, scale).weighted(data.weight),
        total=reduce_features(y, design, block, scale).cross_products,
    )


def _with_scale(white: WhitenedEdges, data: ModelData, scale: Array) -> WhitenedEdges:
    """The edges' data with other noise scales of the subjects."""
    edges = white.edges
    y = edges.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    design, block = data.design.to_numpy(), edges.features[BLOCK].values.astype(str)
    stats = reduce_features(y / edges.feature_noise, design, block, scale)
    total = reduce_features(y, design, block, scale).cross_products
    return replace(white, edges=replace(edges, stats=stats, total=total))
