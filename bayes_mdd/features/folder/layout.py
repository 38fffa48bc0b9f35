"""What lies in the folder ``features/`` of a cohort, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_mdd.cohort.tables import read_json
from bayes_mdd.dims import ARM, CONTROL, DIAGNOSIS, MISSING
from bayes_mdd.errors import DataContractError, some

MATRICES, TIMESERIES, TABLE = "matrices", "timeseries", "table"
SOURCES = (MATRICES, TIMESERIES, TABLE)

_PATTERNS = {
    MATRICES: re.compile(r"[^.].*_(?:relmat|conmat)\.(?:tsv|csv|npy|npz)"),
    TIMESERIES: re.compile(r"[^.].*_timeseries\.(?:tsv|npy)"),
    TABLE: re.compile(r"features\.(?:tsv|csv|npz)"),
}
_SESSION = re.compile(r"(?:^|_)ses-([A-Za-z0-9]+)(?=_)")
_EXPECTED = (
    "one of features.tsv, features.csv, features.npz (one file for all), sub-XX_relmat.tsv, .csv, "
    ".npy, .npz (a matrix a person), sub-XX_timeseries.tsv, .npy (a series a person)"
)


@dataclass(frozen=True)
class Layout:
    """The feature files of a cohort folder."""

    folder: Path
    facts: Mapping[str, Any]
    source: str
    files: tuple[Path, ...]
    session: str | None

    @property
    def regions(self) -> Path:
        """The region table."""
        return self.folder / "regions.tsv"

    @property
    def description(self) -> Path:
        """The sidecar that says what the numbers are."""
        return self.folder / "features.json"

    @property
    def order_stated(self) -> bool:
        """Whether files without names are stated to follow ``regions.tsv``."""
        return self.facts.get("order") == "regions.tsv"


def find_layout(cohort: Path, *, source: str | None = None, session: str | None = None) -> Layout:
    """Look at the folder ``features/`` of a cohort.

    Parameters
    ----------
    cohort : Path
        The cohort folder.
    source : {"matrices", "timeseries", "table"}, optional
        Which files to take; default what ``features.json`` says or, failing that, what is there.
    session : str, optional
        With or without ``ses-``; default what ``features.json`` says.

    Returns
    -------
    Layout
        The files, not yet opened.

    Raises
    ------
    DataContractError
        If the folder or ``features.json`` is missing, nothing or too much is found.
    """
    folder = cohort / "features"
    if not folder.is_dir():
        raise DataContractError(
            str(cohort),
            [f"has no folder features/: expected features.json, regions.tsv and {_EXPECTED}."],
        )
    facts = read_json(folder / "features.json")
    problems = list(_fact_problems(facts, folder))
    present = sorted(p.name for p in folder.iterdir())
    by_source = {
        kind: tuple(folder / n for n in present if pattern.fullmatch(n))
        for kind, pattern in _PATTERNS.items()
    }
    chosen, problem = _choose(by_source, source or facts.get("source"), present)
    problems += problem
    files = by_source.get(chosen, ())
    stated = _plain_session(facts.get("session"))
    wanted = _plain_session(session) or stated
    if files and wanted is not None:
        files, problem = _of_session(files, wanted, stated, chosen)
        problems += problem
    if chosen == TABLE and len(files) > 1:
        names = " and ".join(f.name for f in files)
        problems.append(f"{names} both hold features of everybody: keep one.")
    if problems:
        raise DataContractError(str(folder), problems)
    return Layout(folder, facts, chosen, files, wanted)


def _fact_problems(facts: Mapping[str, Any], folder: Path) -> Iterable[str]:
    if not (folder / "regions.tsv").exists():
        yield "regions.tsv is missing: expected one row a region (region, network, x, y, z)."
    if not facts:
        yield (
            'features.json is missing or says nothing: expected e.g. {"kind": '
            '"functional_connectivity", "measure": "correlation", "units": "r" or "fisher_z", '
            '"source": "matrices"}.'
        )
        return
    for key in ("kind", "measure", "units", "estimator", "source", "order"):
        if key in facts and not isinstance(facts[key], str):
            yield f"{key} in features.json must be text, got {facts[key]!r}."
    if facts.get("order", "regions.tsv") != "regions.tsv":
        yield f'order in features.json can only be "regions.tsv", got {facts["order"]!r}.'


def _choose(
    by_source: Mapping[str, Sequence[Path]], stated: object, present: Sequence[str]
) -> tuple[str, list[str]]:
    if stated is not None and stated not in SOURCES:
        return "", [f"source in features.json must be one of {', '.join(SOURCES)}, got {stated!r}."]
    there = [kind for kind, files in by_source.items() if files]
    if not there or (stated is not None and stated not in there):
        wanted = f"there are no {stated} files" if there else "no feature files"
        return "", [f"{wanted}: expected {_EXPECTED}; found {some(present, 8) or 'nothing'}."]
    if stated is not None:
        return str(stated), []
    if len(there) > 1:
        examples = " and ".join(by_source[kind][0].name for kind in there)
        return "", [
            f'holds several sources ({examples}): say which one counts with "source" in '
            f"features.json, one of {', '.join(SOURCES)}."
        ]
    return there[0], []


def _plain_session(session: object) -> str | None:
    return None if session is None else str(session).removeprefix("ses-")


def _of_session(
    files: tuple[Path, ...], wanted: str, stated: str | None, source: str
) -> tuple[tuple[Path, ...], list[str]]:
    sessions = {f: (m.group(1) if (m := _SESSION.search(f.name)) else None) for f in files}
    unnamed_fits = stated == wanted
    chosen = tuple(
        f for f, own in sessions.items() if own == wanted or (own is None and unnamed_fits)
    )
    if chosen:
        return chosen, []
    known = sorted({s for s in sessions.values() if s is not None})
    if source == TABLE or not known:
        said = f"features.json says session '{stated}'" if stated else "features.json names none"
        return (), [f"no file of session '{wanted}': file names carry no session, {said}."]
    return (), [f"no file of session '{wanted}': found {some(f'ses-{s}' for s in known)}."]


def match_files(files: Sequence[Path], participants: pd.DataFrame) -> dict[str, Path]:
    """Give every person their file.

    Parameters
    ----------
    files : sequence of Path
        Files whose names start with the id, with or without ``sub-``.
    participants : pandas.DataFrame
        Indexed by ``participant_id``.

    Returns
    -------
    dict
        Person to file, in the order of `participants`; people of no arm who are no controls may
        lack one.

    Raises
    ------
    DataContractError
        If a person has two files, a file nobody, or a person with an arm or a control none.
    """
    known = IdMatcher(participants.index)
    held: dict[str, list[Path]] = {}
    orphans = []
    for path in files:
        owner = known.owner_of_file(path)
        if owner is None:
            orphans.append(path.name)
        else:
            held.setdefault(owner, []).append(path)
    problems = [
        f"{owner} has {len(paths)} files, {' and '.join(p.name for p in paths)}: keep one a person "
        "(name the session where they are of several)."
        for owner, paths in held.items()
        if len(paths) > 1
    ]
    if orphans:
        problems.append(
            f"{len(orphans)} file(s) belong to nobody in participants.tsv: {some(orphans)}. Add "
            "the people or take the files away."
        )
    problems += absence_problems(participants, held, "file")
    if problems:
        raise DataContractError("features and participants", problems)
    return {str(who): held[str(who)][0] for who in participants.index if str(who) in held}


def absence_problems(participants: pd.DataFrame, held: Iterable[str], thing: str) -> list[str]:
    """Name the people who should have features and have none.

    Parameters
    ----------
    participants : pandas.DataFrame
        Indexed by ``participant_id``.
    held : iterable of str
        People with features.
    thing : str
        What they lack, for the message.

    Returns
    -------
    list of str
        At most one problem. People without an arm who are no controls are let off.
    """
    have = set(held)
    needed = pd.Series(False, index=participants.index)
    if ARM in participants:
        needed |= participants[ARM].fillna(MISSING).astype(str) != MISSING
    if DIAGNOSIS in participants:
        needed |= participants[DIAGNOSIS].astype(str) == CONTROL
    absent = [str(who) for who in participants.index[needed] if str(who) not in have]
    if not absent:
        return []
    return [
        f"{len(absent)} people with an arm, or controls, have no feature {thing}: {some(absent)}. "
        f"Add the {thing}, or take them out of participants.tsv."
    ]


class IdMatcher:
    """Finds people by id, with or without ``sub-`` on either side.

    Parameters
    ----------
    ids : iterable
        ``participant_id`` of everybody.
    """

    def __init__(self, ids: Iterable[object]) -> None:
        self._exact = {str(i) for i in ids}
        plain: dict[str, list[str]] = {}
        for own in self._exact:
            plain.setdefault(own.removeprefix("sub-"), []).append(own)
        self._plain = {key: owners[0] for key, owners in plain.items() if len(owners) == 1}

    def owner(self, name: str) -> str | None:
        """Find the person of an id.

        Parameters
        ----------
        name : str
            An id as another file writes it.

        Returns
        -------
        str or None
            ``participant_id``, or None where nobody or more than one person fits.
        """
        return name if name in self._exact else self._plain.get(name.removeprefix("sub-"))

    def owner_of_file(self, path: Path) -> str | None:
        """Find the person whose id a file name starts with; the longest id wins.

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
        return next((who for head in heads if (who := self.owner(head)) is not None), None)
