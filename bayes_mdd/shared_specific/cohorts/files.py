"""Combined results on disk."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from bayes_mdd.errors import RunFolderError, UnreadableFileError
from bayes_mdd.files.marks import COMBINED, COMBINED_POSTERIOR
from bayes_mdd.files.netcdf import read_netcdf
from bayes_mdd.shared_specific.cohorts.table import require_combined


def read_combined(folder: str | Path) -> xr.DataTree:
    """Read a combined result.

    Parameters
    ----------
    folder : str or Path
        Folder that ``bayes-mdd combine`` or `write_combined` wrote.

    Returns
    -------
    DataTree
        As `combine_cohorts` returned it.

    Raises
    ------
    RunFolderError
        If the folder holds no combined result, or its file cannot be read.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> combined = bm.read_combined("combined")  # doctest: +SKIP
    """
    folder = Path(folder)
    if not COMBINED.is_marked(folder):
        raise RunFolderError(
            f"{folder} holds no combined result: pass the folder that `bayes-mdd combine` wrote."
        )
    path = folder / COMBINED_POSTERIOR
    try:
        return require_combined(read_netcdf(path, "a combined result"))
    except (UnreadableFileError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error} Combine again.") from error
