"""The page on symptom links: coverage of their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import estimate, percent, table

COMMAND = "python benchmarks/symptom_coverage.py --fits 120 --weights"
SOURCES = {
    "spread": Source("symptom_coverage_spread.json", f"{COMMAND} spread"),
    "prior": Source("symptom_coverage_prior.json", f"{COMMAND} prior"),
    "by_arm": Source("symptom_coverage_spread_by_arm.json", f"{COMMAND} spread --links by_arm"),
    "earlier": Source("symptom_coverage_spread_overall0.2.json", f"{COMMAND} spread"),
}
TITLES = {
    "spread": "One link for all arms, weights spread out",
    "prior": "One link for all arms, weights from the prior",
    "by_arm": "Links by arm",
    "earlier": "The run by which the overall scale was chosen",
}
KINDS = {
    "gaussian": "Dimensions",
    "ordinal": "Items",
    "gaussian arm": "Dimensions, within an arm",
    "ordinal arm": "Items, within an arm",
    "gaussian difference": "Dimensions, difference between arms",
    "ordinal difference": "Items, difference between arms",
}
SIZE = "true weight (residual SD)"


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    found = {name: load(results, source) for name, source in SOURCES.items()}
    return {
        "overview": overview(found),
        "tables": {name: details(x["summary"]) for name, x in found.items()},
        "overall": found["spread"]["settings"]["overall"],
        "dimension_share": share(found["spread"], "gaussian"),
        "item_share": share(found["spread"], "ordinal"),
        "fits": found["spread"]["fits"],
    }


def share(stored: Mapping[str, Any], kind: str) -> str:
    """Coverage of all weights of a kind."""
    row = next(r for r in stored["summary"] if r["symptom"] == kind and r[SIZE] == "all")
    return percent(row["covered"])


def overview(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Coverage of all weights by study and kind."""
    rows = []
    for name, stored in found.items():
        for row in stored["summary"]:
            if row[SIZE] == "all":
                held = estimate(row["covered"], row["standard error"])
                rows.append(
                    [TITLES[name], KINDS[row["symptom"]], stored["fits"], row["weights"], held,
                     stored["divergences"]]
                )  # fmt: skip
    return table(["Study", "Symptoms", "Fits", "Weights", "Coverage", "Divergences"], rows)


def details(summary: list[dict[str, Any]]) -> str:
    """Coverage by kind and size of the true weight."""
    rows = [
        [
            KINDS[r["symptom"]],
            r[SIZE],
            r["weights"],
            estimate(r["covered"], r["standard error"]),
            f"{r['mean width']:.2f}",
            f"{r['bias towards 0']:.3f}",
            percent(r["wrong sign claimed"]),
            percent(r["0 excluded"]),
        ]
        for r in summary
    ]
    header = ["Symptoms", "True weight", "Weights", "Coverage", "Mean width", "Bias towards 0",
              "Wrong sign", "0 excluded"]  # fmt: skip
    return table(header, rows)
