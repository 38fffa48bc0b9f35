"""The page on noise that differs between features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "check": Source(
        "feature_noise.json", "python benchmarks/feature_noise.py -o benchmarks/results"
    ),
    "recovery": Source(
        "feature_noise_recovery.json",
        "python benchmarks/feature_noise.py --recovery 4 -o benchmarks/results",
    ),
}
KINDS = {
    "equal": "Equal within a block",
    "differs-0.1": "SD of the log noise SD: 0.1",
    "differs-0.2": "SD of the log noise SD: 0.2",
    "differs-0.4": "SD of the log noise SD: 0.4",
    "tails": "t noise (6 df), equal in SD",
}
TRUTHS = {"alike": "Equal", "differs": "Differs strongly"}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    check, recovery = (load(results, source) for source in SOURCES.values())
    return {
        "check": table(
            ["True noise", "`feature_noise`", "Check fails", "Mean ratio"],
            [
                [
                    KINDS[r["kind"]],
                    f"`{r['noise']}`",
                    f"{r['fires']} of {r['cohorts']}",
                    f"{r['ratio']:.2f}",
                ]
                for r in sorted(check, key=lambda r: (r["noise"], list(KINDS).index(r["kind"])))
            ],
        ),
        "recovery": table(
            ["True noise", "`feature_noise`", "RV, mean", "RV, worst", "Check fails"],
            [
                [
                    TRUTHS[r["truth"]],
                    f"`{r['noise']}`",
                    f"{r['rv']:.3f}",
                    f"{r['worst']:.3f}",
                    f"{r['fires']} of {r['cohorts']}",
                ]
                for r in recovery
            ],
        ),
        "divergences": sum(r["divergences"] for r in recovery),
    }
