"""Time of polar LDA: a small corpus with the published number of iterations, and a connectome.

    python benchmarks/polar_lda.py [--json FILE]

Prints one row for each case: seconds, seconds per iteration, and the peak memory of the process so
far.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bayes_mdd.polar_lda import fit_counts


def simulate(n_people: int, n_edges: int, n_factors: int, seed: int = 1) -> np.ndarray:
    """Draw counts of Gaussian patterns in unit noise, ten tokens per SD."""
    rng = np.random.default_rng(seed)
    weight = rng.dirichlet(np.full(n_factors, 0.5), size=n_people)
    pattern = rng.normal(size=(n_factors, n_edges))
    return np.rint(10 * (weight @ pattern + rng.normal(size=(n_people, n_edges)))).astype(np.int32)


def time_case(
    name: str, counts: np.ndarray, n_factors: int, iterations: int, e_step: str, restarts: int = 1
) -> dict[str, object]:
    """Time one case after a short fit that compiles the loops."""
    fit_counts(counts[:, :50], n_factors, 1, max_iterations=2, e_step=e_step, absent_edges="keep")
    began, cpu = time.perf_counter(), time.process_time()
    model = fit_counts(
        counts,
        n_factors,
        restarts,
        max_iterations=iterations,
        tolerance=0.0,
        e_step=e_step,
        absent_edges="keep",
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "case": name,
        "e_step": e_step,
        "iterations": model.attrs["iterations"],
        "seconds": round(seconds, 2),
        "seconds_per_iteration": round(seconds / model.attrs["iterations"] / restarts, 4),
        # Processor time of all threads, which other processes affect less.
        "cpu_per_iteration": round(cpu / model.attrs["iterations"] / restarts, 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write rows and versions to a file")
    asked = parser.parse_args()
    small, large = simulate(40, 190, 3), simulate(30, 87_571, 2)
    cases = [
        ("40 x 190, K=3", small, 3, 101, "published", 1),
        ("40 x 190, K=3", small, 3, 101, "newton", 1),
        ("40 x 190, K=3, 10 restarts", small, 3, 101, "newton", 10),
        ("30 x 87571, K=2", large, 2, 10, "newton", 1),
        ("30 x 87571, K=2", large, 2, 3, "published", 1),
    ]
    rows = []
    for case in cases:
        row = time_case(*case)
        if not rows:
            print("  ".join(f"{name:>22}" for name in row))
        print("  ".join(f"{value!s:>22}" for value in row.values()), flush=True)
        rows.append(row)
    if asked.json:
        versions = {n: version(n) for n in ("bayes-mdd", "numpy", "numba", "joblib")}
        said = {"machine": platform.platform(), "versions": versions, "rows": rows}
        asked.json.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
