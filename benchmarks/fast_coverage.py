"""Do the intervals of the fast path hold what they promise?

Cohorts are drawn here, by NumPy alone, with loadings, sharing and symptom weights known:

* ``mixed``: three factors whose sharing comes from its prior, Dirichlet(0.6, 0.6);
* ``shared``: three factors that both arms share equally;
* ``noise``: no factor at all.

Loadings are Gaussian within a block, so the fits say so; with ``--edge-prior spike_slab`` the
interval of an edge that hardly takes part is zero, and a tiny true loading lies outside of it.

Each is fitted with ``bm.fit(..., method="fast")``; factors are matched by their scores.

    python benchmarks/fast_coverage.py --cohorts 60 --null 40 -o benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment

from bayes_mdd import SamplerSpec, SharedSpecificSpec, classify_factors, diagnose, fit

ARMS = {"SNRI": 25, "SSRI": 25}
N_FACTORS = 3
OFFERED = 4
NETWORKS = 6
REGIONS = 30
#: A factor is found when its mean scores correlate with the true ones by this much.
FOUND = 0.7


def make_blocks() -> np.ndarray:
    network = np.sort(np.arange(REGIONS) % NETWORKS)
    a, b = np.triu_indices(REGIONS, 1)
    return np.array([f"N{i}-N{j}" for i, j in zip(network[a], network[b], strict=True)])


def draw_cohort(kind: str, seed: int) -> tuple[xr.Dataset, pd.DataFrame, dict[str, np.ndarray]]:
    rng = np.random.default_rng([seed, ["mixed", "shared", "noise"].index(kind)])
    block = make_blocks()
    names, code = np.unique(block, return_inverse=True)
    arm = np.repeat([0, 1], list(ARMS.values()))
    k = 0 if kind == "noise" else N_FACTORS
    sharing = np.full((k, 2), 0.5) if kind == "shared" else rng.dirichlet([0.6, 0.6], size=k)
    scores = rng.normal(size=(arm.size, k)) * np.sqrt(2 * sharing.T[arm])
    # Block scales as the model has them, around a scale that can be seen.
    scale = np.exp(rng.uniform(np.log(0.12), np.log(0.35), size=k))
    local = np.abs(rng.standard_t(4, size=(names.size, k)))
    raw = local * scale
    tau = raw / np.sqrt(1 + (raw / 2.0) ** 2)
    noise = rng.uniform(0.8, 1.1, size=names.size)
    loadings = (noise[code, None] * tau[code] * rng.normal(size=(block.size, k))).T
    y = scores @ loadings + noise[code] * rng.normal(size=(arm.size, block.size))
    weight = rng.normal(0, 0.4, size=k) * (rng.random(k) < 0.5)
    symptom = scores @ weight + rng.normal(0, 0.8, size=arm.size)
    people = [f"sub-{i:02d}" for i in range(arm.size)]
    features = xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": people,
            "feature": [f"e{i}" for i in range(block.size)],
            "arm": ("subject", np.array(list(ARMS), dtype=object)[arm]),
            "block": ("feature", block.astype(object)),
        },
    )
    squares = (loadings**2).sum(axis=1)
    parts = 2 * sharing.T * squares
    left = (noise[code] ** 2).sum()
    truth = {
        "scores": scores,
        "sharing": sharing.T,
        "loadings": loadings,
        "explained": parts / (parts.sum(axis=1, keepdims=True) + left),
        "weight": weight / symptom.std(ddof=1),
    }
    return features, pd.DataFrame({"s": symptom}, index=people), truth


def match(idata: xr.DataTree, truth: np.ndarray) -> list[tuple[int, int, float]]:
    """Pairs (fitted, true, sign) of factors that were found."""
    mean = idata["posterior"]["scores"].mean(("chain", "draw")).values
    k, t = mean.shape[1], truth.shape[1]
    r = np.nan_to_num(np.corrcoef(mean.T, truth.T)[:k, k:]).reshape(k, t)
    rows, columns = linear_sum_assignment(-np.abs(r))
    return [
        (i, j, float(np.sign(r[i, j])))
        for i, j in zip(rows, columns, strict=True)
        if abs(r[i, j]) >= FOUND
    ]


def inside(draws: np.ndarray, value: float) -> bool:
    low, high = np.quantile(draws, [0.05, 0.95])
    return bool(low <= value <= high)


def one(kind: str, seed: int, edge_prior: str = "gaussian") -> dict[str, object]:
    features, symptoms, truth = draw_cohort(kind, seed)
    spec = SharedSpecificSpec(
        n_factors=OFFERED, symptoms=("s",), feature_noise="equal", edge_prior=edge_prior
    )
    began = time.perf_counter()
    idata = fit(
        spec, features, symptoms=symptoms, method="fast", sampler=SamplerSpec(seed=seed, cores=1)
    )
    seconds = time.perf_counter() - began
    table = classify_factors(idata)
    checks = diagnose(idata).set_index("name")["value"].to_dict()
    specific = table[table["active"]].filter(like="p_specific").to_numpy(float)
    posterior = idata["posterior"].to_dataset().stack(sample=("chain", "draw"))
    found: dict[str, list[float]] = {
        n: [] for n in ("loadings", "loaded", "sharing", "explained", "weight", "rank", "r")
    }
    pairs = match(idata, truth["scores"])
    for i, j, sign in pairs:
        loading = idata["loadings"].to_dataset().isel(factor=i)
        low, high = (loading[b].values * sign for b in ("lower", "upper"))
        low, high = np.minimum(low, high), np.maximum(low, high)
        true = truth["loadings"][j]
        hit = (low <= true) & (true <= high)
        large = np.abs(true) > np.quantile(np.abs(true), 0.75)
        found["loadings"].append(float(hit.mean()))
        found["loaded"].append(float(hit[large].mean()))
        found["r"].append(float(np.corrcoef(loading["mean"].values * sign, true)[0, 1]))
        share = posterior["sharing"].isel(factor=i, arm=0).values
        found["sharing"].append(inside(share, truth["sharing"][0, j]))
        found["rank"].append(float((share < truth["sharing"][0, j]).mean()))
        found["explained"] += [
            inside(posterior["explained"].isel(factor=i, arm=a).values, truth["explained"][a, j])
            for a in (0, 1)
        ]
        weight = posterior["symptom_weight"].isel(factor=i, symptom=0).values * sign
        found["weight"].append(inside(weight, truth["weight"][j]))
    return {
        "kind": kind,
        "seed": seed,
        "seconds": seconds,
        "true_factors": truth["scores"].shape[1],
        "found": len(pairs),
        "active": int(table["active"].sum()),
        "most_specific": float(specific.max()) if specific.size else 0.0,
        "divergences": checks["divergences"],
        "rhat": checks["max R-hat of invariants"],
        "ess": checks["min bulk ESS of invariants"],
        **found,
    }


def summarise(rows: list[dict[str, object]]) -> dict[str, object]:
    mixed = [r for r in rows if r["kind"] == "mixed"]
    out: dict[str, object] = {"cohorts": len(mixed), "nominal": 0.9}

    def coverage(name: str) -> dict[str, float]:
        # Intervals of one cohort hang together: the standard error is over cohorts.
        means = np.array([np.mean(r[name]) for r in mixed if r[name]])
        return {
            "coverage": float(np.mean([x for r in mixed for x in r[name]])),
            "se": float(means.std(ddof=1) / np.sqrt(means.size)),
            "n": sum(len(r[name]) for r in mixed),
        }

    for name in ("loadings", "loaded", "explained", "sharing", "weight"):
        out[name] = coverage(name)
    out["factors_found"] = sum(r["found"] for r in mixed) / sum(r["true_factors"] for r in mixed)
    out["loadings_r"] = float(np.mean([x for r in mixed for x in r["r"]]))
    for kind in ("shared", "noise"):
        of_kind = [r for r in rows if r["kind"] == kind]
        out[kind] = {
            "cohorts": len(of_kind),
            "any_specific_above_.9": sum(r["most_specific"] > 0.9 for r in of_kind),
            "any_active": sum(r["active"] > 0 for r in of_kind),
        }
    out["divergent_runs"] = sum(r["divergences"] > 0 for r in rows)
    out["rhat_median_max"] = [float(f([r["rhat"] for r in rows])) for f in (np.median, np.max)]
    out["ess_median_min"] = [float(f([r["ess"] for r in rows])) for f in (np.median, np.min)]
    out["seconds_median"] = float(np.median([r["seconds"] for r in rows]))
    return out


TITLES = {
    "loadings": "loadings, all",
    "loaded": "loadings, largest quarter of each factor",
    "explained": "variance explained, by factor and arm",
    "sharing": "sharing",
    "weight": "symptom weights",
}


def as_markdown(s: dict[str, object]) -> str:
    lines = [
        "# Fast path: coverage of 90 % intervals",
        "",
        f"{s['cohorts']} cohorts, {ARMS} people, {len(make_blocks())} features, {N_FACTORS} "
        f"factors, {OFFERED} offered; sharing from its prior. "
        f"Found: {s['factors_found']:.0%} of factors.",
        "",
        "| quantity | intervals | coverage | standard error |",
        "|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        c = s[name]
        lines.append(f"| {title} | {c['n']} | {c['coverage']:.3f} | {c['se']:.3f} |")
    shared, noise = s["shared"], s["noise"]
    lines += [
        "",
        f"- All factors shared: P(specific) above .9 in {shared['any_specific_above_.9']} of "
        f"{shared['cohorts']} cohorts.",
        f"- Pure noise: an active factor in {noise['any_active']} of {noise['cohorts']} cohorts.",
        f"- Runs with divergences: {s['divergent_runs']}; max R-hat of invariants: median "
        f"{s['rhat_median_max'][0]:.3f}, largest {s['rhat_median_max'][1]:.3f}; min bulk ESS: "
        f"median {s['ess_median_min'][0]:.0f}, smallest {s['ess_median_min'][1]:.0f}.",
        "",
    ]
    return "\n".join(line for line in lines if "of 0 cohorts" not in line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=60)
    parser.add_argument("--null", type=int, default=40, help="cohorts of each null kind")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--edge-prior", choices=("gaussian", "spike_slab"), default="gaussian")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    stem = "fast_coverage" + ("" if given.edge_prior == "gaussian" else f"_{given.edge_prior}")
    rows: list[dict[str, object]] = []
    for kind, count in (("mixed", given.cohorts), ("shared", given.null), ("noise", given.null)):
        rows += Parallel(n_jobs=given.jobs)(
            delayed(one)(kind, seed, given.edge_prior) for seed in range(count)
        )
        # Kept after each kind: an interrupted run is not lost.
        summary = summarise(rows)
        found = {"summary": summary, "cohorts": rows}
        (given.output / f"{stem}.json").write_text(json.dumps(found, indent=1) + "\n")
        (given.output / f"{stem}.md").write_text(as_markdown(summary))
    print(as_markdown(summary))


if __name__ == "__main__":
    main()
