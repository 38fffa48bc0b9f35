"""From the fits of benchmarks/calibration.py to docs/validation.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chisquare

SCENARIOS = {
    "prior": "Sharing and means drawn from the model's prior",
    "shared": "All factors shared, no difference of means",
    "noise": "Pure noise",
    "nested": "The specific factor is a mixture of the shared ones",
    "means": "Means and spread apart",
    "regions": "Errors of edges that share a region, features weighted",
    "regions-independent": "The same cohorts, features taken as independent",
}
CI = 0.9
HEAD = """# Validation

Made by `python benchmarks/calibration.py`; the numbers behind it are in
`benchmarks/results/calibration`. Each fit is the public `bayes_mdd.fit` with its default
priors on a simulated cohort of {people} + {people} people and 430 features in 10 blocks;
{chains} chains of {tune} + {draws} draws, 5 factors offered, which the model does not know to be 3
(0 in noise, 4 with means and spread). In the last two scenarios features are the 435 edges of 30
regions, errors of edges that share a region correlate by .15, and sharing and means are drawn from
the prior; in the first of them `feature_dependence` is `weighted`. A figure after the sign +/- is
a Monte-Carlo standard error.
"""


def share(values: Sequence[bool]) -> str:
    """A proportion in per cent with its standard error and count."""
    x = np.asarray(values, dtype=float)
    if not x.size:
        return "n/a"
    p = x.mean()
    se = np.sqrt(max(p * (1 - p), 0.25 / x.size) / x.size)
    return f"{p:.1%} +/- {se:.1%} (n = {x.size})"


def inside(ranks: Sequence[float]) -> list[bool]:
    tail = (1 - CI) / 2
    return [tail <= r <= 1 - tail for r in ranks]


def uniform(ranks: Sequence[float]) -> str:
    """Whether ranks are even over ten bins."""
    counts = np.histogram(ranks, bins=10, range=(0, 1))[0]
    return f"counts in tenths {counts.tolist()}, chi-square p = {chisquare(counts).pvalue:.2g}"


def covered(rows: list[dict[str, Any]], rank: str) -> str:
    ranks = [r[rank] for r in rows]
    return f"{share(inside(ranks))}; ranks: {uniform(ranks)}"


def rows_of(fits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for fit in fits for row in fit["factors"]]


def prior(fits: list[dict[str, Any]]) -> list[str]:
    rows = rows_of(fits)
    found = [r for r in rows if r["correlation"] > 0.6]
    chance, truth = [], []
    for r in found:
        for a, own in enumerate((1 - r["sharing"], r["sharing"])):
            chance.append(r["p_specific"][a])
            truth.append(1 - own < 0.1)
    chance_, truth_ = np.array(chance), np.array(truth, dtype=float)
    slope = float(np.polyfit(chance_, truth_, 1)[0])
    lines = [
        f"- true factors found (score correlation above .6): "
        f"{share([r['correlation'] > 0.6 for r in rows])}",
        f"- 90 % intervals of sharing hold the truth: {covered(found, 'sharing_rank')}",
        f"- 90 % intervals of the difference of means: {covered(found, 'gap_rank')}",
        f"- 90 % intervals of variance explained: "
        f"{share(inside([x for r in found for x in r['explained_rank']]))}",
        f"- 90 % intervals of loadings, edges of blocks that carry the factor: "
        f"{np.mean([r['loadings_inside'][0] for r in found]):.1%}; of other blocks: "
        f"{np.mean([r['loadings_inside'][1] for r in found]):.1%}",
        f"- reliability of P(specific): slope {slope:.2f}",
        f"- active factors in a fit, of 3 true ones: {np.mean([f['active'] for f in fits]):.2f} on "
        f"average, more than 3 in {share([f['active'] > 3 for f in fits])}",
        "",
        "| P(specific to an arm) | cases | truly specific |",
        "|---|---|---|",
    ]
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        at = (chance_ >= low) & (chance_ < high)
        if at.any():
            lines.append(
                f"| {low:.1f} to {min(high, 1):.1f} | {at.sum()} | {truth_[at].mean():.1%} |"
            )
    return lines


def shared(fits: list[dict[str, Any]]) -> list[str]:
    return [
        f"- fits in which any factor has P(specific) > .9: "
        f"{share([max(f['p_specific']) > 0.9 for f in fits])}",
        f"- fits in which any factor is called specific: "
        f"{share([any(x.endswith('-specific') for x in f['labels']) for f in fits])}",
        f"- factors whose means are said to differ: "
        f"{share([r['mean_label'] == 'differs' for r in rows_of(fits)])}",
    ]


def noise(fits: list[dict[str, Any]]) -> list[str]:
    return [f"- fits without an active factor: {share([f['active'] == 0 for f in fits])}"]


def nested(fits: list[dict[str, Any]]) -> list[str]:
    return [
        f"- the second arm's own factor is called specific to it: "
        f"{share([f['factors'][2]['label'] == 'SSRI-specific' for f in fits])}",
        f"- some factor is called specific to the arm: "
        f"{share(['SSRI-specific' in f['labels'] for f in fits])}",
        f"- some factor is called specific to the other arm: "
        f"{share(['SNRI-specific' in f['labels'] for f in fits])}",
        f"- the second arm is said to vary more in what factors explain (P > .9): "
        f"{share([f['p_second_varies_more'] > 0.9 for f in fits])}; the first: "
        f"{share([f['p_second_varies_more'] < 0.1 for f in fits])}",
    ]


def means(fits: list[dict[str, Any]]) -> list[str]:
    lines = ["| truth | spread called specific | means said to differ | score correlation |",
             "|---|---|---|---|"]  # fmt: skip
    names = ("neither", "mean of 1.2 SD", "spread of one arm", "both")
    for k, name in enumerate(names):
        rows = [f["factors"][k] for f in fits if len(f["factors"]) > k]
        lines.append(
            f"| {name} | {share([r['label'] == 'SSRI-specific' for r in rows])} "
            f"| {share([r['mean_label'] == 'differs' for r in rows])} "
            f"| {np.mean([r['correlation'] for r in rows]):.2f} |"
        )
    return lines


PARTS = {
    "prior": prior,
    "shared": shared,
    "noise": noise,
    "nested": nested,
    "means": means,
    "regions": prior,
    "regions-independent": prior,
}


def write_page(stored: list[dict[str, Any]], path: Path) -> Path:
    """Write the page from all stored fits."""
    lines = [HEAD.format(people=stored[0]["people"], **stored[0]["sampler"])]
    for name, title in SCENARIOS.items():
        fits = [f for s in stored for f in s["fits"] if f["scenario"] == name]
        if not fits:
            continue
        part = PARTS[name](fits)
        # A list that follows a table needs an empty line, or it becomes a row.
        gap = [""] if part[-1].startswith("|") else []
        lines += [f"## {title}", "", f"{len(fits)} fits.", "", *part, *gap]
        lines += [
            f"- divergences: {sum(f['divergences'] for f in fits)} in all; "
            f"R-hat of invariants above 1.05 in {share([f['rhat'] > 1.05 for f in fits])}"
            if name != "means"
            else "",
            "",
        ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path
