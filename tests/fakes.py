"""Results with random draws around a known truth, so that readers of results need no sampler."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from bayes_mdd.shared_specific.posterior.symptoms import UNITS

NETWORKS = {"DMN": 4, "CCN": 3, "Reward": 3}
#: Share of an arm's variance that each factor explains when all of its variance is in that arm.
EXPLAINED = (0.20, 0.14, 0.12, 0.001)
#: Arm of each factor: None for all arms, else its position.
OWNERS = (None, 0, 1, None)
#: Blocks in which each factor has loadings.
HOMES = (("DMN-DMN", "DMN-CCN"), ("CCN-CCN",), ("DMN-Reward", "Reward-Reward"), ())
SYMPTOMS = ("retardation", "cognitive")
WEIGHTS = np.array([[0.6, 0.0], [0.0, -0.4], [0.0, 0.0], [0.0, 0.0]])
#: Left out of the fake fit, with the reason.
EXCLUDED = {"sub-hc01": "healthy control", "sub-hc02": "healthy control", "sub-x01": "no arm"}


def make_regions() -> dict[str, tuple[str, object]]:
    """Coordinates of ten regions in three networks; atlas labels have gaps and no order."""
    network = [n for n, size in NETWORKS.items() for _ in range(size)]
    name = [f"{n}_{i + 1}" for n, size in NETWORKS.items() for i in range(size)]
    x = [-6.0, 6, -44, 46, -42, 44, 0, -10, 12, 2]
    y = [-50.0, 48, -66, -64, 30, 28, 20, 10, 12, 40]
    z = [28.0, 4, 34, 32, 30, 32, 44, -8, -8, -14]
    return {
        "region": ("region", np.array(name)),
        "region_network": ("region", np.array(network)),
        "region_x": ("region", np.array(x)),
        "region_y": ("region", np.array(y)),
        "region_z": ("region", np.array(z)),
        "region_label": ("region", np.array([31, 12, 7, 5, 22, 23, 40, 2, 9, 11])),
    }


def make_feature_coords(*, regional: bool = False) -> dict[str, tuple[str, object]]:
    """Coordinates of the feature axis: the 45 edges, or the ten regions themselves."""
    table = make_regions()
    names, nets = np.asarray(table["region"][1]), np.asarray(table["region_network"][1])
    if regional:
        own = {k: ("feature", table[f"region_{k}"][1]) for k in ("x", "y", "z", "network")}
        return {
            "feature": ("feature", names),
            "block": ("feature", nets),
            "region_name": ("feature", names),
            "kind": ("feature", np.full(len(names), "alff")),
            **own,
        }
    a, b = np.triu_indices(len(names), 1)
    pairs = list(zip(a, b, strict=True))
    return {
        "feature": (
            "feature",
            np.array([f"{names[i]}--{names[j]}" for i, j in pairs]),
        ),
        "block": ("feature", np.array([f"{nets[i]}-{nets[j]}" for i, j in pairs])),
        "region_a": ("feature", names[a]),
        "region_b": ("feature", names[b]),
        "network_a": ("feature", nets[a]),
        "network_b": ("feature", nets[b]),
        "kind": ("feature", np.full(len(a), "functional_connectivity")),
    }


def _sharing(
    rng: np.random.Generator, chains: int, draws: int, n_arms: int, *, fixed: bool
) -> np.ndarray:
    """Dirichlet draws around one arm, or around equal shares of all arms."""
    out = np.empty((chains, draws, n_arms, len(OWNERS)))
    for k, owner in enumerate(OWNERS):
        weight = np.full(n_arms, 1.0)
        if owner is not None and owner < n_arms:
            weight = np.eye(n_arms)[owner] + (0.0 if fixed else 0.005)
        spread = 0.8 if k == len(OWNERS) - 1 else 60.0
        mean = weight / weight.sum()
        out[..., k] = mean if fixed else rng.dirichlet(spread * mean, size=(chains, draws))
    return out


def _means(sizes: tuple[int, int], n_arms: int) -> np.ndarray:
    """Arms differ in the first factor, are equal in the second and uncertain in the others."""
    centre, spread = np.zeros((n_arms, len(OWNERS))), np.full(len(OWNERS), 0.2)
    centre[0, 0], spread[1] = 1.0, 0.01
    rng = np.random.default_rng(17)
    drawn = centre + spread * rng.normal(size=(*sizes, n_arms, len(OWNERS)))
    return drawn - drawn.mean(axis=2, keepdims=True)


def _posterior(
    rng: np.random.Generator,
    sizes: tuple[int, int],
    arms: Sequence[str],
    subjects: Sequence[str],
    blocks: Sequence[str],
    block_size: np.ndarray,
    *,
    symptoms: bool,
    fixed: bool,
    idle: Sequence[int],
) -> xr.Dataset:
    n_factors = len(OWNERS)
    factors = [f"F{k + 1}" for k in range(n_factors)]
    sharing = _sharing(rng, *sizes, len(arms), fixed=fixed)
    level = np.array([0.001 if k in idle else e for k, e in enumerate(EXPLAINED)])
    relative = sharing / sharing.max(axis=2, keepdims=True)
    explained = relative * level * rng.gamma(100.0, 0.01, size=(*sizes, 1, n_factors))
    home = np.array([[b in HOMES[k] for k in range(n_factors)] for b in blocks], dtype=float)
    home = home + 0.02
    in_block = home / (home * block_size[:, None]).sum(axis=0) * block_size.sum()
    in_block = np.minimum(explained[:, :, :, None, :] * in_block, 0.95)
    scale = np.sqrt(home * level) * rng.gamma(50.0, 0.02, size=(*sizes, len(blocks), n_factors))
    values: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "scores": (
            ("chain", "draw", "subject", "factor"),
            rng.normal(size=(*sizes, len(subjects), n_factors)),
        ),
        "sharing": (("chain", "draw", "arm", "factor"), sharing),
        "block_scale": (("chain", "draw", "block", "factor"), scale),
        "noise": (("chain", "draw", "block"), rng.gamma(400, 0.002, size=(*sizes, len(blocks)))),
        "arm_mean": (("chain", "draw", "arm", "factor"), _means(sizes, len(arms))),
        "explained": (("chain", "draw", "arm", "factor"), explained),
        "explained_block": (("chain", "draw", "arm", "block", "factor"), in_block),
    }
    if symptoms:
        jitter = 0.12 * rng.normal(size=(*sizes, *WEIGHTS.shape))
        values["symptom_weight"] = (("chain", "draw", "factor", "symptom"), WEIGHTS + jitter)
        values["symptom_noise"] = (
            ("chain", "draw", "symptom"),
            rng.gamma(400, 0.002, size=(*sizes, len(SYMPTOMS))),
        )
    coords = {
        "chain": np.arange(sizes[0]),
        "draw": np.arange(sizes[1]),
        "factor": factors,
        "arm": list(arms),
        "block": list(blocks),
        "subject": list(subjects),
    }
    if symptoms:
        coords["symptom"] = list(SYMPTOMS)
    return xr.Dataset(values, coords=coords)


def _with_links_by_arm(posterior: xr.Dataset, arms: Sequence[str]) -> xr.Dataset:
    """Weight of F1 in the first symptom: 1.0 in the first arm and 0.2 in the others."""
    deviation = np.zeros((len(arms), *WEIGHTS.shape))
    deviation[:, 0, 0] = -0.4 / max(1, len(arms) - 1)
    deviation[0, 0, 0] = 0.4
    by_arm = posterior["symptom_weight"] + xr.DataArray(
        deviation, dims=("arm", "factor", "symptom"), coords={"arm": list(arms)}
    )
    kinds = ("gaussian", "ordinal")
    return posterior.assign(
        symptom_weight_by_arm=by_arm.transpose("chain", "draw", "arm", "factor", "symptom")
    ).assign_coords(
        symptom_kind=("symptom", np.array(kinds)),
        symptom_unit=("symptom", np.array([UNITS[k] for k in kinds])),
    )


def _loadings(
    rng: np.random.Generator, *, regional: bool, coordinates: bool, chains: int, n_draws: int = 20
) -> xr.Dataset:
    coords = make_feature_coords(regional=regional)
    block = np.asarray(coords["block"][1])
    home = np.array([np.isin(block, HOMES[k]) for k in range(len(OWNERS))])
    if regional:
        parts = [[b.split("-")[0] for b in HOMES[k]] for k in range(len(OWNERS))]
        home = np.array([np.isin(block, part) for part in parts])
    truth = home * rng.normal(0.9, 0.3, size=home.shape) * rng.choice([-1, 1], size=home.shape)
    draws = truth + 0.15 * rng.normal(size=(n_draws, *truth.shape))
    lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
    dims = ("factor", "feature")
    region = make_regions()
    if not coordinates:
        region = {k: v for k, v in region.items() if k in ("region", "region_network")}
        coords = {k: v for k, v in coords.items() if k not in ("x", "y", "z")}
    return xr.Dataset(
        {
            "mean": (dims, draws.mean(axis=0)),
            "sd": (dims, draws.std(axis=0)),
            "lower": (dims, lower),
            "upper": (dims, upper),
            "p_positive": (dims, (draws > 0).mean(axis=0)),
            "loadings": (
                ("chain", "draw", *dims),
                draws[: n_draws // chains * chains]
                .reshape(chains, -1, *truth.shape)
                .astype("float32"),
            ),
        },
        coords={
            **coords,
            **region,
            "factor": [f"F{k + 1}" for k in range(len(OWNERS))],
            "chain": np.arange(chains),
            "draw": np.arange(n_draws // chains),
        },
        attrs={"ci_prob": 0.9, "ci_kind": "eti"},
    )


def _attrs(*, fixed: bool, symptoms: bool, regional: bool) -> dict[str, str]:
    spec = {
        "n_factors": len(OWNERS),
        "covariates": ["site"],
        "symptoms": list(SYMPTOMS) if symptoms else [],
        "sharing": {"shared": 2, "SSRI": 1, "SNRI": 1} if fixed else None,
        "sharing_concentration": 0.6,
    }
    sampler = {
        "seed": 1,
        "draws": 150,
        "tune": 200,
        "chains": 2,
        "backend": "nutpie",
        "target_accept": 0.85,
    }
    provenance = {
        "versions": {"bayes_mdd": "0.1.0", "pymc": "6.4.0", "nutpie": "0.16.11"},
        "seed": 1,
        "checksums": {"y": "ab" * 32},
        "seconds": 12.5,
        "n_excluded": len(EXCLUDED),
        "excluded": EXCLUDED,
        "command": "bayes-mdd fit models/shared_specific.yaml data/demo",
    }
    features = {"source": "matrices", "estimator": "empirical", "fisher_z": True, "n_files": 23}
    return {
        "spec": json.dumps(spec),
        "sampler": json.dumps(sampler),
        "provenance": json.dumps(provenance),
        "estimand": "expression",
        "units": "z" if regional else "fisher_z",
        "reference": "z against 2 controls, age+sex removed",
        "features_provenance": json.dumps(features),
    }


def _agreement(posterior: xr.Dataset, agrees: np.ndarray) -> xr.Dataset:
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    return xr.Dataset(
        {
            "match": (("chain", "factor"), np.where(agrees, 0.98, 0.4) * np.ones((chains, 1))),
            "rhat": ("factor", np.where(agrees, 1.002, 1.4)),
            "ess": ("factor", np.where(agrees, 0.8, 0.02) * chains * draws),
            "reproducible": ("factor", agrees),
        },
        coords={"factor": posterior["factor"], "chain": posterior["chain"]},
    )


def _constant(
    arm_of: Sequence[str], subjects: Sequence[str], blocks: Sequence[str], counts: np.ndarray
) -> xr.Dataset:
    sites = np.array(["A", "B"])[np.arange(len(subjects)) % 2]
    return xr.Dataset(
        {
            "arm": ("subject", np.array(arm_of)),
            "block_size": ("block", counts),
            "design": (("subject", "covariate"), np.c_[np.ones(len(sites)), sites == "B"]),
        },
        coords={
            "subject": list(subjects),
            "block": list(blocks),
            "covariate": ["intercept", "site[B]"],
            "site": ("subject", sites),
        },
    )


def _sample_stats(rng: np.random.Generator, posterior: xr.Dataset) -> xr.Dataset:
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    return xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros(shape, dtype=bool)),
            "energy": (("chain", "draw"), rng.normal(500.0, 10.0, size=shape)),
            "n_steps": (("chain", "draw"), np.full(shape, 15)),
        },
        coords={"chain": posterior["chain"], "draw": posterior["draw"]},
    )


def make_fake_idata(
    *,
    seed: int = 1,
    chains: int = 2,
    draws: int = 150,
    arms: Sequence[str] = ("SSRI", "SNRI"),
    per_arm: int = 12,
    symptoms: bool = True,
    fixed: bool = False,
    regional: bool = False,
    coordinates: bool = True,
    disagreeing: Sequence[str] = (),
    idle: Sequence[int] = (),
    links: str = "common",
) -> xr.DataTree:
    """Make a plausible result of `fit`: F1 shared, F2 and F3 specific, F4 unused.

    Parameters
    ----------
    seed, chains, draws
        Seed, and numbers of chains and draws.
    arms
        Names of the arms; F2 is specific to the first, F3 to the second.
    per_arm
        Number of subjects of the first arm; each later arm has one fewer.
    symptoms
        Whether the fit had symptoms.
    fixed
        Whether the sharing pattern is fixed (constant draws).
    regional
        Regions instead of edges as features.
    coordinates
        Whether regions have MNI coordinates and atlas labels.
    disagreeing
        Factors that the chains do not agree on.
    idle
        Positions of factors that explain nothing, in addition to F4.
    links
        ``"by_arm"`` makes the second symptom an ordinal item and adds weights by arm, which
        differ for F1 with the first symptom only.

    Returns
    -------
    xarray.DataTree
        In the layout of `bayes_mdd.workflow.fit`.
    """
    rng = np.random.default_rng(seed)
    arm_of = [a for i, a in enumerate(arms) for _ in range(per_arm - i)]
    subjects = [f"sub-{i + 1:03d}" for i in range(len(arm_of))]
    loadings = _loadings(rng, regional=regional, coordinates=coordinates, chains=chains)
    of_block = loadings["block"].values.tolist()
    blocks = list(dict.fromkeys(of_block))
    counts = np.array([of_block.count(b) for b in blocks])
    posterior = _posterior(
        rng,
        (chains, draws),
        arms,
        subjects,
        blocks,
        counts,
        symptoms=symptoms,
        fixed=fixed,
        idle=idle,
    )
    if links == "by_arm":
        posterior = _with_links_by_arm(posterior, arms)
    agrees = np.array([f not in disagreeing for f in posterior["factor"].values])
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "loadings": loadings,
            "factors": _agreement(posterior, agrees),
            "constant_data": _constant(arm_of, subjects, blocks, counts),
            "sample_stats": _sample_stats(rng, posterior),
        }
    )
    tree.attrs.update(_attrs(fixed=fixed, symptoms=symptoms, regional=regional))
    return tree


def with_reliability(idata: xr.DataTree, **sources: Sequence[float]) -> xr.DataTree:
    """Add draws of reliability within 0.02 of these values, one for each factor, by source."""
    spread = np.linspace(-0.02, 0.02, 41)[:, None]
    draws = np.stack([np.asarray(v, dtype=float) + spread for v in sources.values()])
    out = idata.copy()
    out["reliability"] = xr.DataTree(
        xr.Dataset(
            {"draws": (("source", "reliability_draw", "factor"), draws)},
            coords={
                "source": np.array(list(sources), dtype=object),
                "factor": idata["posterior"]["factor"].values,
            },
        )
    )
    return out


def with_ratings(idata: xr.DataTree) -> xr.DataTree:
    """Add raw ratings of both symptoms, as whole numbers; the third subject has none."""
    subjects = idata["posterior"]["subject"].values
    rng = np.random.default_rng(3)
    rating = rng.integers(0, 13, size=(len(subjects), len(SYMPTOMS))).astype(float)
    rating[2] = np.nan
    out = idata.copy()
    out["observed_data"] = xr.DataTree(
        xr.Dataset(
            {"symptoms": (("subject", "dimension"), rating)},
            coords={"subject": subjects, "dimension": list(SYMPTOMS)},
        )
    )
    return out
