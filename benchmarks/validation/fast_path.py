"""The page on the fast path: coverage of its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import estimate, percent, table

SOURCES = {
    "gaussian": Source("fast_coverage.json", "python benchmarks/fast_coverage.py"),
    "spike_slab": Source(
        "fast_coverage_spike_slab.json",
        "python benchmarks/fast_coverage.py --null 0 --edge-prior spike_slab",
    ),
}
QUANTITIES = {
    "loadings": "Loadings, all",
    "loaded": "Loadings, largest quarter of each factor",
    "explained": "Variance explained, by factor and arm",
    "sharing": "Sharing",
    "weight": "Symptom weights",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    found = {name: load(results, source)["summary"] for name, source in SOURCES.items()}
    gaussian = found["gaussian"]
    return {
        "coverage": coverage(found),
        "cohorts": gaussian["cohorts"],
        "found": percent(gaussian["factors_found"], 0),
        "shared": gaussian["shared"],
        "false_alarms": gaussian["shared"]["any_specific_above_.9"],
        "noise": gaussian["noise"],
        "convergence": convergence(found),
        "spike_slab_loadings": found["spike_slab"]["loadings"]["coverage"],
    }


def coverage(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Coverage of 90% intervals by quantity and edge prior."""
    rows = [
        [
            title,
            found["gaussian"][name]["n"],
            *(estimate(x[name]["coverage"], x[name]["se"]) for x in found.values()),
        ]
        for name, title in QUANTITIES.items()
    ]
    header = ["Quantity", "Intervals", "`edge_prior: gaussian`", "`edge_prior: spike_slab`"]
    return table(header, rows)


def convergence(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Divergences, R-hat, effective draws and time by edge prior."""
    rows = [
        [
            f"`{name}`",
            x["divergent_runs"],
            "{:.3f} / {:.3f}".format(*x["rhat_median_max"]),
            "{:.0f} / {:.0f}".format(*x["ess_median_min"]),
            f"{x['seconds_median']:.1f}",
        ]
        for name, x in found.items()
    ]
    header = ["Edge prior", "Runs with divergences", "R-hat, median / largest",
              "ESS, median / smallest", "Seconds, median"]  # fmt: skip
    return table(header, rows)
