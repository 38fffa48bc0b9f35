"""The page on many participants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "participants": Source(
        "participants.json",
        "python benchmarks/participants.py --people 500 1000 2000 "
        "-o benchmarks/results/participants.json",
    ),
}
METHODS = {"fast": "fast", "mcmc": "full"}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    (rows,) = (load(results, source) for source in SOURCES.values())
    largest = {m: max((r for r in rows if r["method"] == m), key=_people) for m in METHODS}
    return {
        "rows": fits(rows),
        "features": f"{rows[0]['features']:,}",
        "draws": largest["mcmc"]["draws"],
        "exponents": {m: f"{exponent(rows, m):.1f}" for m in METHODS},
        "largest": {
            m: {
                "people": f"{r['people']:,}",
                "minutes": f"{r['wall'] / 60:.1f}",
                "gigabytes": f"{r['peak MB'] / 1000:.1f}",
            }
            for m, r in largest.items()
        },
    }


def _people(row: dict[str, Any]) -> int:
    return int(row["people"])


def exponent(rows: list[dict[str, Any]], method: str, smallest: int = 500) -> float:
    """Slope of log processor time in log number of participants, from `smallest` on."""
    own = [r for r in rows if r["method"] == method and r["people"] >= smallest]
    slope = np.polyfit(np.log([r["people"] for r in own]), np.log([r["cpu"] for r in own]), 1)[0]
    return float(slope)


def fits(rows: list[dict[str, Any]]) -> str:
    """Time, memory and convergence of fits."""
    header = [
        "Participants", "Sites", "Method", "Sampler", "Factors", "Processor minutes",
        "Peak memory, GB", "Min. ESS", "Max. R-hat",
    ]  # fmt: skip
    names = {"density": "nutpie", "alternating": "in turn"}
    return table(
        header,
        [
            [
                f"{r['people']:,}",
                str(r["sites"]),
                METHODS[r["method"]],
                "around a mode"
                if r["method"] == "fast" and r["sampled"] == "density"
                else names[r["sampled"]],
                str(r["factors"]),
                f"{r['cpu'] / 60:.1f}",
                f"{r['peak MB'] / 1000:.1f}",
                f"{r['min ESS']:.0f}",
                f"{r['max R-hat']:.3f}",
            ]
            for r in rows
        ],
    )
