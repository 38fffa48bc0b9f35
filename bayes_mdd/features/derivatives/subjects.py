"""Whose the files are: one file a person, and people by the id they have in participants.tsv."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from bayes_mdd.cohort.participants import read_participants
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.names import FileName, differences
from bayes_mdd.features.derivatives.values import Measured
from bayes_mdd.features.folder.layout import IdMatcher, absence_problems
from bayes_mdd.features.loading import Grouped, UnreadableFileError

T = TypeVar("T")
#: FreeSurfer's longitudinal stream writes ``person.long.base``.
_LONGITUDINAL = re.compile(r"\.long\..+$")


def one_per_person(files: Iterable[FileName]) -> dict[str, FileName]:
    """Take the one file of every person; several are refused with what they differ in.

    Parameters
    ----------
    files : iterable of FileName
        Files of one format and kind.

    Returns
    -------
    dict
        Person to file.

    Raises
    ------
    DataContractError
        If a person has several files, or files of a cohort differ in atlas or space.
    """
    held: dict[str, list[FileName]] = {}
    for name in files:
        held.setdefault(name.person, []).append(name)
    problems = []
    several = {who: own for who, own in held.items() if len(own) > 1}
    if several:
        _who, own = next(iter(several.items()))
        differ = differences(own)
        choices = "; ".join(f"{k}: {', '.join(v)}" for k, v in differ.items()) or "their folder"
        key = next(iter(differ), "desc")
        problems.append(
            f"{some(several)}: several files a person ({some((n.path.name for n in own), 3)}). "
            f"They differ in {choices}. They mean different things, so say which: entities="
            f"{{{key!r}: ...}} (None: without it)."
        )
    else:
        problems += _mixed([own[0] for own in held.values()])
    if problems:
        raise DataContractError("files", problems)
    return {who: own[0] for who, own in held.items()}


def _mixed(files: Sequence[FileName]) -> list[str]:
    """Name what must not differ within a cohort and does."""
    found = differences(files)
    return [
        f"the cohort mixes {word}: {some(found[key])}. Choose one with entities={{{key!r}: ...}}."
        for key, word in (("atlas", "atlases"), ("space", "spaces"), ("stat", "measures"))
        if key in found
    ]


def read_people(
    files: Mapping[str, FileName], read: Callable[[FileName], Measured]
) -> dict[str, Measured]:
    """Read the file of every person; all that cannot be read are named in one error.

    Parameters
    ----------
    files : mapping of str to FileName
        Person to file.
    read : callable
        Reads one file.

    Returns
    -------
    dict
        Person to numbers.

    Raises
    ------
    DataContractError
        If files cannot be read.
    """
    found, people = Grouped(), {}
    for who, name in files.items():
        try:
            people[who] = read(name)
        except UnreadableFileError as error:
            found.add(who, str(error))
    if found.who:
        raise DataContractError("files", found.problems())
    return people


def find_participants(
    folder: Path, participants: pd.DataFrame | str | Path | None
) -> pd.DataFrame | None:
    """Read who takes part.

    Parameters
    ----------
    folder : Path
        The folder (or file) that is read.
    participants : DataFrame, str, Path or None
        As given; else ``participants.tsv`` of the folder.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by ``participant_id``.

    Raises
    ------
    DataContractError
        If the table breaks the contract.
    """
    if isinstance(participants, pd.DataFrame):
        return participants
    if participants is not None:
        return read_participants(participants)
    own = (folder if folder.is_dir() else folder.parent) / "participants.tsv"
    return read_participants(own) if own.exists() else None


def makers(folder: Path) -> list[str]:
    """Name the tools that made a folder, with their versions.

    Parameters
    ----------
    folder : Path
        A BIDS derivatives folder.

    Returns
    -------
    list of str
        ``name version`` out of ``dataset_description.json``; empty where it says nothing.
    """
    try:
        text = (folder / "dataset_description.json").read_text("utf-8-sig")
        listed = json.loads(text).get("GeneratedBy", [])
        return [f"{m['Name']} {m.get('Version', '')}".strip() for m in listed]
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return []


def match_people[T](
    people: Mapping[str, T], participants: pd.DataFrame | None, *, drop_absent: bool
) -> tuple[dict[str, T], pd.DataFrame, list[str]]:
    """Bring people into the order of the participants.

    Parameters
    ----------
    people : mapping of str to anything
        By the id that files or tables give.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``; without it everybody is of no known arm.
    drop_absent : bool
        Whether people who should have data and have none are left out instead of refused.

    Returns
    -------
    tuple
        What each person has, the participants, and who of them has nothing.

    Raises
    ------
    DataContractError
        If ids belong to nobody or to one person twice, or people with an arm have nothing.
    """
    if participants is None:
        ids = list(people)
        table = pd.DataFrame({ARM: [MISSING] * len(ids)}, index=pd.Index(ids, dtype=object))
        return dict(people), table, []
    known = IdMatcher(participants.index)
    held: dict[str, list[str]] = {}
    strangers = []
    for name in people:
        owner = (
            known.owner(name) or known.owner(_LONGITUDINAL.sub("", name)) or _by_head(known, name)
        )
        if owner is None:
            strangers.append(name)
        else:
            held.setdefault(owner, []).append(name)
    problems = [
        f"{owner} occurs as {' and '.join(names)}: keep one."
        for owner, names in held.items()
        if len(names) > 1
    ]
    if strangers:
        problems.append(
            f"{len(strangers)} id(s) are not in participants.tsv: {some(strangers)}. Add the "
            "people or take the data away."
        )
    if not drop_absent:
        problems += absence_problems(participants, held, "data")
    if problems:
        raise DataContractError("data and participants", problems)
    absent = [str(who) for who in participants.index if str(who) not in held]
    ordered = {str(w): people[held[str(w)][0]] for w in participants.index if str(w) in held}
    return ordered, participants, absent


def _by_head(known: IdMatcher, name: str) -> str | None:
    """Find the person a longer name starts with, as in ``S01_rest``."""
    return known.owner_of_file(Path(f"{name}_"))
