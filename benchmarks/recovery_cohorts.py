"""Cohorts with known loadings for the recovery benchmark, in the unit that both tools receive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

ARMS = ("SNRI", "SSRI")
N_NODES, N_NETWORKS, N_SHARED = 51, 7, 3
#: Share of an arm's variance that a shared and a specific factor explain.
STRENGTHS = {"strong": (0.10, 0.10), "weak": (0.06, 0.03)}
BLOCKS_PER_FACTOR = 6
NONZERO = 0.3


@dataclass(frozen=True)
class Kind:
    """A kind of cohort.

    `loadings` "block": a factor occupies 6 of 28 network pairs, with a mean and a spread in each.
    "edge": 30% of all edges at random. "both": half of the edges of 6 network pairs.
    """

    loadings: str
    strength: str = "strong"
    people: tuple[int, int] = (31, 31)
    site_shift: float = 0.0
    noise_df: float | None = None


KINDS = {
    "block-strong": Kind("block"),
    "block-weak": Kind("block", "weak"),
    "edge-strong": Kind("edge"),
    "edge-weak": Kind("edge", "weak"),
    "both-strong": Kind("both"),
    "unequal": Kind("block", people=(24, 38)),
    "site": Kind("block", site_shift=0.5),
    "t-noise": Kind("block", noise_df=4.0),
    "messy": Kind("block", people=(24, 38), site_shift=0.5, noise_df=4.0),
    "messy-edge-weak": Kind("edge", "weak", (24, 38), 0.5, 4.0),
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """Standardised features, and the true loadings in the same unit.

    `shared` (feature, 3) and `specific` {arm: (feature, 1)} refer to scores of variance 1 in the
    arms that have the factor. In `peer_y` site means are removed, which mofapy2 does not support.
    `scores` (subject, factor) are the true scores, shared factors first. `expected` (subject,
    feature) holds the features without factors and noise, `noise` (feature,) the SD of the noise.
    """

    features: xr.Dataset
    peer_y: np.ndarray
    shared: np.ndarray
    specific: dict[str, np.ndarray]
    scores: np.ndarray
    expected: np.ndarray
    noise: np.ndarray


def make_cohort(kind: Kind, seed: int) -> Cohort:
    """Draw a cohort of a kind."""
    rng = np.random.default_rng(seed)
    network = np.sort(np.arange(N_NODES) % N_NETWORKS)
    i, j = np.triu_indices(N_NODES, 1)
    block = np.array([f"N{a + 1}-N{b + 1}" for a, b in zip(network[i], network[j], strict=True)])
    arm = np.repeat(np.arange(2), kind.people)
    n, p, k = arm.size, block.size, N_SHARED + len(ARMS)
    loadings = np.column_stack([_loadings(rng, kind.loadings, block) for _ in range(k)])
    share = np.array([STRENGTHS[kind.strength][0]] * N_SHARED + [STRENGTHS[kind.strength][1]] * 2)
    left = 1 - share[: N_SHARED + 1].sum()
    loadings *= np.sqrt(share / left / (loadings**2).mean(axis=0))
    scores = rng.normal(size=(n, k))
    for a in range(len(ARMS)):
        scores[arm != a, N_SHARED + a] = 0.0
    noise = rng.normal(size=(n, p))
    if kind.noise_df is not None:
        noise = rng.standard_t(kind.noise_df, (n, p)) * np.sqrt(1 - 2 / kind.noise_df)
    site = np.concatenate([rng.permutation(np.arange(m) % 2) for m in kind.people])
    expected = kind.site_shift * rng.normal(size=(2, p))[site]
    y = scores @ loadings.T + noise + expected
    mean, sd = y.mean(axis=0), y.std(axis=0, ddof=1)
    y = (y - mean) / sd
    truth = loadings / sd[:, None]
    coords = {
        "subject": [f"sub-{s:03d}" for s in range(n)],
        "feature": [f"R{a:02d}--R{b:02d}" for a, b in zip(i, j, strict=True)],
        "arm": ("subject", np.array(ARMS)[arm]),
        "block": ("feature", block),
    }
    peer_y = y
    if kind.site_shift:
        coords["site"] = ("subject", np.array(["s1", "s2"])[site])
        peer_y = y - np.stack([y[site == s].mean(axis=0) for s in range(2)])[site]
    return Cohort(
        features=xr.Dataset({"y": (("subject", "feature"), y)}, coords, {"units": "z"}),
        peer_y=peer_y,
        shared=truth[:, :N_SHARED],
        specific={name: truth[:, [N_SHARED + a]] for a, name in enumerate(ARMS)},
        scores=scores,
        expected=(expected - mean) / sd,
        noise=1 / sd,
    )


def _loadings(rng: np.random.Generator, how: str, block: np.ndarray) -> np.ndarray:
    out = np.zeros(block.size)
    if how == "edge":
        at = rng.random(block.size) < NONZERO
        out[at] = rng.normal(size=at.sum())
        return out
    for b in rng.choice(np.unique(block), BLOCKS_PER_FACTOR, replace=False):
        at = np.flatnonzero(block == b)
        out[at] = rng.normal(0, 0.5) + rng.normal(0, 0.3, at.size)
        if how == "both":
            out[rng.permutation(at)[: at.size // 2]] = 0.0
    return out
