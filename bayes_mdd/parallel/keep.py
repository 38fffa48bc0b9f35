"""Results of finished tasks, kept beside a target until all are complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from bayes_mdd import __version__
from bayes_mdd.files.unfinished import unfinished


def part_files(folder: Path | None, names: Iterable[object]) -> list[Path] | None:
    """Name the files in which results of tasks are kept.

    Parameters
    ----------
    folder : Path, optional
        From `keep_results`.
    names : iterable
        One per task; a task has the same name when the study is repeated.

    Returns
    -------
    list of Path or None
        None without a folder.

    Examples
    --------
    >>> [path.name for path in part_files(Path("there"), range(2))]
    ['part-0.pkl', 'part-1.pkl']
    """
    return None if folder is None else [folder / f"part-{name}.pkl" for name in names]


def keep_results(
    target: str | Path | None, key: Mapping[str, Any], *, noun: str
) -> AbstractContextManager[Path | None]:
    """Keep the results of finished tasks beside a target until all are complete.

    Parameters
    ----------
    target : str or Path, optional
        The file or folder that will be written; without it nothing is kept.
    key : mapping
        Plain values that identify the study. The version of the package is added.
    noun : str
        What the tasks are, for messages.

    Returns
    -------
    context manager of Path or None
        The folder, for `part_files`.
    """
    if target is None:
        return nullcontext()
    return unfinished(target, {"version": __version__, **key}, noun=noun)
