"""Tests of a folder or file that will be written, made before anything is computed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bayes_mdd.errors import RunFolderError, WriteError, some
from bayes_mdd.files.folders import restore_folder
from bayes_mdd.files.marks import RUN, FolderKind
from bayes_mdd.files.replace import PART, reason_of, write_error


def check_folder(folder: str | Path, kind: FolderKind, *, force: bool) -> Path:
    """Check that a folder can be written, and whether it may be replaced.

    Parameters
    ----------
    folder : str or Path
        The folder to write: new, empty, or with `force` one of the same kind.
    kind : FolderKind
        What will be written.
    force : bool
        Whether a folder of this kind may be replaced.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    RunFolderError
        If the folder is a file, is in use, or must not be replaced.
    WriteError
        If nothing can be written there.
    """
    folder = Path(folder)
    restore_folder(folder)
    try:
        problem = _problem(folder, kind, force=force)
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else str(error)
        raise RunFolderError(f"{folder} cannot be a folder to write: {why}.") from error
    if problem:
        raise RunFolderError(f"{folder} {problem}")
    check_writable(folder)
    return folder


def check_run_target(folder: str | Path, *, force: bool) -> Path:
    """Check where a run will be written, as far as that is possible before data are read.

    Parameters
    ----------
    folder : str or Path
        The run folder.
    force : bool
        Whether a run may be replaced.

    Returns
    -------
    Path
        `folder`. A run that is there may be the requested one: its fingerprint decides later.

    Raises
    ------
    RunFolderError
        If the folder is a file, is in use, or must not be replaced.
    WriteError
        If nothing can be written there.
    """
    folder = Path(folder)
    restore_folder(folder)
    if not force and RUN.is_marked(folder):
        return folder
    return check_folder(folder, RUN, force=force)


def _problem(folder: Path, kind: FolderKind, *, force: bool) -> str | None:
    if folder.is_symlink() and not folder.exists():
        return "is a link to a folder that does not exist: create that folder or remove the link."
    if not folder.exists():
        return None
    if not folder.is_dir():
        return f"is a file: choose a folder for the {kind.name}."
    content = sorted(p.name for p in folder.iterdir())
    if not content:
        return None
    if not kind.is_marked(folder):
        return (
            f"is not empty and holds no {kind.name} ({some(content, 3)}). Only a {kind.name} that "
            "bayes-mdd wrote is replaced: choose another folder."
        )
    if not force:
        return (
            f"already holds a {kind.name}: choose another folder, or replace it with --force "
            "(force=True)."
        )
    protected = _protected(folder.resolve())
    if protected:
        return f"is {protected}, which is never replaced: choose another folder."
    foreign = kind.foreign(folder)
    if foreign:
        return (
            f"holds files that bayes-mdd did not write ({some(foreign, 3)}), so it is not "
            "replaced: move them away, or choose another folder."
        )
    if os.path.ismount(folder) or not os.access(folder.resolve().parent, os.W_OK | os.X_OK):
        return (
            "cannot be replaced as a whole, because the folder above it cannot be written: choose "
            "a folder inside it, or empty it."
        )
    return None


def _protected(folder: Path) -> str | None:
    """Say why a folder is never replaced, whatever it holds."""
    here = Path.cwd()
    if folder == here:
        return "the current folder"
    if folder in here.parents:
        return "a folder above the current one"
    try:
        home = Path.home().resolve()
    except (RuntimeError, OSError):
        return None
    if folder == home or folder in home.parents:
        return "a home folder, or above one"
    return None


def check_writable(path: Path) -> None:
    """Check that a file or folder can be created, by creating and removing a hidden one.

    Parameters
    ----------
    path : Path
        What will be written; folders above it may be missing. An existing folder must be writable
        itself, or the folder above it.

    Raises
    ------
    WriteError
        If neither can be written.
    """
    place = path.resolve()
    if place.is_dir() and _can_write(place) is None:
        return
    # A run folder may be replaced from outside even where it is itself not writable.
    error = _can_write(find_existing(place.parent))
    if error is not None:
        raise write_error(path, error)
    if len(os.fsencode(path.name)) > 255:
        raise WriteError(f"Cannot write {path}: the name is too long. Choose a shorter name.")


def find_existing(path: Path) -> Path:
    """Find the nearest folder above a path that exists.

    Parameters
    ----------
    path : Path
        A file or folder that may not exist yet.

    Returns
    -------
    Path
        The path itself where it exists.
    """
    path = path.resolve()
    while not path.exists():
        path = path.parent
    return path


def _can_write(folder: Path) -> OSError | None:
    probe = folder / f"{PART}{secrets.token_hex(6)}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return error
    return None
