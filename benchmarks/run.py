"""Time and memory of a full fit at typical sizes: `make bench`.

    python benchmarks/run.py --sizes 51 400
    python benchmarks/run.py --explicit          also the PyMC model with explicit loadings

Each fit runs in a process of its own, so that its peak memory is known, and each size is run twice:
the first fit on a machine compiles, later ones use the caches. Machines differ, so compare rows of
one run only.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from provenance import record

HERE = Path(__file__).resolve().parent
COLUMNS = ("what", "features", "people", "seconds in all", "compile", "sampling", "loadings",
           "min ESS", "ESS a second", "max R-hat", "divergences", "peak MB")  # fmt: skip


def simulated(regions: int, people: int) -> tuple[object, object]:
    """Simulate a cohort and standardise its features."""
    import bayes_mdd as bm

    cohort = bm.simulate_cohort(
        seed=1,
        n_regions=regions,
        n_subjects={"SSRI": people, "SNRI": people},
        n_controls=39,
        source="edges",
    )
    features = bm.reference_to_controls(cohort.features, covariates=["age", "sex", "mean_fd"])
    return features, cohort.symptoms


def collapsed(regions: int, people: int, draws: int) -> dict[str, object]:
    """Fit with `bayes_mdd.fit` and read the times from the provenance."""
    import bayes_mdd as bm

    features, symptoms = simulated(regions, people)
    spec = bm.SharedSpecificSpec(
        covariates=("site", "age", "sex", "mean_fd"), symptoms=("retardation", "cognitive")
    )
    began = time.perf_counter()
    idata = bm.fit(
        spec,
        features,
        symptoms=symptoms,
        sampler=bm.SamplerSpec(seed=1, draws=draws, tune=draws),
        progressbar=False,
    )
    total = time.perf_counter() - began
    checks = bm.diagnose(idata).set_index("name")["value"]
    seconds = json.loads(idata.attrs["provenance"])["seconds"]
    return {
        "what": "bayes_mdd",
        "features": features.sizes["feature"],
        "people": len(idata["posterior"]["subject"]),
        "seconds in all": total,
        "compile": seconds["compile_and_sample"] - seconds["sample"],
        "sampling": seconds["sample"],
        "loadings": seconds["loadings_and_alignment"],
        "min ESS": checks["min bulk ESS of invariants"],
        "ESS a second": checks["min bulk ESS of invariants"] / seconds["sample"],
        "max R-hat": checks["max R-hat of invariants"],
        "divergences": checks["divergences"],
    }


def explicit(regions: int, people: int, draws: int) -> dict[str, object]:
    """Fit the same model with loadings as parameters, written directly in PyMC."""
    import arviz as az
    import pymc as pm
    import pytensor.tensor as pt

    import bayes_mdd as bm
    from bayes_mdd.shared_specific.data.prepare import prepare
    from bayes_mdd.shared_specific.start.spectral import spectral_start

    features, _ = simulated(regions, people)
    spec = bm.SharedSpecificSpec(n_factors=5, mean_scale=0.0)
    data = prepare(spec, features)
    y = data.features["y"].transpose("subject", "feature").values
    y = y - y.mean(axis=0)
    n, p, k = *y.shape, spec.n_factors
    code = np.array([data.stats.blocks.index(b) for b in data.features["block"].values])
    start = spectral_start(data, k)
    with pm.Model() as model:
        sharing = pm.Dirichlet("sharing", np.full((k, 2), 0.6))
        f = pm.Normal("f", 0, 1, shape=(n, k))
        h = f * pt.sqrt(2 * sharing.T)[data.arm]
        scale = pm.HalfCauchy("factor_scale", spec.factor_scale, shape=k)
        local = pm.HalfStudentT("local", spec.local_df, 1.0, shape=(len(data.stats.blocks), k))
        noise = pm.HalfNormal("noise", 1, shape=len(data.stats.blocks))
        z = pm.Normal("z", 0, 1, shape=(p, k))
        loadings = z * (local * scale)[code] * noise[code][:, None]
        pm.Deterministic("fitted", pt.dot(h[:10], loadings[:20].T))
        pm.Normal("y", pt.dot(h, loadings.T), noise[code], observed=y)
    began = time.perf_counter()
    with model:
        idata = pm.sample(
            draws, tune=draws, chains=4, cores=2, nuts_sampler="nutpie", progressbar=False,
            initvals={"f": start.scores}, random_seed=1, var_names=["noise", "fitted"],
        )  # fmt: skip
    total = time.perf_counter() - began
    post = idata["posterior"].to_dataset()
    sampling = float(np.asarray(post.attrs["sampling_time"]))
    ess = min(float(v.min()) for v in az.ess(post).data_vars.values())
    rhat = max(float(v.max()) for v in az.rhat(post).data_vars.values())
    return {
        "what": "explicit loadings",
        "features": p,
        "people": n,
        "seconds in all": total,
        "compile": total - sampling,
        "sampling": sampling,
        "loadings": 0.0,
        "min ESS": ess,
        "ESS a second": ess / sampling,
        "max R-hat": rhat,
        "divergences": int(idata["sample_stats"]["diverging"].sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[51, 400], help="numbers of regions"
    )
    parser.add_argument("--people", type=int, default=31, help="number of subjects in each arm")
    parser.add_argument(
        "--draws", type=int, default=500, help="warm-up and kept draws of each chain"
    )
    parser.add_argument(
        "--explicit", action="store_true", help="also fit explicit loadings at the first size"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        row = {"collapsed": collapsed, "explicit": explicit}[options.one](
            options.sizes[0], options.people, options.draws
        )
        row["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(row, default=float))
        return
    jobs = [("collapsed", size) for size in options.sizes for _ in range(2)]
    jobs += [("explicit", options.sizes[0])] if options.explicit else []
    rows = []
    for name, size in jobs:
        words = [sys.executable, __file__, "--one", name, "--sizes", str(size)]
        words += ["--people", str(options.people), "--draws", str(options.draws)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name}, {size} regions: done", file=sys.stderr)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in rows:
        cells = (f"{v:.4g}" if isinstance(v := row[c], float) else str(v) for c in COLUMNS)
        print(f"| {' | '.join(cells)} |")
    (HERE / "results").mkdir(exist_ok=True)
    path = HERE / "results" / "speed.json"
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    record(path)


if __name__ == "__main__":
    main()
