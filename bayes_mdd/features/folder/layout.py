"""Files in the folder ``features/`` of a cohort."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayes_mdd.cohort.tables import read_json
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.features.folder.words import find_meant

MATRICES, TIMESERIES, TABLE = "matrices", "timeseries", "table"
SOURCES = (MATRICES, TIMESERIES, TABLE)

_PATTERNS = {
    MATRICES: re.compile(r"[^.].*_(?:relmat|conmat)\.(?:tsv|csv|npy|npz)"),
    TIMESERIES: re.compile(r"[^.].*_timeseries\.(?:tsv|npy)"),
    TABLE: re.compile(r"features\.(?:tsv|csv|npz)"),
}
#: Files of half a scan.
HALF = re.compile(r"_half-([12])(?=[_.])")
_SESSION = re.compile(r"(?:^|_)ses-([A-Za-z0-9]+)(?=_)")
_EXPECTED = (
    "features.tsv, features.csv or features.npz (one file for all participants), or one file per "
    "participant: sub-XX_relmat.tsv, .csv, .npy or .npz (matrices), or sub-XX_timeseries.tsv or "
    ".npy (time series)"
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
        """Path of the region table."""
        return self.folder / "regions.tsv"

    @property
    def description(self) -> Path:
        """Path of the sidecar that describes the features."""
        return self.folder / "features.json"

    @property
    def order_stated(self) -> bool:
        """Whether files without region names are stated to follow ``regions.tsv``."""
        return self.facts.get("order") == "regions.tsv"


def find_layout(cohort: Path, *, source: str | None = None, session: str | None = None) -> Layout:
    """Find the feature files of a cohort.

    Parameters
    ----------
    cohort : Path
        The cohort folder.
    source : {"matrices", "timeseries", "table"}, optional
        Kind of files to use. Default: as stated in ``features.json``, else the kind that is found.
    session : str, optional
        Session, with or without ``ses-``. Default: as stated in ``features.json``.

    Returns
    -------
    Layout
        The files; they are not opened.

    Raises
    ------
    DataContractError
        If the folder or ``features.json`` is missing, or there are no feature files or several
        kinds of them.
    """
    folder = cohort / "features"
    if not folder.is_dir():
        raise DataContractError(
            str(cohort),
            [f"there is no folder features/: expected features.json, regions.tsv and {_EXPECTED}."],
        )
    facts = read_json(folder / "features.json")
    problems = list(_fact_problems(facts, folder))
    present = sorted(p.name for p in folder.iterdir())
    by_source = {kind: _whole_scans(folder, present, kind) for kind in _PATTERNS}
    chosen, problem = _choose(by_source, source or facts.get("source"), present)
    problems += problem
    files = by_source.get(chosen, ())
    stated = _plain_session(facts.get("session"))
    requested = _plain_session(session) or stated
    if files and requested is not None:
        files, problem = _select_session(files, requested, stated, chosen)
        problems += problem
    if chosen == TABLE and len(files) > 1:
        names = " and ".join(f.name for f in files)
        problems.append(f"{names} both contain the features of all participants: keep one.")
    if problems:
        raise DataContractError(str(folder), problems)
    return Layout(folder, facts, chosen, files, requested)


def _whole_scans(folder: Path, present: Sequence[str], kind: str) -> tuple[Path, ...]:
    files = [folder / n for n in present if _PATTERNS[kind].fullmatch(n)]
    whole = [f for f in files if HALF.search(f.name) is None]
    return tuple(whole or files)


def is_matrix(path: Path) -> bool:
    """Whether a file name is that of a matrix.

    Parameters
    ----------
    path : Path
        A file in ``features/``.

    Returns
    -------
    bool
        True for ``*_relmat`` and ``*_conmat`` files.
    """
    return _PATTERNS[MATRICES].fullmatch(path.name) is not None


def of_session(files: Iterable[Path], layout: Layout) -> list[Path]:
    """Select the files of the session of a layout.

    Parameters
    ----------
    files : iterable of Path
        Files in ``features/``.
    layout : Layout
        Its session, if any, is selected. Names without a session belong to the session that
        ``features.json`` states.

    Returns
    -------
    list of Path
        All files if the layout has no session.
    """
    if layout.session is None:
        return list(files)
    stated = _plain_session(layout.facts.get("session")) == layout.session
    named = {f: m.group(1) if (m := _SESSION.search(f.name)) else None for f in files}
    return [f for f, s in named.items() if s == layout.session or (s is None and stated)]


def _fact_problems(facts: Mapping[str, Any], folder: Path) -> Iterable[str]:
    if not (folder / "regions.tsv").exists():
        yield "regions.tsv is missing: expected one row per region (region, network, x, y, z)."
    if not facts:
        yield (
            'features.json is missing or empty: expected e.g. {"kind": '
            '"functional_connectivity", "measure": "correlation", "units": "r" or "fisher_z", '
            '"source": "matrices"}.'
        )
        return
    for key in ("kind", "measure", "units", "estimator", "source", "order", "estimand"):
        if key in facts and not isinstance(facts[key], str):
            yield f"{key} in features.json must be text, got {facts[key]!r}."
        elif key in facts and (meant := find_meant(key, facts[key])):
            yield (
                f"{key} in features.json is '{facts[key]}': write '{meant}' if that is meant, "
                "so that "
                "the values are read as such."
            )
    if not isinstance(facts.get("halves", False), bool):
        yield f"halves in features.json must be true or false, got {facts['halves']!r}."
    pieces = facts.get("pieces", 0)
    if not isinstance(pieces, int) or isinstance(pieces, bool) or pieces < 0:
        yield f"pieces in features.json must be a whole number, got {pieces!r}."
    if facts.get("order", "regions.tsv") != "regions.tsv":
        yield f'order in features.json can only be "regions.tsv", got {facts["order"]!r}.'


def _choose(
    by_source: Mapping[str, Sequence[Path]], stated: object, present: Sequence[str]
) -> tuple[str, list[str]]:
    if stated is not None and stated not in SOURCES:
        return "", [f"source in features.json must be one of {', '.join(SOURCES)}, got {stated!r}."]
    available = [kind for kind, files in by_source.items() if files]
    if not available or (stated is not None and stated not in available):
        found = f"found {some(present, 8) or 'nothing'}"
        if not available:
            return "", [f"there are no feature files: expected {_EXPECTED}; {found}."]
        return "", [
            f"features.json states the source '{stated}', but there are no such files ({found}): "
            f"correct source ({', '.join(available)}), or add the files. Expected {_EXPECTED}."
        ]
    if stated is not None:
        return str(stated), []
    if len(available) > 1:
        examples = " and ".join(by_source[kind][0].name for kind in available)
        return "", [
            f'there are several kinds of feature files ({examples}): state "source" in '
            f"features.json, one of {', '.join(SOURCES)}."
        ]
    return available[0], []


def _plain_session(session: object) -> str | None:
    return None if session is None else str(session).removeprefix("ses-")


def _select_session(
    files: tuple[Path, ...], requested: str, stated: str | None, source: str
) -> tuple[tuple[Path, ...], list[str]]:
    sessions = {f: (m.group(1) if (m := _SESSION.search(f.name)) else None) for f in files}
    unnamed_match = stated == requested
    chosen = tuple(
        f
        for f, named in sessions.items()
        if named == requested or (named is None and unnamed_match)
    )
    if chosen:
        return chosen, []
    known = sorted({s for s in sessions.values() if s is not None})
    if source == TABLE or not known:
        described = f"states session '{stated}'" if stated else "states none"
        return (), [
            f"there is no file of session '{requested}': the file names contain no session, and "
            f"features.json {described}. Correct the session, or state it there."
        ]
    return (), [
        f"there is no file of session '{requested}': found {some(f'ses-{s}' for s in known)}."
    ]
