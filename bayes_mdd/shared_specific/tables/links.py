"""Symptom links: the weight of each factor in each symptom."""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, SYMPTOM
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.results.used import used_factors
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.tables.factors import tabulate_factors

_COLUMNS = (
    *(FACTOR, SYMPTOM),
    *("mean", "sd", "lower", "upper", "p_positive"),
    *("kind", "unit"),
)


def summarise_symptom_links(
    idata: xr.DataTree | Result,
    *,
    ci_prob: float = RULES.ci_prob,
    by: Literal["all", "arm", "difference"] = "all",
    factors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Summarise the weight of every factor that is used in every symptom.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned, with symptoms.
    ci_prob : float, default 0.9
        Probability of the equal-tailed intervals.
    by : {"all", "arm", "difference"}, default "all"
        One weight for all arms (their average where links differ by arm), the weights within each
        arm, or their differences for each pair of arms. The last two need a fit with
        ``symptom_links="by_arm"``.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent. Unused factors are
        left out: their weights are zero, or follow the prior.

    Returns
    -------
    pandas.DataFrame
        One row per factor and symptom (and arm, or pair of arms, in ``arm``): ``factor``,
        ``symptom``, ``mean``, ``sd``, ``lower``, ``upper``, ``p_positive``, the posterior
        probability of a positive value, and ``kind`` (``gaussian``, ``ordinal``) and ``unit``: SD
        of the symptom, or log-odds of a higher rating, per SD of the factor's score. An
        association, not an effect.

    Raises
    ------
    DataContractError
        If the fit had no symptoms, or no links by arm where they are asked for.
    SpecError
        If `by` is none of the three.
    """
    result = read_result(idata)
    units = read_link_units(result)
    weight = _select_weights(result, by)
    used = used_factors(tabulate_factors(result) if factors is None else factors)["factor"]
    weight = weight.sel({FACTOR: [f for f in weight[FACTOR].values if str(f) in set(used)]})
    if not weight.sizes[FACTOR]:
        return pd.DataFrame(columns=[*_COLUMNS[:2], *([ARM] * (ARM in weight.dims)), *_COLUMNS[2:]])
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
    order = [FACTOR, SYMPTOM, *([ARM] if ARM in weight.dims else [])]
    table = summary.to_dataframe(dim_order=order).reset_index()
    table = table.drop(columns=["symptom_kind", "symptom_unit"], errors="ignore")
    table["kind"] = [units[str(s)][0] for s in table[SYMPTOM]]
    table["unit"] = [units[str(s)][1] for s in table[SYMPTOM]]
    return table


def _select_weights(result: Result, by: str) -> xr.DataArray:
    if by not in ("all", "arm", "difference"):
        raise SpecError(f"by must be one of all, arm, difference, got {by!r}.")
    posterior = result.group("posterior", ["symptom_weight"])
    if by == "all":
        return posterior["symptom_weight"]
    if "symptom_weight_by_arm" not in posterior:
        raise DataContractError(
            "symptom links",
            [
                "this fit has one weight for all arms: fit with symptom_links='by_arm' "
                "(--set model.symptom_links=by_arm) to see weights within arms."
            ],
        )
    weight = posterior["symptom_weight_by_arm"]
    if by == "arm":
        return weight
    arms = [str(a) for a in weight[ARM].values]
    pairs = [
        (weight.sel({ARM: a}, drop=True) - weight.sel({ARM: b}, drop=True)).assign_coords(
            {ARM: f"{a} - {b}"}
        )
        for a, b in combinations(arms, 2)
    ]
    return xr.concat(pairs, dim=ARM)
