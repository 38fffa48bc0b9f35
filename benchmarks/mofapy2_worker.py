"""Fit mofapy2 to one file. Run by benchmarks/recovery.py in an environment that has mofapy2.

python mofapy2_worker.py SOURCE TARGET
"""

from __future__ import annotations

import argparse
import time

import numpy as np


def fit(source: str, target: str) -> None:
    """Read features and arms from one NumPy archive and write the estimate to another."""
    from mofapy2.run.entry_point import entry_point

    with np.load(source) as given:
        y, arm, factors, seed = given["y"], given["arm"], int(given["factors"]), int(given["seed"])
    groups = np.unique(arm)
    began = time.perf_counter()
    run = entry_point()
    run.set_data_options(scale_views=False, scale_groups=False, center_groups=True)
    run.set_data_matrix(
        [[y[arm == a] for a in groups]],
        views_names=["edges"],
        groups_names=[f"arm{a}" for a in groups],
        samples_names=[[f"s{i}" for i in np.flatnonzero(arm == a)] for a in groups],
    )
    run.set_model_options(
        factors=factors,
        spikeslab_factors=False,
        spikeslab_weights=True,
        ard_factors=True,
        ard_weights=True,
    )
    run.set_train_options(iter=2000, convergence_mode="slow", seed=seed, quiet=True)
    run.build()
    run.run()
    seconds = time.perf_counter() - began
    z = np.asarray(run.model.nodes["Z"].getExpectation())
    w = np.asarray(run.model.nodes["W"].getExpectation()[0])
    order = np.concatenate([np.flatnonzero(arm == a) for a in groups])
    scores = np.empty_like(z)
    scores[order] = z
    # Share of each arm's sum of squares that a single factor explains, as reported by mofapy2.
    r2 = np.stack([m[0] for m in run.model.calculate_variance_explained()])
    np.savez(target, scores=scores, loadings=w, explained=r2, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="NumPy archive with y, arm, factors and seed")
    parser.add_argument("target", help="NumPy archive for scores, loadings and explained variance")
    asked = parser.parse_args()
    fit(asked.source, asked.target)


if __name__ == "__main__":
    main()
