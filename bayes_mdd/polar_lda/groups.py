"""Groups of a polar LDA result that both methods share."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_mdd.dims import FACTOR, FEATURE, REGION
from bayes_mdd.polar_lda.data import PolarData
from bayes_mdd.results.rules import MATCH_MIN
from bayes_mdd.specs import SamplerSpec
from bayes_mdd.types import Array

MAP_UNITS = "signed share of the factor's tokens, in multiples of an even share (1 / edges)"


def summarise_maps(draws: Array, data: PolarData, sampler: SamplerSpec, *, kind: str) -> xr.Dataset:
    """Summarise maps over draws, with the coordinates of the features.

    Parameters
    ----------
    draws : ndarray, shape (draw, factor, feature)
        Maps in multiples of an even share.
    data : PolarData
        Subjects and features of the fit.
    sampler : SamplerSpec
        Its `ci_prob` is the probability of the intervals.
    kind : str
        Kind of interval, for the attribute ``ci_kind``.

    Returns
    -------
    Dataset
        The group ``loadings``: ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive``.
    """
    tail = (1 - sampler.ci_prob) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail], axis=0)
    values = {
        "mean": draws.mean(axis=0),
        "sd": draws.std(axis=0, ddof=1),
        "lower": lower,
        "upper": upper,
        "p_positive": (draws > 0).mean(axis=0) + 0.5 * (draws == 0).mean(axis=0),
    }
    described = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims in ((FEATURE,), (REGION,))
    }
    return xr.Dataset(
        {name: ((FACTOR, FEATURE), x) for name, x in values.items()},
        coords={**described, FACTOR: [f"F{k + 1}" for k in range(draws.shape[1])]},
        attrs={"ci_prob": sampler.ci_prob, "ci_kind": kind, "units": MAP_UNITS},
    )


def judge_restarts(model: xr.Dataset) -> xr.Dataset:
    """Check for each factor whether other random starts find it.

    Parameters
    ----------
    model : Dataset
        From `fit_counts`.

    Returns
    -------
    Dataset
        The group ``factors``: ``match`` (mean map correlation of the other restarts with the
        reported one) and ``reproducible`` (at least `MATCH_MIN`).
    """
    match = model["restart_match"].values
    others = np.delete(match, int(model.attrs["chosen_restart"]), axis=0).mean(axis=0)
    return xr.Dataset(
        {"match": ((FACTOR,), others), "reproducible": ((FACTOR,), others >= MATCH_MIN)},
        coords={FACTOR: model[FACTOR].values},
        attrs={"match_min": MATCH_MIN},
    )


def blocks_group(value: xr.DataArray, rule: xr.Dataset | None, joint: xr.Dataset) -> xr.Dataset:
    """Combine the map of each block with both rules for shared and unique blocks.

    Parameters
    ----------
    value : DataArray
        Mean map of each block (factor, block), in multiples of an even share.
    rule : Dataset or None
        From `published_overlap`; None without a bootstrap.
    joint : Dataset
        From `posterior_overlap`.

    Returns
    -------
    Dataset
        The group ``blocks``.
    """
    found = joint.rename(unique="joint_unique", shared="joint_shared").assign(map=value)
    if rule is not None:
        found = found.assign(
            z=rule["z"],
            rule_unique=rule["unique"],
            rule_conjunction=rule["conjunction"],
            rule_all=rule["all_factors"],
        )
    return found.assign_attrs(joint.attrs)
