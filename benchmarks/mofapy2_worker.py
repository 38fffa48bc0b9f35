"""Run mofapy2 on one file; for the interpreter that has it. python mofapy2_worker.py IN OUT"""

from __future__ import annotations

import sys
import time

import numpy as np


def main(source: str, target: str) -> None:
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
    # Share of each arm's sum of squares that one factor alone explains, as mofapy2 reports it.
    r2 = np.stack([m[0] for m in run.model.calculate_variance_explained()])
    np.savez(target, scores=scores, loadings=w, explained=r2, seconds=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
