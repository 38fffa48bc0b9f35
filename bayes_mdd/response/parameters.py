"""Parameters of a stored fit, in the direction of the outcome as it was given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW
from bayes_mdd.response.fit import COEFFICIENT, DRUG, MODERATION, PROGNOSIS, SIGMA
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """Draws of the parameters, in the direction of the outcome as it was given.

    Parameters
    ----------
    kind : str
        Distribution of the outcome.
    drug : ndarray, shape (draw,)
        Difference between the drugs, other minus default.
    moderation, prognosis : ndarray, shape (draw, factor)
        Its change, and that of the outcome on either drug, per SD of a score.
    coefficient : ndarray, shape (draw, column)
        Of the design; the intercept is the first unless the outcome is ordinal.
    sigma : ndarray, shape (draw, arm)
        Noise of outcomes in points.
    degrees : ndarray of shape (draw,), optional
        Degrees of freedom of Student outcomes.
    cut : ndarray of shape (draw, cut), optional
        Cut points of ordinal outcomes, increasing.
    levels : ndarray, shape (level,)
        Levels of ordinal outcomes, increasing; of others none.
    level : float
        Mean of outcomes in points, which the design leaves out.
    """

    kind: str
    drug: Array
    moderation: Array
    prognosis: Array
    coefficient: Array
    sigma: Array
    degrees: Array | None
    cut: Array | None
    levels: Array
    level: float

    @classmethod
    def of(cls, response: xr.DataTree) -> Draws:
        """Read the draws of a fit.

        Parameters
        ----------
        response : DataTree
            From `fit_response`.

        Returns
        -------
        Draws
            All draws of all chains.
        """
        spec = ResponseSpec.from_mapping(json.loads(response.attrs["spec"]))
        posterior = response["posterior"].to_dataset()
        flat = partial(_flat, posterior)
        cut = flat("cut") if "cut" in posterior else None
        if cut is not None and spec.higher_is_better:
            # Cut points are stored for the outcome turned so that lower is better.
            cut = -cut[:, ::-1]
        return cls(
            kind=spec.kind,
            drug=flat(DRUG),
            moderation=flat(MODERATION),
            prognosis=flat(PROGNOSIS),
            coefficient=flat(COEFFICIENT),
            sigma=flat(SIGMA),
            degrees=flat("noise_df") if "noise_df" in posterior else None,
            cut=cut,
            levels=_levels(response) if spec.kind == "ordinal" else np.zeros(0),
            level=float(response["constant_data"]["level"]),
        )


def _levels(response: xr.DataTree) -> Array:
    return np.unique(np.asarray(response["observed_data"]["outcome"].values, dtype=float))


def _flat(posterior: xr.Dataset, name: str) -> Array:
    """Draws of all chains; no columns for what the fit does not have."""
    n = posterior.sizes[CHAIN] * posterior.sizes[DRAW]
    if name not in posterior:
        return np.zeros((n, 0))
    values = posterior[name].transpose(CHAIN, DRAW, ...).values
    return np.asarray(values.reshape(n, *values.shape[2:]))
