"""Draws of a fit with half differences: the subjects apart, and the reliability of each factor."""

from __future__ import annotations

import xarray as xr

from bayes_mdd.dims import ARM, DRAW, SUBJECT
from bayes_mdd.shared_specific.schema import (
    BLOCK_SCALE,
    RELIABILITY,
    SCORES,
    SHARING,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
)

#: Reliability in every arm below which a factor is one of half differences alone: those have more
#: than twice the variance of the subjects, whose scans contain the same error.
ONLY_ERROR = -1.0


def separate_differences(raw: xr.DataTree, n_subjects: int, n_arms: int) -> xr.DataTree:
    """Drop the rows of half differences and compute the reliability of factors.

    The variance of factor k in arm a is proportional to its share w_ak, that of the error of its
    scores to the share of the half differences w_Dk, so that the reliability within the scan is
    ``1 - w_Dk / w_ak``. Shares are then normalised over the arms of subjects, and scores and
    loadings rescaled so that the variance of an average arm is 1 again.

    Parameters
    ----------
    raw : DataTree
        Groups ``posterior`` and ``sample_stats``, as a sampler returns them; half differences are
        the last arm and the last rows.
    n_subjects, n_arms : int
        Numbers of subjects and of their arms.

    Returns
    -------
    DataTree
        The same groups for the subjects alone, with ``reliability``. Loadings and symptom weights
        of factors that only half differences have (`ONLY_ERROR`) are zero.
    """
    posterior = raw["posterior"].to_dataset()
    share = posterior[SHARING]
    of_subjects = share.isel({ARM: slice(0, n_arms)})
    of_error = share.isel({ARM: -1}, drop=True)
    total = of_subjects.sum(ARM)
    size = ((n_arms + 1) / n_arms * total) ** 0.5
    posterior = posterior.isel({SUBJECT: slice(0, n_subjects), ARM: slice(0, n_arms)})
    changed = {
        SCORES: posterior[SCORES] / size,
        SHARING: of_subjects / total,
        BLOCK_SCALE: posterior[BLOCK_SCALE] * size,
        RELIABILITY: 1.0 - of_error / of_subjects,
    }
    for name in (SYMPTOM_WEIGHT, SYMPTOM_WEIGHT_BY_ARM):
        if name in posterior:
            changed[name] = posterior[name] * size
    # Chain by chain, because factors are not aligned between chains yet.
    only_error = changed[RELIABILITY].max(ARM).median(DRAW) < ONLY_ERROR
    for name in (BLOCK_SCALE, SYMPTOM_WEIGHT, SYMPTOM_WEIGHT_BY_ARM):
        if name in changed:
            changed[name] = changed[name].where(~only_error, 0.0)
    tree = raw.copy()
    attrs = dict(raw["posterior"].attrs)
    tree["posterior"] = xr.DataTree(posterior.assign(changed).assign_attrs(attrs))
    return tree
