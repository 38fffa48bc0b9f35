"""Errors of other features than correlations: which treatment finds nothing where there is nothing?

Cohorts without any trait: time series (first-order autoregressive) of participants whose
covariances differ from a common one by idiosyncratic amounts. Correlations, partial correlations
and tangent features are measured from them; parcels of a cortical sheet whose errors are alike in
neighbours stand for thickness, ALFF and ReHo, and edges with a term for each region for structural
connectomes. For each kind: effective over actual number of features (as `feature_dependence:
weighted` estimates it), what "auto" chooses, the share that is left after its treatment, and
factors that start of eight considered. The last rows whiten partial correlations with the matrix
of partial correlations, which is not a setting: its errors have the same form as those of
correlations.

    python benchmarks/other_measures.py [--cohorts 10] [-o benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import lfilter

import bayes_mdd as bm
from bayes_mdd.shared_specific.data.dependence import choose_dependence
from bayes_mdd.shared_specific.data.prepare import prepare
from bayes_mdd.shared_specific.start.spectral import remaining_weight, spectral_start

N, REGIONS, NETWORKS, VOLUMES, BURN = 60, 36, 6, 240, 50
#: Autocorrelation of the series, and SD of idiosyncratic deviations of whitened covariances.
AUTOREGRESSION, INDIVIDUAL = 0.5, 0.08
#: Range over which errors of parcels are alike, in units of their distance.
RANGE = 2.0
OFFERED = 8


def draw_series(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw series of participants without a trait."""
    network = np.arange(REGIONS) * NETWORKS // REGIONS
    mixing = np.eye(NETWORKS)[network] + 0.3 * rng.normal(size=(REGIONS, NETWORKS))
    root = np.linalg.cholesky(mixing @ mixing.T + np.eye(REGIONS))
    series = {}
    for k in range(N):
        own = rng.normal(size=(REGIONS, REGIONS)) * INDIVIDUAL / np.sqrt(2)
        values, vectors = np.linalg.eigh(np.eye(REGIONS) + own + own.T)
        turn = root @ (vectors * np.sqrt(np.maximum(values, 0.05)))
        noise = rng.normal(size=(VOLUMES + BURN, REGIONS))
        series[f"s{k:02d}"] = lfilter([1.0], [1.0, -AUTOREGRESSION], noise, axis=0)[BURN:] @ turn.T
    return series


def participants() -> pd.DataFrame:
    """Two arms, in turn."""
    index = pd.Index([f"s{k:02d}" for k in range(N)], name="participant_id")
    return pd.DataFrame({"arm": np.array(["SNRI", "SSRI"])[np.arange(N) % 2]}, index=index)


def edges_of(series: dict[str, np.ndarray], kind: str, estimator: str) -> xr.Dataset:
    """Measure edges as the package does."""
    table = pd.DataFrame(
        {
            "region": [f"r{k:02d}" for k in range(REGIONS)],
            "network": [f"N{k * NETWORKS // REGIONS}" for k in range(REGIONS)],
        }
    )
    return bm.connectivity_from_timeseries(
        series, table, kind=kind, estimator=estimator, participants=participants()
    )


def with_values(y: np.ndarray, block: np.ndarray) -> xr.Dataset:
    """A FeatureSet that is not made of edges."""
    return xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": participants().index.to_numpy(dtype=object),
            "arm": ("subject", participants()["arm"].to_numpy(dtype=object)),
            "feature": [f"f{j}" for j in range(y.shape[1])],
            "block": ("feature", block.astype(object)),
        },
        attrs={"units": "z", "reference": "simulated"},
    )


def draw_parcels(rng: np.random.Generator) -> xr.Dataset:
    """Errors of 20 x 20 parcels of a sheet that are alike in neighbours."""
    x, y = np.divmod(np.arange(400), 20)
    distance = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y))
    root = np.linalg.cholesky(np.exp(-distance / RANGE) + 1e-9 * np.eye(400))
    block = np.array([f"P{a}{b}" for a, b in zip(x // 10, y // 10, strict=True)])
    return with_values(rng.normal(size=(N, 400)) @ root.T, block)


def draw_region_errors(rng: np.random.Generator) -> xr.Dataset:
    """Errors of edges with a term for each region (variance 0.15 of an edge)."""
    i, j = np.triu_indices(REGIONS, 1)
    term = np.sqrt(0.15) * rng.normal(size=(N, REGIONS))
    own = np.sqrt(0.7) * rng.normal(size=(N, i.size))
    block = np.array([f"{a}-{b}" for a, b in zip(i // 6, j // 6, strict=True)])
    return with_values(own + term[:, i] + term[:, j], block)


def as_correlation(features: xr.Dataset) -> xr.Dataset:
    """Partial correlations with the sign of the normalised precision matrix."""
    r = -np.tanh(features["y"].values)
    return features.assign(y=(("subject", "feature"), np.arctanh(r))).assign_attrs(
        measure="correlation"
    )


def kinds(rng: np.random.Generator) -> Iterator[tuple[str, Callable[[], xr.Dataset]]]:
    """Every kind of features of one cohort."""
    series = draw_series(rng)
    for kind in ("correlation", "partial correlation", "tangent"):
        for estimator in ("empirical", "ledoit-wolf"):
            yield f"{kind}, {estimator}", lambda k=kind, e=estimator: edges_of(series, k, e)
    yield "parcels, neighbours alike", lambda: draw_parcels(rng)
    yield "edges with errors of regions", lambda: draw_region_errors(rng)
    for estimator in ("empirical", "ledoit-wolf"):
        name = f"partial correlation, {estimator}, whitened with its own matrix"
        yield name, lambda e=estimator: as_correlation(edges_of(series, "partial correlation", e))


def judge(features: xr.Dataset, seed: int, *, matrix: bool) -> dict[str, Any]:
    """Weight, choice of "auto", and factors that start under each treatment."""
    found: dict[str, Any] = {}
    standard = features
    if "correlation" not in str(features.attrs.get("units")) and not matrix:
        standard = bm.reference_to_controls(features)
    spec = bm.SharedSpecificSpec(n_factors=OFFERED, feature_dependence="independent")
    plain = prepare(spec, standard)
    found["weight"] = plain.with_weight(OFFERED).weight
    found["auto"] = "matrix" if matrix else choose_dependence(plain, standard, OFFERED)
    found["started"] = {}
    for treatment in dict.fromkeys(("independent", "weighted", found["auto"])):
        spec = bm.SharedSpecificSpec(n_factors=OFFERED, feature_dependence=treatment)
        data = prepare(spec, standard)
        start = spectral_start(data, OFFERED, seed=seed)
        found["started"][treatment] = start.n_on
        if treatment == found["auto"]:
            used = data if data.weight == 1 else replace(data, weight=1.0)
            found["left"] = remaining_weight(used, start) / data.weight
    return found


def main() -> None:
    """Print, and store where asked, one row for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in range(asked.cohorts):
        for name, make in kinds(np.random.default_rng(seed)):
            matrix = name.endswith("own matrix")
            rows.setdefault(name, []).append(judge(make(), seed, matrix=matrix))
    print("| features | effective share | auto | left | started: independent | weighted | auto |")
    print("|---|---|---|---|---|---|---|")
    for name, of in rows.items():
        auto = ", ".join(sorted({r["auto"] for r in of}))
        started = [np.mean([r["started"][t] for r in of]) for t in ("independent", "weighted")]
        chosen = np.mean([r["started"][r["auto"]] for r in of])
        weight, left = (np.mean([min(1.0, r[k]) for r in of]) for k in ("weight", "left"))
        print(
            f"| {name} | {weight:.2f} | {auto} | {left:.2f} | {started[0]:.1f} "
            f"| {started[1]:.1f} | {chosen:.1f} |"
        )
    if asked.output is not None:
        path = asked.output / "other_measures.json"
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
