"""What is fitted: methods by views and questions, and whether the folds suit the patients."""

from __future__ import annotations

import numpy as np

from bayes_mdd.baselines.cases import Cases
from bayes_mdd.baselines.methods import METHODS, Task, questions_of, views_of
from bayes_mdd.baselines.request import Request
from bayes_mdd.errors import some
from bayes_mdd.types import IntArray


def list_tasks(cases: Cases, request: Request) -> list[Task]:
    """List every method with every view and question that it answers.

    Parameters
    ----------
    cases : Cases
        The patients.
    request : Request
        Methods and views.

    Returns
    -------
    list of Task
        In the order of the methods and views.
    """
    asked = {
        "event": cases.event is not None, "points": cases.points is not None,
        "choice": cases.choice,
    }  # fmt: skip
    return [
        Task(question, method, view)
        for method in METHODS
        if method in request.methods
        for view in views_of(method, request.views)
        for question in questions_of(method, view)
        if asked[question]
    ]


def idle_methods(cases: Cases, request: Request) -> list[str]:
    """Find named methods that have nothing to predict, or nothing to predict it from.

    Parameters
    ----------
    cases : Cases
        The patients.
    request : Request
        Methods, views and folds.

    Returns
    -------
    list of str
        Problems.
    """
    busy = {t.method for t in list_tasks(cases, request)}
    idle = [m for m in request.methods if m not in busy]
    if request.named and idle:
        return [
            f"{some(idle)} cannot be used with views {some(request.views)} and this outcome: "
            "logistic needs an event, factors a view with scans, and the choice of a drug more "
            "than an early change."
        ]
    return [] if busy else ["no method is left to compare."]


def fold_problems(cases: Cases, request: Request) -> list[str]:
    """Find folds or sites that leave too few patients to learn from.

    Parameters
    ----------
    cases : Cases
        The patients.
    request : Request
        Methods, views and folds.

    Returns
    -------
    list of str
        Problems.
    """
    arm = np.bincount(cases.other.astype(int), minlength=2)
    if request.scheme == "repeated":
        if request.folds > arm.min():
            return [
                f"folds is {request.folds}, but the smallest arm has {arm.min()} patients: give at "
                f"most {arm.min()}."
            ]
        if cases.event is not None:
            least = int(min(cases.event.sum(), (~cases.event).sum()))
            if request.folds > least:
                return [
                    f"folds is {request.folds}, but only {least} patients are in the smaller group "
                    f"of '{cases.event_name}': give at most {least}."
                ]
        return []
    problems = []
    for code, site in enumerate(cases.sites):
        rest: IntArray = np.flatnonzero(cases.site != code)
        groups = [cases.other[rest]] + ([] if cases.event is None else [cases.event[rest]])
        if any(min(g.sum(), (~g).sum()) < 2 for g in groups):
            problems.append(
                f"without site '{site}' an arm, or patients with or without the event, are too "
                "few to learn from: join sites, or use scheme='repeated'."
            )
    return problems
