"""Names of factors, the same in tables, figures, maps, exports and the report."""

from __future__ import annotations

from typing import Final

import pandas as pd

from bayes_mdd.dims import MISSING
from bayes_mdd.results.rules import NOT_NAMEABLE, PRESENT, QUIET, UNDECIDED

#: Labels that name nothing.
NO_CLAIM: Final = (UNDECIDED, NOT_NAMEABLE, *QUIET)
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
    if label in NO_CLAIM:
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


def read_names(table: pd.DataFrame) -> list[str]:
    """Read the names of a table of factors, with the label of those that have none.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``factor`` and ``label``; ``name`` where `classify_factors` gave it.

    Returns
    -------
    list of str
        One per row, for a row or title of a figure.

    Examples
    --------
    >>> row = {"factor": "F2", "label": "undecided", "name": "F2 unnamed"}
    >>> read_names(pd.DataFrame([row]))
    ['F2 unnamed (undecided)']
    """
    if "name" not in table:
        blocks = table.get("networks", MISSING)
        table = table.assign(name=name_factors(table.assign(networks=blocks)))
    rows = table[["name", "label"]].astype(str)
    return [title_factor(*row) for row in rows.itertuples(index=False, name=None)]


def title_factor(name: str, label: str) -> str:
    """Add the label to the name of a factor that has none.

    Parameters
    ----------
    name, label : str
        From `classify_factors`.

    Returns
    -------
    str
        For a row or title of a figure.

    Examples
    --------
    >>> title_factor("F1 shared: DMN-CCN", "shared"), title_factor("F3 unnamed", "n/a")
    ('F1 shared: DMN-CCN', 'F3 unnamed (no claim)')
    """
    if not name.endswith(UNNAMED) or not label:
        return name
    return f"{name} ({'no claim' if label == MISSING else label})"


def break_name(name: str) -> str:
    """Break the name of a factor into two lines, for the rows of a figure.

    Parameters
    ----------
    name : str
        From `read_names`.

    Returns
    -------
    str
        With a line break before the blocks, or before the label of a factor without name.

    Examples
    --------
    >>> break_name("F5 SNRI-specific: CCN-VIS, DMN-CCN").splitlines()
    ['F5 SNRI-specific:', 'CCN-VIS, DMN-CCN']
    """
    return name.replace(": ", ":\n", 1) if ": " in name else name.replace(" (", "\n(", 1)
