"""Tables of roles: who is a control, a patient of which arm, or left out, and why."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import some

#: Roles, in the order of the tables.
CONTROL_ROLE, PATIENT_ROLE, LEFT_OUT = "control", "patient", "left out"
#: What becomes of a group.
AS_REFERENCE = "reference only"
FITTED = "fitted"


def assign_roles(
    participants: pd.DataFrame,
    *,
    measured: Collection[str] | None = None,
    group: str = "controls",
    controls_fitted: bool = False,
) -> pd.DataFrame:
    """Tell the role of each participant in a fit.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``, with ``arm`` and, where known, ``diagnosis`` (``HC``:
        healthy control).
    measured : collection of str, optional
        Participants with features. Default: all.
    group : {"controls", "patients"}, default "controls"
        The reference group of the features.
    controls_fitted : bool, default False
        Whether controls are an arm of the fit.

    Returns
    -------
    pandas.DataFrame
        Indexed like `participants`: ``role`` ("control", "patient" or "left out"), ``diagnosis``,
        ``arm`` and ``use`` (what becomes of the participant, or why not).

    Examples
    --------
    >>> table = pd.DataFrame({"diagnosis": ["HC", "MDD"], "arm": ["n/a", "SSRI"]}, ["s1", "s2"])
    >>> assign_roles(table)["role"].tolist()
    ['control', 'patient']
    """
    n = len(participants)
    missing = pd.Series([MISSING] * n, index=participants.index)
    table = pd.DataFrame(
        {
            name: participants[name].astype(str) if name in participants else missing
            for name in (DIAGNOSIS, ARM)
        }
    )
    rows = []
    names = set(map(str, participants.index)) if measured is None else {str(m) for m in measured}
    for subject, diagnosis, arm in zip(table.index, table[DIAGNOSIS], table[ARM], strict=True):
        if str(subject) not in names:
            rows.append((LEFT_OUT, "no features"))
        elif diagnosis == CONTROL:
            rows.append(_control(group, controls_fitted))
        elif arm == MISSING:
            rows.append((LEFT_OUT, "no known arm"))
        else:
            used = "fitted" if group == "controls" else "fitted, and reference"
            rows.append((PATIENT_ROLE, used))
    table.insert(0, "role", [role for role, _ in rows])
    table["use"] = [use for _, use in rows]
    return table


def _control(group: str, fitted: bool) -> tuple[str, str]:
    if fitted:
        return CONTROL_ROLE, "fitted as an arm" + (", and reference" if group == "controls" else "")
    if group == "controls":
        return CONTROL_ROLE, AS_REFERENCE
    return LEFT_OUT, "control, but the reference is the patients"


def summarise_roles(roles: pd.DataFrame) -> pd.DataFrame:
    """Count the participants of each role.

    Parameters
    ----------
    roles : pandas.DataFrame
        From `assign_roles`.

    Returns
    -------
    pandas.DataFrame
        One row per group, without ids: ``role``, ``diagnosis``, ``arm``, ``participants`` (number)
        and ``use``.

    Examples
    --------
    >>> table = pd.DataFrame({"diagnosis": ["HC", "MDD"], "arm": ["n/a", "SSRI"]}, ["s1", "s2"])
    >>> summarise_roles(assign_roles(table))["participants"].tolist()
    [1, 1]
    """
    keys = ["role", DIAGNOSIS, ARM, "use"]
    counted = roles.groupby(keys, sort=True).size().rename("participants").reset_index()
    order = {CONTROL_ROLE: 0, PATIENT_ROLE: 1, LEFT_OUT: 2}
    counted = counted.sort_values("role", key=lambda c: c.map(order), kind="stable")
    return counted[["role", DIAGNOSIS, ARM, "participants", "use"]].reset_index(drop=True)


def say_roles(roles: pd.DataFrame) -> list[str]:
    """Write the roles as lines for a terminal.

    Parameters
    ----------
    roles : pandas.DataFrame
        From `assign_roles`.

    Returns
    -------
    list of str
        One line per group; those who are left out with their ids.

    Examples
    --------
    >>> table = pd.DataFrame({"diagnosis": ["HC", "MDD"], "arm": ["n/a", "n/a"]}, ["s1", "s2"])
    >>> say_roles(assign_roles(table))
    ['1 control: diagnosis HC; reference only', '1 left out: diagnosis MDD; no known arm (s2)']
    """
    lines = []
    for _, row in summarise_roles(roles).iterrows():
        n, role = int(row["participants"]), str(row["role"])
        word = role if role == LEFT_OUT or n == 1 else f"{role}s"
        arm = f" of arm {row[ARM]}" if row[ARM] != MISSING else ""
        line = f"{n} {word}{arm}: diagnosis {row[DIAGNOSIS]}; {row['use']}"
        if role == LEFT_OUT:
            same = roles[["role", DIAGNOSIS, ARM, "use"]] == row[["role", DIAGNOSIS, ARM, "use"]]
            line += f" ({some(roles.index[same.all(axis=1)])})"
        lines.append(line)
    return lines
