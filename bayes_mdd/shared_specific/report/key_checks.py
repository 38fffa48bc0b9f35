"""The three checks that the first screen of the report shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bayes_mdd.results.checks import PREDICTIVE, judge_check
from bayes_mdd.results.page import check_row
from bayes_mdd.results.rules import QUIET
from bayes_mdd.shared_specific.report.check_words import (
    COMPUTATION,
    DATA,
    ERRORS,
    describe_check,
)
from bayes_mdd.shared_specific.tables.stability import is_reliability_known

#: Checks that stand for their group where none of it failed, the first that is there.
_FIRST: Final = {
    COMPUTATION: ("max R-hat of invariants",),
    ERRORS: (
        f"{PREDICTIVE}residual correlation, edges sharing a region minus others",
        f"{PREDICTIVE}residual correlation, all pairs of features",
        "independent share of the features",
    ),
    DATA: ("covariates of head motion", "features correlated with motion", "motion, arms"),
}
SHOWN: Final = 3
#: States in the order in which they are shown.
_ORDER: Final = ("failed", "not judged", "passed")


@dataclass(frozen=True)
class KeyCheck:
    """One of the checks on the first screen.

    Parameters
    ----------
    title : str
        In plain words.
    state : str
        "passed", "failed" or "not judged".
    detail : str
        Value and threshold, or what a failure means.
    """

    title: str
    state: str
    detail: str


def choose_key_checks(
    checks: pd.DataFrame, table: pd.DataFrame, data: Collection[str] = ()
) -> tuple[list[KeyCheck], int]:
    """Choose the checks of the first screen by rule.

    Failed checks come first. Where fewer than three failed, the computation (convergence), the
    errors of features, and reliability or, where it is unknown, head motion follow.

    Parameters
    ----------
    checks : pandas.DataFrame
        What `diagnose` returned, with whatever was appended.
    table : pandas.DataFrame
        What `classify_factors` returned.
    data : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    chosen : list of KeyCheck
        At most three.
    n_more : int
        Number of failed checks that are not among them.
    """
    rows = {str(r["name"]): (judge_check(r["passed"]), check_row(r)) for _, r in checks.iterrows()}
    failed = [name for name, (state, _) in rows.items() if state == "failed"]
    groups = [describe_check(name, data).group for name in failed]
    # One failed check of each group before the second of any.
    first = [name for i, name in enumerate(failed) if groups[i] not in groups[:i]]
    ordered = [*first, *(name for name in failed if name not in first)]
    chosen = [_write(name, rows[name], data) for name in ordered[:SHOWN]]
    for group in (COMPUTATION, ERRORS):
        if len(chosen) < SHOWN and group not in groups:
            name = next((n for n in _FIRST[group] if n in rows), None)
            chosen += [] if name is None else [_write(name, rows[name], data)]
    if len(chosen) < SHOWN:
        chosen += (
            _reliability(table)
            or [_write(n, rows[n], data) for n in _FIRST[DATA] if n in rows and n not in failed][:1]
        )
    chosen.sort(key=lambda c: _ORDER.index(c.state))
    return chosen, max(0, len(failed) - SHOWN)


def _write(name: str, row: tuple[str, dict[str, str]], data: Collection[str]) -> KeyCheck:
    state, cells = row
    words = describe_check(name, data)
    expected = cells["threshold"].replace(">=", "\N{GREATER-THAN OR EQUAL TO}")
    expected = expected.replace("<=", "\N{LESS-THAN OR EQUAL TO}")
    detail = f"{name}: {cells['value']} (expected {expected})"
    if state == "failed":
        return KeyCheck(_deny(words.title), state, detail)
    if state == "not judged":
        detail = f"{detail}. {cells['advice']}".strip()
    return KeyCheck(words.title, state, detail)


def _deny(title: str) -> str:
    """Keep the title of a failed check from reading as a claim."""
    return f"Not met: {title[:1].lower()}{title[1:]}"


def _reliability(table: pd.DataFrame) -> list[KeyCheck]:
    """Reliability of the factors, where it is known."""
    shown = table[~table["label"].isin(QUIET)]
    if shown.empty or not is_reliability_known(table):
        return []
    stable = shown["stability"] == "stable"
    least = shown["reliability"].min()
    detail = f"{int(stable.sum())} of {len(shown)}; lowest reliability {least:.2f}"
    title = "All patterns are reliable" if stable.all() else "Not all patterns are reliable"
    return [KeyCheck(title, "passed" if stable.all() else "not judged", detail)]


def list_consequences(failed: Sequence[str], data: Collection[str] = ()) -> list[str]:
    """List what failed checks mean for the results, each consequence once.

    Parameters
    ----------
    failed : sequence of str
        Names of failed checks.
    data : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    list of str
        Sentences.
    """
    return list(dict.fromkeys(describe_check(name, data).consequence for name in failed))
