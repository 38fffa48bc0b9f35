"""Cohorts combined from summaries against a fit of their pooled data.

    python benchmarks/combine.py --studies 6
    python benchmarks/combine.py --kinds edges null --studies 4 --output /tmp/trial.json

A study has three cohorts of 30 + 30 patients and 30 controls, drawn by `bm.simulate_cohort` with
the same factors (2 shared, one specific to each arm). Every cohort is standardised to its own
controls and fitted alone; `combined` is `bm.combine_cohorts` of the summaries with its defaults,
`common` the same with `heterogeneity=0`, and `pooled` one fit of all 180 patients with site as a
covariate. All fits take the fast path. Kinds of studies:
    edges      edges with independent errors
    series     edges of time series, with correlated errors
    null       all factors shared (four), edges
    absent     one cohort lacks the SSRI-specific factor, edges
    differing  the size of every factor differs between cohorts (SD 0.3 of the log variance), edges
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from compact import compact
from joblib import Parallel, delayed
from provenance import record
from scipy.optimize import linear_sum_assignment

import bayes_mdd as bm

ARMS = ("SNRI", "SSRI")
KINDS = ("edges", "series", "null", "absent", "differing")
SETTINGS = {
    "cohorts": 3,
    "patients": "30 + 30",
    "controls": 30,
    "regions": 28,
    "factors_offered": 6,
    "method": "fast",
}
#: Smallest correlation of a map with that of a true factor that it is compared with.
MATCH = 0.6
COVARIATES = ["age", "sex", "mean_fd"]
#: Weights of two symptoms in the true scores of the first shared and the SSRI-specific factor.
WEIGHTS = {"s1": {"shared1": 0.5}, "s2": {"SSRI1": -0.5}}
RESULTS = Path(__file__).resolve().parent / "results" / "combine.json"


def simulate(kind: str, seed: int) -> tuple[bm.SimulatedCohort, xr.DataArray]:
    """Draw a study, and the SD of each factor in each cohort relative to the others."""
    null = kind == "null"
    drawn = bm.simulate_cohort(
        1000 + seed,
        n_subjects={"SSRI": 90, "SNRI": 90},
        n_controls=90,
        n_regions=28,
        n_shared=4 if null else 2,
        n_specific={} if null else None,
        patterns={},
        sites=3,
        source="series" if kind == "series" else "edges",
        n_volumes=200,
    )
    sites = sorted(set(drawn.participants["site"]))
    names = drawn.truth["factor"].values
    scale = xr.DataArray(
        np.ones((3, names.size)), dims=("site", "factor"), coords={"site": sites, "factor": names}
    )
    if kind == "absent":
        scale.loc["site3", "SSRI1"] = 0.0
    if kind == "differing":
        rng = np.random.default_rng([16, seed])
        scale = scale * np.exp(0.15 * rng.standard_normal(scale.shape))
    return drawn, scale


def features_of(drawn: bm.SimulatedCohort, scale: xr.DataArray) -> xr.Dataset:
    """Edges with the factors scaled by cohort, which is exact where edges were drawn directly."""
    raw = drawn.features
    scores = drawn.truth["scores"]
    site = drawn.participants["site"].loc[scores["subject"].values].to_numpy()
    change = (scale.sel(site=site).values - 1.0) * scores.values
    if not change.any():
        return raw
    shift = change @ drawn.truth["loadings"].values * float(drawn.truth["noise_sd"])
    y = raw["y"].copy()
    at = raw.indexes["subject"].get_indexer(scores["subject"].values)
    y.values[at] += shift
    return raw.assign(y=y)


def symptoms_of(drawn: bm.SimulatedCohort, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Two symptoms that depend on the scores; true weights per SD of both."""
    rng = np.random.default_rng([17, seed])
    scores = drawn.truth["scores"].to_pandas()
    table, truth = {}, {}
    for name, of in WEIGHTS.items():
        used = {f: w for f, w in of.items() if f in scores}
        value = sum((w * scores[f] for f, w in used.items()), 0.0 * scores.iloc[:, 0])
        value = value + rng.standard_normal(len(scores))
        table[name] = value
        for f in scores:
            variance = 1.0 if f.startswith("shared") else 0.5
            truth[f, name] = used.get(f, 0.0) * np.sqrt(variance) / float(value.std(ddof=1))
    return pd.DataFrame(table), truth


def fit(
    features: xr.Dataset, symptoms: pd.DataFrame, covariates: list[str], seed: int
) -> xr.DataTree:
    spec = bm.SharedSpecificSpec(
        n_factors=6, covariates=tuple(covariates), symptoms=tuple(symptoms.columns)
    )
    return bm.fit(
        spec,
        features,
        symptoms=symptoms,
        method="fast",
        sampler=bm.SamplerSpec(seed=seed, cores=1),
        progressbar=False,
    )


def one(kind: str, seed: int) -> dict[str, Any]:
    """Fit a study in both ways and compare with the truth."""
    began = time.process_time()
    drawn, scale = simulate(kind, seed)
    raw = features_of(drawn, scale)
    symptoms, weights = symptoms_of(drawn, seed)
    summaries = {}
    for site in scale["site"].values:
        people = drawn.participants.index[drawn.participants["site"] == site]
        own = bm.reference_to_controls(raw.sel(subject=list(people)), covariates=COVARIATES)
        summaries[str(site)] = bm.summarise_cohort(fit(own, symptoms, COVARIATES, seed))
    given = bm.reference_to_controls(raw, covariates=["site", *COVARIATES])
    pooled = fit(given, symptoms, ["site", *COVARIATES], seed)
    combined = bm.combine_cohorts(summaries, seed=seed)
    common = bm.combine_cohorts(summaries, seed=seed, heterogeneity=0.0)
    truth = true_values(drawn, scale, weights)
    found = {
        "pooled": compare(read_pooled(pooled), truth, drawn),
        "combined": compare(read_combined(combined), truth, drawn),
        "common": compare(read_combined(common), truth, drawn),
    }
    table = bm.summarise_combined(combined)
    return {
        "kind": kind,
        "seed": seed,
        "cpu_seconds": round(time.process_time() - began, 1),
        "sd_between": [table.attrs["size_sd"][0], table.attrs["sharing_sd"][0]],
        "found_by_cohort": [int(s.sizes["factor"]) for s in summaries.values()],
        "specific_labels": {
            "combined": int(table["label"].str.endswith("-specific").sum()),
            "pooled": int(bm.classify_factors(pooled)["label"].str.endswith("-specific").sum()),
        },
        "present": present_of(combined, found["combined"]),
        **found,
    }


def true_values(
    drawn: bm.SimulatedCohort, scale: xr.DataArray, weights: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Values over cohorts that have the factor: geometric means of its variance."""
    truth = drawn.truth
    names = [str(f) for f in truth["factor"].values]
    size = (truth["loadings"] ** 2).mean("feature").values
    sharing = truth["sharing"].sel(arm=list(ARMS)).values
    has = scale.values > 0
    mean = np.array([np.exp(2 * np.log(scale.values[h, k]).mean()) for k, h in enumerate(has.T)])
    variance = (sharing > 0) * (size * mean)
    prevalence = has.mean(axis=0)
    out = {}
    for k, name in enumerate(names):
        others = sum(prevalence[j] * variance[:, j] for j in range(len(names)) if j != k)
        out[name] = {
            "sharing": sharing[:, k],
            "explained": variance[:, k] / (variance[:, k] + others + 1.0),
            # Scores of an average arm have variance 1.
            "loading": truth["loadings"].values[k] * np.sqrt(mean[k] * (sharing[:, k] > 0).mean()),
            "weights": {s: weights[name, s] for s in WEIGHTS},
        }
    return out


def read_pooled(tree: xr.DataTree) -> dict[str, Any]:
    posterior, loadings = tree["posterior"].to_dataset(), tree["loadings"].to_dataset()
    used = bm.classify_factors(tree).query("label != 'unused'")["factor"].tolist()
    posterior, loadings = posterior.sel(factor=used), loadings.sel(factor=used)
    weight = posterior["symptom_weight"].quantile([0.05, 0.95], ("chain", "draw"))
    return _read(posterior, loadings, weight.transpose("quantile", "factor", "symptom"), used)


def read_combined(tree: xr.DataTree) -> dict[str, Any]:
    posterior, loadings = tree["posterior"].to_dataset(), tree["loadings"].to_dataset()
    stored = tree["symptoms"].to_dataset()
    ends = xr.concat([stored["lower"], stored["upper"]], "quantile")
    names = [str(f) for f in loadings["factor"].values]
    return _read(posterior, loadings, ends.transpose("quantile", "factor", "symptom"), names)


def _read(
    posterior: xr.Dataset, loadings: xr.Dataset, weights: xr.DataArray, names: list[str]
) -> dict[str, Any]:
    ends = posterior[["explained", "sharing"]].quantile([0.05, 0.95], ("chain", "draw"))
    ends = ends.sel(arm=list(ARMS)).transpose("quantile", "arm", "factor")
    return {
        "names": names,
        "mean": loadings["mean"].values,
        "ends": np.stack([loadings["lower"].values, loadings["upper"].values]),
        "sd": loadings["raw_sd"].values,
        "explained": ends["explained"].values,
        "sharing": ends["sharing"].values,
        "weights": weights,
    }


def compare(
    found: dict[str, Any], truth: dict[str, dict[str, Any]], drawn: bm.SimulatedCohort
) -> dict[str, Any]:
    """Width of 90% intervals and whether they hold the truth, by true factor."""
    noise = float(drawn.truth["noise_sd"])
    true = np.stack([t["loading"] for t in truth.values()]) * noise / found["sd"]
    k = len(found["names"])
    r = np.nan_to_num(np.corrcoef(found["mean"], true)[:k, k:]).reshape(k, -1)
    rows: dict[str, Any] = {}
    for i, j in zip(*linear_sum_assignment(-np.abs(r)), strict=True):
        if abs(r[i, j]) < MATCH:
            continue
        name = list(truth)[j]
        sign = np.sign(r[i, j])
        ends = np.sort(found["ends"][:, i] * sign, axis=0)
        loaded = np.abs(true[j]) > 0
        row: dict[str, Any] = {
            "factor": found["names"][i],
            "r": abs(r[i, j]),
            "loading": _hit(ends[:, loaded], true[j, loaded]),
            "explained": [],
            "sharing": [],
            "weight": [],
        }
        for a in range(2):
            if truth[name]["sharing"][a] > 0:
                value = np.array([truth[name]["explained"][a]])
                row["explained"].append(_hit(found["explained"][:, a, [i]], value))
        if 0 < truth[name]["sharing"][0] < 1:
            value = truth[name]["sharing"][:1]
            row["sharing"].append(_hit(found["sharing"][:, 0, [i]], value))
        for symptom, value in truth[name]["weights"].items():
            own = np.sort(found["weights"].sel(symptom=symptom).values[:, i] * sign)
            row["weight"].append(_hit(own[:, None], np.array([value])))
        rows[name] = row
    return rows


def _hit(ends: np.ndarray, value: np.ndarray) -> list[float]:
    """Mean width of intervals and share that holds the truth."""
    inside = (ends[0] <= value) & (value <= ends[1])
    return [float((ends[1] - ends[0]).mean()), float(inside.mean())]


def present_of(combined: xr.DataTree, rows: dict[str, Any]) -> dict[str, list[float]]:
    """Probability that each cohort has each true factor."""
    p = combined["posterior"]["present"].mean(("chain", "draw"))
    return {n: p.sel(factor=row["factor"]).values.tolist() for n, row in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--studies", type=int, default=6, help="studies of each kind")
    parser.add_argument("--jobs", type=int, default=1, help="studies in parallel")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the results")
    given = parser.parse_args()
    stored = json.loads(given.output.read_text()) if given.output.exists() else {}
    rows = {(r["kind"], r["seed"]): r for r in stored.get("studies", [])}
    todo = [
        (kind, seed)
        for seed in range(given.studies)
        for kind in given.kinds
        if (kind, seed) not in rows
    ]
    tasks = (delayed(one)(*key) for key in todo)
    for row in Parallel(n_jobs=given.jobs, return_as="generator_unordered")(tasks):
        rows[row["kind"], row["seed"]] = row
        ordered = [rows[key] for key in sorted(rows)]
        given.output.write_text(compact({"settings": SETTINGS, "studies": ordered}))
        record(given.output)
        print(row["kind"], row["seed"], row["cpu_seconds"], flush=True)


if __name__ == "__main__":
    main()
