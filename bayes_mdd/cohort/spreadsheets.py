"""Tables of participants as spreadsheets write them: an empty cell of a .csv file is missing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bayes_mdd.cohort.tables import read_table
from bayes_mdd.dims import MISSING
from bayes_mdd.errors import some


def read_participant_cells(path: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of participants as text cells.

    Parameters
    ----------
    path : str or Path
        In a tab-separated file, missing values are written ``n/a`` as in BIDS, and an empty cell
        is a mistake that the checks report. Spreadsheets write nothing, so an empty cell of a
        ``.csv`` file becomes ``n/a``.

    Returns
    -------
    table : pandas.DataFrame
        As `bayes_mdd.cohort.tables.read_table` returns it.
    notes : list of str
        The columns in which empty cells became ``n/a``, with their number.

    Raises
    ------
    DataContractError
        If the file is not a table.
    """
    table = read_table(path)
    if Path(path).suffix.lower() != ".csv":
        return table, []
    counts = {str(name): int((table[name] == "").sum()) for name in table.columns}
    filled = [f"{name} ({count})" for name, count in counts.items() if count]
    notes = [f"empty cells were read as {MISSING}: {some(filled, 12)}."] if filled else []
    return table.mask(table == "", MISSING), notes
