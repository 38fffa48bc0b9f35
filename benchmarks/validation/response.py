"""The page on treatment response: slopes, intervals of benefits, power."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation import missing_outcomes, response_edges
from validation.sources import Source, load
from validation.text import percent, table

SOURCES = {
    "response": Source(
        "response.json",
        "python benchmarks/response.py slope null verdict prior gain power --repeats 400 "
        "--first-seed 5001` and `... ranking --repeats 120 --first-seed 5001` "
        "and `... sampled --repeats 8 --first-seed 5001",
    ),
    "missing_outcomes": missing_outcomes.SOURCE,
    "edges": response_edges.SOURCE,
}
#: Rules in the order of the table, by the names of the benchmark.
RULES = ("no abstention", "P > 0.8", "P > 0.8, 1.5 points")
BINS = ("below 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "above 0.8")


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    found = {k: v["rows"] for k, v in load(results, SOURCES["response"]).items()}
    repeats = {k: v["repeats"] for k, v in load(results, SOURCES["response"]).items()}
    at = next(r for r in found["slope"] if r["n"] == 200 and r["reliability"] == 0.5)
    return {
        "repeats": repeats,
        "slope": slope(found["slope"]),
        "slope_200": f"{at['estimate']:.2f}",
        "coverage": [
            percent(r["coverage"])
            for r in found["prior"]
            if _reliability(r["reliability"]) != "0.8"
        ],
        "prior": prior(found["prior"]),
        "gain": gain(found["gain"]),
        "null": null(found["null"], found.get("ranking", [])),
        "ranking": "ranking" in found,
        "verdict": verdict(found["verdict"]) if "verdict" in found else "",
        "sampled": found["sampled"][0] if "sampled" in found else None,
        "most_moderated": max(r["moderated"] for r in found["null"]),
        "power": power(found["power"]),
        "missing": missing_outcomes.figures(results),
        "edges": response_edges.figures(results),
    }


def _reliability(value: float) -> str:
    return "1" if value > 0.99 else f"{value:g}"


def slope(rows: list[Mapping[str, Any]]) -> str:
    """Moderation per true SD."""
    return table(
        ["Patients", "Reliability", "Estimate (truth 0.4)", "90% intervals hold"],
        [
            [
                r["n"],
                _reliability(r["reliability"]),
                f"{r['estimate']:.2f} ± {r['se']:.2f}",
                percent(r["coverage"]),
            ]
            for r in rows
        ],
    )


def prior(rows: list[Mapping[str, Any]]) -> str:
    """Coverage of the benefit of new patients, and probabilities said and true."""
    return table(
        ["Patients", "Reliability", "90% intervals hold", *(f"P {b}: said / true" for b in BINS)],
        [
            [
                r["n"],
                _reliability(r["reliability"]),
                f"{percent(r['coverage'])} ± {percent(r['se'])}",
                *(f"{s:.2f} / {t:.2f}" for s, t in zip(r["said"], r["true"], strict=True)),
            ]
            for r in rows
        ],
    )


def gain(rows: list[Mapping[str, Any]]) -> str:
    """Gain of the learned rule for new patients."""
    lines = []
    for r in rows:
        cells = []
        for name in RULES:
            of = r[name]
            share = f"{of['gain'] / r['best']:.2f}" if r["best"] > 0 else "n/a"
            cells.append(f"{share} / {of['decided']:.2f} / {of['wrong']:.2f}")
        cells.append(percent(r[RULES[-1]]["loses"], 1))
        lines.append(
            [r["n"], f"{r['g']:g}", f"{r['delta']:g}", _reliability(r["reliability"]), *cells]
        )
    header = ["Patients", "SD of benefit", "Drug effect", "Reliability",
              *(f"{name}: gain / stated / wrong" for name in RULES), "Loses"]  # fmt: skip
    return table(header, lines)


def null(rows: list[Mapping[str, Any]], ranking: list[Mapping[str, Any]]) -> str:
    """Share of trials without moderation in which tests reject at 5%."""
    of = {r["kind"]: r for r in ranking}
    columns = {
        "moderation": "Moderation test",
        "moderated": "Called moderated",
        "sequential": "Sequential gain",
        "randomisation": "Randomisation p of the gain",
        "naive": "Naive z (not a test)",
    }
    merged = [{**r, **of.get(r["kind"], {})} for r in rows]
    known = [c for c in columns if all(c in r for r in merged)]
    return table(
        ["Trials", *(columns[c] for c in known)],
        [[r["kind"], *(f"{r[c]:.3f}" for c in known)] for r in merged],
    )


def verdict(rows: list[Mapping[str, Any]]) -> str:
    """Verdicts on trials with prognosis only, and with a crossover."""
    names = ("moderated", "not determinable", "smaller than the ROPE")
    return table(
        ["Patients", "SD of benefit", *(n[0].upper() + n[1:] for n in names)],
        [[r["n"], f"{r['g']:g}", *(percent(r[n]) for n in names)] for r in rows],
    )


def power(rows: list[Mapping[str, Any]]) -> str:
    """Power of the moderation test beside the closed form."""
    return table(
        ["Patients", "SD of benefit", "Reliability", "Candidates", "Simulation", "Closed form"],
        [
            [
                r["n"],
                f"{r['g']:g}",
                _reliability(r["reliability"]),
                r["candidates"],
                f"{r['simulation']:.2f}",
                f"{r['closed_form']:.2f}",
            ]
            for r in rows
        ],
    )
