"""Options and files of a comparison of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.errors import SpecError

if TYPE_CHECKING:
    import pandas as pd


def parse_numbers(text: str) -> list[int]:
    """Parse whole numbers separated by commas.

    Parameters
    ----------
    text : str
        For example ``2,4,6``; may be empty.

    Returns
    -------
    list of int
        The numbers.

    Raises
    ------
    SpecError
        If the text has another form.

    Examples
    --------
    >>> parse_numbers("2,4,6")
    [2, 4, 6]
    """
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise SpecError(
            f"--n-factors expects whole numbers separated by commas, e.g. 2,4,6, got '{text}'."
        ) from None


def name_tables(comparison: bm.Comparison) -> dict[str, pd.DataFrame]:
    """Name the tables of a comparison.

    Parameters
    ----------
    comparison : Comparison
        As `bayes_mdd.compare_models` returns it.

    Returns
    -------
    dict of str to DataFrame
        ``features`` and, where symptoms are linked, ``symptoms``; the model is a column.
    """
    tables = {"features": comparison.table, "symptoms": comparison.symptom_table}
    return {name: table.reset_index() for name, table in tables.items() if table is not None}


def write_comparison(comparison: bm.Comparison, folder: Path) -> list[Path]:
    """Write the tables of a comparison and the densities of all participants.

    Parameters
    ----------
    comparison : Comparison
        As `bayes_mdd.compare_models` returns it.
    folder : Path
        Created if it does not exist; files of the same names are replaced.

    Returns
    -------
    list of Path
        ``compare_features.tsv``, ``compare_symptoms.tsv`` where symptoms are linked, and
        ``compare_people.nc``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, table in name_tables(comparison).items():
        path = folder / f"compare_{name}.tsv"
        table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.6g")
        files.append(path)
    densities = folder / "compare_people.nc"
    comparison.pointwise.to_netcdf(densities, engine="h5netcdf")
    return [*files, densities]
