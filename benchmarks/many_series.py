"""Fits of many participants on time series made unlike the model.

    python benchmarks/many_series.py --methods fast mcmc --cohorts 10
    python benchmarks/many_series.py --kinds edge-weak --methods mcmc --cohorts 2 -o /tmp/trial.json

Cohorts are those of ``connectivity.py`` with more participants in each arm and fewer regions, with
both halves of each scan. Beyond 300 participants the search uses leading directions and the
posterior draws scores and loadings in turn. A cohort that is stored is not fitted again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from compact import compact
from connectivity_fits import fit_one
from connectivity_tables import print_fits
from joblib import Parallel, delayed
from provenance import RESULTS, record
from series_plan import KINDS

ALL = ("null", "state", "edge-weak", "smooth-strong", "prior-edge", "prior-smooth")


def one(kind: str, seed: int, method: Any, people: int, regions: int) -> dict[str, Any]:
    """Fit one cohort and compare with the truth."""
    size = {"people": (people, people), "n_regions": regions}
    return {"method": method, **fit_one(kind, seed, "auto", method, {}, None, **size)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(ALL))
    parser.add_argument("--methods", nargs="+", choices=("fast", "mcmc"), default=["fast", "mcmc"])
    parser.add_argument("--people", type=int, default=225, help="participants of each arm")
    parser.add_argument("--regions", type=int, default=50, help="number of regions")
    parser.add_argument("--cohorts", type=int, default=10, help="cohorts of each kind")
    parser.add_argument("--first-seed", type=int, default=2001, help="seed of the first cohort")
    parser.add_argument("--jobs", type=int, default=1, help="fits in parallel")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "many_series.json")
    given = parser.parse_args()
    settings = {"people": given.people, "regions": given.regions}
    stored = json.loads(given.output.read_text()) if given.output.exists() else {}
    if stored and stored["settings"] != settings:
        parser.error(f"{given.output} holds cohorts with {stored['settings']}, not {settings}")
    rows = {(r["method"], r["kind"], r["seed"]): r for r in stored.get("fits", [])}
    wanted = [
        (method, kind, seed)
        for seed in range(given.first_seed, given.first_seed + given.cohorts)
        for kind in given.kinds
        for method in given.methods
    ]
    tasks = (
        delayed(one)(k, s, m, *settings.values()) for m, k, s in wanted if (m, k, s) not in rows
    )
    for row in Parallel(n_jobs=given.jobs, return_as="generator_unordered")(tasks):
        rows[row["method"], row["kind"], row["seed"]] = row
        ordered = [rows[key] for key in sorted(rows)]
        given.output.write_text(compact({"settings": settings, "fits": ordered}))
        record(given.output)
        print(
            *(row[n] for n in ("method", "kind", "seed", "active", "seconds", "rhat")), flush=True
        )
    for method in given.methods:
        print(method)
        print_fits([r for key, r in sorted(rows.items()) if key[0] == method])


if __name__ == "__main__":
    main()
