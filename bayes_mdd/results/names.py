"""Names of factors, the same in tables, figures, maps, exports and the report."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.rules import QUIET

#: Label of a factor whose arm was not compared with another.
PRESENT: Final = "present"
#: Labels that name nothing, besides those of `QUIET`.
NO_CLAIM: Final = ("undecided", "not nameable", MISSING)
#: Blocks in a name, the largest first.
BLOCKS_IN_NAME: Final = 2
UNNAMED: Final = "unnamed"


def name_factor(factor: str, label: str, networks: str) -> str:
    """Name a factor by its label and its largest blocks.

    Parameters
    ----------
    factor : str
        For example ``"F5"``.
    label : str
        Its label, from `classify_factors`.
    networks : str
        Its blocks, the largest first, separated by commas.

    Returns
    -------
    str
        ``"F5 SNRI-specific: CCN-VIS, DMN-CCN"``; ``"F5 unnamed"`` where the label makes no claim
        (undecided, not nameable, not reproducible, unused).

    Examples
    --------
    >>> name_factor("F5", "SNRI-specific", "CCN-VIS, DMN-CCN, SM-VIS")
    'F5 SNRI-specific: CCN-VIS, DMN-CCN'
    >>> name_factor("F2", "undecided", "CCN-VIS")
    'F2 unnamed'
    """
    if label in NO_CLAIM or label in QUIET:
        return f"{factor} {UNNAMED}"
    claim = factor if label == PRESENT else f"{factor} {label}"
    blocks = [] if networks == MISSING else networks.split(", ")
    return f"{claim}: {', '.join(blocks[:BLOCKS_IN_NAME])}" if blocks else claim


def name_factors(table: pd.DataFrame) -> list[str]:
    """Name every factor of a table.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``factor``, ``label`` and ``networks``.

    Returns
    -------
    list of str
        One name per row.

    Examples
    --------
    >>> row = {"factor": "F1", "label": "shared", "networks": "DMN-CCN"}
    >>> name_factors(pd.DataFrame([row]))
    ['F1 shared: DMN-CCN']
    """
    rows = table[["factor", "label", "networks"]].astype(str)
    return [name_factor(*row) for row in rows.itertuples(index=False, name=None)]
