"""The page on connectivity: searches and fits of cohorts of time series and of real scans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from validation.sources import Source, load
from validation.text import percent, table

_COMMAND = "python benchmarks/connectivity.py"
SOURCES = {
    "starts": Source(
        "connectivity_starts.json",
        f"{_COMMAND} starts --cohorts 20 --first-seed 1001`, with `--kinds null --cohorts 200`, "
        "`--kinds stages-400 --cohorts 10`, `--kinds independent --dependence auto --cohorts 10` "
        "and `--dependence independent weighted --cohorts 5",
    ),
    "fast": Source(
        "connectivity_fast.json",
        f"{_COMMAND} fits --kinds prior-smooth prior-edge --cohorts 100 --first-seed 1001`, with "
        "`--kinds smooth-strong edge-weak state still-smooth still-edge --cohorts 10",
    ),
    "mcmc": Source(
        "connectivity_mcmc.json",
        f"{_COMMAND} fits --method mcmc --kinds prior-smooth prior-edge --cohorts 6 "
        "--first-seed 1001",
    ),
}
Row = Mapping[str, Any]
#: Titles of the kinds of cohorts, in the order of the tables.
KINDS = {
    "null": "No trait",
    "state": "No trait, a slow state (10%)",
    "fast-state": "No trait, a fast state (10%)",
    "smooth-shared": "Smooth, 3 shared (10%)",
    "smooth-strong": "Smooth, 3 shared (10%), 2 specific (10%)",
    "smooth-weak": "Smooth, 3 shared (4%), 2 specific (3%)",
    "edge-weak": "Edge-wise, 3 shared (4%), 2 specific (3%)",
    "independent": "Edge-wise as above, independent errors",
    "prior-smooth": "Smooth, 3 drawn from the prior (8%)",
    "prior-edge": "Edge-wise, 3 drawn from the prior (5%)",
    "still-smooth": "Smooth from the prior, no motion",
    "still-edge": "Edge-wise from the prior, no motion",
    "stages": "Real scans, random arms, 100 regions",
    "stages-400": "Real scans, random arms, 400 regions",
    "stages-traits": "Real scans with 3 shared, 2 specific (10%)",
}
#: Kinds whose traits are drawn from the prior, for the coverage of intervals.
PRIOR = ("prior-smooth", "prior-edge")
STATES = ("state", "fast-state")
QUANTITIES = {
    "sharing": "Sharing",
    "explained": "Variance explained, by arm",
    "gap": "Difference between arm means",
    "weights": "Symptom weights",
    "scores_inside": "Scores",
    "loadings_inside": "Edges of maps",
}
#: Probability from which a factor is called specific.
NAMED = 0.9


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = {name: load(results, source) for name, source in SOURCES.items()}
    starts = stored["starts"]["starts"]
    fits = {name: stored[name]["fits"] for name in ("fast", "mcmc")}
    null = _of(starts, "null", dependence="matrix")
    return {
        "searches": searches(starts),
        "n_null": len(null),
        "n_null_started": sum(r["started"] > 0 for r in null),
        "found": found(fits["fast"]),
        "coverage": coverage(fits),
        "strong": coverage_by_kind(fits["fast"]),
        "prior": {name: len(_of(rows, *PRIOR)) for name, rows in fits.items()},
        "sharing": clustered(fits["fast"], PRIOR, "sharing")[0],
        "reliability": reliability(fits["fast"]),
        "convergence": convergence(fits),
        **false_specific(fits["fast"]),
    }


def _of(rows: Iterable[Row], *kinds: str, dependence: str | None = None) -> list[Row]:
    return [
        r
        for r in rows
        if r["kind"] in kinds and (dependence is None or r["dependence"] == dependence)
    ]


def _mean(rows: Sequence[Row], name: str, digits: int = 1) -> str:
    values = [r[name] for r in rows if r.get(name) is not None]
    return f"{np.mean(values):.{digits}f}" if values else ""


def searches(rows: Sequence[Row]) -> str:
    """Components that start, by kind of cohort and treatment of the errors."""
    lines = []
    for kind, title in KINDS.items():
        # Independent errors are recognised: `auto` does not whiten these edges.
        of = _of(rows, kind, dependence="auto" if kind == "independent" else "matrix")
        if not of:
            continue
        others = (_of(rows, kind, dependence=d) for d in ("independent", "weighted"))
        lines.append(
            [
                title,
                len(of),
                *(f"{_mean(x, 'started')} / {_mean(x, 'noise')}" if x else "" for x in others),
                f"{_mean(of, 'started')} / {_mean(of, 'noise')}",
                len(of[0]["r2"]) or "",
                _mean(of, "dims") if of[0]["r2"] else "",
            ]
        )
    header = ["Cohorts", "Number", "`independent`: started / noise", "`weighted`", "default",
              "True traits", "Found by the default"]  # fmt: skip
    return table(header, lines)


def found(rows: Sequence[Row]) -> str:
    """What fits find: factors, names and maps."""
    lines = []
    for kind, title in KINDS.items():
        of = _of(rows, kind)
        if not of:
            continue
        specific = sum(r["specific"] for r in of)
        lines.append(
            [
                title,
                len(of),
                _mean(of, "active"),
                f"{_mean(of, 'dims')} of {of[0]['true']}" if of[0]["true"] else "",
                f"{sum(r['right'] for r in of)} of {specific}" if specific else "",
                sum(r["wrong"] for r in of),
                *(_mean(of, n, 2) for n in ("rv", "rv_oracle", "rv_peer")),
            ]
        )
    header = ["Cohorts", "Number", "Active", "Traits found", "Named specific, of true ones",
              "Wrongly named", "RV of maps", "Least squares, true scores", "mofapy2"]  # fmt: skip
    return table(header, lines)


def false_specific(rows: Sequence[Row]) -> dict[str, int]:
    """Factors called specific that are not, and the number of active factors."""
    return {
        "n_wrong": sum(r["wrong"] for r in rows),
        "n_active": sum(r["active"] for r in rows),
        "n_fits": len(rows),
    }


def clustered(rows: Iterable[Row], kinds: Sequence[str], what: str) -> tuple[str, int]:
    """Share of intervals that hold the truth, its standard error over cohorts, their number."""
    inside = []
    for r in _of(rows, *kinds):
        values = [f[what] for f in (*r["factors"], *r["others"]) if f.get(what) is not None]
        if what.endswith("_inside"):
            one = values
        else:
            one = [x[2] for intervals in values for x in intervals if x[2] is not None]
        if one:
            inside.append((float(np.sum(one)), len(one)))
    if not inside:
        return "", 0
    total, n = np.array(inside).T
    p = total.sum() / n.sum()
    error = np.sqrt(((total - p * n) ** 2).sum()) / n.sum()
    return f"{percent(p)} ± {percent(error)}", int(n.sum())


def coverage(fits: Mapping[str, Sequence[Row]]) -> str:
    """Coverage of 90% intervals, by quantity, kind and method."""
    columns = [(kind, method) for method in fits for kind in PRIOR]
    lines = [
        [title, *(clustered(fits[method], [kind], what)[0] for kind, method in columns)]
        for what, title in QUANTITIES.items()
    ]
    names = {"prior-smooth": "smooth", "prior-edge": "edge-wise"}
    methods = {"fast": "Fast", "mcmc": "MCMC"}
    header = ["Quantity", *(f"{methods[m]}, {names[k]}" for k, m in columns)]
    return table(header, lines)


def coverage_by_kind(rows: Sequence[Row]) -> str:
    """Coverage of 90% intervals where traits are not drawn from the prior."""
    lines = []
    for kind in ("smooth-strong", "smooth-shared", "smooth-weak", "edge-weak", "independent"):
        cells = [clustered(rows, [kind], what)[0] for what in QUANTITIES]
        if any(cells):
            lines.append([KINDS[kind], *cells])
    shown = [i for i in range(len(QUANTITIES)) if any(line[i + 1] for line in lines)]
    header = ["Cohorts", *QUANTITIES.values()]
    return table([header[0], *(header[i + 1] for i in shown)],
                 [[line[0], *(line[i + 1] for i in shown)] for line in lines])  # fmt: skip


def reliability(rows: Sequence[Row]) -> str:
    """Verdicts and intervals of the reliability of traits and of states."""
    lines = []
    for kind, title in KINDS.items():
        of = _of(rows, kind)
        # Factors of states match no trait; what else matches none has no known reliability.
        part = "others" if kind in STATES else "factors"
        judged = [f for r in of for f in r[part]]
        if kind in STATES:
            judged = [f for f in judged if f["halves"][0][0] is not None]
        known = [f for f in judged if f.get("stability", "unknown") != "unknown"]
        if not known:
            continue
        verdict = [f["stability"] for f in known]
        lines.append(
            [
                title,
                *(verdict.count(v) for v in ("stable", "open", "not nameable")),
                *(clustered(of, [kind], source)[0] for source in ("halves", "pieces")),
            ]
        )
    header = ["Cohorts", "Stable", "Open", "Not nameable", "Halves: intervals hold", "Pieces"]
    return table(header, lines)


def convergence(fits: Mapping[str, Sequence[Row]]) -> str:
    """R-hat of invariants, divergences and seconds by method."""
    lines = []
    for method, rows in fits.items():
        rhat = [r["rhat"] for r in rows if r["active"]]
        lines.append(
            [
                method,
                len(rows),
                f"{np.median(rhat):.3f} / {np.quantile(rhat, 0.9):.3f} / {max(rhat):.3f}",
                percent(float(np.mean(np.array(rhat) > 1.05)), 0),
                sum(r["divergences"] for r in rows),
            ]
        )
    header = ["Method", "Fits", "R-hat: median / 90% / largest", "Above 1.05", "Divergences"]
    return table(header, lines)
