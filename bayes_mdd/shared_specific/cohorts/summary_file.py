"""Summaries of cohorts on disk, and the names of cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import xarray as xr

from bayes_mdd.errors import DataContractError, SpecError, UnreadableFileError
from bayes_mdd.files.marks import SUMMARY
from bayes_mdd.files.netcdf import read_netcdf

#: Folders that do not name a cohort.
NO_NAMES: Final = ("summary", "export", "")


def find_summary(path: str | Path) -> Path:
    """Find the file of a summary.

    Parameters
    ----------
    path : str or Path
        The file, the folder of the export, or a folder that holds the export.

    Returns
    -------
    Path
        The file, which may not exist.
    """
    path = Path(path)
    if path.is_dir():
        places = [path / SUMMARY, path / "summary" / SUMMARY, path / "export" / "summary" / SUMMARY]
        return next((p for p in places if p.is_file()), places[0])
    return path


def read_summary(path: str | Path) -> xr.Dataset:
    """Read the summary of a cohort.

    Parameters
    ----------
    path : str or Path
        The file ``summary.nc``, its folder, or the run folder with an export.

    Returns
    -------
    Dataset
        As ``bayes-mdd export RUN --format summary`` wrote it.

    Raises
    ------
    DataContractError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> read_summary("lyon/export/summary")["explained"]  # doctest: +SKIP
    """
    file = find_summary(path)
    try:
        return read_netcdf(file, "a summary of a cohort").to_dataset()
    except UnreadableFileError as error:
        raise DataContractError(
            str(path), [f"{error} Pass what `bayes-mdd export RUN --format summary` wrote."]
        ) from error


def name_cohorts(paths: Sequence[str | Path]) -> dict[str, Path]:
    """Name cohorts by their folders.

    Parameters
    ----------
    paths : sequence of str or Path
        Each a path, or ``NAME=PATH``.

    Returns
    -------
    dict of str to Path
        By name.

    Raises
    ------
    SpecError
        If two cohorts have one name, or a path names none.

    Examples
    --------
    >>> list(name_cohorts(["lyon/export/summary", "Utrecht=b/summary.nc"]))
    ['lyon', 'Utrecht']
    """
    if isinstance(paths, str | Path):
        raise SpecError(f"expected a list of summaries, got {paths!r}.")
    found: dict[str, Path] = {}
    for given in paths:
        name, equals, rest = str(given).partition("=")
        path = Path(rest) if equals and name and not Path(str(given)).exists() else Path(given)
        if path == Path(given):
            parts = [p for p in path.parts if p not in (*NO_NAMES, SUMMARY, ".", "..", path.anchor)]
            name = parts[-1] if parts else ""
        if not name:
            raise SpecError(f"{given} does not name its cohort: give NAME={given}.")
        if name in found:
            raise SpecError(
                f"two cohorts are called {name} ({found[name]} and {path}): give NAME=PATH."
            )
        found[name] = path
    return found
