"""The design of a trial, as ``participants.json`` or the caller declares it; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, get_args

import pandas as pd

from bayes_mdd.cohort.allocation import Allocation, allocation_problems
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import some
from bayes_mdd.specs.response import Assignment

#: Keys of ``arm`` in ``participants.json``.
KEYS: Final = ("Assignment", "Default", "AllocationProbability", "Strata")
#: Column of participants that states the stratum of randomisation without a declaration.
STRATUM: Final = "stratum"
_ASSIGNMENTS: Final = get_args(Assignment)
_SPELLINGS: Final = {"randomized": "randomised"}


@dataclass(frozen=True)
class TrialDesign:
    """How patients came to their arm.

    Parameters
    ----------
    assignment : str
        "randomised" or "observational".
    default : str
        The drug that is given without further knowledge.
    allocation : float, mapping or None
        Planned probability of the other arm; by arm; or by level of the stratum. None: not
        declared.
    strata : tuple of str
        Columns of participants within which arms were randomised.
    notes : tuple of str
        Where the caller replaces what the cohort declares.
    """

    assignment: str
    default: str
    allocation: Allocation | None = None
    strata: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_design(
    patients: pd.DataFrame, sidecar: Mapping[str, Any], stated: Mapping[str, Any]
) -> tuple[TrialDesign | None, list[str]]:
    """Combine what the cohort declares and what the caller states.

    Parameters
    ----------
    patients : pandas.DataFrame
        Participants with an arm.
    sidecar : mapping
        Content of ``participants.json``.
    stated : mapping
        ``Assignment``, ``Default``, ``AllocationProbability``, ``Strata``; None where not stated.
        They replace those of the sidecar.

    Returns
    -------
    design : TrialDesign or None
        None if there are problems.
    problems : list of str
        What is absent or wrong.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": ["SSRI", "SNRI"]}, index=["s1", "s2"])
    >>> declared = {"arm": {"Assignment": "randomised", "Default": "SSRI"}}
    >>> find_design(table, declared, {})[0].default
    'SSRI'
    >>> find_design(table, {}, {})[1][0].splitlines()[1].strip()
    '"Assignment": "randomised",             (or "observational": not by chance)'
    """
    meaning = sidecar.get(ARM)
    declared = dict(meaning) if isinstance(meaning, Mapping) else {}
    problems = _key_problems(declared)
    chosen = {key: declared.get(key) for key in KEYS}
    notes = []
    for key, value in stated.items():
        if value is None:
            continue
        if chosen[key] is not None and not _same(chosen[key], value):
            notes.append(
                f"{key} {value!r} was passed and replaces {chosen[key]!r} of participants.json."
            )
        chosen[key] = value
    arms = sorted({str(a) for a in patients[ARM]})
    strata, of_strata = _read_strata(chosen["Strata"], patients)
    problems += [*_absent(chosen, arms), *of_strata]
    assignment, wrong = _read_assignment(chosen["Assignment"])
    problems += [*wrong, *_default_problems(chosen["Default"], arms)]
    allocation = chosen["AllocationProbability"]
    if allocation is not None and assignment == "observational":
        problems.append(
            "AllocationProbability is declared, but Assignment is 'observational': leave it out. "
            "If the probability of each patient is known, state it in a column 'propensity' of "
            "participants.tsv."
        )
    elif allocation is not None:
        levels = sorted(set(stratum_of(patients, strata))) if strata and not of_strata else []
        problems += allocation_problems(allocation, arms, levels)
    if problems:
        return None, problems
    design = TrialDesign(str(assignment), str(chosen["Default"]), allocation, strata, tuple(notes))
    return design, []


def stratum_of(patients: pd.DataFrame, strata: Sequence[str]) -> pd.Series:
    """Name the stratum of each patient.

    Parameters
    ----------
    patients : pandas.DataFrame
        With the columns `strata`.
    strata : sequence of str
        Names of columns.

    Returns
    -------
    pandas.Series of str
        Levels, joined by " / " where there are several columns.
    """
    text = patients[list(strata)].map(lambda v: f"{v:g}" if isinstance(v, float) else str(v))
    return text.agg(" / ".join, axis=1)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return _SPELLINGS.get(a, a) == _SPELLINGS.get(b, b)
    return [*a] == [*b] if isinstance(a, list) and isinstance(b, (list, tuple)) else bool(a == b)


def _key_problems(declared: Mapping[str, Any]) -> list[str]:
    """Keys that differ from the known ones in case or in a letter."""
    problems = []
    for name in declared:
        if name in (*KEYS, "Levels", "Description", "Units", "LongName", "TermURL"):
            continue
        lower = {key.lower(): key for key in KEYS}
        near = get_close_matches(str(name).lower(), lower, n=1, cutoff=0.8)
        if near:
            problems.append(
                f"participants.json, 'arm': key {name!r} must be written {lower[near[0]]!r}."
            )
    return problems


def _absent(chosen: Mapping[str, Any], arms: Sequence[str]) -> list[str]:
    lines = {
        "Assignment": '"Assignment": "randomised",             (or "observational": not by chance)',
        "Default": f'"Default": "...",                       (one of {some(arms)}: the drug '
        "that is given without further knowledge)",
        "AllocationProbability": '"AllocationProbability": 0.5            (of the other arm, as '
        'planned; leave it out for "observational")',
    }
    absent = [key for key in ("Assignment", "Default") if chosen[key] is None]
    if not absent:
        return []
    if len(absent) == 2:
        said, wanted = "the design of the trial is not declared", tuple(lines)
    else:
        said, wanted = f"'{absent[0]}' of the trial is not declared", tuple(absent)
    listed = "".join(f"\n       {lines[key]}" for key in wanted)
    return [
        f"{said}. Add to 'arm' in participants.json:{listed}\n     or pass assignment=..., "
        "default=..., allocation=... (in a spec: assignment, default_arm)."
    ]


def _read_assignment(value: Any) -> tuple[str | None, list[str]]:
    if value is None:
        return None, []
    word = str(value).strip().lower()
    word = _SPELLINGS.get(word, word)
    if word in _ASSIGNMENTS:
        return word, []
    near = get_close_matches(word, _ASSIGNMENTS, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near and not word.startswith("non") else ""
    return None, [
        f"Assignment of 'arm' in participants.json must be "
        f"{' or '.join(map(repr, _ASSIGNMENTS))}, got {value!r}.{hint}"
    ]


def _default_problems(value: Any, arms: Sequence[str]) -> list[str]:
    if value is None or value in arms:
        return []
    near = get_close_matches(str(value), arms, n=1, cutoff=0.5)
    same = [a for a in arms if a.lower() == str(value).lower()] or near
    hint = f" Did you mean {same[0]!r}?" if same else ""
    return [
        f"Default of 'arm' in participants.json is {value!r}, which is no arm of a patient; the "
        "arms "
        f"are {some(arms)}.{hint} Write one of them."
    ]


def _read_strata(value: Any, patients: pd.DataFrame) -> tuple[tuple[str, ...], list[str]]:
    if value is None:
        value = [STRATUM] if STRATUM in patients else []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
        return (), [f"Strata must list columns of participants.tsv, got {value!r}."]
    problems = []
    for name in names:
        if name not in patients:
            near = get_close_matches(name, [str(c) for c in patients], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            problems.append(
                f"Strata names {name!r}, which is no column of participants.tsv; found "
                f"{some(patients.columns, 12)}.{hint}"
            )
        elif name == ARM:
            problems.append(f"Strata names '{ARM}' itself: name what was known before.")
        else:
            unknown = [i for i, v in patients[name].items() if str(v) in ("nan", MISSING)]
            if unknown:
                problems.append(f"'{name}', a stratum, is missing for {some(unknown)}.")
    if not problems and names:
        n = stratum_of(patients, names).nunique()
        if n > max(2, len(patients) / 4):
            problems.append(
                f"Strata ({some(names)}) make {n} strata of {len(patients)} patients: name the "
                "categories within which arms were randomised, not measurements."
            )
    return tuple(names), problems
