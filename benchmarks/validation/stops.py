"""The page on commands that are killed or run out of disk, and repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "trials": Source("stops.json", "python benchmarks/stops.py --write"),
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["trials"])
    faults = sorted({f for row in stored["killed"].values() for f in row["faults"]})
    return {
        "killed": rows(stored["killed"], "Kills"),
        "full": rows(stored["full"], "Trials") if stored["full"] else "",
        "same": sum(row["same"] for row in stored["killed"].values()),
        "faults": "; ".join(f"`{fault}`" for fault in faults),
        "kills": sum(row["kills"] for row in stored["killed"].values()),
    }


def rows(of: Mapping[str, Mapping[str, Any]], trials: str) -> str:
    """One row for each command."""
    return table(
        ["Command", trials, "Same result", "Half-written files", "Leftovers", "Parts were kept"],
        [
            [
                f"`{name}`",
                row["kills"],
                f"{row['same']} of {row['kills']}",
                row["half_written"],
                row["leftovers"],
                row["continued"],
            ]
            for name, row in of.items()
        ],
    )
