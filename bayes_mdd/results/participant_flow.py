"""Flow of participants from the cohort to the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayes_mdd.dims import MISSING
from bayes_mdd.results.cohort_facts import CohortFacts, list_roles
from bayes_mdd.results.result import Result


@dataclass(frozen=True)
class Stage:
    """One box of the flow of participants.

    Parameters
    ----------
    title : str
        What the participants have in common.
    n : int
        Their number.
    parts : sequence of str
        Groups or reasons with their numbers.
    left : bool
        Whether they leave the flow here.
    """

    title: str
    n: int
    parts: Sequence[str] = ()
    left: bool = False


def count_stages(result: Result, cohort: CohortFacts) -> list[Stage]:
    """Count the participants from the cohort to the fit.

    Parameters
    ----------
    result : Result
        A fit.
    cohort : CohortFacts
        See `bayes_mdd.results.cohort_facts.describe_cohort`.

    Returns
    -------
    list of Stage
        The cohort, those who leave it with their reasons, and the fit by arm. Counts only.
    """
    fitted = cohort.by_arm
    dropped = result.provenance.get("dropped")
    reasons = {str(k): int(v) for k, v in dropped.items()} if isinstance(dropped, Mapping) else {}
    controls, left = 0, dict(reasons)
    for role in list_roles(result):
        n, use = int(role.get("participants", 0)), str(role.get("use", ""))
        if use.startswith("fitted"):
            continue
        if role.get("role") == "control":
            controls += n
        else:
            name = str(role.get("diagnosis", ""))
            of = f" ({name})" if name not in ("", "any", MISSING) else ""
            left[f"{use}{of}"] = left.get(f"{use}{of}", 0) + n
    if not list_roles(result):
        left |= {reason: len(who) for reason, who in cohort.left_out}
    stages = [
        Stage("In the cohort", sum(fitted.values()) + controls + sum(left.values())),
        Stage(
            "Not analysed",
            sum(left.values()),
            [f"{reason}: {n}" for reason, n in left.items()],
            left=True,
        ),
        Stage("Healthy controls, used as reference only", controls, left=True),
        Stage("In the fit", sum(fitted.values()), [f"{arm}: {n}" for arm, n in fitted.items()]),
    ]
    return [s for s in stages if s.n or not s.left]
