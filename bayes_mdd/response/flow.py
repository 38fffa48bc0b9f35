"""Who entered the analysis: numbers by arm, from assignment to the fitted outcome."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.specs.response import ResponseSpec

#: Column with the reason why an outcome is missing.
MISSING_REASON = "missing_reason"
#: Reason of those for whom none is recorded.
NOT_RECORDED = "reason not recorded"


def count_flow(
    spec: ResponseSpec, outcomes: pd.DataFrame, scored: Collection[str], fitted: Collection[str]
) -> pd.DataFrame:
    """Count patients of each arm: assigned, scanned, with an outcome, analysed.

    Parameters
    ----------
    spec : ResponseSpec
        The model; its default arm comes first.
    outcomes : DataFrame
        All patients, indexed by participant.
    scored : collection of str
        Patients with scores.
    fitted : collection of str
        Patients in the analysis.

    Returns
    -------
    DataFrame
        One row per arm: ``arm``, ``assigned``, ``scanned`` (with scores), ``outcome`` (scanned and
        with an outcome), ``analysed``, and ``missing``, the reasons of scanned patients without
        an outcome with their numbers, as text.
    """
    ids = pd.Series([str(i) for i in outcomes.index], index=outcomes.index)
    arm = outcomes[ARM].astype(object).where(outcomes[ARM].notna(), MISSING).astype(str)
    scanned = ids.isin(list(scored))
    observed = outcomes[spec.outcome].notna()
    used = ids.isin(list(fitted))
    arms = sorted(set(arm) - {MISSING}, key=lambda a: (a != spec.default_arm, a))
    rows = []
    for name in arms:
        own = arm == name
        rows.append(
            {
                "arm": name,
                "assigned": int(own.sum()),
                "scanned": int((own & scanned).sum()),
                "outcome": int((own & scanned & observed).sum()),
                "analysed": int((own & used).sum()),
                "missing": _reasons(outcomes[own & scanned & ~observed]),
            }
        )
    return pd.DataFrame(rows)


def _reasons(gone: pd.DataFrame) -> str:
    """Count reasons in words, the most frequent first."""
    if gone.empty:
        return "none"
    if MISSING_REASON not in gone:
        return f"{NOT_RECORDED} {len(gone)}"
    reason = gone[MISSING_REASON].astype(object).where(gone[MISSING_REASON].notna(), "")
    named = reason.astype(str).replace({"": NOT_RECORDED, MISSING: NOT_RECORDED})
    counts = named.str.replace("_", " ").value_counts()
    return ", ".join(f"{name} {n}" for name, n in counts.items())
