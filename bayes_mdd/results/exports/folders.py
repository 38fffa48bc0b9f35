"""Folders of exported files: one a format, replaced as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bayes_mdd import __version__
from bayes_mdd.files.folders import new_folder
from bayes_mdd.files.marks import EXPORT, FolderKind, read_mark
from bayes_mdd.files.targets import check_folder
from bayes_mdd.results.exports.material import write_json

#: Meaning of the list of files, for who opens it.
_SAYS: Final = "Written by bayes-mdd export. A repeated export with --force replaces this folder."


def check_export(folder: Path, *, overwrite: bool) -> None:
    """Check that the folder of a format can be written.

    Parameters
    ----------
    folder : Path
        The folder.
    overwrite : bool
        Whether an earlier export that it holds may be replaced.

    Raises
    ------
    RunFolderError
        If it is a file, holds something else or another file, or an export and `overwrite` is
        False.
    WriteError
        If nothing can be written there.
    """
    check_folder(folder, _kind_of(folder), force=overwrite)


def write_exports(
    folder: Path, writers: Mapping[str, Callable[[Path], None]]
) -> dict[str, tuple[Path, ...]]:
    """Write one folder a format; they take their places when all are complete.

    Parameters
    ----------
    folder : Path
        Holds the folders of the formats; `check_export` has tested each.
    writers : mapping of str to callable
        By name of the format; fills the empty folder that it is given.

    Returns
    -------
    dict of str to tuple of Path
        Every file, by format.

    Raises
    ------
    WriteError
        If a folder cannot be written; earlier exports are kept then.
    """
    written = {}
    with ExitStack() as stack:
        for name, write in writers.items():
            work = stack.enter_context(new_folder(folder / name))
            write(work)
            written[name] = _complete(work, name)
    return {name: tuple(folder / name / file for file in files) for name, files in written.items()}


def _complete(work: Path, name: str) -> list[str]:
    """List the files of a format, and write the list beside them."""
    files = sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file())
    note = {
        "Export": name,
        "Description": _SAYS,
        "Files": files,
        "GeneratedBy": [{"Name": "bayes-mdd", "Version": __version__}],
    }
    write_json(work / EXPORT, note)
    return [*files, EXPORT]


def _is_export(folder: Path) -> bool:
    return {"Export", "Files", "GeneratedBy"} <= read_mark(folder / EXPORT).keys()


def _kind_of(folder: Path) -> FolderKind:
    """Describe what may be replaced: the files that the folder itself lists."""
    listed = read_mark(folder / EXPORT).get("Files")
    files = [str(f) for f in listed] if isinstance(listed, list) else []
    return FolderKind("set of exported files", _is_export, [*files, EXPORT])
