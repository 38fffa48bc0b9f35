"""The page on many participants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import proportion, table

SOURCES = {
    "participants": Source(
        "participants.json",
        "python benchmarks/participants.py --people 60 200 500 1000 2000 "
        "-o benchmarks/results/participants.json",
    ),
    "series": Source(
        "many_series.json",
        "python benchmarks/many_series.py --cohorts 4 --methods fast --kinds null state edge-weak "
        "smooth-strong`, `python benchmarks/many_series.py --cohorts 4 --methods mcmc --kinds "
        "prior-edge prior-smooth",
    ),
}
#: Kinds of time series.
KINDS = {
    "null": "No trait",
    "state": "A state, no trait",
    "edge-weak": "Edge-wise traits, 3-4% of the variance",
    "smooth-strong": "Smooth traits, 10%",
    "prior-edge": "Edge-wise traits, sharing from the prior",
    "prior-smooth": "Smooth traits, sharing from the prior",
}
METHODS = {"fast": "fast", "mcmc": "full"}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    rows = load(results, SOURCES["participants"])
    series = load(results, SOURCES["series"])
    largest = {m: max((r for r in rows if r["method"] == m), key=_people) for m in METHODS}
    return {
        "rows": fits(rows),
        "series": on_series(series["fits"]),
        "series_people": 2 * series["settings"]["people"],
        "series_regions": series["settings"]["regions"],
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


def labelled(found: dict[str, int]) -> int:
    """Factors with the right label: five shared ones, two of one arm and one of the other."""
    true = {"shared": 5, "SSRI-specific": 2, "SNRI-specific": 1}
    return sum(min(n, found.get(name, 0)) for name, n in true.items())


def fits(rows: list[dict[str, Any]]) -> str:
    """Time, memory and convergence of fits."""
    header = [
        "Participants", "Sites", "Method", "Sampler", "Factors", "Processor minutes",
        "Peak memory, GB", "Min. ESS", "Max. R-hat", "Correct labels",
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
                f"{labelled(r['labels'])} of 8",
            ]
            for r in rows
        ],
    )


def on_series(rows: list[dict[str, Any]]) -> str:
    """What is found in time series, and the coverage of intervals."""
    header = [
        "Cohorts", "Method", "Number", "True factors found", "Factors of noise", "Named specific",
        "Wrongly named", "Sharing", "Explained", "Symptom weights", "Max. R-hat",
    ]  # fmt: skip
    cells = []
    for kind, method in sorted({(r["kind"], r["method"]) for r in rows}, key=_in_order):
        own = [r for r in rows if (r["kind"], r["method"]) == (kind, method)]
        true = sum(len(r["r2"]) for r in own)
        specific = sum(r["specific"] for r in own)
        cells.append(
            [
                KINDS[kind],
                METHODS[method],
                len(own),
                f"{sum(r['dims'] for r in own)} of {true}" if true else "-",
                sum(r["noise"] for r in own),
                f"{sum(r['right'] for r in own)} of {specific}" if specific else "-",
                sum(r["wrong"] for r in own),
                *(inside(own, name) for name in ("sharing", "explained", "weights")),
                f"{max((r['rhat'] for r in own if np.isfinite(r['rhat'])), default=np.nan):.3f}",
            ]
        )
    return table(header, cells)


def _in_order(group: tuple[str, str]) -> tuple[int, int]:
    return list(KINDS).index(group[0]), list(METHODS).index(group[1])


def inside(rows: list[dict[str, Any]], name: str) -> str:
    """Share of 90% intervals that hold the truth, of factors that were found."""
    found = [x[2] for r in rows for f in r["factors"] for x in f.get(name, ())]
    return proportion([bool(x) for x in found]) if found else "-"
