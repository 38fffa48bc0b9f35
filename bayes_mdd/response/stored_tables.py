"""Tables in the folder of a second stage that pages and figures read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from bayes_mdd.files.own_tables import read_own_table

#: Measures of baselines; a table has some of them, each with an interval.
_MEASURES: Final = ("auc", "r2", "gain", "balanced_accuracy")
_RESPONSE: Final = "bayes-mdd response"
_BASELINES: Final = "bayes-mdd baselines"

#: By name without suffix: columns of text, columns of numbers, the command that writes the table.
_TABLES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...], str]]] = {
    "curve": ((), ("p_star", "gain", "se", "decided"), _RESPONSE),
    "toc": ((), ("share", "gain", "se"), _RESPONSE),
    "calibration": ((), ("predicted", "observed", "se"), _RESPONSE),
    "missing": (
        ("arms", "reasons"),
        (
            "delta",
            *(f"{n}_{end}" for n in ("average", "gain") for end in ("lower", "upper")),
            "average_benefit",
            "gain",
        ),
        _RESPONSE,
    ),
    "tipping": (("result", "arms", "reasons"), ("tipping",), _RESPONSE),
    "baselines": (("method", "view", "leaky"), (), _BASELINES),
    "baselines_paired": (
        ("measure", "reference_method", "reference_view", "method", "view"),
        *(("difference", "lower", "upper"), _BASELINES),
    ),
}
#: Their names.
TABLES: Final = tuple(_TABLES)


def read_stored_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a second stage that exist.

    Parameters
    ----------
    folder : Path
        ``RUN/response``.

    Returns
    -------
    dict of str to DataFrame
        By name without suffix.

    Raises
    ------
    RunFolderError
        If one of them cannot be read.
    """
    found = {name: read_stored_table(folder, name) for name in TABLES}
    return {name: table for name, table in found.items() if table is not None}


def read_stored_table(folder: Path, name: str) -> pd.DataFrame | None:
    """Read one table of a second stage.

    Parameters
    ----------
    folder : Path
        ``RUN/response``.
    name : str
        One of `TABLES`.

    Returns
    -------
    DataFrame or None
        None if there is no such file.

    Raises
    ------
    RunFolderError
        If it cannot be read, lacks columns, or holds text in place of numbers.
    """
    path = folder / f"{name}.tsv"
    if not (path.exists() or path.is_symlink()):
        return None
    text, numbers, again = _TABLES[name]
    ends = [f"{m}{end}" for m in _MEASURES for end in ("", "_lower", "_upper")]
    table = read_own_table(path, (*text, *numbers), (*numbers, *ends), again=again)
    if name == "baselines":
        measured = [m for m in _MEASURES if m in table]
        needed = [f"{m}{end}" for m in measured for end in ("_lower", "_upper")]
        read_own_table(path, needed, again=again)
    return table
