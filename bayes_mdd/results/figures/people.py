"""Who is in a figure: numbers of participants, in all and by arm."""

from __future__ import annotations

from bayes_mdd.results.population import count_by_arm
from bayes_mdd.results.result import Result


def count_people(result: Result) -> str:
    """Count the participants of a fit, for the caption of a figure.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    str
        For example ``"62 participants (32 SSRI, 30 SNRI)"``; empty where arms are not stored.
    """
    counted = count_by_arm(result)
    if not counted:
        return ""
    said = f"{sum(counted.values())} participants"
    if len(counted) < 2:
        return said
    counts = [f"{n} {arm}" for arm, n in counted.items()]
    return f"{said} ({', '.join(counts)})"
