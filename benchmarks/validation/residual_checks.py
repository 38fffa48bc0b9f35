"""The page on checks of the residuals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "independent": Source(
        "residual_checks.json", "python benchmarks/residual_checks.py -o benchmarks/results"
    )
}
#: Scenarios, in the order of the page.
SCENARIOS = {
    "model": "The model itself, strong factors",
    "model, weak": "The model itself, weak factors",
    "regions .15, strong": "Correlation 0.15, strong factors",
    "regions .3, strong, 30 regions": "Correlation 0.3, strong factors",
    "regions .15, weak": "Correlation 0.15, weak factors",
    "regions .3, weak": "Correlation 0.3, weak factors",
    "regions .3, no factor": "Correlation 0.3, no factor",
    "tails": "t noise (4 df)",
    "people": "Residual SD varies by 30% between participants",
}
#: Checks by the names that results hold, and their short names.
CHECKS = {
    "residual correlation, edges sharing a region minus others": "Shared region",
    "residual correlation, all pairs of features": "All pairs",
    "residual kurtosis": "Kurtosis",
    "residual SD, spread over people": "Participants",
    "residual SD, between arms": "Arms",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["independent"])
    holds = [stored["model"], stored["model, weak"]]
    return {
        "rejections": rejections(stored),
        "at_five": at_five(holds),
        "most": most(holds),
        "n_holds": sum(x["cohorts"] for x in holds),
        "intervals": intervals(stored),
        "noise_strong": stored["regions .3, no factor"]["factors_standing_out"],
        "noise_cohorts": stored["regions .3, no factor"]["cohorts"],
        "noise_sampled": stored["regions .3, no factor"]["factors_sampled"],
    }


def cases(stored: Mapping[str, Any], check: str, level: str = ".01") -> int:
    """Number of cohorts in which a check has a p-value below a level."""
    return round(stored[f"share_p_below_{level}"][check] * stored["cohorts"])


def most(stored: Iterable[Mapping[str, Any]]) -> int:
    """Largest number of cohorts in which one check fails where the model holds."""
    return max(sum(cases(x, check) for x in stored) for check in CHECKS)


def rejections(stored: Mapping[str, Any]) -> str:
    """Cohorts in which each check has p below .01."""
    rows = [
        [title, stored[name]["cohorts"], *(cases(stored[name], check) for check in CHECKS)]
        for name, title in SCENARIOS.items()
    ]
    return table(["Data", "Cohorts", *CHECKS.values()], rows)


def at_five(holds: list[Mapping[str, Any]]) -> str:
    """Cohorts in which each check has p below .05 where the model holds."""
    rows = [
        ["Cohorts with p below 0.05", *(sum(cases(x, c, ".05") for x in holds) for c in CHECKS)]
    ]
    return table(["The model itself", *CHECKS.values()], rows)


def intervals(stored: Mapping[str, Any]) -> str:
    """Effective features, strong factors, and how far truths lie from posterior means."""
    rows = []
    for name, title in SCENARIOS.items():
        x = stored[name]
        z = x["rms_z_scores"]
        rows.append(
            [
                title,
                f"{x['n_effective']:.0f} / {x['n_features']}",
                f"{x['factors_standing_out']} of {x['factors_sampled']}",
                "" if z is None else f"{z:.2f} ({x['said_scores_too_narrow']:.2f})",
                f"{x['rms_z_noise']:.2f}",
            ]
        )
    header = ["Data", "Effective / all features", "Strong factors", "z of scores (reported)",
              "z of noise"]  # fmt: skip
    return table(header, rows)
