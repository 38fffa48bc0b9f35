"""Who is in a figure: numbers of participants, in all and by arm."""

from __future__ import annotations

import numpy as np

from bayes_mdd.dims import ARM
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
    if not result.holds("constant_data", ARM):
        return ""
    own = result.constant[ARM].values.astype(str)
    said = f"{own.size} participants"
    if len(result.arms) < 2:
        return said
    counts = [f"{np.count_nonzero(own == arm)} {arm}" for arm in result.arms]
    return f"{said} ({', '.join(counts)})"
