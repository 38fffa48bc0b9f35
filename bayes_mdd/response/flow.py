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
#: Reason of those whose baseline or covariates are not known.
INCOMPLETE = "baseline or covariate missing"


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
        with an outcome), ``analysed``, and ``missing``, the reasons of scanned patients who are
        not analysed with their numbers, as text.
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
                "missing": _reasons(
                    outcomes[own & scanned & ~observed],
                    int((own & scanned & observed & ~used).sum()),
                ),
            }
        )
    return pd.DataFrame(rows)


def find_incomplete(spec: ResponseSpec, outcomes: pd.DataFrame) -> dict[str, list[str]]:
    """Find patients with arm and outcome whose baseline or covariates are not known.

    Parameters
    ----------
    spec : ResponseSpec
        Names of the columns.
    outcomes : DataFrame
        All patients, indexed by participant.

    Returns
    -------
    dict of str to list of str
        Participants by column; empty if there are none.
    """
    known = outcomes[ARM].notna() & (outcomes[ARM].astype(str) != MISSING)
    rows = outcomes[known & outcomes[spec.outcome].notna()]
    found = {}
    for name in [*([spec.baseline] if spec.baseline else []), *spec.covariates]:
        if name in rows:
            gone = rows[name].isna() | rows[name].astype(str).isin([MISSING, ""])
            if gone.any():
                found[name] = [str(i) for i in rows.index[gone]]
    return found


def _reasons(gone: pd.DataFrame, incomplete: int) -> str:
    """Count reasons in words, the most frequent first."""
    parts = [_outcome_reasons(gone)] if len(gone) else []
    parts += [f"{INCOMPLETE} {incomplete}"] if incomplete else []
    return ", ".join(parts) or "none"


def _outcome_reasons(gone: pd.DataFrame) -> str:
    if MISSING_REASON not in gone:
        return f"{NOT_RECORDED} {len(gone)}"
    reason = gone[MISSING_REASON].astype(object).where(gone[MISSING_REASON].notna(), "")
    named = reason.astype(str).replace({"": NOT_RECORDED, MISSING: NOT_RECORDED})
    counts = named.str.replace("_", " ").value_counts()
    return ", ".join(f"{name} {n}" for name, n in counts.items())
