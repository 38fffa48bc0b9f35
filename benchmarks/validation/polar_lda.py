"""The page on polar LDA: coverage of compositions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import estimate, table

SOURCES = {
    "coverage": Source(
        "polar_lda_coverage.json",
        "python benchmarks/polar_lda_coverage.py --json benchmarks/results/polar_lda_coverage.json",
    )
}
GENERATORS = {
    "model": "The model itself",
    "edges": "Gaussian deviations of edges",
    "words": "LDA tokens on edges",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["coverage"])
    rows = {r["generator"]: r for r in stored["summary"]}
    worst = {
        name: min(r["covered_0.95"] for r in stored["rows"] if r["generator"] == name)
        for name in GENERATORS
    }
    return {
        **stored["setting"],
        "cohorts": rows["model"]["cohorts"],
        "coverage": table(
            ["Cohorts drawn from", "90% intervals", "95% intervals", "Worst cohort, 95%",
             "Nominal 95%, variational"],
            [
                [
                    title,
                    *(estimate(rows[g][n], rows[g][f"{n}_se"])
                      for n in ("covered_0.90", "covered_0.95")),
                    f"{worst[g]:.3f}",
                    f"{rows[g]['nominal_0.95']:.2f}" if "nominal_0.95" in rows[g] else "",
                ]
                for g, title in GENERATORS.items()
            ],
        ),
        "convergence": table(
            ["Cohorts drawn from", "Error", "Width, 95%", "Spread ratio", "Effective tokens",
             "Min. ESS", "Worst R-hat", "Divergences", "Seconds"],
            [
                [
                    title,
                    *(f"{rows[g][f'median_{n}']:.{d}f}" for n, d in (
                        ("error", 3), ("width_0.95", 2), ("spread_ratio", 2), ("token_worth", 0),
                        ("min_ess", 0))),
                    f"{rows[g]['worst_rhat']:.2f}",
                    rows[g]["divergences"],
                    f"{rows[g]['median_seconds']:.0f}",
                ]
                for g, title in GENERATORS.items()
            ],
        ),
        "rhat": f"{max(r['worst_rhat'] for r in rows.values()):.2f}",
        "words": rows["words"]["covered_0.90"],
        "summary": rows,
    }  # fmt: skip
