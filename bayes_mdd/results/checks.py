"""Checks of a run, and the one verdict over them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import pandas as pd

from bayes_mdd.errors import DataContractError

#: Columns of a table of checks, in order.
CHECK_COLUMNS = ("name", "value", "threshold", "passed", "advice")


@dataclass(frozen=True)
class Check:
    """One row of the table of checks.

    Parameters
    ----------
    name : str
        What was checked.
    value : float
        What was found.
    threshold : str
        What is expected.
    passed : bool or None
        None where it could not be judged.
    advice : str
        What to do if it failed.
    """

    name: str
    value: float
    threshold: str
    passed: bool | None
    advice: str


def tabulate_checks(checks: Iterable[Check]) -> pd.DataFrame:
    """Put checks into a table.

    Parameters
    ----------
    checks : iterable of Check
        In the order in which they are shown.

    Returns
    -------
    DataFrame
        One row per check; ``passed`` holds True, False or None.
    """
    table = pd.DataFrame([asdict(c) for c in checks], columns=list(CHECK_COLUMNS))
    return table.astype({"passed": object})


def append_check(table: pd.DataFrame, check: Check) -> pd.DataFrame:
    """Add one check to a table of checks.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`.
    check : Check
        A further one.

    Returns
    -------
    DataFrame
        A new table.
    """
    return pd.concat([table, tabulate_checks([check])], ignore_index=True)


def join_checks(table: pd.DataFrame, checks: Iterable[Check]) -> pd.DataFrame:
    """Add checks to a table, in place of earlier rows of the same names.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`.
    checks : iterable of Check
        Further ones.

    Returns
    -------
    DataFrame
        A new table.
    """
    added = list(checks)
    if not added:
        return table
    kept = table[~table["name"].isin([c.name for c in added])]
    return pd.concat([kept, tabulate_checks(added)], ignore_index=True)


def require_checks(table: pd.DataFrame) -> None:
    """Refuse a table that is no table of checks.

    Parameters
    ----------
    table : DataFrame
        What a caller passed as checks.

    Raises
    ------
    DataContractError
        Naming every column that is missing.
    """
    missing = [c for c in CHECK_COLUMNS if c not in table]
    if missing:
        raise DataContractError(
            "checks", [f"no column '{c}'; pass what diagnose returned." for c in missing]
        )


def judge_check(passed: Any) -> str:
    """Name the outcome of a check.

    Parameters
    ----------
    passed : bool or None
        As in the column ``passed`` of `diagnose`.

    Returns
    -------
    str
        "passed", "failed" or "not judged".

    Examples
    --------
    >>> judge_check(None)
    'not judged'
    """
    if passed is None or pd.isna(passed):
        return "not judged"
    return "passed" if passed else "failed"


@dataclass(frozen=True)
class Verdict:
    """What all checks of a run say together.

    Parameters
    ----------
    failed : tuple of str
        Names of the checks that failed.
    open : tuple of str
        Names of those that could not be judged.
    n_checks : int
        Number of checks.
    """

    failed: tuple[str, ...]
    open: tuple[str, ...]
    n_checks: int

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    def to_mapping(self) -> dict[str, Any]:
        """Convert to values that JSON can represent.

        Returns
        -------
        dict
            ``passed``, ``failed``, ``not_judged`` and ``n_checks``.
        """
        return {
            "passed": self.passed,
            "failed": list(self.failed),
            "not_judged": list(self.open),
            "n_checks": self.n_checks,
        }


#: How the names of predictive checks begin.
PREDICTIVE: Final = "predictive p: "


def weigh(table: pd.DataFrame, data: Collection[str] = ()) -> Literal["clear", "caution", "stop"]:
    """Weigh what failed checks mean for reading the results.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`, with whatever was appended.
    data : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    {"clear", "caution", "stop"}
        "clear" if no check failed; "caution" if only checks of the data or predictive checks
        failed; "stop" otherwise: results must not be interpreted.

    Examples
    --------
    >>> rows = [Check("R-hat", 1.0, "< 1.01", True, ""), Check("outliers", 3, "0", False, "")]
    >>> weigh(tabulate_checks(rows)), weigh(tabulate_checks(rows), data=["outliers"])
    ('stop', 'caution')
    """
    failed = judge(table).failed
    if not failed:
        return "clear"
    mild = all(name in data or name.startswith(PREDICTIVE) for name in failed)
    return "caution" if mild else "stop"


def say_verdict(table: pd.DataFrame, data: Collection[str] = ()) -> str:
    """Write the verdict over all checks as a sentence or two.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`, with whatever was appended.
    data : collection of str
        Names of the checks that are about the data.

    Returns
    -------
    str
        How many checks failed, which, and what that means for the results.

    Examples
    --------
    >>> rows = [Check("R-hat", 1.0, "< 1.01", True, ""), Check("outliers", 3, "0", False, "")]
    >>> say_verdict(tabulate_checks(rows), data=["outliers"])[:37]
    '1 of 2 checks failed (outliers). Data'
    """
    verdict = judge(table)
    if not verdict.failed:
        unjudged = len(verdict.open)
        tail = f", {unjudged} could not be judged" if unjudged else ""
        return f"No check failed: {verdict.n_checks - unjudged} of {verdict.n_checks} passed{tail}."
    assumed = [n for n in verdict.failed if n.startswith(PREDICTIVE)]
    if len(assumed) == len(verdict.failed):
        names = ", ".join(n.removeprefix(PREDICTIVE) for n in assumed)
        what = "an assumption" if len(assumed) == 1 else f"{len(assumed)} assumptions"
        return (
            f"The chains converged, but the data violate {what} of the model ({names}): intervals "
            "may be too narrow and probabilities too extreme. See the advice in the table of "
            "checks."
        )
    said = (
        f"{len(verdict.failed)} of {verdict.n_checks} checks failed ({', '.join(verdict.failed)})."
    )
    if weigh(table, data) == "stop":
        return f"{said} Do not interpret the results below until these checks pass."
    return (
        f"{said} Data of this kind can produce patterns that are artefacts: follow the advice in "
        "the tables of checks before you interpret the results below."
    )


def judge(table: pd.DataFrame) -> Verdict:
    """Draw one verdict from a table of checks.

    Parameters
    ----------
    table : DataFrame
        From `diagnose`, with whatever was appended.

    Returns
    -------
    Verdict
        Over data, assumptions and convergence. The exit status, ``checks.json``, ``--json`` and
        the report all use it.

    Examples
    --------
    >>> rows = [Check("R-hat", 1.2, "< 1.01", False, "Draw more."), Check("x", 0, "", None, "")]
    >>> judge(tabulate_checks(rows)).failed
    ('R-hat',)
    """
    states = [judge_check(p) for p in table["passed"]]
    names = [str(n) for n in table["name"]]
    of = {
        state: tuple(n for n, s in zip(names, states, strict=True) if s == state)
        for state in ("failed", "not judged")
    }
    return Verdict(failed=of["failed"], open=of["not judged"], n_checks=len(names))
