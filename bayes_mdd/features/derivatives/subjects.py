"""Assign files to subjects: one file per subject, ids matched with participants.tsv."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from bayes_mdd.cohort.participants import read_participants
from bayes_mdd.dims import ARM, MISSING
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.derivatives.file_names import FileName, differing_entities
from bayes_mdd.features.derivatives.hints import setting_hint
from bayes_mdd.features.derivatives.interface import SubjectValues
from bayes_mdd.features.derivatives.repeated_subjects import repeated_subjects_problem
from bayes_mdd.features.folder.matching import IdMatcher, absence_problems
from bayes_mdd.features.loading import GroupedProblems, UnreadableFileError
from bayes_mdd.features.tool_names import CONDITION, SCALING
from bayes_mdd.files.structured import read_json

#: Ending of ids from FreeSurfer's longitudinal stream, ``subject.long.base``.
_LONGITUDINAL = re.compile(r"\.long\..+$")

#: Entities that must be the same in all files of a cohort.
_MIXED = (
    ("atlas", "atlases"),
    ("space", "spaces"),
    ("stat", "measures"),
    ("feature", "features"),
    (SCALING, "scalings"),
    (CONDITION, "conditions"),
)


def one_file_per_subject(files: Iterable[FileName]) -> dict[str, FileName]:
    """Assign each subject one file; refuse several and name the entities that differ.

    Parameters
    ----------
    files : iterable of FileName
        Files of one format and kind.

    Returns
    -------
    dict
        File by subject id.

    Raises
    ------
    DataContractError
        If a subject has several files, or the files of a cohort differ in atlas, space or measure.
    """
    by_subject: dict[str, list[FileName]] = {}
    for name in files:
        by_subject.setdefault(name.subject_id, []).append(name)
    problems = []
    several = {subject: own for subject, own in by_subject.items() if len(own) > 1}
    if several:
        own = next(iter(several.values()))
        differ = differing_entities(own)
        choices = "; ".join(f"{k}: {', '.join(v)}" for k, v in differ.items()) or "nothing"
        key, values = next(iter(differ.items()), ("desc", ["none"]))
        value = next((v for v in values if v != "none"), "none")
        without = " (None, or =none: files without it)" if "none" in values else ""
        problems.append(
            f"{some(several)}: several files per participant "
            f"({some((n.path.name for n in own), 3)}). They differ in {choices}. Choose one, e.g. "
            f"with entities={{{key!r}: {value!r}}} (--entity {key}={value}){without}."
        )
    else:
        first = [own[0] for own in by_subject.values()]
        problems += _mixed_entities(first)
        if repeated := repeated_subjects_problem(first):
            problems.append(repeated)
    if problems:
        raise DataContractError("files", problems)
    return {subject: own[0] for subject, own in by_subject.items()}


def _mixed_entities(files: Sequence[FileName]) -> list[str]:
    """List atlas, space and measure where they differ within a cohort."""
    found = differing_entities(files)
    return [
        f"the cohort mixes {word}: {some(found[key])}. Choose one with entities={{{key!r}: ...}}."
        for key, word in _MIXED
        if key in found
    ]


def read_subjects(
    files: Mapping[str, FileName], read: Callable[[FileName], SubjectValues]
) -> dict[str, SubjectValues]:
    """Read the file of each subject; one error lists all files that cannot be read.

    Parameters
    ----------
    files : mapping of str to FileName
        File by subject.
    read : callable
        Reads one file.

    Returns
    -------
    dict
        Values by subject.

    Raises
    ------
    DataContractError
        If files cannot be read.
    """
    found, by_subject = GroupedProblems(), {}
    for subject, name in files.items():
        try:
            by_subject[subject] = read(name)
        except UnreadableFileError as error:
            found.add(subject, str(error))
    if found.subjects:
        raise DataContractError("files", found.problems())
    return by_subject


def find_participants(
    folder: Path, participants: pd.DataFrame | str | Path | None
) -> pd.DataFrame | None:
    """Read the table of participants.

    Parameters
    ----------
    folder : Path
        The folder (or file) with the data.
    participants : DataFrame, str, Path or None
        The table or its file. None: ``participants.tsv`` in the folder, if it exists.

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
    path = (folder if folder.is_dir() else folder.parent) / "participants.tsv"
    return read_participants(path) if path.exists() else None


def read_generators(folder: Path) -> list[str]:
    """Read the names and versions of the tools that generated a folder.

    Parameters
    ----------
    folder : Path
        A BIDS derivatives folder.

    Returns
    -------
    list of str
        ``name version``, from ``dataset_description.json``; empty if not stated.
    """
    try:
        listed = read_json(folder / "dataset_description.json").get("GeneratedBy", [])
        return [f"{m['Name']} {m.get('Version', '')}".strip() for m in listed]
    except (UnreadableFileError, AttributeError, KeyError, TypeError):
        return []


def match_subjects[T](
    by_subject: Mapping[str, T],
    participants: pd.DataFrame | None,
    *,
    drop_absent: bool,
    id_hint: str = "",
) -> tuple[dict[str, T], pd.DataFrame, list[str]]:
    """Match the subjects of the data with the participants table, and sort them by it.

    Parameters
    ----------
    by_subject : mapping of str to anything
        Data by the id used in files or tables.
    participants : pandas.DataFrame or None
        Indexed by ``participant_id``. Without it, the arm of all subjects is ``n/a``.
    drop_absent : bool
        Whether controls, and subjects with an arm, are left out instead of refused if they have no
        data.
    id_hint : str
        How the ids of these files are given, for the message.

    Returns
    -------
    tuple
        The data by ``participant_id``, the participants, and the ids of those without data.

    Raises
    ------
    DataContractError
        If ids are not in the table or match one participant twice, or (unless `drop_absent`)
        controls or participants with an arm have no data.
    """
    if participants is None:
        ids = list(by_subject)
        table = pd.DataFrame({ARM: [MISSING] * len(ids)}, index=pd.Index(ids, dtype=object))
        return dict(by_subject), table, []
    known = IdMatcher(participants.index)
    matched: dict[str, list[str]] = {}
    unknown = []
    for name in by_subject:
        owner = (
            known.match(name)
            or known.match(_LONGITUDINAL.sub("", name))
            or _match_beginning(known, name)
        )
        if owner is None:
            unknown.append(name)
        else:
            matched.setdefault(owner, []).append(name)
    problems = [
        f"{owner} occurs as {' and '.join(names)}: keep one."
        for owner, names in matched.items()
        if len(names) > 1
    ]
    if unknown:
        problems.append(
            f"{len(unknown)} id(s) are not in participants.tsv: {some(unknown)}. "
            + (
                id_hint
                or "Add these participants, remove their data, or give the pattern of the id in "
                r"the file names (ids='Sub_(\d+)'; --ids)."
            )
        )
    if not drop_absent:
        problems += [
            f"{text} To leave them out, set {setting_hint('absent_subjects', 'drop')}."
            for text in absence_problems(participants, matched, "data")
        ]
    if problems:
        raise DataContractError("data and participants", problems)
    ids = [str(i) for i in participants.index]
    ordered = {i: by_subject[matched[i][0]] for i in ids if i in matched}
    return ordered, participants, [i for i in ids if i not in matched]


def _match_beginning(known: IdMatcher, name: str) -> str | None:
    """Find the participant whose id a longer name starts with, as in ``S01_rest``."""
    return known.match_file(Path(f"{name}_"))
