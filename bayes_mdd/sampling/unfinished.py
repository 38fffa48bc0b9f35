"""What is kept of an unfinished fit beside its run folder, and the lock of a run folder."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import xarray as xr
from filelock import FileLock, Timeout

from bayes_mdd.errors import RunFolderError, UnreadableFileError, WriteError
from bayes_mdd.files.folders import resolve, tag_of
from bayes_mdd.files.marks import read_mark
from bayes_mdd.files.netcdf import write_netcdf
from bayes_mdd.files.regular import own_errors
from bayes_mdd.files.replace import write_text

UNFINISHED: Final = ".bayes-mdd-unfinished-"
LOCK, OWNER, KEY = "lock", "process.json", "key.json"
CHAIN: Final = "chain-{}.nc"
#: Parts of the provenance that decide whether chains belong to the requested run.
PARTS: Final = ("model", "sampler", "inputs", "method", "inputs_sha256", "seed", "versions")

log = logging.getLogger("bayes_mdd.sampling")


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
            with own_errors(path, "a chain"), xr.open_datatree(path, engine="h5netcdf") as stored:
                return stored.load()
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

    def count(self) -> int:
        """Count the chains that are kept.

        Returns
        -------
        int
            Number of files.
        """
        return len(list(self._folder.glob(CHAIN.format("*"))))


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
        Of the requested run. Chains of another run are removed.

    Yields
    ------
    FolderChains or None
        None where nothing can be written beside the run folder.

    Raises
    ------
    RunFolderError
        If another process is writing this run folder.
    """
    final = resolve(Path(run_dir))
    folder = final.with_name(f"{UNFINISHED}{tag_of(final)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise RunFolderError(
            f"{run_dir} is being written by another process ({_owner(folder)}): wait until it has "
            "finished, or choose another folder."
        ) from None
    except OSError:
        yield None
        return
    try:
        kept = _prepare(folder, provenance)
        yield kept
    except BaseException:
        _say_kept(kept, run_dir)
        if not kept.count():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _prepare(folder: Path, provenance: Mapping[str, Any]) -> FolderChains:
    """Remove what does not belong to the requested run, and say what is there."""
    asked = json.loads(json.dumps({part: provenance.get(part) for part in PARTS}))
    same = read_mark(folder / KEY) == asked
    for path in folder.iterdir():
        if path.name != LOCK and not (same and path.match(CHAIN.format("*"))):
            path.unlink(missing_ok=True)
    kept = FolderChains(folder)
    owner = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        write_text(folder / OWNER, json.dumps(owner) + "\n")
        write_text(folder / KEY, json.dumps(asked) + "\n")
    except WriteError as error:
        log.warning("Chains are not kept until the fit is complete: %s", error)
    if kept.count():
        log.warning("%d chains of this run are complete; the fit continues.", kept.count())
    return kept


def _say_kept(kept: FolderChains, run_dir: str | Path) -> None:
    if kept.count():
        log.warning(
            "Stopped. %d complete chains of %s are kept: repeat the command to continue.",
            kept.count(),
            run_dir,
        )


def _owner(folder: Path) -> str:
    known = read_mark(folder / OWNER)
    if not known:
        return "unknown"
    return f"process {known.get('process')} on {known.get('host')} since {known.get('since')}"
