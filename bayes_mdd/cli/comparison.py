"""Options and files of a comparison of models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bayes_mdd as bm
from bayes_mdd.errors import RunFolderError, SpecError, some
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.replace import make_folder, write_text
from bayes_mdd.files.targets import check_writable
from bayes_mdd.files.unfinished import is_unfinished

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
    make_folder(folder)
    files = []
    for name, table in name_tables(comparison).items():
        text = table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.6g")
        files.append(write_text(folder / f"compare_{name}.tsv", text))
    return [*files, write_netcdf(comparison.pointwise, folder / "compare_people.nc")]


def check_comparison_target(folder: Path, *, force: bool) -> None:
    """Check where a comparison will be written, before anything is computed.

    Parameters
    ----------
    folder : Path
        The folder.
    force : bool
        Whether an earlier comparison there may be replaced.

    Raises
    ------
    RunFolderError
        If it is a file, or holds a comparison and `force` is False.
    WriteError
        If nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file: choose a folder for the tables.")
    names = ("compare_features.tsv", "compare_symptoms.tsv", "compare_people.nc")
    existing = [name for name in names if (folder / name).exists()]
    # A command that was stopped while it wrote them is continued.
    if existing and not force and not is_unfinished(folder):
        raise RunFolderError(
            f"{folder} already holds {some(existing)}: choose another folder, or replace these "
            "files with --force."
        )
    check_writable(folder)
