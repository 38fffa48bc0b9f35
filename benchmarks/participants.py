r"""Time and memory of a fit by the number of participants, with eight factors and many sites.

    python benchmarks/participants.py --people 60 200 500 1000 2000 \
        -o benchmarks/results/participants.json

Each fit runs in a process of its own, so that its peak memory is known. Fits of up to 300 people
use nutpie, larger ones draw scores and loadings in turn; ``--backend`` chooses one for all.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from provenance import record

HERE = Path(__file__).resolve().parent
#: Five shared patterns and three of one arm, as pairs of networks.
PATTERNS = {
    "shared1": ("SM-SM", "VIS-VIS", "SM-VIS", "ATT-SM"),
    "shared2": ("THR-THR", "DMN-THR", "THR-SM", "THR-VIS"),
    "shared3": ("REW-REW", "DMN-REW", "REW-VIS", "CCN-SM"),
    "shared4": ("DMN-VIS", "DMN-ATT", "CCN-VIS", "ATT-ATT"),
    "shared5": ("DMN-DMN", "DMN-SM", "CCN-REW", "ATT-THR"),
    "SSRI1": ("CCN-CCN", "CCN-ATT", "THR-REW", "REW-SM"),
    "SSRI2": ("ATT-VIS", "SM-VIS", "THR-VIS", "CCN-THR"),
    "SNRI1": ("DMN-CCN", "DMN-DMN", "ATT-REW", "CCN-VIS"),
}


def one(
    people: int, regions: int, sites: int, method: str, draws: int, backend: str
) -> dict[str, object]:
    """Simulate and fit one cohort."""
    import bayes_mdd as bm

    cohort = bm.simulate_cohort(
        seed=1,
        n_regions=regions,
        n_subjects={"SSRI": people // 2, "SNRI": people - people // 2},
        n_controls=60,
        n_shared=5,
        n_specific={"SSRI": 2, "SNRI": 1},
        patterns=PATTERNS,
        sites=sites,
        source="edges",
    )
    features = bm.reference_to_controls(cohort.features, covariates=["age", "sex", "mean_fd"])
    spec = bm.SharedSpecificSpec(
        n_factors=8,
        covariates=("site", "age", "sex", "mean_fd"),
        symptoms=("retardation", "cognitive"),
    )
    sampler = bm.SamplerSpec(seed=1, draws=draws, tune=draws, backend=backend)
    wall, cpu = time.perf_counter(), time.process_time()
    idata = bm.fit(spec, features, symptoms=cohort.symptoms, method=method, sampler=sampler,
                   progressbar=False)  # fmt: skip
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    checks = bm.diagnose(idata).set_index("name")["value"]
    said = json.loads(idata.attrs["provenance"])
    return {
        "people": people,
        "features": int(features.sizes["feature"]),
        "sites": sites,
        "method": method,
        "sampled": said["sampled"],
        "factors": said["n_factors_sampled"],
        "draws": draws,
        "wall": wall,
        "cpu": cpu,
        "sampling": said["seconds"]["sample"],
        "loadings": said["seconds"]["loadings_and_alignment"],
        "min ESS": float(checks["min bulk ESS of invariants"]),
        "max R-hat": float(checks["max R-hat of invariants"]),
        "divergences": float(checks["divergences"]),
        "labels": bm.classify_factors(idata)["label"].value_counts().to_dict(),
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, nargs="+", default=[60, 200], help="patients in all")
    parser.add_argument("--methods", nargs="+", default=["fast", "mcmc"], help="fast, mcmc or both")
    parser.add_argument("--regions", type=int, default=100, help="number of regions")
    parser.add_argument("--draws", type=int, default=500, help="warm-up and kept draws of a chain")
    parser.add_argument("--backend", default="auto", help="sampler of the full fits")
    parser.add_argument("-o", "--output", type=Path, help="JSON file; rows are added to it")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        # Twenty sites where there are enough people for each.
        people = given.people[0]
        sites = max(2, min(20, people // 30))
        row = one(people, given.regions, sites, given.one, given.draws, given.backend)
        print("ROW " + json.dumps(row))
        return
    for people in given.people:
        for method in given.methods:
            row = _in_process(people, method, given)
            print(json.dumps(row), flush=True)
            if given.output:
                known = json.loads(given.output.read_text()) if given.output.exists() else []
                rest = [r for r in known if (r["people"], r["method"]) != (people, method)]
                rows = sorted([*rest, row], key=lambda r: (r["method"], r["people"]))
                given.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                record(given.output)


def _in_process(people: int, method: str, given: argparse.Namespace) -> dict[str, object]:
    words = [
        sys.executable,
        str(HERE / "participants.py"),
        "--one",
        method,
        "--people",
        str(people),
    ]
    words += ["--regions", str(given.regions), "--draws", str(given.draws)]
    words += ["--backend", given.backend]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=os.environ)
    line = next(line for line in done.stdout.splitlines() if line.startswith("ROW "))
    return dict(json.loads(line[4:]))


if __name__ == "__main__":
    main()
