"""The part of the page on treatment response that begins with edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import table

SOURCE = Source(
    "response_edges.json",
    "python benchmarks/response_edges.py edges --trials 30` and `... null --trials 8` and "
    "`... series --trials 2",
    optional=True,
)
#: Kinds of trials in the order of the tables, with what they are called there.
KINDS = {
    "edges auto": "edges, independent errors",
    "series auto": "time series, errors as chosen",
    "series independent": "time series, errors taken as independent",
}
#: Share of the best gain from scores given without error, see the table above (200 patients).
GIVEN, RELIABILITY, SHARE = 0.74, 0.8, 0.85

type Rows = Sequence[Mapping[str, Any]]


def figures(results: Path) -> dict[str, Any] | None:
    """Compute the figures of this part; None where the study was not run."""
    if not SOURCE.exists(results):
        return None
    stored: Mapping[str, Rows] = load(results, SOURCE)
    null = stored.get("null auto", [])
    return {
        "gain": gains({k: v for k, v in stored.items() if k in KINDS}),
        "slopes": slope_table({k: v for k, v in stored.items() if k in KINDS}),
        "goal": f"{SHARE * GIVEN * np.sqrt(RELIABILITY):.2f}",
        "null_trials": len(null),
        "null_stated": f"{100 * np.mean([r['stated'] for r in null]):.1f}" if null else "n/a",
        "trials": len(stored.get("edges auto", [])),
    }


def _ratio(rows: Rows, values: Iterable[float]) -> str:
    """Ratio of mean gains with its standard error over trials."""
    gain, best = np.array(list(values)), np.array([r["best"] for r in rows])
    ratio = gain.mean() / best.mean()
    error = (gain - ratio * best).std(ddof=1) / np.sqrt(gain.size) / best.mean()
    return f"{ratio:.2f} ± {error:.2f}"


def gains(found: Mapping[str, Rows]) -> str:
    """Share of the best gain, by what the rule is learned from."""
    lines = []
    for name, title in KINDS.items():
        rows = found.get(name, [])
        if len(rows) < 2:
            continue
        baselines = {b: [r["baselines"][b] for r in rows] for b in rows[0]["baselines"]}
        best = max(baselines, key=lambda b: float(np.mean(baselines[b])))
        given = "n/a" if "given" not in rows[0] else _ratio(rows, [r["given"] for r in rows])
        stated = sum(r["stated"] for r in rows)
        lines.append(
            [
                title,
                len(rows),
                f"{np.mean([r['factors'] for r in rows]):.1f}",
                _ratio(rows, [r["gain"] for r in rows]),
                given,
                f"{_ratio(rows, baselines[best])} ({best})",
                f"{_ratio(rows, [r['stated_gain'] for r in rows])} / {stated / len(rows):.2f}",
            ]
        )
    header = ["Scans", "Trials", "Factors found", "Gain, estimated factors", "Gain, scores given",
              "Gain, best baseline", "With P > 0.8 and 1.5 points: gain / stated"]  # fmt: skip
    return table(header, lines)


def slope_table(found: Mapping[str, Rows]) -> str:
    """Slopes of true scores on posterior means."""
    lines = []
    for name, title in KINDS.items():
        rows = found.get(name, [])
        cells = []
        for where in ("fit", "projected"):
            # Factors of one trial belong together.
            means = np.array([np.mean(r["slopes"][where]) for r in rows if r["slopes"][where]])
            error = means.std(ddof=1) / np.sqrt(means.size) if means.size > 1 else float("nan")
            cells.append(f"{means.mean():.2f} ± {error:.2f}" if means.size else "n/a")
        if rows:
            lines.append([title, *cells])
    return table(["Scans", "Fitted patients", "New patients"], lines)
