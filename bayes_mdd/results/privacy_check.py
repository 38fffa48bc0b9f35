"""Search of the files that are meant to be shared for participants, people's values and folders."""

from __future__ import annotations

import csv
import getpass
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, SUBJECT
from bayes_mdd.files.marks import RESPONSE_TABLES, TABLE_ONE
from bayes_mdd.results.checks import Check
from bayes_mdd.results.payloads import Payload, read_payloads
from bayes_mdd.results.privacy import list_participants, public_names
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
#: Fewest different values of a column that can be recognised as that of the participants.
LEAST_VALUES: Final = 6
COLUMNS: Final = ("file", "where", "found")
_FOLDER = re.compile(r"(?:/(?:home|Users|root|mnt|scratch|data\d*)/|[A-Za-z]:\\+Users\\+)[\w.@+-]+")
_TABLE = re.compile(r"<table.*?</table>", re.DOTALL | re.IGNORECASE)
_ROW = re.compile(r"<tr.*?</tr>", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"<t[dh][^>]*>(.*?)</t[dh]>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Private:
    """What files that are shared must not hold.

    Parameters
    ----------
    ids : frozenset of str
        Participants.
    values : mapping of str to ndarray
        A number of each participant, e.g. ages, by name.
    commands : tuple of str
        Command line of the fit, folders and the name of the user.
    """

    ids: frozenset[str]
    values: Mapping[str, Array]
    commands: tuple[str, ...] = ()


def collect_private(result: Result) -> Private:
    """Collect what must not leave with shared files.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    Private
        Ids, the numbers of each participant, command line and folders.
    """
    values: dict[str, Array] = {}
    for group in ("constant_data", "observed_data"):
        if group not in result.tree.children:
            continue
        for name, variable in result.group(group).variables.items():
            if variable.dims == (SUBJECT,) and variable.dtype.kind in "iuf":
                values[str(name)] = np.asarray(variable.values, dtype=float)
    if "scores" in result.posterior:
        mean = result.posterior["scores"].mean((CHAIN, DRAW))
        for factor in mean[FACTOR].values:
            values[f"scores of {factor}"] = mean.sel({FACTOR: factor}).values
    known = {k: v for k, v in values.items() if np.unique(v[np.isfinite(v)]).size >= LEAST_VALUES}
    command = str(result.provenance.get("command", ""))
    words = [w for w in command.split() if w.startswith(("/", "~")) and len(w) > 3]
    user = getpass.getuser() if _has_user() else ""
    folders = [f"/{user}/"] if len(user) > 2 and user != "root" else []
    long = [command] if len(command) > 20 else []
    return Private(
        list_participants(result), known, tuple(dict.fromkeys([*long, *words, *folders]))
    )


def _has_user() -> bool:
    try:
        return bool(getpass.getuser())
    except (OSError, KeyError, ImportError):  # a container without an entry for the user
        return False


def list_shared_files(run_dir: Path) -> list[Path]:
    """List the files of a run that are meant to be shared.

    Parameters
    ----------
    run_dir : Path
        The run folder.

    Returns
    -------
    list of Path
        Regular files, sorted.
    """
    found: list[Path] = []
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
        for payload in read_payloads(path.read_bytes(), name):
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
    check = judge_privacy(found, len(files))
    ambiguous = _ambiguous(result)
    if ambiguous:
        note = f"{ambiguous} ids are also names of regions or levels and were not searched."
        check = Check(
            check.name, check.value, check.threshold, check.passed, f"{check.advice} {note}".strip()
        )
    return found, check


def _ambiguous(result: Result) -> int:
    subjects = {str(s) for s in result.posterior[SUBJECT].values}
    return len(subjects & public_names(result))
