"""Folders for compiled code where neither the installation nor the home folder is writable.

Numba, PyTensor and Matplotlib keep compiled code and fonts beside the package or below the home
folder. In containers, on shared clusters and for users without a home neither may be writable;
PyTensor then cannot be imported and Numba refuses to compile. They are sent to a private
temporary folder instead, which is removed when the process ends.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path

_log = logging.getLogger(__name__)
#: Environment variable with the process that made the temporary folder, and the folder.
FOLDER = "BAYES_MDD_CACHES"


def redirect_caches() -> Path | None:
    """Send caches that cannot be written to a temporary folder; call before anything compiles.

    Settings of the user (``NUMBA_CACHE_DIR``, ``PYTENSOR_FLAGS``, ``MPLCONFIGDIR``) are kept.

    Returns
    -------
    Path or None
        The temporary folder; None if everything can be written, or no temporary folder can.
    """
    variables = _unwritable()
    if not variables:
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix="bayes-mdd-caches-"))
    except OSError:
        return None
    atexit.register(_remove, folder, os.getpid())
    os.environ[FOLDER] = f"{os.getpid()}:{folder}"
    if _home() is None:  # PyTensor asks for one even where it does not use it
        os.environ["HOME"] = str(folder)
    for name in variables:
        own = folder / name.partition("_")[0].lower()
        own.mkdir()
        if name == "PYTENSOR_FLAGS":
            given = os.environ.get(name, "")
            os.environ[name] = ",".join(filter(None, [given, f"base_compiledir={own}"]))
        else:
            os.environ[name] = str(own)
    return folder


def temporary_caches() -> Path | None:
    """Find the temporary folder that this process made for its caches.

    Returns
    -------
    Path or None
        None if the usual folders can be written.
    """
    process, _, folder = os.environ.get(FOLDER, "").partition(":")
    return Path(folder) if process == str(os.getpid()) else None


def report_caches() -> None:
    """Log, in the process that made the temporary folder, that compiled code is not kept."""
    folder = temporary_caches()
    if folder is not None:
        _log.warning(
            "Neither the installation nor the home folder is writable: compiled code is kept in "
            "%s until this process ends, and compiled again by the next. To keep it, set "
            "NUMBA_CACHE_DIR and PYTENSOR_FLAGS=base_compiledir=FOLDER to writable folders.",
            folder,
        )


def _unwritable() -> list[str]:
    """Name the environment variables of caches that have no writable place."""
    home = _home()
    cache = os.environ.get("XDG_CACHE_HOME")
    config = os.environ.get("XDG_CONFIG_HOME")
    below_home = Path(cache) if cache else home and home / ".cache"
    found = []
    if "NUMBA_CACHE_DIR" not in os.environ and not any(
        _writable(p) for p in (Path(__file__).parent, below_home)
    ):
        found.append("NUMBA_CACHE_DIR")
    if "base_compiledir" not in os.environ.get("PYTENSOR_FLAGS", "") and not _writable(
        home and home / ".pytensor"
    ):
        found.append("PYTENSOR_FLAGS")
    if "MPLCONFIGDIR" not in os.environ and not (
        _writable(Path(config) if config else home and home / ".config" / "matplotlib")
        and _writable(below_home)
    ):
        found.append("MPLCONFIGDIR")
    return found


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # no HOME, and a user id without an account
        return None


def _writable(path: Path | None) -> bool:
    """Tell whether a folder can be written, or created where it does not exist."""
    if path is None or not path.is_absolute():
        return False
    try:
        while not path.exists():
            path = path.parent
    except OSError:
        return False
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a forked worker
        shutil.rmtree(folder, ignore_errors=True)
