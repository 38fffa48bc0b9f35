"""What a bad input does: the message, and whether anything was written."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from badinput.case import Case

#: Ids of participants in messages.
_ID = re.compile(r"(?<![\w/-])(?:sub|p)-?\d+(?![\w-])")


@dataclass(frozen=True)
class Outcome:
    """What a command or function did.

    Parameters
    ----------
    status : int
        Exit status; 2 for the expected exception of a function.
    message : str
        What was printed on stderr, or the text of the exception, on one line.
    printed : str
        What was printed on stdout.
    written : tuple of str
        Files that are new, changed or gone.
    """

    status: int
    message: str
    printed: str
    written: tuple[str, ...]


def copy_inputs(case: Case, valid: Path, place: Path) -> None:
    """Copy the valid inputs that the words of a case name."""
    words = f"{case.use if isinstance(case.use, str) else ''} {case.needs}"
    for name in {w.split("/")[0] for w in words.split()}:
        if (valid / name).is_dir():
            shutil.copytree(valid / name, place / name)
        elif (valid / name).is_file():
            shutil.copy(valid / name, place / name)


def run_case(case: Case, valid: Path, place: Path, run_cli: Callable[..., Any]) -> Outcome:
    """Make a bad input in an empty folder, which is the current one, and use it."""
    copy_inputs(case, valid, place)
    case.make(place)
    before = _list_files(place)
    if isinstance(case.use, str):
        done = run_cli(*shlex.split(case.use))
        status, message, printed = done.status, done.err, done.out
    else:
        status, printed = 0, ""
        try:
            message = str(case.use(place))
        except case.error as error:
            status, message = 2, str(error)
    after = _list_files(place)
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    message = message.replace(f"{place}/", "").replace("│", " ")
    return Outcome(status, " ".join(message.split()), printed, tuple(sorted(changed)))


def _list_files(place: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file; empty folders count as well."""
    found = {}
    for path in place.rglob("*"):
        # Images that were read are kept for a repetition of the command.
        if any(part.startswith(".bayes-mdd-unfinished") for part in path.parts):
            continue
        state = path.stat()
        if path.is_file():
            found[path.relative_to(place).as_posix()] = (state.st_size, state.st_mtime_ns)
        else:
            found[path.relative_to(place).as_posix()] = (0, 0)
    return found


def ids_named_twice(message: str) -> list[str]:
    """List ids that one problem of a message lists more than once.

    The values after "Did you mean" are advice, and the names of files hold ids.
    """
    repeated = []
    for problem in re.split(r" (?=\d+\. )", message):
        said = re.sub(r"Did you mean '[^']*'\?|[\w.-]+\.(?:tsv|npy|npz|nii|gz|json)\b", "", problem)
        ids = _ID.findall(said)
        repeated += [i for i in dict.fromkeys(ids) if ids.count(i) > 1]
    return repeated
