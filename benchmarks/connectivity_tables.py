"""Tables of the benchmark on connectivity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

STARTS = ("started", "noise", "dims", "right", "wrong", "left", "seconds")
FITS = ("active", "noise", "dims", "right", "specific", "wrong", "rv", "rv_peer", "rv_oracle",
        "weight_left", "divergences", "seconds")  # fmt: skip
INTERVALS = ("sharing", "explained", "gap", "weights", "halves", "pieces")


def groups_of(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Rows by kind and dependence."""
    for kind, name in dict.fromkeys((r["kind"], r["dependence"]) for r in rows):
        yield kind, name, [r for r in rows if (r["kind"], r["dependence"]) == (kind, name)]


def mean_of(rows: list[dict[str, Any]], column: str) -> str:
    """Mean over cohorts, of those that have a value."""
    values = [r[column] for r in rows if r.get(column) is not None]
    return f"{np.mean(values):.2f}" if values else ""


def print_starts(rows: list[dict[str, Any]]) -> None:
    """Print means over cohorts by kind and dependence."""
    print(f"| kind | dependence | cohorts | true | {' | '.join(STARTS)} | any start |")
    print("|---" * (5 + len(STARTS)) + "|")
    for kind, name, of in groups_of(rows):
        means = " | ".join(mean_of(of, c) for c in STARTS)
        some = np.mean([r["started"] > 0 for r in of])
        print(f"| {kind} | {name} | {len(of)} | {len(of[0]['r2'])} | {means} | {some:.2f} |")


def coverage(rows: list[dict[str, Any]], what: str) -> str:
    """Share of intervals that hold the truth, and their number."""
    factors = [f for r in rows for f in (*r["factors"], *r["others"])]
    inside = [x[2] for f in factors for x in f.get(what, ()) if x[2] is not None]
    return f"{np.mean(inside):.2f} ({len(inside)})" if inside else ""


def verdicts(rows: list[dict[str, Any]], part: str) -> str:
    """Numbers of factors that are stable, open, not nameable and unknown."""
    found = [f.get("stability", "unknown") for r in rows for f in r[part]]
    return "/".join(str(found.count(v)) for v in ("stable", "open", "not nameable", "unknown"))


def print_fits(rows: list[dict[str, Any]]) -> None:
    """Print means over cohorts, coverage of intervals and verdicts on reliability."""
    columns = [*FITS, "max R-hat", *INTERVALS, "scores", "loadings", "stable/open/not/?: traits",
               "others"]  # fmt: skip
    print(f"| kind | dependence | cohorts | {' | '.join(columns)} |")
    print("|---" * (3 + len(columns)) + "|")
    for kind, name, of in groups_of(rows):
        factors = [f for r in of for f in r["factors"]]
        cells = [
            *(mean_of(of, c) for c in FITS),
            f"{max(r['rhat'] for r in of):.3f}",
            *(coverage(of, what) for what in INTERVALS),
            *(mean_of(factors, f"{what}_inside") for what in ("scores", "loadings")),
            *(verdicts(of, part) for part in ("factors", "others")),
        ]
        print(f"| {kind} | {name} | {len(of)} | {' | '.join(cells)} |")
