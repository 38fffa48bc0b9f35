"""Signature maps of a run, for every model family."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.results.maps import gather_maps
from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES
from bayes_mdd.workflow.families import family_of


def signatures(
    idata: xr.DataTree,
    *,
    factors: pd.DataFrame | None = None,
    with_participants: bool = False,
) -> xr.Dataset:
    """Gather the map of every factor that is used, and its uncertainty.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    factors : pandas.DataFrame, optional
        What `classify_factors` returned; computed with its defaults when absent.
    with_participants : bool, default False
        Whether the attribute ``provenance`` names participants who were left out, the command line
        and folders. Without them the maps can be shared.

    Returns
    -------
    xarray.Dataset
        Dims ``(factor, feature)``: ``mean``, ``sd``, ``lower``, ``upper`` of the loadings,
        ``p_positive`` = posterior probability of a positive loading (and ``inclusion`` where the
        fit has it). All metadata of the features and regions come along; ``factor`` carries
        ``label``, ``networks`` and ``name`` and, for the factor model, ``stability``,
        ``reliability`` with ``reliability_lower``, ``reliability_upper`` and ``p_reliable``, and
        ``leverage`` (see `classify_factors`). The attributes name estimand, units, interval and
        reference. Maps of factors that are not "stable" are not signatures; ``attrs["note"]`` says
        so.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable.
    """
    result = read_result(idata)
    table = family_of(result.kind).table(result, RULES) if factors is None else factors
    return gather_maps(result, table, with_participants=with_participants)
