"""The page on calibration: intervals and probabilities against the truth of simulated cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chisquare

from validation.sources import Source, load
from validation.text import percent, proportion, table

#: Scenarios of benchmarks/calibration.py and their titles, in the order of the page.
SCENARIOS = {
    "prior": "Sharing and means drawn from the prior",
    "shared": "All factors shared, no difference between means",
    "noise": "Pure noise",
    "nested": "The specific factor is a mixture of the shared factors",
    "means": "Differences in mean and in spread",
    "regions": "Correlated errors, features weighted",
    "regions-independent": "The same cohorts, features treated as independent",
    "many": "Many participants, sharing and means drawn from the prior",
    "many-noise": "Many participants, pure noise",
}
SOURCES = {
    name: Source(f"calibration/{name}.json", f"python benchmarks/calibration.py --scenarios {name}")
    for name in SCENARIOS
}
#: Probability of the intervals.
CI = 0.9
#: Correlation of scores above which a true factor counts as found.
FOUND = 0.6
#: Share of variance below which an arm takes no part in a factor.
SPECIFIC_BELOW = 0.1
#: R-hat above which a fit is reported.
RHAT_MAX = 1.05

Fits = list[dict[str, Any]]


def figures(results: Path) -> dict[str, Any]:
    """Compute all figures of the page."""
    fits = {name: load(results, source)["fits"] for name, source in SOURCES.items()}
    first = load(results, SOURCES["prior"])
    return {
        "many_people": load(results, SOURCES["many"])["people"],
        "people": first["people"],
        "sampler": first["sampler"],
        "overview": overview(fits),
        "prior": calibrated(fits["prior"]),
        "shared": all_shared(fits["shared"]),
        "noise": pure_noise(fits["noise"]),
        "nested": nested(fits["nested"]),
        "means": means(fits["means"]),
        "regions": calibrated(fits["regions"]),
        "independent": calibrated(fits["regions-independent"]),
        "many": calibrated(fits["many"]),
        "many_noise": pure_noise(fits["many-noise"]),
    }


def overview(fits: dict[str, Fits]) -> str:
    """One row for each scenario: number of fits and convergence."""
    rows = [
        [
            title,
            len(fits[name]),
            sum(f["divergences"] for f in fits[name]),
            proportion([f["rhat"] > RHAT_MAX for f in fits[name]]),
        ]
        for name, title in SCENARIOS.items()
    ]
    return table(["Scenario", "Fits", "Divergences", f"R-hat above {RHAT_MAX}"], rows)


def covered(ranks: Sequence[float]) -> list[bool]:
    """Whether the equal-tailed interval holds the truth, by the rank of the truth."""
    tail = (1 - CI) / 2
    return [tail <= r <= 1 - tail for r in ranks]


def calibrated(fits: Fits) -> dict[str, Any]:
    """Coverage, ranks and reliability where sharing and means come from the prior."""
    rows = [row for fit in fits for row in fit["factors"]]
    found = [r for r in rows if r["correlation"] > FOUND]
    sharing, gap = ([r[name] for r in found] for name in ("sharing_rank", "gap_rank"))
    explained = [x for r in found for x in r["explained_rank"]]
    chance = np.array([p for r in found for p in r["p_specific"]])
    truth = np.array(
        [1 - own < SPECIFIC_BELOW for r in found for own in (1 - r["sharing"], r["sharing"])],
        dtype=float,
    )
    active = [f["active"] for f in fits]
    return {
        "n": len(fits),
        "found": proportion([r["correlation"] > FOUND for r in rows]),
        "found_share": float(np.mean([r["correlation"] > FOUND for r in rows])),
        "sharing_share": float(np.mean(covered(sharing))),
        "gap_share": float(np.mean(covered(gap))),
        "explained_share": float(np.mean(covered(explained))),
        "coverage": table(
            ["Quantity", "90% intervals that hold the truth", "p (uniform ranks)"],
            [
                ["Sharing", proportion(covered(sharing)), _uniform(sharing)],
                ["Difference between means", proportion(covered(gap)), _uniform(gap)],
                ["Variance explained, by arm", proportion(covered(explained)), ""],
                ["Loadings, blocks with the factor", _held(found, 0), ""],
                ["Loadings, other blocks", _held(found, 1), ""],
            ],
        ),
        "ranks": table(
            ["Rank of the truth, counts by tenths", *map(str, range(1, 11))],
            [["Sharing", *_tenths(sharing)], ["Difference between means", *_tenths(gap)]],
        ),
        "sharing_p": _uniform(sharing),
        "slope": float(np.polyfit(chance, truth, 1)[0]),
        "reliability": _reliability(chance, truth),
        "active": float(np.mean(active)),
        "more": proportion([a > 3 for a in active]),
        "n_more": sum(a > 3 for a in active),
        "n_all": sum(a == 5 for a in active),
        "loadings": _held(found, 0),
    }


def _held(rows: Fits, at: int) -> str:
    return percent(float(np.mean([r["loadings_inside"][at] for r in rows])))


def _tenths(ranks: Sequence[float]) -> list[int]:
    return [int(n) for n in np.histogram(ranks, bins=10, range=(0, 1))[0]]


def _uniform(ranks: Sequence[float]) -> str:
    """P-value of the chi-square test that ranks are uniform over ten bins."""
    return f"{chisquare(_tenths(ranks)).pvalue:.2g}"


def _reliability(chance: np.ndarray, truth: np.ndarray) -> str:
    rows = []
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        at = (chance >= low) & (chance < high)
        if at.any():
            bounds = f"{low:.1f} to {min(high, 1):.1f}"
            rows.append([bounds, int(at.sum()), percent(float(truth[at].mean()))])
    return table(["P(specific to an arm)", "Cases", "Truly specific"], rows)


def all_shared(fits: Fits) -> dict[str, Any]:
    """False alarms where all arms share all factors alike."""
    rows = [row for fit in fits for row in fit["factors"]]
    called = [any(x.endswith("-specific") for x in f["labels"]) for f in fits]
    return {
        "n": len(fits),
        "n_called": sum(called),
        "probable": proportion([max(f["p_specific"]) > 0.9 for f in fits]),
        "called": proportion(called),
        "differs": proportion([r["mean_label"] == "differs" for r in rows]),
    }


def pure_noise(fits: Fits) -> dict[str, Any]:
    """False alarms where there is no factor."""
    none = [f["active"] == 0 for f in fits]
    return {"n": len(fits), "n_none": sum(none), "none_active": proportion(none)}


def nested(fits: Fits) -> dict[str, Any]:
    """What becomes of a specific factor that lies in the span of the shared ones."""
    own = [f["factors"][2]["label"] == "SSRI-specific" for f in fits]
    more = [f["p_second_varies_more"] for f in fits]
    return {
        "n": len(fits),
        "n_called": sum(own),
        "called": proportion(own),
        "any_own": proportion(["SSRI-specific" in f["labels"] for f in fits]),
        "any_other": proportion(["SNRI-specific" in f["labels"] for f in fits]),
        "second_more": proportion([p > 0.9 for p in more]),
        "second_share": float(np.mean([p > 0.9 for p in more])),
        "first_more": proportion([p < 0.1 for p in more]),
    }


def means(fits: Fits) -> dict[str, str]:
    """Whether differences in mean and in spread are told apart."""
    rows = []
    for k, name in enumerate(("Neither", "Mean, 1.2 SD", "Spread of one arm", "Both")):
        of_kind = [f["factors"][k] for f in fits if len(f["factors"]) > k]
        rows.append(
            [
                name,
                proportion([r["label"] == "SSRI-specific" for r in of_kind]),
                proportion([r["mean_label"] == "differs" for r in of_kind]),
                f"{np.mean([r['correlation'] for r in of_kind]):.2f}",
            ]
        )
    header = ["True difference", "Labelled specific", "Means labelled different", "Correlation"]
    return {"table": table(header, rows)}
