"""Measurement of all subjects in parallel, and treatment of regions without data."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast, get_args

import numpy as np

from bayes_mdd.errors import BayesMDDError, DataContractError, SpecError
from bayes_mdd.features.blocks import Index
from bayes_mdd.features.loading import GroupedProblems
from bayes_mdd.features.matrices import gap_problems
from bayes_mdd.parallel.fan_out import fan_out_in_turn

#: Treatment of regions without data in some subjects ("drop-people": former "drop-subjects").
Missing = Literal["refuse", "drop-regions", "drop-subjects", "drop-people"]
_FORMER: dict[str, Missing] = {"drop-people": "drop-subjects"}


class UnusableDataError(BayesMDDError, ValueError):
    """The data of one subject cannot be measured; callers raise one error for all subjects.

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
class Measured[T]:
    """Values of all subjects, and the regions that lack data.

    Parameters
    ----------
    subjects : tuple of str
        Subjects who were measured.
    values : list of object
        Result of the measure, one per subject (usually an array).
    kept : numpy.ndarray of int
        Rows of the region table that were measured.
    left_out : mapping of str to list of str
        Subjects without data, by region.
    """

    subjects: tuple[str, ...]
    values: list[T]
    kept: Index
    left_out: Mapping[str, list[str]]


def check_missing(missing: str) -> Missing:
    """Check the treatment of missing regions and replace a former name by the current one.

    Parameters
    ----------
    missing : str
        Option of a public function, which calls this one directly.

    Returns
    -------
    str
        The current name.

    Raises
    ------
    SpecError
        If the option is unknown.

    Warns
    -----
    DeprecationWarning
        If the former name "drop-people" is given.
    """
    current = _FORMER.get(missing)
    if current is not None:
        warnings.warn(
            f"missing={missing!r} is now called {current!r}; the former name will be removed in "
            "the next version.",
            DeprecationWarning,
            stacklevel=3,
        )
        return current
    choices = [choice for choice in get_args(Missing) if choice not in _FORMER]
    if missing not in choices:
        raise SpecError(f"missing must be one of {', '.join(choices)}; got {missing!r}.")
    return cast("Missing", missing)


def for_each_subject[S, T](
    task: Callable[[S], T], data: Mapping[str, S], *, label: str, n_jobs: int | None = None
) -> Iterator[T]:
    """Run a task for each subject and yield the results one by one, in order.

    Threads are preferred: NumPy and SciPy do the work and release the interpreter lock, and no data
    are copied to other processes. ``joblib.parallel_config`` overrides this, e.g. for processes,
    and `bayes_mdd.use_cluster` for a cluster.

    Parameters
    ----------
    task : callable
        Function of the data of one subject.
    data : mapping of str to object
        Data by subject; each item is accessed when it is needed.
    label : str
        Label of the progress bar, which is shown only if standard error is a terminal.
    n_jobs : int, optional
        Number of subjects in parallel; -1 for all cores. Default: as set by
        ``joblib.parallel_config``, else 1.

    Yields
    ------
    object
        The result of one subject.

    Examples
    --------
    >>> list(for_each_subject(str.upper, {"sub-1": "a", "sub-2": "b"}, label="upper"))
    ['A', 'B']
    """
    tasks = ((data[subject],) for subject in data)
    with _progress(label, len(data)) as step:
        for result in fan_out_in_turn(task, tasks, n_jobs=n_jobs, where="threads"):
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


def measure_subjects[S, T](
    data: Mapping[str, S],
    names: tuple[str, ...],
    measure: Callable[[S, Index | None], T],
    *,
    what: str,
    label: str,
    missing: Missing = "refuse",
    n_jobs: int | None = None,
) -> Measured[T]:
    """Measure all subjects and treat regions without data in some of them.

    Parameters
    ----------
    data : mapping
        Data by subject.
    names : tuple of str
        Regions in the order of the region table.
    measure : callable
        Function of the data of one subject and the positions of the regions to use (None: all
        regions) that returns the values. Raises `UnusableDataError`.
    what : str
        Name of the data in error messages.
    label : str
        Label of the progress bar.
    missing : {"refuse", "drop-regions", "drop-subjects"}, default "refuse"
        Treatment of regions without data in some subjects.
    n_jobs : int, optional
        Number of subjects in parallel.

    Returns
    -------
    Measured
        Values of the remaining subjects and regions.

    Raises
    ------
    DataContractError
        If data cannot be used, or no subjects or regions remain. The error lists all problems of
        all subjects.
    """
    if not data:
        raise DataContractError(what, ["there are no data: expected one entry per participant."])

    outcomes = _outcomes(data, partial(_attempt, measure, None), label, n_jobs)
    gaps = _check_outcomes(outcomes, missing, what)
    kept = np.arange(len(names))
    if gaps.subjects and missing == "drop-regions":
        kept = np.array([i for i in kept if names[i] not in gaps.subjects], dtype=np.intp)
        if len(kept) < 2:
            raise DataContractError(what, [_no_regions_left(gaps)])
        outcomes = _outcomes(data, partial(_attempt, measure, kept), label, n_jobs)
        _check_outcomes(outcomes, "refuse", what)
    usable = {s: v for s, v in outcomes.items() if not isinstance(v, UnusableDataError)}
    if not usable:
        raise DataContractError(
            what, ["all participants lack data in at least one region: no participant remains."]
        )
    return Measured(
        subjects=tuple(usable),
        values=list(usable.values()),
        kept=kept,
        left_out=dict(gaps.subjects),
    )


def _no_regions_left(gaps: GroupedProblems) -> str:
    lacking = Counter(s for subjects in gaps.subjects.values() for s in subjects)
    subject, n = lacking.most_common(1)[0]
    return (
        f"fewer than 2 regions have data in all participants; {subject} alone lacks {n}: exclude "
        "such participants first, or pass missing='drop-subjects'."
    )


def _outcomes[S, T](
    data: Mapping[str, S],
    task: Callable[[S], T | UnusableDataError],
    label: str,
    n_jobs: int | None,
) -> dict[str, T | UnusableDataError]:
    return dict(zip(data, for_each_subject(task, data, label=label, n_jobs=n_jobs), strict=True))


def _attempt[S, T](
    measure: Callable[[S, Index | None], T], kept: Index | None, subject_data: S
) -> T | UnusableDataError:
    try:
        return measure(subject_data, kept)
    except UnusableDataError as error:
        return error


def _check_outcomes(outcomes: Mapping[str, object], missing: Missing, what: str) -> GroupedProblems:
    """Raise one error for all unusable data; return the regions without data."""
    found, gaps = GroupedProblems(), GroupedProblems()
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
