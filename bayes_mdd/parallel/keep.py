"""Results of finished tasks, kept beside a target until all are complete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from joblib import dump, load

from bayes_mdd.errors import WriteError
from bayes_mdd.files.replace import write_with
from bayes_mdd.files.seal import check_seal, seal
from bayes_mdd.files.unfinished import unfinished
from bayes_mdd.parallel.software import describe_software

log = logging.getLogger("bayes_mdd.parallel")


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
        Plain values that identify the work. The versions of the software are added, and a checksum
        of the source of the package.
    noun : str
        What the tasks are, for messages.

    Returns
    -------
    context manager of Path or None
        The folder, for `part_files`.
    """
    if target is None:
        return nullcontext()
    return unfinished(target, {"software": describe_software(), **key}, noun=noun)


def call_once[T](function: Callable[..., T], path: Path, *task: Any) -> T:
    """Read the result of an earlier call, or call and keep the result.

    Parameters
    ----------
    function : callable
        To be called where there is no result.
    path : Path
        Where the result is kept.
    *task : object
        Positional arguments of the call.

    Returns
    -------
    object
        The result.
    """
    if path.is_file():
        try:
            check_seal(path, required=True)
            found: tuple[T] = load(path)
            return found[0]
        # Whatever is wrong with the file: the result is computed again.
        except Exception:
            log.info("%s cannot be read; its result is computed again.", path.name)
    result = function(*task)
    try:
        write_with(path, lambda temporary: _write_sealed(result, temporary))
    except WriteError as error:
        log.warning("A result is not kept until all are complete: %s", error)
    return result


def _write_sealed(result: object, path: Path) -> None:
    """Write a result with its checksum: what a disk has changed is not taken for a result."""
    dump((result,), path)
    seal(path)
