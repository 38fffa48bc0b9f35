"""The page on damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "counts": Source("hostile_files.json", "python benchmarks/hostile_files.py --write"),
}
#: Outcomes by the key of the results; the last four are faults.
OUTCOMES = {
    "own": "Refused",
    "same": "Read, same values",
    "changed": "Read, other values",
    "foreign": "Error of another library",
    "death": "Process ended",
    "hang": "No answer",
    "memory": "More than 1 GB",
}
FAULTS = tuple(OUTCOMES)[3:]
#: Readers of files with checksums: a damaged file must not give other values.
CHECKED = (
    *(".npz", ".npz, compressed", ".mat, compressed", "session difference", "feature archive"),
    *("NIfTI, .gz", "arrays", "maps", "fmriprep_bold", "fmriprep_bold, atlas", "atlas image"),
    *("atlas image, labels", "run, posterior.nc", "response, posterior.nc", "kept result"),
    "summary of a cohort",
)


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    rows = load(results, SOURCES["counts"])["readers"]
    parts = [part for row in rows.values() for part in row.values()]
    damaged = [row["damaged"] for row in rows.values()]
    special = [row["special"] for row in rows.values()]
    checked = [rows[name]["damaged"] for name in CHECKED if name in rows]
    return {
        "counts": table(
            ["Reader", "Files", *OUTCOMES.values(), "Special files refused"],
            [
                [
                    name,
                    str(sum(row["damaged"].values())),
                    *(str(row["damaged"][kind]) for kind in OUTCOMES),
                    f"{row['special']['own']} of {n}"
                    if (n := sum(row["special"].values()))
                    else "",
                ]
                for name, row in rows.items()
            ],
        ),
        "readers": str(len(rows)),
        "files": f"{sum(sum(part.values()) for part in damaged):,}",
        "special_files": f"{sum(sum(part.values()) for part in special):,}",
        "faults": str(sum(part[kind] for part in parts for kind in FAULTS)),
        "checked": f"{sum(sum(part.values()) for part in checked):,}",
        "checked_readers": str(len(checked)),
        "silent": str(sum(part["changed"] for part in checked)),
    }


def _share(special: dict[str, int]) -> str:
    n = sum(special.values())
    return f"{special['own']} of {n}" if n else ""
