"""The page on correlated errors: the weight of the features and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from validation.residual_checks import SCENARIOS
from validation.residual_checks import SOURCES as INDEPENDENT
from validation.sources import Source, load
from validation.text import table

SOURCES = {
    "weight": Source(
        "feature_weight.json", "python benchmarks/feature_weight.py -o benchmarks/results"
    ),
    "weighted": Source(
        "residual_checks_weighted.json",
        "python benchmarks/residual_checks.py --dependence weighted -o benchmarks/results",
    ),
    "independent": INDEPENDENT["independent"],
}
NOISE = {
    "independent, 30 regions": "Independent, 30 regions",
    "regions .15, 30 regions": "Regions 0.15, 30 regions",
    "regions .3, 30 regions": "Regions 0.3, 30 regions",
    "regions .3, 51 regions": "Regions 0.3, 51 regions",
    "series, 30 regions": "Series, 30 regions",
    "series, 51 regions": "Series, 51 regions",
    "series, neighbours alike, 40 regions": "Neighbours alike, 40 regions",
    "the same, 90 people": "The same, 90 participants",
}
#: Noise whose errors have a dominant pattern.
DOMINANT = ("series, neighbours alike, 40 regions", "the same, 90 people")
FACTORS = ("none", "strong in a network", "weak")
OFFERED = 8


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    weight, weighted, independent = (load(results, source) for source in SOURCES.values())
    found = {(r["noise"], r["factor"], r["offered"], r["dependence"]): r for r in weight}
    correlated = [n for n in NOISE if n not in DOMINANT and not n.startswith("independent")]
    alone = {
        d: [k > 0 for n in correlated for k in found[n, "none", OFFERED, d]["started"]]
        for d in ("independent", "weighted")
    }
    return {
        "cohorts": len(weight[0]["started"]),
        "weights": weights(found),
        "started": started(found),
        "difference": two_or_eight(found),
        "n_alone": len(alone["weighted"]),
        "started_alone": sum(alone["weighted"]),
        "started_independent": sum(alone["independent"]),
        "dominant": {
            n: np.mean(found[n, "none", OFFERED, "weighted"]["started"]) for n in DOMINANT
        },
        "comparison": comparison(independent, weighted),
    }


def weights(found: Mapping[Any, Any]) -> str:
    """True weights and those that are found."""
    rows = [
        [
            title,
            f"{found[noise, 'none', OFFERED, 'weighted']['true_weight']:.3f}",
            *(f"{found[noise, f, OFFERED, 'weighted']['weight']:.3f}" for f in FACTORS),
        ]
        for noise, title in NOISE.items()
    ]
    header = ["Errors", "True weight", "Found: noise alone", "Strong factor", "Weak factor"]
    return table(header, rows)


def started(found: Mapping[Any, Any]) -> str:
    """Mean number of factors that enter a fit."""
    rows = [
        [
            title,
            *(
                f"{np.mean(found[noise, f, OFFERED, d]['started']):.2f}"
                for d in ("independent", "weighted")
                for f in FACTORS
            ),
        ]
        for noise, title in NOISE.items()
    ]
    header = ["Errors", "Independent: noise alone", "strong", "weak",
              "Weighted: noise alone", "strong", "weak"]  # fmt: skip
    return table(header, rows)


def two_or_eight(found: Mapping[Any, Any]) -> str:
    """Largest difference between weights with two and with eight factors offered."""
    return "{:.3f}".format(
        max(
            abs(found[n, f, 2, "weighted"]["weight"] - found[n, f, OFFERED, "weighted"]["weight"])
            for n in NOISE
            for f in FACTORS
            if n != DOMINANT[1]
        )
    )


def _z(found: Mapping[str, Any]) -> str:
    return "" if found["rms_z_scores"] is None else f"{found['rms_z_scores']:.2f}"


def comparison(independent: Mapping[str, Any], weighted: Mapping[str, Any]) -> str:
    """Active factors and intervals with and without weights."""
    rows = []
    for name, title in SCENARIOS.items():
        a, b = independent[name], weighted[name]
        rows.append(
            [
                title,
                b["cohorts"],
                f"{b['weight']:.2f}",
                *(f"{x['factors_active'] / x['cohorts']:.2f}" for x in (a, b)),
                _z(a),
                _z(b),
                f"{a['rms_z_noise']:.2f}",
                f"{b['rms_z_noise']:.2f}",
            ]
        )
    header = [
        "Data", "Cohorts", "Weight", "Active: independent", "weighted",
        "z of scores: independent", "weighted", "z of noise: independent", "weighted",
    ]  # fmt: skip
    return table(header, rows)
