"""The page on damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "counts": Source("hostile_files.json", "python benchmarks/hostile_files.py --write"),
}
#: Outcomes by the key of the results; the last three are faults.
OUTCOMES = {
    "own": "Refused",
    "read": "Read",
    "foreign": "Error of another library",
    "death": "Process ended",
    "hang": "No answer",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    rows = load(results, SOURCES["counts"])["readers"]
    faults = sum(row[kind] for row in rows.values() for kind in list(OUTCOMES)[2:])
    return {
        "counts": table(
            ["Reader", *OUTCOMES.values()],
            [[name, *(str(row[kind]) for kind in OUTCOMES)] for name, row in rows.items()],
        ),
        "files": f"{sum(sum(row.values()) for row in rows.values()):,}",
        "faults": str(faults),
    }
