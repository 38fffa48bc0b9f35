"""Does the check of block noise fire when it should, and only then? Does noise by feature help?

Cohorts are drawn here, by NumPy alone: three factors in blocks, and noise that is

* ``equal``: the same for all features of a block;
* ``differs-S``: log-normal over features with SD S of the log of the noise SD;
* ``tails``: equal in SD, with single values far out (t with 6 degrees of freedom).

Each is fitted with ``bm.fit(..., method="fast")``, noise being "equal" or "moderated".

With ``--recovery``, small cohorts (40 people, 60 features, two factors) whose noise is alike, or
differs strongly (noise variances inverse-gamma with 2.5 degrees of freedom), are fitted by MCMC
with each form of noise, for the RV coefficient of the loadings.

    python benchmarks/feature_noise.py --null 60 --cohorts 20 -o benchmarks/results
    python benchmarks/feature_noise.py --recovery 4 -o benchmarks/results
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd import SamplerSpec, SharedSpecificSpec, fit, judge_feature_noise

KINDS = ("equal", "differs-0.1", "differs-0.2", "differs-0.4", "tails")
PEOPLE, FACTORS, OFFERED = 50, 3, 4
NETWORKS, REGIONS = 5, 20
TAILS = 6.0
FORMS = ("student", "moderated", "equal")


def make_blocks() -> np.ndarray:
    network = np.sort(np.arange(REGIONS) % NETWORKS)
    a, b = np.triu_indices(REGIONS, 1)
    return np.array([f"N{i}-N{j}" for i, j in zip(network[a], network[b], strict=True)])


def draw_cohort(kind: str, seed: int) -> xr.Dataset:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    block = make_blocks()
    names, code = np.unique(block, return_inverse=True)
    scores = rng.normal(size=(PEOPLE, FACTORS))
    carries = rng.random((FACTORS, names.size)) < 0.3
    loadings = carries[:, code] * rng.normal(0, 0.5, size=(FACTORS, block.size))
    sd = rng.uniform(0.7, 1.1, size=names.size)[code]
    if kind.startswith("differs"):
        sd = sd * np.exp(rng.normal(0, float(kind.split("-")[1]), size=block.size))
    shape = (PEOPLE, block.size)
    error = rng.normal(size=shape)
    if kind == "tails":
        error = rng.standard_t(TAILS, size=shape) * np.sqrt((TAILS - 2) / TAILS)
    return xr.Dataset(
        {"y": (("subject", "feature"), scores @ loadings + sd * error)},
        coords={
            "subject": [f"sub-{i:02d}" for i in range(PEOPLE)],
            "feature": [f"e{i}" for i in range(block.size)],
            "arm": ("subject", np.array(["SNRI", "SSRI"], dtype=object)[np.arange(PEOPLE) % 2]),
            "block": ("feature", block.astype(object)),
        },
    )


def one(kind: str, noise: str, seed: int) -> dict[str, object]:
    spec = SharedSpecificSpec(n_factors=OFFERED, feature_noise=noise)
    sampler = SamplerSpec(seed=seed, cores=1)
    idata = fit(spec, draw_cohort(kind, seed), method="fast", sampler=sampler, progressbar=False)
    found = judge_feature_noise(idata)
    return {"kind": kind, "noise": noise, "seed": seed, "ratio": found.value,
            "fires": found.passed is False}  # fmt: skip


def draw_small(*, differs: bool, seed: int) -> tuple[xr.Dataset, np.ndarray]:
    rng = np.random.default_rng(seed)
    people, p = 40, 60
    loadings = np.zeros((2, p))
    loadings[0, :40] = rng.normal(0, 0.6, 40)
    loadings[1, 40:] = rng.normal(0, 0.7, 20)
    sd = 0.8 / np.sqrt(rng.gamma(1.25, size=p))
    if not differs:
        sd = np.full(p, 0.8)
    scores = rng.normal(size=(people, 2))
    coords = {
        "subject": [f"sub-{i:02d}" for i in range(people)],
        "feature": [f"e{i}" for i in range(p)],
        "arm": ("subject", np.array(["a", "b"], dtype=object)[np.arange(people) % 2]),
        "block": ("feature", np.repeat(["A-A", "A-B", "B-B"], 20).astype(object)),
    }
    y = scores @ loadings + sd * rng.normal(size=(people, p))
    return xr.Dataset({"y": (("subject", "feature"), y)}, coords=coords), loadings


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """RV coefficient of two sets of loadings (factor, feature)."""
    return float(((a @ b.T) ** 2).sum() / np.sqrt(((a @ a.T) ** 2).sum() * ((b @ b.T) ** 2).sum()))


def recover(noise: str, *, differs: bool, seed: int) -> dict[str, object]:
    features, loadings = draw_small(differs=differs, seed=seed)
    spec = SharedSpecificSpec(n_factors=2, feature_noise=noise)
    sampler = SamplerSpec(draws=250, tune=250, chains=2, cores=1, seed=1)
    idata = fit(spec, features, sampler=sampler, progressbar=False)
    found = {
        "truth": "differs" if differs else "alike",
        "noise": noise,
        "seed": seed,
        "rv": likeness(idata["loadings"]["mean"].values, loadings),
        "fires": judge_feature_noise(idata).passed is False,
        "divergences": int(idata["sample_stats"]["diverging"].sum()),
    }
    print(found, flush=True)
    return found


def recovery(cohorts: int) -> pd.DataFrame:
    tasks = [(n, d, s) for d in (True, False) for s in range(1, cohorts + 1) for n in FORMS]
    table = pd.DataFrame([recover(n, differs=d, seed=s) for n, d, s in tasks])
    return table.groupby(["truth", "noise"]).agg(
        cohorts=("rv", "size"), rv=("rv", "mean"), worst=("rv", "min"), fires=("fires", "sum"),
        divergences=("divergences", "sum"),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--null", type=int, default=60, help="cohorts of equal noise")
    parser.add_argument("--cohorts", type=int, default=20, help="cohorts of every other kind")
    parser.add_argument("-o", "--output", type=Path, help="folder for feature_noise.json")
    parser.add_argument("--recovery", type=int, help="small cohorts of each kind, by MCMC")
    arguments = parser.parse_args()
    if arguments.recovery:
        write(recovery(arguments.recovery), arguments.output, "feature_noise_recovery.json")
        return
    tasks = [("equal", "equal", seed) for seed in range(arguments.null)]
    for kind in KINDS[1:]:
        tasks += [(kind, "equal", seed) for seed in range(arguments.cohorts)]
    tasks += [(k, "moderated", s) for k in ("equal", "differs-0.4", "tails")
              for s in range(arguments.cohorts)]  # fmt: skip
    table = pd.DataFrame([one(*task) for task in tasks])
    found = table.groupby(["noise", "kind"]).agg(
        cohorts=("fires", "size"), fires=("fires", "sum"), ratio=("ratio", "mean")
    )
    write(found, arguments.output, "feature_noise.json")


def write(found: pd.DataFrame, folder: Path | None, name: str) -> None:
    print(found.to_string(float_format="%.3f"))
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found.reset_index().to_dict("records"), indent=2)
        (folder / name).write_text(text + "\n")


if __name__ == "__main__":
    main()
