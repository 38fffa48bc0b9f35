"""The page on recovery: loadings against the truth, beside mofapy2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.sources import Source, load
from validation.text import table

SOURCES = {"recovery": Source("recovery.json", "python benchmarks/recovery.py")}
OURS, LABELLED, PEER = "bayes_mdd", "bayes_mdd, own labels", "mofapy2"
MEASURES = {
    "rv_shared": "RV, shared",
    "rv_specific": "RV, specific",
    "congruence_shared": "Congruence, shared",
    "congruence_specific": "Congruence, specific",
}
#: What the kinds of cohorts are, in the order of the page.
KINDS = {
    "block-strong": "Blocks, strong factors",
    "block-weak": "Blocks, weak factors",
    "both-strong": "Half of the edges of some blocks, strong",
    "edge-strong": "Edges at random, strong",
    "edge-weak": "Edges at random, weak",
    "unequal": "Blocks, 24 and 38 participants",
    "site": "Blocks, shift between two sites",
    "t-noise": "Blocks, t noise (4 df)",
    "messy": "Blocks, unequal arms, site shift, t noise",
    "messy-edge-weak": "Edges at random, weak, unequal arms, site shift, t noise",
}


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    stored = load(results, SOURCES["recovery"])
    summary = stored["summary"]
    return {
        "seeds": summary["block-strong"]["difference"]["rv_shared"]["n"],
        "overview": overview(summary),
        "congruence": congruence(summary),
        "differences": differences(summary),
        "rules": rules(summary),
        "summary": summary,
    }


def _kinds(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(title, summary[kind]) for kind, title in KINDS.items() if kind in summary]


def _values(found: Mapping[str, Any], measure: str) -> list[str]:
    return [f"{found[tool][measure]['mean']:.3f}" for tool in (OURS, LABELLED, PEER)]


def overview(summary: Mapping[str, Any]) -> str:
    """RV coefficients by kind and tool."""
    header = ["Cohorts", "Shared: ours", "own labels", PEER, "Specific: ours", "own labels", PEER]
    rows = [
        [title, *_values(x, "rv_shared"), *_values(x, "rv_specific")]
        for title, x in _kinds(summary)
    ]
    return table(header, rows)


def congruence(summary: Mapping[str, Any]) -> str:
    """Tucker congruence by kind and tool."""
    header = ["Cohorts", "Shared: ours", "own labels", PEER, "Specific: ours", "own labels", PEER]
    rows = [
        [title, *_values(x, "congruence_shared"), *_values(x, "congruence_specific")]
        for title, x in _kinds(summary)
    ]
    return table(header, rows)


def interval(value: Mapping[str, Any]) -> str:
    """A mean with half the width of its 95% interval over cohorts."""
    if value["half_width"] is None:
        return f"{value['mean']:.3f}"
    return f"{value['mean']:.3f} ± {value['half_width']:.3f}"


def differences(summary: Mapping[str, Any]) -> str:
    """Paired differences between both tools."""
    rows = [
        [title, *(interval(x["difference"][m]) for m in MEASURES)] for title, x in _kinds(summary)
    ]
    return table(["Cohorts", *MEASURES.values()], rows)


def rules(summary: Mapping[str, Any]) -> str:
    """The rule by which each tool is judged, and the median time of a fit."""
    rows = [
        [
            title,
            f"`{x['rules'][OURS]}`",
            f"`{x['rules'][PEER]}`",
            f"{x['seconds'][OURS]:.1f}",
            f"{x['seconds'][PEER]:.2f}",
        ]
        for title, x in _kinds(summary)
    ]
    return table(["Cohorts", "Rule, ours", f"Rule, {PEER}", "Seconds, ours", PEER], rows)
