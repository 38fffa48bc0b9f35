"""Half differences of scans as further rows of a fit: a sample of error with no trait in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import BLOCK, FEATURE, SUBJECT, WITHIN_SCAN
from bayes_mdd.shared_specific.data.model_data import ModelData
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

    def weighted(self, weight: float) -> WithDifferences:
        """Raise the likelihood of the features to a power.

        Parameters
        ----------
        weight : float
            The power.

        Returns
        -------
        WithDifferences
            The same rows.
        """
        return WithDifferences(self.data.weighted(weight), self.rows.weighted(weight))


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
    names = [*data.subjects, *(f"{WITHIN_SCAN}/{s}" for s in np.array(data.subjects)[has])]
    features = xr.Dataset(
        {"y": ((SUBJECT, FEATURE), both)},
        coords={
            SUBJECT: np.array(names, dtype=object),
            FEATURE: data.features[FEATURE].values,
            BLOCK: (FEATURE, data.features[BLOCK].values),
        },
    )
    rows = replace(
        data,
        features=features,
        arms=(*data.arms, WITHIN_SCAN),
        arm=np.concatenate([data.arm, np.full(n_rows - n, len(data.arms))]),
        design=pd.DataFrame(design, index=names, columns=[*data.design.columns, WITHIN_SCAN]),
        symptom_design=data.symptom_design.reindex(names, fill_value=0.0),
    )
    subjects = replace(data, features=data.features.assign(y=((SUBJECT, FEATURE), y)))
    return WithDifferences(subjects.with_scale(scale[:n]), rows.with_scale(scale))


def rescale(fitted: WithDifferences, scores: Array) -> WithDifferences:
    """Estimate the noise scales again, without the variance that factors explain.

    Before the factors are known, a subject with large scores counts as noisy.

    Parameters
    ----------
    fitted : WithDifferences
        With noise scales.
    scores : ndarray, shape (row, factor)
        Scores of all rows on the components that were found.

    Returns
    -------
    WithDifferences
        The same features over the new noise scales.
    """
    rows = fitted.rows
    y = rows.features["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    if rows.whitening is None:
        y = y / rows.feature_noise
    n = len(fitted.data.arm)
    columns = np.column_stack([rows.design.to_numpy(), scores])
    scale = subject_scales(y, rows.code, columns)
    scale /= np.sqrt((scale[:n] ** 2).mean())
    subjects = fitted.data.with_scale(scale[:n])
    one = rows is fitted.data
    return WithDifferences(subjects, subjects if one else rows.with_scale(scale))
