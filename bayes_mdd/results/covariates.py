"""How the covariates of a fit entered: as slope or as levels, and their range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, COVARIATE, SUBJECT
from bayes_mdd.features.input_tables import tabulate_columns
from bayes_mdd.results.result import Result

#: Columns of the table, in order.
COVARIATE_COLUMNS: Final = ("covariate", "used_in", "enters_as", "values")


def describe_covariates(result: Result) -> pd.DataFrame:
    """Tabulate the covariates of the model and of the reference.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    pandas.DataFrame
        One row per covariate: ``covariate``, ``used_in`` ("model", "reference" or both),
        ``enters_as`` ("slope" or "levels") and ``values`` among the fitted participants (range of
        numbers, levels of text). Covariates that a result of an earlier version does not hold are
        left out.
    """
    constant = result.constant
    names = list(map(str, getattr(result.spec, "covariates", ())))
    reference = result.features.get("reference")
    removed = reference.get("covariates", ()) if isinstance(reference, Mapping) else ()
    removed = [str(name) for name in removed]
    columns = {
        str(name): column.variable
        for name, column in constant.coords.items()
        if column.dims == (SUBJECT,) and name in {SUBJECT, *names, *removed} - {ARM}
    }
    table = tabulate_columns(xr.Dataset(coords=columns), model=names, reference=removed)
    table = table.rename(columns={"column": "covariate"})[list(COVARIATE_COLUMNS)]
    if COVARIATE in constant.coords:
        # What the model conditioned on, whatever the type of the stored column.
        slopes = {*map(str, constant[COVARIATE].values)}
        in_model = table["covariate"].isin(names)
        how = ["slope" if n in slopes else "levels" for n in table["covariate"]]
        table["enters_as"] = table["enters_as"].where(~in_model, how)
    return table
