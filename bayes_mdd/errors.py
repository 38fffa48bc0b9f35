"""The errors this package raises on purpose; each is also the built-in it refines."""

from __future__ import annotations

from collections.abc import Iterable


class BayesMDDError(Exception):
    """Base class, so that a script can catch everything raised here."""


class SpecError(BayesMDDError, ValueError):
    """A model, reference or sampler specification cannot be honoured."""


class RunFolderError(BayesMDDError, FileExistsError):
    """A run folder holds another run, or cannot be read as a run."""


class DataContractError(BayesMDDError, ValueError):
    """Data do not meet the contract of the stage that received them.

    Parameters
    ----------
    what : str
        The thing that was checked, e.g. ``"participants.tsv"``.
    problems : list of str
        Every problem found: who, what was expected, what to do.
    """

    def __init__(self, what: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {i}. {p}" for i, p in enumerate(problems, start=1))
        super().__init__(f"{what}: {len(problems)} problem(s)\n{lines}")


def some(names: Iterable[object], limit: int = 5) -> str:
    """List the first names and count the rest, for error messages.

    Parameters
    ----------
    names : iterable
        Subjects, features, files, ...
    limit : int, default 5
        How many are spelled out.

    Returns
    -------
    str
        For example ``"sub-01, sub-02 and 7 more"``.

    Examples
    --------
    >>> some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    listed = [str(n) for n in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
