"""Rows of the analysed patients inside a stored result."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import SpecError

#: Group of a result that holds the rows of the analysed patients.
OUTCOMES_GROUP = "outcomes"


def store_outcomes(table: pd.DataFrame) -> xr.Dataset:
    """Arrange the rows of the analysed patients so that they can be stored.

    Parameters
    ----------
    table : DataFrame
        Indexed by participant.

    Returns
    -------
    Dataset
        One variable per column, numbers as they are and everything else as text.
    """
    columns = {}
    for name, values in table.items():
        number = pd.api.types.is_numeric_dtype(values) and values.dtype != bool
        columns[str(name)] = (
            SUBJECT,
            values.to_numpy(dtype=float) if number else values.astype(str).to_numpy(dtype=object),
        )
    return xr.Dataset(columns, coords={SUBJECT: table.index.to_numpy().astype(object)})


def restore_outcomes(response: xr.DataTree) -> pd.DataFrame:
    """Read the rows of the analysed patients out of a stored result.

    Parameters
    ----------
    response : DataTree
        The ``response`` of `analyse_response`.

    Returns
    -------
    DataFrame
        Indexed by participant.

    Raises
    ------
    SpecError
        If the result holds none.
    """
    if OUTCOMES_GROUP not in response.children:
        raise SpecError("The result holds no outcomes: it was not written by analyse_response.")
    table = response[OUTCOMES_GROUP].to_dataset().to_dataframe()
    table.index = pd.Index([str(i) for i in table.index], name="participant_id")
    return table
