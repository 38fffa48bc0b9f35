"""The page on speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "full": Source("speed.json", "python benchmarks/run.py --sizes 51 400"),
    "fast": Source(
        "fast_speed.json",
        "python benchmarks/fast_speed.py --mofapy2 PYTHON --regions 51 200 --repeats 2 "
        "-o benchmarks/results/fast_speed.json",
    ),
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    full, fast = (load(results, source) for source in SOURCES.values())
    return {
        "full": full_fits(full),
        "people": full[0]["people"],
        "fast": fast_fits(fast),
        "longest": f"{full[-1]['features']:,}",
        "longest_seconds": f"{full[-1]['seconds in all']:.0f}",
    }


def full_fits(rows: list[dict[str, Any]]) -> str:
    """Time, memory and convergence of full fits."""
    header = [
        "Edges", "Seconds in all", "Sampling", "Loadings", "Min. ESS", "ESS per second",
        "Max. R-hat", "Divergences", "Peak memory, MB",
    ]  # fmt: skip
    return table(
        header,
        [
            [
                f"{r['features']:,}",
                f"{r['seconds in all']:.1f}",
                f"{r['sampling']:.1f}",
                f"{r['loadings']:.1f}",
                f"{r['min ESS']:.0f}",
                f"{r['ESS a second']:.0f}",
                f"{r['max R-hat']:.3f}",
                f"{r['divergences']:.0f}",
                f"{r['peak MB']:.0f}",
            ]
            for r in rows
        ],
    )


def ratio(found: Mapping[str, Any], kind: str) -> float:
    """Time of the last fast fit over that of the last mofapy2 fit."""
    return float(found["fast"][-1][kind] / found["mofapy2"][-1][kind])


def fast_fits(stored: Mapping[str, Any]) -> str:
    """Wall clock and processor time of the fast path and of mofapy2."""
    rows = []
    for regions, found in stored.items():
        edges = int(regions) * (int(regions) - 1) // 2
        fast, peer = found["fast"], found["mofapy2"]
        rows.append(
            [
                f"{edges:,}",
                f"{fast[0]['wall']:.1f}",
                f"{fast[-1]['wall']:.1f} ({fast[-1]['cpu']:.1f})",
                f"{peer[-1]['wall']:.2f} ({peer[-1]['cpu']:.2f})",
                f"{ratio(found, 'wall'):.1f} ({ratio(found, 'cpu'):.1f})",
            ]
        )
    return table(["Edges", "First fast fit", "Later fast fit", "mofapy2", "Ratio"], rows)
