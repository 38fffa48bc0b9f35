"""Coverage of symptom weights by the overall scale of the horseshoe, without sampling.

Eight weights (four dimensions, four items) have normal likelihoods as wide as 50 subjects leave
them, and the prior of the symptom link. Overall and local scales are integrated on grids, which is
fast enough to compare priors and free of sampling error.

    python benchmarks/symptom_prior.py
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import norm

#: Standard errors of the weights of dimensions and items with 50 subjects, in residual SD.
ERROR = np.repeat([0.155, 0.23], 4)
COHORTS = 800


def covered(overall: float, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return whether the 90% interval of each weight covers it, given one draw of the data."""
    whole = np.exp(np.linspace(np.log(1e-3), np.log(20), 50))
    local = np.exp(np.linspace(np.log(1e-3), np.log(1e3), 120))
    # Half-Cauchy densities of the log scales, up to constants.
    of_whole = whole / (1 + (whole / overall) ** 2)
    of_local = local / (1 + local**2)
    scale = whole[:, None] * local
    prior = (scale / np.sqrt(1 + scale**2))[None] ** 2
    x = (weights + ERROR * rng.normal(size=weights.size))[:, None, None]
    noise = (ERROR**2)[:, None, None]
    total = prior + noise
    density = norm.pdf(x, 0, np.sqrt(total)) * of_local
    marginal = density.sum(axis=-1)
    evidence = np.log(marginal).sum(axis=0)
    posterior_whole = of_whole * np.exp(evidence - evidence.max())
    mixture = density / marginal[..., None] * (posterior_whole / posterior_whole.sum())[:, None]
    shrink = prior / total
    sd = np.sqrt(shrink * noise) + 1e-12
    below = (mixture * norm.cdf((weights[:, None, None] - shrink * x) / sd)).sum(axis=(1, 2))
    return np.asarray((below > 0.05) & (below < 0.95))


def main() -> None:
    """Print a table of coverage by overall scale."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print("| overall scale | weights | dimensions | items |\n| --- | --- | --- | --- |")
    for overall in (0.2, 0.5, 1.0):
        for kind in ("spread", "all 0"):
            rng = np.random.default_rng(0)
            hits = []
            for _ in range(COHORTS):
                weights = np.where(rng.random(8) < 1 / 3, 0.0, rng.normal(0, 0.4, 8))
                hits.append(covered(overall, weights * (kind == "spread"), rng))
            share = np.mean(hits, axis=0).reshape(2, 4).mean(axis=1)
            print(f"| {overall} | {kind} | {share[0]:.3f} | {share[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
