"""Variance explained by all factors together, by arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR
from bayes_mdd.errors import SpecError
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import RULES


def explained_by_arm(
    idata: xr.DataTree | Result, *, ci_prob: float = RULES.ci_prob
) -> pd.DataFrame:
    """Sum the variance that all factors explain in each arm, and compare the arms.

    A pattern of one arm that is a mixture of shared patterns cannot be separated from them. No
    factor is then called specific, but the subjects of that arm vary more along the shared
    patterns. This table shows it as what it is: more variance of shared patterns, not a pattern
    of the arm's own.

    Parameters
    ----------
    idata : DataTree
        From `bayes_mdd.fit` or `bayes_mdd.read_run`.
    ci_prob : float, default 0.9
        Probability of the intervals.

    Returns
    -------
    DataFrame
        One row per arm: ``arm``; ``explained``, ``explained_lower``, ``explained_upper``: share of
        the arm's variance over all features that the factors explain, 0-1; ``p_most``:
        probability that it is largest in this arm, NaN in a fit of one arm.

    Raises
    ------
    SpecError
        If `ci_prob` does not lie between 0 and 1.
    DataContractError
        If `idata` is not a fit.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> idata = bm.read_run("runs/demo")  # doctest: +SKIP
    >>> bm.explained_by_arm(idata)  # doctest: +SKIP
    """
    if not 0 < ci_prob < 1:
        raise SpecError(f"ci_prob must lie between 0 and 1, got {ci_prob}.")
    posterior = read_result(idata).group("posterior", ["explained"])
    total = posterior["explained"].sum(FACTOR).stack(sample=(CHAIN, DRAW)).transpose(ARM, "sample")
    values = total.values
    tail = (1 - ci_prob) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=1)
    many = len(values) > 1
    # With all factors pinned every arm has exactly 0: none has most.
    most = (values == values.max(axis=0)) & (np.ptp(values, axis=0) > 0)
    return pd.DataFrame(
        {
            "arm": total[ARM].values.astype(str),
            "explained": values.mean(axis=1),
            "explained_lower": low,
            "explained_upper": high,
            "p_most": most.mean(axis=1) if many else np.nan,
        }
    )
