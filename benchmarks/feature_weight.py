"""How well the weight of correlated features is found, and whether a factor starts on their noise.

Noise of 50 people, by NumPy alone: independent; a term a region, so that edges sharing a region
correlate by rho; and the correlations of time series (150 points, autoregressive), whose errors
come from the shortness of the series: of regions that are alike within a network, and of regions
that are the more alike the nearer they are, whose errors have a dominant pattern (of 50 and of 90
people; added after the rules were settled, to see how far they reach). Each alone, and with a
strong factor within one network or a weak one of 40 % of the blocks. True weights are
tr(C)^2 / tr(C^2) / P for the covariance C of the features, for series from 4000 further people.
No sampling: counted are factors that `spectral_start` starts.

    python benchmarks/feature_weight.py -o benchmarks/results
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from compact import compact

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.model_data import prepare
from bayes_mdd.shared_specific.start.spectral import spectral_start

POINTS, NETWORKS, PEOPLE_FOR_TRUTH = 150, 7, 4000


class Kind(NamedTuple):
    """What makes noise correlated."""

    regions: int
    how: str
    rho: float = 0.0
    people: int = 50


KINDS = {
    "independent, 30 regions": Kind(30, "regions"),
    "regions .15, 30 regions": Kind(30, "regions", 0.15),
    "regions .3, 30 regions": Kind(30, "regions", 0.3),
    "regions .3, 51 regions": Kind(51, "regions", 0.3),
    "series, 30 regions": Kind(30, "networks"),
    "series, 51 regions": Kind(51, "networks"),
    "series, neighbours alike, 40 regions": Kind(40, "neighbours"),
    "the same, 90 people": Kind(40, "neighbours", people=90),
}
FACTORS = ("none", "strong in a network", "weak")


def networks(regions: int) -> np.ndarray:
    return np.sort(np.arange(regions) % NETWORKS)


def regional(regions: int, rho: float, n: int, rng: np.random.Generator) -> np.ndarray:
    ends = np.stack(np.triu_indices(regions, 1))
    common = rng.standard_normal((n, regions))[:, ends].sum(axis=1)
    own = rng.standard_normal((n, ends.shape[1]))
    return np.asarray(np.sqrt(1 - 2 * rho) * own + np.sqrt(rho) * common)


def covariance(regions: int, how: str) -> np.ndarray:
    """Covariance of the regions' signals, the same in everybody."""
    if how == "neighbours":
        place = np.arange(regions)
        return np.asarray(0.8 ** np.abs(place[:, None] - place) + 0.1)
    base = np.random.default_rng(regions).standard_normal((regions, regions + 10))
    network = networks(regions)
    alike = network[:, None] == network
    return np.asarray(0.5 * base @ base.T / (regions + 10) + 0.3 * alike + 0.5 * np.eye(regions))


def of_series(regions: int, how: str, n: int, rng: np.random.Generator) -> np.ndarray:
    root = np.linalg.cholesky(covariance(regions, how))
    ends = np.triu_indices(regions, 1)
    z = np.empty((n, ends[0].size))
    for i in range(n):
        e = rng.standard_normal((regions, POINTS))
        for t in range(1, POINTS):
            e[:, t] += 0.5 * e[:, t - 1]
        z[i] = np.arctanh(np.corrcoef(root @ e)[ends])
    z -= z.mean(axis=0)
    return np.asarray(z / z.std(axis=0))


def draw_noise(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    regions, how, rho, _ = KINDS[kind]
    return regional(regions, rho, n, rng) if how == "regions" else of_series(regions, how, n, rng)


def true_weight(kind: str) -> float:
    regions, how, rho, _ = KINDS[kind]
    p = regions * (regions - 1) // 2
    if how == "regions":
        return 1 / (1 + 2 * (regions - 2) * rho**2)
    y = draw_noise(kind, PEOPLE_FOR_TRUTH, np.random.default_rng(0))
    # The mean square of a sample covariance holds tr(C)^2 / n of chance.
    gram = y @ y.T / PEOPLE_FOR_TRUTH
    square = (gram**2).sum() - np.trace(gram) ** 2 / PEOPLE_FOR_TRUTH
    return float(np.trace(gram) ** 2 / square / p)


def cohort(kind: str, factor: str, seed: int) -> xr.Dataset:
    rng = np.random.default_rng([41, seed, list(KINDS).index(kind), FACTORS.index(factor)])
    regions, n = KINDS[kind].regions, KINDS[kind].people
    ends = np.stack(np.triu_indices(regions, 1))
    block = np.array([f"N{a}-N{b}" for a, b in networks(regions)[ends].T])
    y = draw_noise(kind, n, rng)
    if factor != "none":
        names, code = np.unique(block, return_inverse=True)
        weak = factor == "weak"
        scale = 0.3 * (rng.random(names.size) < 0.4) if weak else 1.0 * (names == "N2-N2")
        y = y + np.outer(rng.standard_normal(n), scale[code] * rng.standard_normal(code.size))
    names_of = [f"R{i:02d}" for i in range(regions)]
    return xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": [f"sub-{i:02d}" for i in range(n)],
            "feature": [f"{names_of[a]}--{names_of[b]}" for a, b in ends.T],
            "arm": ("subject", np.array(["A", "B"])[np.arange(n) % 2]),
            "block": ("feature", block),
        },
    )


def one(
    kind: str,
    factor: str,
    n_factors: int,
    dependence: Literal["independent", "weighted"],
    cohorts: int,
) -> dict[str, Any]:
    spec = bm.SharedSpecificSpec(n_factors=n_factors, feature_dependence=dependence)
    data = [prepare(spec, cohort(kind, factor, seed)) for seed in range(cohorts)]
    weights = [d.weight for d in data]
    return {
        "noise": kind,
        "factor": factor,
        "offered": n_factors,
        "dependence": dependence,
        "true_weight": true_weight(kind),
        "weight": float(np.mean(weights)),
        "weight_sd": float(np.std(weights)),
        "started": [int(spectral_start(d, n_factors).n_on) for d in data],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--offered", type=int, nargs="*", default=[2, 8])
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    rows = []
    print(
        "| noise | factor | offered | true weight | weight (SD) | started: independent | weighted |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        for factor in FACTORS:
            for k in asked.offered:
                plain, weighted = (
                    one(kind, factor, k, d, asked.cohorts) for d in ("independent", "weighted")
                )
                rows += [plain, weighted]
                print(
                    f"| {kind} | {factor} | {k} | {weighted['true_weight']:.3f} "
                    f"| {weighted['weight']:.3f} ({weighted['weight_sd']:.3f}) "
                    f"| {np.mean(plain['started']):.2f} | {np.mean(weighted['started']):.2f} |",
                    flush=True,
                )
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
        (asked.output / "feature_weight.json").write_text(compact(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
