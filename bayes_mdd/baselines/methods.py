"""Names of the methods, of what they may see, and of the questions that they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

#: What is predicted: whether the event occurs, the outcome in points, or the better drug.
Question = Literal["event", "points", "choice"]
#: Within which folds methods are compared.
Scheme = Literal["repeated", "leave_site_out"]

CLINICAL: Final = "clinical"
IMAGING: Final = "imaging"
BOTH: Final = "both"
EARLY: Final = "early"
#: View of a method that looks at nothing.
NOTHING: Final = "none"
VIEWS: Final = (CLINICAL, IMAGING, BOTH, EARLY)
#: Views that contain features of scans.
WITH_SCANS: Final = (IMAGING, BOTH)

MAJORITY: Final = "majority"
FACTORS: Final = "factors"
#: Methods that predict the outcome whatever drug is given.
PROGNOSIS: Final = (
    MAJORITY,
    CLINICAL,
    "logistic",
    "ridge",
    "elastic net",
    "svm linear",
    "svm rbf",
    "random forest",
    "boosting",
    "pca + lars",
    FACTORS,
)
BCF: Final = "bcf"
#: Methods that choose a drug; `majority` gives everyone the default.
CHOICE: Final = (MAJORITY, "ridge interactions", "t-learner forest", "pai", BCF, FACTORS)
METHODS: Final = (*PROGNOSIS, *(m for m in CHOICE if m not in PROGNOSIS))
#: Of the methods that are used unless named: all that need no extra.
DEFAULT_METHODS: Final = tuple(m for m in METHODS if m != BCF)


@dataclass(frozen=True, order=True)
class Task:
    """One method with one view for one question.

    Parameters
    ----------
    question : str
        "event", "points" or "choice".
    method, view : str
        Names.
    """

    question: Question
    method: str
    view: str


def check_names(given: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    """List unknown names, each with the nearest known one.

    Parameters
    ----------
    given : iterable of str
        Names that a user gave.
    known : sequence of str
        Names that exist.
    what : str
        What they name, for the message.

    Returns
    -------
    list of str
        Problems.

    Examples
    --------
    >>> check_names(["rigde"], ("ridge", "logistic"), "method")
    ["there is no method 'rigde'. Did you mean 'ridge'?"]
    """
    problems = []
    for name in dict.fromkeys(map(str, given)):
        if name in known:
            continue
        near = get_close_matches(name.lower().replace("_", " "), known, n=1, cutoff=0.5)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
        problems.append(f"there is no {what} '{name}'. {hint}")
    return problems


def views_of(method: str, views: Iterable[str]) -> tuple[str, ...]:
    """List the views that a method is given.

    Parameters
    ----------
    method : str
        A method.
    views : iterable of str
        Views that were asked for.

    Returns
    -------
    tuple of str
        ``("none",)`` for the method that looks at nothing.
    """
    if method == MAJORITY:
        return (NOTHING,)
    if method == CLINICAL:
        return (CLINICAL,)
    if method == FACTORS:
        return tuple(v for v in views if v in WITH_SCANS)
    return tuple(views)


def questions_of(method: str, view: str) -> tuple[Question, ...]:
    """List the questions that a method can answer with a view.

    Parameters
    ----------
    method, view : str
        A method and a view.

    Returns
    -------
    tuple of str
        Of "event", "points" and "choice".
    """
    found: list[Question] = []
    if method in PROGNOSIS:
        found = ["event"] if method == "logistic" else ["event", "points"]
    # What happened after the drug began cannot inform the choice of the first drug.
    if method in CHOICE and view != EARLY:
        found.append("choice")
    return tuple(found)
