"""Small cohorts with known sharing, means and loadings for the calibration study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

ARMS = ("SNRI", "SSRI")
PEOPLE = 25
#: Participants of an arm in the scenarios "many" and "many-noise".
MANY = 200
N_BLOCKS, PER_BLOCK, BLOCKS_PER_FACTOR = 10, 43, 3
#: As in the model: the Dirichlet prior of sharing and the prior SD of arm means.
CONCENTRATION, MEAN_SCALE = 0.6, 0.5
#: Regions and networks of the edges with correlated errors, and the correlation.
REGIONS, NETWORKS, RHO = 30, 4, 0.15
ENDS = np.stack(np.triu_indices(REGIONS, 1))


def network_blocks() -> np.ndarray:
    """Position of each edge's pair of networks among the ten."""
    network = np.sort(np.arange(REGIONS) % NETWORKS)[ENDS]
    return np.unique(network[0] * NETWORKS + network[1], return_inverse=True)[1]


def people_of(scenario: str) -> int:
    """Participants of each arm."""
    return MANY if scenario.startswith("many") else PEOPLE


@dataclass(frozen=True, eq=False)
class Cohort:
    """Features and the values they were generated from.

    `sharing` and `mean` have shape (arm, factor), `scores` (subject, factor), `loadings` (feature,
    factor). `carried` (feature, factor) says whether the block of a feature carries the factor.
    The variance of the noise is 1 for all features.
    """

    features: xr.Dataset
    sharing: np.ndarray
    mean: np.ndarray
    scores: np.ndarray
    loadings: np.ndarray
    carried: np.ndarray


def make_cohort(scenario: str, seed: int) -> Cohort:
    """Draw a cohort of a scenario.

    * "prior": sharing and means from the prior of the model.
    * "shared": sharing of 1/2, no means.
    * "noise": no factors.
    * "nested": two shared factors, and one of the second arm whose loadings are a mixture of both.
    * "means": four factors with neither difference, a difference between means, the spread of one
      arm only, or both.
    * "regions": as "prior", but the features are the edges of 30 regions in 4 networks, and errors
      of edges that share a region correlate by 0.15.
    """
    rng = np.random.default_rng([seed, sum(map(ord, scenario))])
    k = {"noise": 0, "many-noise": 0, "means": 4}.get(scenario, 3)
    sharing, mean = np.full((2, k), 0.5), np.zeros((2, k))
    if scenario in ("prior", "regions", "many"):
        sharing = rng.dirichlet([CONCENTRATION] * 2, size=k).T
        mean = MEAN_SCALE * rng.normal(size=(2, k))
    elif scenario == "nested":
        sharing[:, 2] = [0.0, 1.0]
    elif scenario == "means":
        mean[1, [1, 3]] = 1.2
        sharing[:, 2:] = [[0.0], [1.0]]
        mean[1, 3] = 1.2
    regions = scenario == "regions"
    block = network_blocks() if regions else np.repeat(np.arange(N_BLOCKS), PER_BLOCK)
    scale = np.zeros((N_BLOCKS, k))
    for f in range(k):
        carrying = rng.choice(N_BLOCKS, BLOCKS_PER_FACTOR, replace=False)
        scale[carrying, f] = rng.uniform(0.3, 0.7, BLOCKS_PER_FACTOR)
    loadings = scale[block] * rng.normal(size=(block.size, k))
    if scenario == "nested":
        mixed = loadings[:, :2] @ rng.normal(size=2)
        loadings[:, 2] = mixed * 0.3 / np.sqrt((mixed**2).mean())
    arm = np.repeat([0, 1], people_of(scenario))
    spread = np.sqrt(2 * sharing)[arm]
    scores = mean[arm] + spread * rng.normal(size=(arm.size, k))
    noise = rng.normal(size=(arm.size, block.size))
    if regions:
        common = rng.normal(size=(arm.size, REGIONS))[:, ENDS].sum(axis=1)
        noise = np.sqrt(1 - 2 * RHO) * noise + np.sqrt(RHO) * common
    y = scores @ loadings.T + noise
    coords = {
        "subject": [f"sub-{s:03d}" for s in range(arm.size)],
        "feature": [f"e{p:04d}" for p in range(block.size)],
        "arm": ("subject", np.array(ARMS)[arm]),
        "block": ("feature", np.array([f"B{b:02d}" for b in block])),
    }
    features = xr.Dataset({"y": (("subject", "feature"), y)}, coords, {"units": "z"})
    return Cohort(features, sharing, mean, scores, loadings, scale[block] > 0)
