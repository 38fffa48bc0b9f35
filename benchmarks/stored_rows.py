"""Results of a benchmark, one row for each cohort, that a later run of it completes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from compact import compact
from joblib import Parallel, delayed
from provenance import record

#: What identifies a row.
KEY = ("kind", "seed", "dependence")
Key = tuple[str, int, str]
Row = dict[str, Any]


class StoredRows:
    """Rows in a JSON file, written after each change.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    name : str
        Entry of the file that holds the rows.
    settings : dict
        What holds for all rows. A file with other settings is not continued.
    source : str
        Digest of the source; rows of another source are not used again.
    reuse : bool, default False
        Use rows of any source again.
    """

    def __init__(
        self, path: Path, name: str, settings: Row, source: str, *, reuse: bool = False
    ) -> None:
        self.path, self.name, self.settings, self.source = path, name, settings, source
        stored = json.loads(path.read_text()) if path.exists() else settings | {name: []}
        if any(stored.get(k) != v for k, v in settings.items()):
            sys.exit(f"{path} holds rows of other settings or versions. Move it, or use --output.")
        self.rows: dict[Key, Row] = {_key(r): r for r in stored[name]}
        self.usable = {k for k, r in self.rows.items() if reuse or r.get("source") == source}

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows, replacing those of the same key, and write the file."""
        for row in rows:
            self.rows[_key(row)] = row | {"source": self.source}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        ordered = [self.rows[key] for key in sorted(self.rows)]
        temporary.write_text(compact(self.settings | {self.name: ordered}), encoding="utf-8")
        temporary.replace(self.path)
        record(self.path)


def run_missing(
    stored: StoredRows, wanted: Iterable[Key], function: Callable[..., Row], jobs: int, *args: Any
) -> Iterator[Row]:
    """Compute the rows that are missing, store each, and yield it."""
    tasks = (delayed(function)(*key, *args) for key in wanted if key not in stored.usable)
    for row in Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        stored.add([row])
        yield row


def _key(row: Row) -> Key:
    kind, seed, dependence = (row[k] for k in KEY)
    return kind, seed, dependence
