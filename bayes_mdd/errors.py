"""Exceptions of the package; each also derives from the built-in exception it specialises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class BayesMDDError(Exception):
    """Base class of all exceptions of the package."""


class SpecError(BayesMDDError, ValueError):
    """A specification or an option is unknown, out of range or contradictory."""


class RunFolderError(BayesMDDError, FileExistsError):
    """A run folder contains another run, or cannot be read as a run."""


class WriteError(BayesMDDError, OSError):
    """A file cannot be written: the disk is full, or the folder is read-only.

    Parameters
    ----------
    message : str
        The file, the reason and what to do.
    code : int, optional
        Number of the error of the system (`errno`).

    Attributes
    ----------
    result : DataTree or None
        The finished fit, where `fit` could not write it.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.errno = code
        self.result: Any = None


class WorkerError(BayesMDDError, RuntimeError):
    """Tasks cannot run at once: workers are lost, cannot be reached, or have other software."""


class DataContractError(BayesMDDError, ValueError):
    """Data violate the contract of the function that received them.

    Parameters
    ----------
    what : str
        Name of the data that were checked, e.g. ``"participants.tsv"``.
    problems : list of str
        All problems found; each says where it is, what was expected and what to do.
    """

    def __init__(self, what: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {i}. {p}" for i, p in enumerate(problems, start=1))
        super().__init__(f"{what}: {len(problems)} problem(s)\n{lines}")


class UnreadableFileError(BayesMDDError, ValueError):
    """One file cannot be read; the message begins with its name.

    Readers of many files collect these errors and raise one `DataContractError` for all.
    """


#: Longer names are cut in messages: a damaged file may hold one cell of megabytes.
LONGEST_NAME = 120


def some(names: Iterable[object], limit: int = 5) -> str:
    """List the first names and count the others, for error messages.

    Parameters
    ----------
    names : iterable
        Subjects, features, files, ...
    limit : int, default 5
        Number of names to list.

    Returns
    -------
    str
        For example ``"sub-01, sub-02 and 7 more"``.

    Examples
    --------
    >>> some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    listed = [n if len(n) <= LONGEST_NAME else f"{n[:LONGEST_NAME]}..." for n in map(str, names)]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def problems_of(error: BayesMDDError) -> list[str]:
    """List the problems that an exception reports.

    Parameters
    ----------
    error : BayesMDDError
        Any exception of the package.

    Returns
    -------
    list of str
        Those of a `DataContractError`, otherwise the message.

    Examples
    --------
    >>> problems_of(DataContractError("design", ["a", "b"])), problems_of(SpecError("c"))
    (['a', 'b'], ['c'])
    """
    return list(error.problems) if isinstance(error, DataContractError) else [str(error)]
