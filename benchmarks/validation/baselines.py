"""The page on machine-learning baselines: noise, the leak, clinical prognosis, time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import estimate, percent, table

SOURCES = {
    "baselines": Source(
        "baselines.json",
        "python benchmarks/baselines.py noise --repeats 40` and `... leak clinical --repeats 12",
    )
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["baselines"])
    found = {k: v["rows"] for k, v in stored.items()}
    skilled = [r for r in found["leak"] if r["method"] != "majority"]
    return {
        "repeats": {k: v["repeats"] for k, v in stored.items()},
        "noise": noise(found["noise"], found["leak"]),
        "least_leaky": f"{min(r['auc'] for r in skilled):.2f}",
        "most_leaky": f"{max(r['auc'] for r in skilled):.2f}",
        "furthest": f"{max(abs(r['auc'] - 0.5) for r in found['noise']):.2f}",
        "clinical": clinical(found["clinical"]),
        "time": duration(found["time"][0]) if "time" in found else "",
    }


def noise(honest: list[Mapping[str, Any]], leaky: list[Mapping[str, Any]]) -> str:
    """Area under the curve where nothing can be predicted."""
    of = {r["method"]: r for r in leaky}
    return table(
        ["Method", "Inside the folds", "Screened outside the folds"],
        [
            [
                r["method"],
                estimate(r["auc"], r["se"]),
                estimate(of[r["method"]]["auc"], of[r["method"]]["se"]),
            ]
            for r in honest
        ],
    )


def clinical(rows: list[Mapping[str, Any]]) -> str:
    """Measures where baseline and age alone predict the outcome."""
    words = {"auc": "Area under the curve", "r2": "R²"}
    return table(
        ["Measure", "Clinical only", "Best with scans alone", "Best with both", "Wins or ties"],
        [
            [
                words[r["measure"]],
                f"{r['clinical']:.2f}",
                f"{r['imaging']:.2f}",
                f"{r['both']:.2f}",
                percent(r["wins_or_ties"], 0),
            ]
            for r in rows
        ],
    )


def duration(row: Mapping[str, Any]) -> str:
    """Time of the whole comparison."""
    return (
        f"The whole comparison with all defaults, {row['patients']} patients and "
        f"{row['features']} edges: about {row['processor_seconds']:.0f} seconds of processor time "
        f"({row['processor_seconds'] / 120:.1f} minutes on two cores), added up from one fold "
        f"({row['fold_seconds']:.1f} s), one fit of the factors ({row['stage_one_seconds']:.0f} s) "
        f"and one permutation of every test ({row['permutation_seconds']:.1f} s). Tests stop early "
        f"where nothing is found; if every test needs all 99 permutations, it is "
        f"{row['most_seconds']:.0f} seconds."
    )
