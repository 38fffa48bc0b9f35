"""The page on cohorts combined from summaries, compared with a fit of their pooled data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import proportion, table

SOURCES = {"combine": Source("combine.json", "python benchmarks/combine.py --studies 6")}
KINDS = {
    "edges": "independent errors",
    "series": "time series",
    "null": "all factors shared",
    "absent": "one cohort without the SSRI-specific factor",
    "differing": "sizes differ between cohorts",
}
QUANTITIES = {
    "sharing": "Sharing of shared factors",
    "explained": "Variance explained",
    "loading": "Loadings that are not zero",
    "weight": "Symptom weights",
}
WAYS = {"pooled": "pooled fit", "common": "`heterogeneity=0`", "combined": "default"}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    studies = load(results, SOURCES["combine"])["studies"]
    of_kind = {k: [s for s in studies if s["kind"] == k] for k in KINDS}
    alike = [s for s in studies if s["kind"] not in ("differing", "absent")]
    without = [s["present"]["SSRI1"][2] for s in of_kind["absent"] if "SSRI1" in s["present"]]
    return {
        "studies": table(
            ["Kind", "Studies", "True factors found: pooled", "combined"],
            [
                [f"{k}: {words}", len(of_kind[k]), *_found(of_kind[k])]
                for k, words in KINDS.items()
                if of_kind[k]
            ],
        ),
        "widths": table(
            ["90% intervals, width over that of the pooled fit", "Pairs", *list(WAYS.values())[1:]],
            [_ratio_row(alike, q, title) for q, title in QUANTITIES.items()],
        ),
        "coverage": table(
            ["90% intervals that hold the truth", *WAYS.values()],
            [
                [f"{title} ({name})", *(_coverage(rows, way, q) for way in WAYS)]
                for name, rows in (("no differences", alike), ("differing", of_kind["differing"]))
                if rows
                for q, title in QUANTITIES.items()
            ],
        ),
        "n": len(studies),
        "n_null": len(of_kind["null"]),
        "false_combined": _specific(of_kind["null"], "combined"),
        "false_pooled": _specific(of_kind["null"], "pooled"),
        "n_absent": len(without),
        "lacks": sum(p < 0.5 for p in without),
        "sharing_common": _ratio(alike, "common", "sharing"),
        "sharing_default": _ratio(alike, "combined", "sharing"),
    }


def _found(studies: Sequence[Mapping[str, Any]]) -> list[str]:
    total = 4 * len(studies)
    return [f"{sum(len(s[way]) for s in studies)} of {total}" for way in ("pooled", "combined")]


def _specific(studies: Sequence[Mapping[str, Any]], way: str) -> int:
    return sum(s["specific_labels"][way] for s in studies)


def _entries(study: Mapping[str, Any], way: str, quantity: str, factor: str) -> list[list[float]]:
    found = study[way][factor][quantity]
    return [found] if quantity == "loading" else found


def _pairs(studies: Sequence[Mapping[str, Any]], way: str, quantity: str) -> Iterator[float]:
    """Widths over those of the pooled fit, of factors that both have."""
    for study in studies:
        for factor in study["pooled"].keys() & study[way].keys():
            own = _entries(study, way, quantity, factor)
            other = _entries(study, "pooled", quantity, factor)
            yield from (a[0] / b[0] for a, b in zip(own, other, strict=True) if b[0] > 0)


def _ratio(studies: Sequence[Mapping[str, Any]], way: str, quantity: str) -> str:
    found = list(_pairs(studies, way, quantity))
    return f"{np.median(found):.2f}" if found else "n/a"


def _ratio_row(studies: Sequence[Mapping[str, Any]], quantity: str, title: str) -> list[object]:
    n = len(list(_pairs(studies, "common", quantity)))
    return [title, n, *(_ratio(studies, way, quantity) for way in ("common", "combined"))]


def _coverage(studies: Sequence[Mapping[str, Any]], way: str, quantity: str) -> str:
    """Share of intervals that hold the truth; of loadings the mean over maps."""
    inside = [
        e[1] for s in studies for factor in s[way] for e in _entries(s, way, quantity, factor)
    ]
    if not inside:
        return "n/a"
    return (
        f"{np.mean(inside):.1%} (n = {len(inside)})"
        if quantity == "loading"
        else proportion([bool(x) for x in inside])
    )
