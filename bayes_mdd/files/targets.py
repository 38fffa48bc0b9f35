"""Tests of a folder or file that will be written, made before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from bayes_mdd.errors import DataContractError, RunFolderError, SpecError, WriteError, some
from bayes_mdd.files.folders import resolve, restore_folder
from bayes_mdd.files.marks import RUN, SIMULATED, FolderKind, read_mark
from bayes_mdd.files.replace import reason_of, write_error
from bayes_mdd.files.temporary import PART, remove_leftovers, temporary_name
from bayes_mdd.files.unfinished import is_unfinished


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
    protected = _protected(resolve(folder))
    if protected:
        return f"is {protected}, which is never replaced: choose another folder."
    foreign = kind.foreign(folder)
    if foreign:
        return (
            f"holds files that bayes-mdd did not write ({some(foreign, 3)}), so it is not "
            "replaced: move them away, or choose another folder."
        )
    if os.path.ismount(folder) or not os.access(resolve(folder).parent, os.W_OK | os.X_OK):
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
        home = resolve(Path.home())
    except (RuntimeError, OSError):
        return None
    if folder == home or folder in home.parents:
        return "a home folder, or above one"
    return None


def check_cohort_target(folder: str | Path, *, overwrite: bool) -> Path:
    """Check where a simulated cohort will be written, before it is drawn.

    Parameters
    ----------
    folder : str or Path
        Folder to write to.
    overwrite : bool
        Whether it may be in use.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DataContractError
        If the folder is a file, is not empty and `overwrite` is False, or holds another cohort.
    WriteError
        If nothing can be written there.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataContractError(str(folder), ["is a file, expected a folder: choose another name."])
    content = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    if content and not overwrite:
        raise DataContractError(
            str(folder),
            [
                f"is not empty (it contains {some(content, 3)}): choose another folder or pass "
                "overwrite=True (--force)."
            ],
        )
    tops = {pattern.split("/")[0] for pattern in SIMULATED.files}
    taken = [name for name in content if name in tops]
    if taken and not SIMULATED.is_marked(folder):
        raise DataContractError(
            str(folder),
            [
                f"holds {some(taken, 3)}, but no simulated cohort. Only simulated cohorts are "
                "replaced: choose another folder."
            ],
        )
    check_writable(folder)
    return folder


def check_page(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot or must not be written, before anything is computed.

    Parameters
    ----------
    path : Path
        The file.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    SpecError
        If the folder does not exist.
    RunFolderError
        If the file exists and `overwrite` is False.
    """
    if path.suffix.lower() not in {".html", ".htm"}:
        raise SpecError(f"The report is an HTML page: its name must end in .html, got {path}.")
    if not path.parent.is_dir():
        raise SpecError(f"Cannot write {path}: the folder {path.parent} does not exist; create it.")
    if path.is_dir():
        raise SpecError(f"{path} is a folder: name a file for the report.")
    if path.exists() and not overwrite:
        raise RunFolderError(f"{path} exists; pass overwrite=True (--force) to replace it.")
    check_writable(path)


def check_table(path: Path, *, overwrite: bool) -> None:
    """Refuse a table that cannot or must not be written, before anything is computed.

    Parameters
    ----------
    path : Path
        The file.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    SpecError
        If the name does not end in ``.tsv``, or is that of a folder.
    RunFolderError
        If the file exists and `overwrite` is False.
    WriteError
        If it cannot be written.
    """
    if path.suffix.lower() != ".tsv" or path.is_dir():
        raise SpecError(f"{path} must be the name of a file that ends in .tsv.")
    # A command that was stopped while it wrote the file is continued.
    if path.exists() and not overwrite and not is_unfinished(path):
        raise RunFolderError(f"{path} exists: choose another name, or replace it with --force.")
    check_writable(path)


def check_projection_target(path: str | Path, *, overwrite: bool) -> Path:
    """Check where a projection will be written, before anything is computed.

    Parameters
    ----------
    path : str or Path
        The table of scores, ending in ``.tsv``.
    overwrite : bool
        Whether the files of an earlier projection may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    SpecError
        If `path` does not end in ``.tsv``.
    RunFolderError
        If a file exists and `overwrite` is False, or is not that of a projection.
    WriteError
        If nothing can be written there.
    """
    path = Path(path)
    if path.suffix != ".tsv":
        raise SpecError(
            f"a projection is written as a table: expected a name that ends in .tsv, got {path}."
        )
    sidecar = path.with_suffix(".json")
    files = [path, path.with_name(f"{path.stem}_symptoms.tsv"), sidecar, path.with_suffix(".nc")]
    existing = [p.name for p in files if p.exists()]
    if existing and not {"estimand", "interval", "columns"} <= read_mark(sidecar).keys():
        raise RunFolderError(
            f"{path.parent} holds {', '.join(existing)}, which is no projection of bayes-mdd and "
            "is not replaced: choose another name."
        )
    if existing and not overwrite:
        raise RunFolderError(
            f"{path.parent} already holds {', '.join(existing)}: choose another name, or replace "
            "these files with --force (overwrite=True)."
        )
    check_writable(path)
    return path


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
    place = resolve(path)
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
    path = resolve(path)
    while not path.exists():
        path = path.parent
    return path


def _can_write(folder: Path) -> OSError | None:
    remove_leftovers(folder, PART)
    probe = folder / temporary_name(PART)
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return error
    return None
