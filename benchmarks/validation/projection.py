"""The page on projection: scores of participants who were not in the fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import percent, table

SOURCES = {
    "projection": Source(
        "projection.json",
        "python benchmarks/projection.py --kinds block-strong block-weak unequal --seeds 3",
    )
}
KINDS = {
    "block-strong": "Blocks, strong factors",
    "block-weak": "Blocks, weak factors",
    "unequal": "Blocks, unequal arms",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["projection"])
    rows = []
    for kind, title in KINDS.items():
        for group in ("shared", "specific"):
            part = [r for r in stored if r["kind"] == kind and r["factor"] == group]
            names = ("ours", "oracle", "coverage", "slope", "seconds")
            ours, oracle, held, slope, seconds = (np.mean([r[n] for r in part]) for n in names)
            rows.append(
                {
                    "difference": float(ours - oracle),
                    "coverage": float(held),
                    "cells": [
                        title, group, len(part), f"{ours:.3f}", f"{oracle:.3f}",
                        f"{ours - oracle:+.4f}", percent(float(held), 0), f"{slope:.2f}",
                        f"{seconds:.1f}",
                    ],
                }
            )  # fmt: skip
    header = ["Cohorts", "Factors", "n", "Correlation", "Oracle", "Difference", "Coverage",
              "Slope", "Seconds"]  # fmt: skip
    coverage = [r["coverage"] for r in rows]
    return {
        "table": table(header, [r["cells"] for r in rows]),
        "largest": f"{max(abs(r['difference']) for r in rows):.4f}",
        "lowest": percent(min(coverage), 0),
        "highest": percent(max(coverage), 0),
        "seeds": len({r["seed"] for r in stored}),
    }
