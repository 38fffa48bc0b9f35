"""Finished chains of an unfinished fit, as files beside its run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import xarray as xr

from bayes_mdd.errors import UnreadableFileError, WriteError
from bayes_mdd.files.netcdf import read_netcdf, write_netcdf
from bayes_mdd.parallel.keep import keep_results

CHAIN: Final = "part-{}.nc"
#: Parts of the provenance that decide whether chains belong to the requested run.
IDENTITY: Final = ("model", "sampler", "inputs", "method", "inputs_sha256", "seed")

log = logging.getLogger("bayes_mdd.files")


class FolderChains:
    """Finished chains as files of a folder.

    Parameters
    ----------
    folder : Path
        An existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._full = False

    def read(self, chain: int) -> xr.DataTree | None:
        """Read a finished chain.

        Parameters
        ----------
        chain : int
            Its number, from 0.

        Returns
        -------
        DataTree or None
            None where the chain is not there or cannot be read.
        """
        path = self._folder / CHAIN.format(chain)
        if not path.is_file():
            return None
        try:
            return read_netcdf(path, "a chain")
        except UnreadableFileError:
            return None

    def write(self, chain: int, drawn: xr.DataTree) -> None:
        """Keep a finished chain; where the disk is full, say so once and go on.

        Parameters
        ----------
        chain : int
            Its number, from 0.
        drawn : DataTree
            Its draws and statistics.
        """
        if self._full:
            return
        try:
            write_netcdf(drawn, self._folder / CHAIN.format(chain))
        except WriteError as error:
            self._full = True
            log.warning("Chains are not kept until the fit is complete: %s", error)


@contextmanager
def keep_chains(
    run_dir: str | Path, provenance: Mapping[str, Any]
) -> Iterator[FolderChains | None]:
    """Hold the lock of a run folder, and keep finished chains until the run is complete.

    Parameters
    ----------
    run_dir : str or Path
        The run folder. The chains are in a hidden folder beside it.
    provenance : mapping
        Of the requested run. Chains of another run, or of other software, are removed.

    Yields
    ------
    FolderChains or None
        None where nothing can be written beside the run folder.

    Raises
    ------
    RunFolderError
        If another process is writing this run folder.
    """
    key = {part: provenance.get(part) for part in IDENTITY}
    with keep_results(run_dir, key, noun="chains") as folder:
        yield None if folder is None else FolderChains(folder)
