"""Time of the fast path compared with mofapy2 on the same cohort: wall clock and processor.

mofapy2 needs an environment of its own (``--mofapy2 PATH/bin/python``). Both programs run one after
the other with one core; set OMP_NUM_THREADS=1 for one thread. The first fast fit, in which Numba
may compile, is stored separately from the later ones.

    python benchmarks/fast_speed.py --mofapy2 /path/to/env/bin/python --regions 51 200
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from provenance import record

from bayes_mdd import SamplerSpec, SharedSpecificSpec, fit, reference_to_controls, simulate_cohort

N_FACTORS = 6
MOFAPY2 = """
import sys, time
import numpy as np
from mofapy2.run.entry_point import entry_point
y, arm = (np.load(sys.argv[1])[k] for k in ("y", "arm"))
for _ in range(2):
    wall, cpu = time.perf_counter(), time.process_time()
    run = entry_point()
    run.set_data_options(scale_views=False, scale_groups=False, center_groups=True)
    run.set_data_matrix([[y[arm == a] for a in np.unique(arm)]])
    run.set_model_options(factors=int(sys.argv[2]), spikeslab_weights=True, ard_weights=True,
                          ard_factors=True)
    run.set_train_options(iter=2000, convergence_mode="slow", seed=1, quiet=True)
    run.build()
    run.run()
    print("TIMES", time.perf_counter() - wall, time.process_time() - cpu)
"""


def time_mofapy2(python: Path, features: xr.Dataset) -> list[dict[str, float]]:
    """Time two fits of mofapy2 in a process of their own."""
    keep = features["arm"].values.astype(str) != "n/a"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, y=features["y"].values[keep], arm=features["arm"].values[keep].astype(str))
        words = [str(python), "-c", MOFAPY2, str(data), str(N_FACTORS)]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("TIMES")]
    return [{"wall": float(w), "cpu": float(c)} for w, c in rows]


def time_fast(features: xr.Dataset, repeats: int) -> list[dict[str, float]]:
    """Time a first fast fit and some repetitions."""
    spec, rows = SharedSpecificSpec(n_factors=N_FACTORS), []
    for _ in range(1 + repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        fit(spec, features, method="fast", sampler=SamplerSpec(cores=1))
        rows.append({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mofapy2", type=Path, required=True, help="Python with mofapy2")
    parser.add_argument("--regions", type=int, nargs="+", default=[51], help="numbers of regions")
    parser.add_argument("--repeats", type=int, default=1, help="fast fits after the first one")
    parser.add_argument("-o", "--output", type=Path, help="JSON file for the results")
    given = parser.parse_args()
    found = {str(regions): compare(regions, given) for regions in given.regions}
    if given.output:
        given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        record(given.output)


def compare(regions: int, given: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Time both programs on one cohort and print the ratios."""
    cohort = simulate_cohort(seed=1, n_regions=regions, source="edges")
    features = reference_to_controls(cohort.features, covariates=["age", "sex", "mean_fd"])
    found = {
        "fast": time_fast(features, given.repeats),
        "mofapy2": time_mofapy2(given.mofapy2, features),
    }
    last = {name: rows[-1] for name, rows in found.items()}
    for kind in ("wall", "cpu"):
        fast, peer = last["fast"][kind], last["mofapy2"][kind]
        print(
            f"{features.sizes['feature']} features, {kind}: {fast:.1f} s, mofapy2 {peer:.1f} s, "
            f"ratio {fast / peer:.2f}",
            flush=True,
        )
    return found


if __name__ == "__main__":
    main()
