"""Matching of files and rows to the subjects of participants.tsv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import DataContractError, some


def match_files(
    files: Sequence[Path], participants: pd.DataFrame, *, required: bool = True
) -> dict[str, Path]:
    """Assign files to subjects by their names.

    Parameters
    ----------
    files : sequence of Path
        Files whose names start with the id, with or without ``sub-``.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    required : bool, default True
        Whether controls and subjects with an arm must have a file.

    Returns
    -------
    dict
        File by subject, in the order of `participants`. Patients without an arm may lack a file.

    Raises
    ------
    DataContractError
        If a subject has several files, a file matches no subject, or (if `required`) a control or
        a subject with an arm has no file.
    """
    known = IdMatcher(participants.index)
    by_subject: dict[str, list[Path]] = {}
    unmatched = []
    for path in files:
        subject = known.match_file(path)
        if subject is None:
            unmatched.append(path.name)
        else:
            by_subject.setdefault(subject, []).append(path)
    problems = [
        f"{subject} has {len(paths)} files, {' and '.join(p.name for p in paths)}: keep one per "
        "participant, or state the session if they are from several."
        for subject, paths in by_subject.items()
        if len(paths) > 1
    ]
    if unmatched:
        problems.append(
            f"{len(unmatched)} file(s) match no participant of participants.tsv: "
            f"{some(unmatched)}. Add the participants or remove the files."
        )
    if required:
        problems += absence_problems(participants, by_subject, "file")
    if problems:
        raise DataContractError("features and participants", problems)
    return {str(s): by_subject[str(s)][0] for s in participants.index if str(s) in by_subject}


def absence_problems(
    participants: pd.DataFrame, subjects: Iterable[str], missing: str
) -> list[str]:
    """Report controls and subjects with an arm who have no features.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    subjects : iterable of str
        Subjects with features.
    missing : str
        What the others lack ("file" or "row"), for the message.

    Returns
    -------
    list of str
        At most one problem. Patients without an arm need no features.
    """
    found = set(subjects)
    needed = pd.Series(False, index=participants.index)
    if ARM in participants:
        needed |= participants[ARM].fillna(MISSING).astype(str) != MISSING
    if DIAGNOSIS in participants:
        needed |= participants[DIAGNOSIS].astype(str) == CONTROL
    absent = [str(s) for s in participants.index[needed] if str(s) not in found]
    if not absent:
        return []
    return [
        f"{len(absent)} participant(s) with an arm, or controls, have no feature {missing}: "
        f"{some(absent)}. Add the {missing}, or remove them from participants.tsv."
    ]


class IdMatcher:
    """Matches ids to subjects, with or without ``sub-`` on either side.

    Parameters
    ----------
    ids : iterable
        ``participant_id`` of all subjects.
    """

    def __init__(self, ids: Iterable[object]) -> None:
        self._exact = {str(i) for i in ids}
        by_label: dict[str, list[str]] = {}
        for subject in self._exact:
            by_label.setdefault(subject.removeprefix("sub-"), []).append(subject)
        self._by_label = {label: ids[0] for label, ids in by_label.items() if len(ids) == 1}

    def match(self, name: str) -> str | None:
        """Find the subject of an id.

        Parameters
        ----------
        name : str
            The id as written in another file.

        Returns
        -------
        str or None
            ``participant_id``, or None if no subject or several subjects match.
        """
        return name if name in self._exact else self._by_label.get(name.removeprefix("sub-"))

    def match_file(self, path: Path) -> str | None:
        """Find the subject whose id a file name starts with; the longest match counts.

        Parameters
        ----------
        path : Path
            For example ``sub-01_ses-1_relmat.tsv``.

        Returns
        -------
        str or None
            ``participant_id`` or None.
        """
        parts = path.name.split("_")
        heads = ("_".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        return next((s for head in heads if (s := self.match(head)) is not None), None)
