"""Variables of the posterior that results are reported from."""

from __future__ import annotations

from typing import Final

import xarray as xr

from bayes_mdd.results.result import Result, read_result
from bayes_mdd.shared_specific.schema import (
    ARM_MEAN,
    EXPLAINED,
    RELIABILITY,
    SHARING,
    SYMPTOM_NOISE,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
)
from bayes_mdd.shared_specific.spec import spec_of

#: In the order of a table. The others are scores of participants, and scales of blocks.
REPORTED: Final = (
    SHARING,
    EXPLAINED,
    ARM_MEAN,
    RELIABILITY,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
    SYMPTOM_NOISE,
)


def reported_variables(idata: xr.DataTree | Result) -> list[str]:
    """Name the variables of a posterior that results are reported from.

    Beside these the posterior holds scores of participants and scales of blocks, hundreds of
    numbers that summaries and plots of ArviZ would show one by one.

    Parameters
    ----------
    idata : DataTree
        What `fit` or `read_run` returned.

    Returns
    -------
    list of str
        Those of ``sharing``, ``explained``, ``arm_mean``, ``reliability``, ``symptom_weight``,
        ``symptom_weight_by_arm`` and ``symptom_noise`` that the fit has and that vary.

    Raises
    ------
    DataContractError
        If `idata` has no posterior, or is of another model.

    Examples
    --------
    >>> import arviz as az
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> az.summary(idata, var_names=bm.reported_variables(idata), ci_prob=0.9)  # doctest: +SKIP
    """
    result = read_result(idata)
    spec_of(result)
    posterior = result.posterior
    return [
        name
        for name in REPORTED
        if name in posterior and float(posterior[name].max()) > float(posterior[name].min())
    ]
