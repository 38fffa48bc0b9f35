"""Check the smallest detectable trait: how often are factors of that size found?

Each cohort has correlation matrices of Gaussian time series with a common covariance. The limits
of `bayes_mdd.shared_specific.checks.detectable` are computed from it, and one factor is added to
Fisher's z of its edges, at multiples of the limit. A factor counts as found when a component
exceeds the threshold of the search and its scores correlate by more than 0.5 with the true ones.

    python benchmarks/smallest_trait.py [--cohorts 20] [--regions 40] [-o FOLDER]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

import bayes_mdd as bm
from bayes_mdd.shared_specific.checks.detectable import EDGE_WISE, detection_limits
from bayes_mdd.shared_specific.data.model_data import ModelData
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import spectral_start

ARMS, N_ARM, VOLUMES, NETWORKS = ("SNRI", "SSRI"), 31, 200, 6
#: True variance of the factor relative to the limit.
MULTIPLES = (0.5, 0.75, 1.0, 1.33, 2.0)
SPEC = bm.SharedSpecificSpec(n_factors=2, feature_dependence="matrix")
#: Correlation with the true scores from which on a factor is found.
FOUND = 0.5


def draw_cohort(rng: np.random.Generator, n_regions: int) -> xr.Dataset:
    """Draw Fisher z of correlations of time series without any trait."""
    network = np.arange(n_regions) * NETWORKS // n_regions
    mixing = rng.normal(size=(n_regions, NETWORKS)) * 0.3 + np.eye(NETWORKS)[network]
    root = np.linalg.cholesky(mixing @ mixing.T + np.eye(n_regions))
    i, j = np.triu_indices(n_regions, 1)
    n = N_ARM * len(ARMS)
    series = rng.normal(size=(n, VOLUMES, n_regions)) @ root.T
    z = np.stack([np.arctanh(np.corrcoef(x.T)[i, j]) for x in series])
    region = np.array([f"r{k:02d}" for k in range(n_regions)])
    names = np.array([f"N{k}" for k in range(NETWORKS)])[network]
    return xr.Dataset(
        {"y": (("subject", "feature"), z)},
        coords={
            "subject": [f"s{k:02d}" for k in range(n)],
            "feature": [f"{a}--{b}" for a, b in zip(region[i], region[j], strict=True)],
            "arm": ("subject", np.array(ARMS)[np.arange(n) % 2]),
            "block": ("feature", [f"{a}-{b}" for a, b in zip(names[i], names[j], strict=True)]),
            "region_a": ("feature", region[i]),
            "region_b": ("feature", region[j]),
            "network_a": ("feature", names[i]),
            "network_b": ("feature", names[j]),
        },
        attrs={"units": "fisher_z", "measure": "correlation", "reference": "none"},
    )


def with_factor(
    features: xr.Dataset,
    data: ModelData,
    pattern: str,
    factor: str,
    explained: float,
    rng: np.random.Generator,
) -> tuple[xr.Dataset, np.ndarray]:
    """Add a factor that explains a given share of the variance of the edges; its true scores."""
    white = data.whitening
    assert white is not None
    smooth = replace(white.map, basis=white.map.eigen[1])
    spread = np.sqrt(white.map.eigen_smoothness) if pattern != EDGE_WISE else 1.0
    map_ = smooth.back(rng.standard_normal(white.map.eigen_smoothness.size) * spread)
    y = features["y"].values
    variance = y.var(axis=0).mean()
    size = np.sqrt(variance * explained / (1 - explained) / (map_**2).mean())
    has = np.ones(len(y)) if factor == "shared" else features["arm"].values == ARMS[0]
    scores = rng.standard_normal(len(y)) * has
    added = np.empty_like(y)
    added[:, white.order] = np.outer(scores, size * map_)
    return features.assign(y=(("subject", "feature"), y + added)), scores


def is_found(features: xr.Dataset, scores: np.ndarray, seed: int) -> bool:
    """Whether a component of the start follows the true scores."""
    start = spectral_start(prepare(SPEC, features), SPEC.n_factors, seed=seed)
    found = start.scores[:, : start.n_on]
    r = [abs(np.corrcoef(s, scores)[0, 1]) for s in found.T]
    return bool(r and max(r) > FOUND)


def main() -> None:
    """Print, and store where asked, the power at multiples of the limits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--regions", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    hits: dict[str, list[bool]] = {}
    limits: dict[str, list[float]] = {}
    for seed in range(asked.cohorts):
        rng = np.random.default_rng(seed)
        features = draw_cohort(rng, asked.regions)
        data = prepare(SPEC, features)
        for row in detection_limits(data).itertuples():
            if row.factor == f"{ARMS[1]}-specific":
                continue
            key = f"{row.pattern}, {'shared' if row.factor == 'shared' else 'specific'}"
            limits.setdefault(key, []).append(row.explained)
            for multiple in MULTIPLES:
                made = with_factor(
                    features, data, row.pattern, row.factor, multiple * row.explained, rng
                )
                hits.setdefault(f"{key}, {multiple}", []).append(is_found(*made, seed))
    print("| factor | limit |" + "".join(f" {m} x |" for m in MULTIPLES))
    print("|---|---|" + "---|" * len(MULTIPLES))
    for key, of in limits.items():
        power = "".join(f" {np.mean(hits[f'{key}, {m}']):.2f} |" for m in MULTIPLES)
        print(f"| {key} | {np.mean(of):.2%} |{power}")
    if asked.output is not None:
        asked.output.mkdir(parents=True, exist_ok=True)
        found = {
            "cohorts": asked.cohorts,
            "regions": asked.regions,
            "limit": {k: float(np.mean(v)) for k, v in limits.items()},
            "power": {k: float(np.mean(v)) for k, v in hits.items()},
        }
        path = asked.output / "smallest_trait.json"
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
