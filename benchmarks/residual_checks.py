"""Are the predictive checks quiet where the model holds, and what do they say where it does not?

Cohorts are drawn here, by NumPy alone, from the model with two factors (one shared, one of arm A;
a factor lives in 40 % of the blocks) and noise of a given kind:

* ``model``: as the model has it;
* ``regions``: correlation rho between edges that share a region, made of one term a region;
* ``tails``: t noise with 4 degrees of freedom;
* ``people``: residual SDs that vary by 30 % between people.

Each is fitted with ``bm.fit(..., method="fast")`` and checked. Beside the p-values stands how far
true scores and noise lie from the posterior mean, in posterior SD: 1 is an honest interval.

    python benchmarks/residual_checks.py -o benchmarks/results
    python benchmarks/residual_checks.py --dependence weighted -o benchmarks/results
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment

import bayes_mdd as bm

N, N_FACTORS, NETWORKS = 50, 2, 7
SHARING = np.array([[0.5, 1.0], [0.5, 0.0]])


@dataclass(frozen=True)
class Scenario:
    """What is drawn: noise, number of regions, block scale of a factor where it lives."""

    kind: str
    regions: int = 20
    scale: float = 0.6
    rho: float = 0.0
    cohorts: int = 12


SCENARIOS = {
    "model": Scenario("model", cohorts=40),
    "tails": Scenario("tails"),
    "people": Scenario("people"),
    "regions .15, strong": Scenario("regions", rho=0.15),
    "model, weak": Scenario("model", regions=30, scale=0.3),
    "regions .15, weak": Scenario("regions", regions=30, scale=0.3, rho=0.15),
    "regions .3, strong, 30 regions": Scenario("regions", regions=30, rho=0.3),
    "regions .3, weak": Scenario("regions", regions=30, scale=0.3, rho=0.3),
    "regions .3, no factor": Scenario("regions", regions=30, scale=0.0, rho=0.3),
}


def draw_noise(scenario: Scenario, ends: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal((N, ends.shape[1]))
    if scenario.kind == "regions":
        common = rng.standard_normal((N, scenario.regions))[:, ends].sum(axis=1)
        return np.sqrt(1 - 2 * scenario.rho) * noise + np.sqrt(scenario.rho) * common
    if scenario.kind == "tails":
        return rng.standard_t(4, noise.shape) / np.sqrt(2)
    if scenario.kind == "people":
        return noise * np.exp(rng.normal(0, 0.3, N))[:, None]
    return noise


def draw_cohort(scenario: Scenario, seed: int) -> tuple[xr.Dataset, np.ndarray, dict[str, float]]:
    rng = np.random.default_rng([77, seed])
    network = np.sort(np.arange(scenario.regions) % NETWORKS)
    ends = np.stack(np.triu_indices(scenario.regions, 1))
    block = np.array([f"N{a}-N{b}" for a, b in network[ends].T])
    names, code = np.unique(block, return_inverse=True)
    arm = np.arange(N) % 2
    tau = np.where(rng.random((names.size, N_FACTORS)) < 0.4, scenario.scale, scenario.scale / 12)
    scores = np.sqrt(2 * SHARING)[arm] * rng.standard_normal((N, N_FACTORS))
    noise = np.exp(rng.normal(0, 0.1, names.size))
    loadings = tau[code] * rng.standard_normal((code.size, N_FACTORS))
    y = (scores @ loadings.T + draw_noise(scenario, ends, rng)) * noise[code]
    regions = np.array([f"R{i:02d}" for i in range(scenario.regions)])
    features = xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": [f"sub-{i:02d}" for i in range(N)],
            "feature": [f"{regions[a]}--{regions[b]}" for a, b in ends.T],
            "arm": ("subject", np.array(["A", "B"])[arm]),
            "block": ("feature", block),
            "region_a": ("feature", regions[ends[0]]),
            "region_b": ("feature", regions[ends[1]]),
        },
    )
    return features, scores, dict(zip(names.tolist(), noise.tolist(), strict=True))


def one(name: str, seed: int, dependence: Any) -> dict[str, Any]:
    scenario = SCENARIOS[name]
    features, scores, noise = draw_cohort(scenario, seed)
    spec = bm.SharedSpecificSpec(
        n_factors=N_FACTORS,
        mean_scale=0.0,
        edge_prior="gaussian",
        feature_dependence=dependence,
    )
    sampler = bm.SamplerSpec(seed=seed, cores=1)
    idata = bm.fit(spec, features, method="fast", sampler=sampler, progressbar=False)
    found = bm.predictive_checks(idata, seed=seed)
    posterior = idata["posterior"].to_dataset().stack(sample=("chain", "draw"))
    log_noise = np.log(posterior["noise"].transpose("sample", "block").values)
    true = np.log([noise[b] for b in posterior["block"].values])
    return {
        "scenario": name,
        "seed": seed,
        "p": dict(zip(found.table["check"], found.table["p_value"], strict=True)),
        "p_block_kurtosis": found.blocks["p_kurtosis"].iloc[:-1].tolist(),
        "n_features": int(found.blocks["n_features"].iloc[-1]),
        "n_effective": float(found.blocks["n_effective"].iloc[-1]),
        "weight": float(idata["constant_data"]["feature_weight"]),
        "active": int(bm.classify_factors(idata)["active"].sum()),
        "people_beyond": int(found.people["beyond"].sum()),
        "strength": found.factors["strength"].tolist(),
        "largest_left": float(found.factors["largest_left"].mean()),
        "scores_too_narrow": found.factors["scores_too_narrow"].tolist(),
        "z2_scores": scores_off(posterior["scores"], scores) if scenario.scale else [],
        "z2_noise": float((((log_noise.mean(0) - true) / log_noise.std(0)) ** 2).mean()),
    }


def scores_off(draws: xr.DataArray, scores: np.ndarray) -> list[float]:
    """Mean squared distance of true scores in SD, of length 1 and about their mean."""
    own = draws.transpose("sample", "subject", "factor").values

    def standard(x: np.ndarray) -> np.ndarray:
        x = x - x.mean(axis=-2, keepdims=True)
        return np.asarray(x / np.sqrt((x**2).sum(axis=-2, keepdims=True)))

    own, true = standard(own), standard(scores)
    cosine = own.mean(axis=0).T @ true
    rows, columns = linear_sum_assignment(-np.abs(cosine))
    return [
        float(
            (
                ((np.sign(cosine[i, j]) * own[:, :, i].mean(0) - true[:, j]) / own[:, :, i].std(0))
                ** 2
            ).mean()
        )
        for i, j in zip(rows, columns, strict=True)
    ]


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    p = {k: np.array([r["p"][k] for r in rows]) for k in rows[0]["p"]}
    strength = [s for r in rows for s in r["strength"]]
    ratio = np.array([s / r["largest_left"] for r in rows for s in r["strength"]])
    # A factor that was left out has no interval.
    z2 = [[v for v in r["z2_scores"] if np.isfinite(v)] for r in rows]
    blocks = np.concatenate([r["p_block_kurtosis"] for r in rows])
    return {
        "cohorts": len(rows),
        "share_p_below_.01": {k: float((x < 0.01).mean()) for k, x in p.items()},
        "share_p_below_.05": {k: float((x < 0.05).mean()) for k, x in p.items()},
        "mean_p": {k: float(x.mean()) for k, x in p.items()},
        "blocks_p_kurtosis_below_.05": float((blocks < 0.05).mean()),
        "n_features": rows[0]["n_features"],
        "n_effective": float(np.mean([r["n_effective"] for r in rows])),
        "weight": float(np.mean([r["weight"] for r in rows])),
        "factors_active": sum(r["active"] for r in rows),
        "people_beyond": float(np.mean([r["people_beyond"] for r in rows])),
        "factors_sampled": len(strength),
        "strength_over_largest_left": (
            np.quantile(ratio, [0, 0.25, 0.5, 0.75, 1]).tolist() if ratio.size else []
        ),
        "factors_standing_out": int((ratio >= 2).sum()),
        "said_scores_too_narrow": (
            float(np.mean([v for r in rows for v in r["scores_too_narrow"]])) if strength else None
        ),
        "rms_z_scores": float(np.sqrt(np.mean([v for z in z2 for v in z]))) if any(z2) else None,
        "rms_z_noise": float(np.sqrt(np.mean([r["z2_noise"] for r in rows]))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--dependence", choices=("independent", "weighted"), default="independent")
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS))
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    asked = parser.parse_args()
    tasks = [
        (name, seed, asked.dependence)
        for name in asked.only
        for seed in range(SCENARIOS[name].cohorts)
    ]
    rows = Parallel(n_jobs=asked.jobs)(delayed(one)(*task) for task in tasks)
    result = {n: summarise([r for r in rows if r["scenario"] == n]) for n in asked.only}
    asked.output.mkdir(parents=True, exist_ok=True)
    suffix = "_weighted" if asked.dependence == "weighted" else ""
    path = asked.output / f"residual_checks{suffix}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
