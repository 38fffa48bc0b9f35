"""Search of the files that are meant to be shared for participants, people's values and folders."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import SUBJECT
from bayes_mdd.errors import UnreadableFileError
from bayes_mdd.files.marks import EXPORT, POSTERIOR, RESPONSE_TABLES, SHARE, TABLE_ONE, read_mark
from bayes_mdd.files.regular import read_bytes
from bayes_mdd.results.checks import Check
from bayes_mdd.results.manifest import MANIFEST, compare_manifest
from bayes_mdd.results.payloads import Payload, read_payloads
from bayes_mdd.results.population import find_dimensions
from bayes_mdd.results.privacy import public_names
from bayes_mdd.results.private import LEAST_VALUES, Private, collect_private
from bayes_mdd.results.result import Result
from bayes_mdd.types import Array

#: Files and folders of a run that are meant to be shared; all others hold data of participants.
SHARED: Final = (
    *("report.html", "signatures", "spec.yaml", "smallest_trait.tsv", "prior_sensitivity.tsv"),
    *("predictive_checks.tsv", "predictive_blocks.tsv", "predictive_factors.tsv"),
    *("permutations.tsv", "roles.tsv", TABLE_ONE, "export"),
    *(f"response/{name}" for name in ("report.html", "spec.yaml", "verdict.json")),
    *(f"response/{name}" for name in ("baselines.html", "baselines.json")),
    *(f"response/{name}.tsv" for name in RESPONSE_TABLES if name != "recommendations"),
)
#: Names of columns and dimensions that hold participants.
SUBJECT_NAMES: Final = frozenset(
    ("subject", "subjects", "participant", "participants", "participant_id", "subject_id", "sub")
)
COLUMNS: Final = ("file", "where", "found")
#: Largest file that is searched, in bytes.
LARGEST: Final = 2**30
_FOLDER = re.compile(r"(?:/(?:home|Users|root|mnt|scratch|data\d*)/|[A-Za-z]:\\+Users\\+)[\w.@+-]+")
_TABLE = re.compile(r"<table.*?</table>", re.DOTALL | re.IGNORECASE)
_ROW = re.compile(r"<tr.*?</tr>", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"<t[dh][^>]*>(.*?)</t[dh]>", re.DOTALL | re.IGNORECASE)


def list_shared_files(run_dir: Path) -> list[Path]:
    """List the files of a run that are meant to be shared.

    Parameters
    ----------
    run_dir : Path
        The run folder.

    Returns
    -------
    list of Path
        Regular files, sorted; all files of a folder that `bayes-mdd export --format share` wrote.
    """
    found: list[Path] = []
    if read_mark(run_dir / EXPORT).get("Export") == SHARE:
        return sorted(p for p in run_dir.rglob("*") if p.is_file())
    for name in SHARED:
        path = run_dir / name
        if path.is_dir():
            found += [p for p in path.rglob("*") if p.is_file()]
        elif path.is_file():
            found.append(path)
    return sorted(found)


def search_files(files: Collection[Path], private: Private, root: Path) -> pd.DataFrame:
    """Search files for participants, their values, command lines and folders.

    Parameters
    ----------
    files : collection of Path
        Files that are meant to be shared.
    private : Private
        What they must not hold.
    root : Path
        File names are given relative to this folder.

    Returns
    -------
    DataFrame
        One row per finding: ``file``, ``where`` (place in the file, with the encodings around it)
        and ``found``, in words; ids are counted, not named.
    """
    rows = []
    for path in files:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        said = [("name of the file", found) for found in _search_text(path.name, private)]
        try:
            content = read_bytes(path, limit=LARGEST, empty=True)
        except UnreadableFileError:
            said.append(("whole file", "not searched: it cannot be read, or has more than 1 GiB"))
            content = b""
        for payload in read_payloads(content, name):
            said += [(payload.where, found) for found in _search(payload, private)]
        rows += [(name, where, found) for where, found in dict.fromkeys(said)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _search(payload: Payload, private: Private) -> Iterator[str]:
    yield from _search_text(payload.text, private)
    for name in payload.names:
        if name.lower() in SUBJECT_NAMES:
            yield "rows of participants"
            return
    if payload.names and payload.text:
        whole = {cell for cell in payload.text.split("\t") if cell in private.ids}
        # Numbers that are ids are recognised where a whole list consists of them.
        if len(whole) >= LEAST_VALUES:
            yield f"ids of {len(whole)} participants"
    if payload.values is not None:
        yield from _match_values(payload.values, private)
    for header, rows in _read_tables(payload.text):
        yield from _search_table(header, rows, private)


def _search_text(text: str, private: Private) -> Iterator[str]:
    pattern = _pattern(private.ids)
    if pattern is not None:
        named = {m.lower() for m in pattern.findall(text)}
        if named:
            yield f"ids of {len(named)} participant{'s' if len(named) > 1 else ''}"
    if any(word in text for word in private.commands) or _FOLDER.search(text):
        yield "a command line, folder or user name"


def _pattern(ids: frozenset[str]) -> re.Pattern[str] | None:
    """Ids as whole words; ids that are numbers with the prefix of BIDS only."""
    forms = {f"sub-{i.removeprefix('sub-')}" for i in ids} | {i for i in ids if not i.isdigit()}
    forms |= {i.removeprefix("sub-") for i in ids if not i.removeprefix("sub-").isdigit()}
    forms = {f for f in forms if len(f) > 1}
    if not forms:
        return None
    words = "|".join(re.escape(f) for f in sorted(forms, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])", re.IGNORECASE)


def _match_values(values: Array, private: Private) -> Iterator[str]:
    """Whether a list of numbers is a number of all participants, in any order."""
    own = np.sort(values[np.isfinite(values)])
    for name, known in private.values.items():
        wanted = np.sort(known[np.isfinite(known)])
        if own.size == wanted.size and np.allclose(own, wanted, rtol=1e-3, atol=1e-3):
            yield f"the {name} of every participant"


def _read_tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Tables of HTML, and text that is one table."""
    for table in _TABLE.findall(text):
        rows = [[c.strip() for c in _CELL.findall(row)] for row in _ROW.findall(table)]
        if len(rows) > 1:
            yield rows[0], rows[1:]
    first = text.partition("\n")[0]
    for delimiter in ("\t", ","):
        if delimiter in first and "<" not in first and "{" not in first and len(first) < 100_000:
            rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
            if len(rows) > 1:
                yield rows[0], rows[1:]
            return
    if first and not set("<{[") & set(first) and len(first) < 10_000:
        yield from _read_columns(text)


def _read_columns(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Columns without delimiters but spaces, with or without a header; also a single one."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if len(rows) >= LEAST_VALUES and len({len(row) for row in rows}) == 1:
        yield rows[0], rows[1:]
        yield [""] * len(rows[0]), rows


def _search_table(header: list[str], rows: list[list[str]], private: Private) -> Iterator[str]:
    for at, name in enumerate(header):
        column = [row[at] for row in rows if at < len(row)]
        if name.strip().lower() in SUBJECT_NAMES and any(c in private.ids for c in column):
            yield "rows of participants"
        known = [c for c in column if c not in ("", "n/a")]
        if len(known) < LEAST_VALUES:
            continue
        numbers = pd.to_numeric(pd.Series(known), errors="coerce")
        if numbers.notna().all():
            yield from _match_values(numbers.to_numpy(dtype=float), private)


def judge_privacy(found: pd.DataFrame, n_files: int) -> Check:
    """Turn a search into a row of the table of checks.

    Parameters
    ----------
    found : DataFrame
        From `search_files`.
    n_files : int
        Number of files that were searched.

    Returns
    -------
    Check
        Failed where anything was found.
    """
    files = ", ".join(dict.fromkeys(found["file"]))
    advice = (
        f"Do not share {files}: write them again without --with-participants, or with this version."
    )
    return Check(
        f"participants in the {n_files} files to be shared",
        float(len(found)),
        "0",
        not len(found),
        advice if len(found) else "",
    )


def check_privacy(run_dir: Path, result: Result) -> tuple[pd.DataFrame, Check]:
    """Search the files of a run that are meant to be shared.

    Parameters
    ----------
    run_dir : Path
        The run folder.
    result : Result
        The fit that it holds.

    Returns
    -------
    found : DataFrame
        From `search_files`.
    check : Check
        Its verdict. Ids that are also names of factors, arms, networks, regions or levels cannot
        be told from these; the advice says so.
    """
    files = list_shared_files(run_dir)
    found = search_files(files, collect_private(result), run_dir)
    notes = []
    if result.shared:
        found = pd.concat([found, _search_shared(run_dir, result)], ignore_index=True)
        notes.append("Ids of the cohort are not known here: run this check on the run of the fit.")
    elif n := _ambiguous(result):
        notes.append(f"{n} ids are also names of regions or levels and were not searched.")
    check = judge_privacy(found, len(files))
    if notes:
        check = replace(check, advice=" ".join([check.advice, *notes]).strip())
    return found, check


def _search_shared(run_dir: Path, result: Result) -> pd.DataFrame:
    """Dimensions of participants, and files that differ from the manifest."""
    rows = [(POSTERIOR, "dimensions", said) for said in find_dimensions(result.tree)]
    rows += [(name, MANIFEST, said) for name, said in compare_manifest(run_dir)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ambiguous(result: Result) -> int:
    subjects = {str(s) for s in result.posterior[SUBJECT].values}
    return len(subjects & public_names(result))
