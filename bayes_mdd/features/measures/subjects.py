"""One task a person, in parallel, without holding more than the results."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from joblib import Parallel, delayed

from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.loading import Floats, Grouped
from bayes_mdd.features.matrices import gap_problems

#: What to do about regions that have no data in some people.
Missing = Literal["refuse", "drop-regions", "drop-people"]


class UnusableDataError(ValueError):
    """The data of one person cannot be measured; all such are collected into one error.

    Parameters
    ----------
    problems : sequence of str
        What is wrong and what to do.
    gaps : sequence of str
        Regions without data.
    """

    def __init__(self, problems: Sequence[str], gaps: Sequence[str] = ()) -> None:
        self.problems, self.gaps = tuple(problems), tuple(gaps)
        super().__init__("; ".join([*problems, *gaps]))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Numbers of everybody, and who or what was left out on the way.

    Parameters
    ----------
    subjects : tuple of str
        The people who were measured.
    values : list of numpy.ndarray
        What the measure returned, one a person.
    kept : numpy.ndarray of int
        Rows of the region table that were measured.
    left_out : mapping of str to list of str
        People by the reason, or regions with the people who lack them.
    """

    subjects: tuple[str, ...]
    values: list[Floats]
    kept: Index
    left_out: Mapping[str, list[str]]


def check_missing(missing: str) -> None:
    """Refuse a policy for missing regions that is not offered.

    Parameters
    ----------
    missing : str
        The policy.

    Raises
    ------
    SpecError
        With the choices.
    """
    if missing not in get_args(Missing):
        choices = ", ".join(get_args(Missing))
        raise SpecError(f"missing must be one of {choices}; got {missing!r}.")


def for_everybody[S, T](
    task: Callable[[S], T], people: Mapping[str, S], *, label: str, n_jobs: int | None = None
) -> Iterator[T]:
    """Run a task for every person and hand over the results one by one, in order.

    Threads are asked for: the work is done by NumPy and SciPy, which release the interpreter, and
    nothing has to be copied to other processes. Whoever wraps the call in
    ``joblib.parallel_config`` (processes, a dask cluster) overrules that.

    Parameters
    ----------
    task : callable
        Takes what there is of one person.
    people : mapping of str to object
        What there is of everybody; each is taken out when its turn comes.
    label : str
        What the progress bar says. It shows only where standard error is a terminal.
    n_jobs : int, optional
        People at a time; -1 for all cores. Default what ``joblib.parallel_config`` says, else 1.

    Yields
    ------
    object
        The result of one person.

    Examples
    --------
    >>> list(for_everybody(str.upper, {"sub-1": "a", "sub-2": "b"}, label="shouting"))
    ['A', 'B']
    """
    parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    with _progress(label, len(people)) as step:
        for result in parallel(delayed(task)(people[subject]) for subject in people):
            step()
            yield result


@contextmanager
def _progress(label: str, total: int) -> Iterator[Callable[[], None]]:
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task(label, total=total)
        yield lambda: bar.advance(row)


def measure_people[S](
    people: Mapping[str, S],
    names: tuple[str, ...],
    one_person: Callable[[S, Index | None], Floats],
    *,
    what: str,
    label: str,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> Measured:
    """Measure everybody, and settle what to do about regions that some lack.

    Parameters
    ----------
    people : mapping
        What there is of everybody.
    names : tuple of str
        Regions in the order of the region table.
    one_person : callable
        From what there is of one person, and the positions of the regions to use (None for all),
        to numbers. Raises `UnusableDataError`.
    what : str
        How errors call the data.
    label : str
        For the progress bar.
    missing : {"refuse", "drop-regions", "drop-people"}, default "refuse"
        What to do where a region has no data in some people.
    n_jobs : int, optional
        People at a time.

    Returns
    -------
    Measured
        The numbers of those people and regions that were kept.

    Raises
    ------
    DataContractError
        All problems of all people, or nothing is left.
    """
    check_missing(missing)
    if not people:
        raise DataContractError(what, ["there are none: expected one a person."])

    outcomes = _outcomes(people, partial(_attempt, one_person, None), label, n_jobs)
    gaps = _settle_problems(outcomes, missing, what)
    kept = np.arange(len(names))
    if gaps.who and missing == "drop-regions":
        kept = np.array([i for i in kept if names[i] not in gaps.who], dtype=np.intp)
        if len(kept) < 2:
            raise DataContractError(what, [_nothing_left(gaps)])
        outcomes = _outcomes(people, partial(_attempt, one_person, kept), label, n_jobs)
        _settle_problems(outcomes, "refuse", what)
    usable = {s: v for s, v in outcomes.items() if not isinstance(v, UnusableDataError)}
    if not usable:
        raise DataContractError(what, ["everybody lacks some region: nobody is left."])
    return Measured(
        subjects=tuple(usable), values=list(usable.values()), kept=kept, left_out=dict(gaps.who)
    )


def _nothing_left(gaps: Grouped) -> str:
    lacking = Counter(who for people in gaps.who.values() for who in people)
    who, n = lacking.most_common(1)[0]
    return (
        f"no two regions have data in everybody; {who} alone lacks {n}: leave such people out "
        "first, or say missing='drop-people'."
    )


def _outcomes[S](
    people: Mapping[str, S],
    task: Callable[[S], Floats | UnusableDataError],
    label: str,
    n_jobs: int | None,
) -> dict[str, Floats | UnusableDataError]:
    return dict(zip(people, for_everybody(task, people, label=label, n_jobs=n_jobs), strict=True))


def _attempt[S](
    one_person: Callable[[S, Index | None], Floats], kept: Index | None, one: S
) -> Floats | UnusableDataError:
    try:
        return one_person(one, kept)
    except UnusableDataError as error:
        return error


def _settle_problems(
    outcomes: Mapping[str, Floats | UnusableDataError], missing: Missing, what: str
) -> Grouped:
    """Raise what cannot be mended; return which regions which people lack."""
    found, gaps = Grouped(), Grouped()
    for subject, outcome in outcomes.items():
        if isinstance(outcome, UnusableDataError):
            for text in outcome.problems:
                found.add(subject, text)
            for region in outcome.gaps:
                gaps.add(subject, region)
    problems = found.problems()
    if missing == "refuse":
        problems += gap_problems(gaps)
    if problems:
        raise DataContractError(what, problems)
    return gaps
