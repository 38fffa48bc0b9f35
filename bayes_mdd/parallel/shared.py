"""Folder for arrays that the processes of one machine share, and what killed processes left there.

joblib writes large arguments to shared memory. A process that is killed with its helpers leaves
them there, until the machine starts again; they may hold data of participants.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from bayes_mdd.files.temporary import is_left, process_of, remove, temporary_name

PREFIX: Final = "bayes-mdd-shared-"
#: Shared memory of Linux, which joblib takes where as many bytes are free.
MEMORY: Final = Path("/dev/shm")
LEAST_FREE: Final = 2_000_000_000


def shared_folder() -> Path:
    """Find the folder of this process, and remove those of killed processes.

    Returns
    -------
    Path
        Below ``JOBLIB_TEMP_FOLDER`` if that is set, in shared memory, or in the folder for
        temporary files. It is created when an array is shared and removed at the end.

    Examples
    --------
    >>> shared_folder() == shared_folder()
    True
    """
    return _folder_of(os.getpid())


@cache
def _folder_of(process: int) -> Path:
    base = _base()
    remove_shared(base, MEMORY)
    folder = base / temporary_name(PREFIX)
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        return folder
    # joblib registers what empties the folder later, so that this is called after it.
    atexit.register(_remove_own, folder, process)
    return folder


def remove_shared(base: Path, memory: Path) -> None:
    """Remove the folders of killed processes, and the semaphores of their workers.

    Parameters
    ----------
    base : Path
        Where the folders are.
    memory : Path
        Where the system keeps semaphores.
    """
    try:
        left = [p for p in base.iterdir() if p.name.startswith(PREFIX) and is_left(p, PREFIX)]
        for folder in left:
            process = process_of(folder, PREFIX)
            if process is not None:
                for semaphore in memory.glob(f"sem.loky-{process}-*"):
                    remove(semaphore)
            remove(folder)
    except OSError:
        return


def _base() -> Path:
    given = os.environ.get("JOBLIB_TEMP_FOLDER")
    if given:
        return Path(given).expanduser().absolute()
    try:
        if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free > LEAST_FREE:
            return MEMORY
    except OSError:
        pass
    return Path(tempfile.gettempdir())


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a forked worker
        remove(folder)
