"""Tables on missing outcomes, for the page on treatment response."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import percent, table

SOURCE = Source(
    "missing_outcomes.json",
    "python benchmarks/missing_outcomes.py random --repeats 100` and `... tipping --repeats 24",
)


def figures(results: Path) -> dict[str, Any]:
    """Compute the figures of the section."""
    found = load(results, SOURCE)
    rows = found["random"]["rows"]
    return {
        "random_repeats": found["random"]["repeats"],
        "tipping_repeats": found["tipping"]["repeats"],
        "random": random(rows),
        "tipping": tipping(found["tipping"]["rows"]),
    }


def random(rows: list[Mapping[str, Any]]) -> str:
    """Bias and coverage with drop-out by the previous visit."""
    return table(
        [
            "Patients",
            "Drug effect",
            "Reliability",
            "Estimated from",
            "Average effect: bias",
            "90% intervals hold",
            "Moderation: bias",
            "90% intervals hold",
        ],
        [
            [
                r["n"],
                f"{r['drug_effect']:g}",
                f"{r['reliability']:g}",
                r["method"],
                *(
                    cell
                    for name in ("drug", "moderation")
                    for cell in (
                        f"{r[name]['bias']:.3f} ± {r[name]['se']:.3f}",
                        percent(r[name]["coverage"]),
                    )
                ),
            ]
            for r in rows
        ],
    )


def tipping(rows: list[Mapping[str, Any]]) -> str:
    """Tipping delta where the truth is 4 points."""
    return table(
        [
            "Patients",
            "Drugs equal in",
            "Median",
            "Half of the trials",
            "Within 1 point",
            "None",
        ],
        [
            [
                r["n"],
                "the " + r["truth"],
                _delta(r["median"]),
                f"{_delta(r['lower'])} to {_delta(r['upper'])}",
                percent(r["within_1"]),
                percent(r["none"]),
            ]
            for r in rows
        ],
    )


def _delta(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}"
