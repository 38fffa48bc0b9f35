"""Symptom links: how much of a symptom goes with a factor."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.signatures.reading import read_group


def summarise_symptom_links(idata: xr.DataTree, *, ci_prob: float = 0.9) -> pd.DataFrame:
    """Summarise the weight of every factor in every symptom dimension.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned, with symptoms.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        One row a factor and symptom: ``factor``, ``symptom``, ``mean``, ``sd``, ``lower``,
        ``upper`` (SD of the symptom per SD of the factor's score) and ``p_positive``, the
        posterior probability of a positive weight. An association, not an effect.

    Raises
    ------
    DataContractError
        If the fit had no symptoms.
    """
    weight = read_group(idata, "posterior", ["symptom_weight"])["symptom_weight"]
    sample, tail = (CHAIN, DRAW), (1 - ci_prob) / 2
    low, high = weight.quantile([tail, 1 - tail], dim=sample).transpose("quantile", ...)
    summary = xr.Dataset(
        {
            "mean": weight.mean(sample),
            "sd": weight.std(sample, ddof=1),
            "lower": low.drop_vars("quantile"),
            "upper": high.drop_vars("quantile"),
            "p_positive": (weight > 0).mean(sample),
        }
    )
    return summary.to_dataframe(dim_order=[FACTOR, SYMPTOM]).reset_index()
