"""A result whose draws are known scores, so that nothing has to be sampled."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.specs import SharedSpecificSpec

ARMS = ("SNRI", "SSRI")
BLOCKS = ("A-A", "A-B", "B-B")
SYMPTOM_WEIGHT = np.array([0.8, 0.0, -0.5])
SYMPTOM_NOISE = 0.6


@dataclass(frozen=True)
class Made:
    """A fit whose posterior is the truth, subjects who were not in it, and their true scores."""

    idata: xr.DataTree
    training: xr.Dataset
    new: xr.Dataset
    symptoms: pd.DataFrame
    scores: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray
    tau: np.ndarray


def _subjects(rng: np.random.Generator, n: int, start: int, sites: tuple[str, ...]) -> pd.DataFrame:
    """Arm, site and age of subjects, whose names count from `start`."""
    return pd.DataFrame(
        {
            "arm": np.array(ARMS)[np.arange(n) % 2],
            "site": np.array(sites)[(np.arange(n) // 2) % len(sites)],
            "age": rng.normal(40, 10, n),
        },
        index=[f"sub-{i:03d}" for i in range(start, start + n)],
    )


def make_fit(
    *,
    n: int = 40,
    n_new: int = 20,
    p: int = 90,
    seed: int = 0,
    draws: int = 50,
    covariates: tuple[str, ...] = ("site", "age"),
    site_sd: float = 0.8,
    n_sites: int = 2,
    scale: float = 1.0,
) -> Made:
    """Make a fit of three factors (shared, SNRI, SSRI) over three blocks."""
    rng = np.random.default_rng(seed)
    sites = tuple("abcdefghij"[:n_sites])
    subjects = pd.concat([_subjects(rng, n, 0, sites), _subjects(rng, n_new, n, sites)])
    sharing = np.array([[0.5, 1.0, 0.0], [0.5, 0.0, 1.0]])
    code = (subjects["arm"] == "SSRI").to_numpy().astype(int)
    scores = np.sqrt(2 * sharing)[code] * rng.normal(size=(n + n_new, 3))
    block = np.arange(p) % 3
    noise, relative = np.array([0.7, 1.0, 1.3]), np.exp(rng.normal(0, 0.2, p))
    for b in range(3):
        relative[block == b] /= np.sqrt((relative[block == b] ** 2).mean())
    tau = scale * np.array([[0.8, 0.05, 0.4], [0.3, 0.6, 0.05], [0.05, 0.4, 0.7]])
    sd = noise[block] * relative
    loadings = sd[:, None] * tau[block] * rng.normal(size=(p, 3))
    level = {s: rng.normal(0, site_sd, p) for s in sites}
    mean = rng.normal(size=p) + 0.02 * subjects["age"].to_numpy()[:, None] * rng.normal(size=p)
    mean = mean + np.stack([sd * level[s] for s in subjects["site"]])
    y = mean + scores @ loadings.T + sd * rng.normal(size=(n + n_new, p))
    rating = 10 + 4 * (scores @ SYMPTOM_WEIGHT + SYMPTOM_NOISE * rng.normal(size=n + n_new))
    features = xr.Dataset(
        {"y": (("subject", "feature"), y)},
        coords={
            "subject": subjects.index.to_numpy(dtype=str),
            "feature": [f"e{j}" for j in range(p)],
            "block": ("feature", np.array(BLOCKS)[block]),
            **{c: ("subject", v.to_numpy(dtype=str if c != "age" else float))
               for c, v in subjects.items()},
        },
        attrs={"units": "z", "reference": "z against 9 controls"},
    )  # fmt: skip
    symptoms = pd.DataFrame({"retardation": rating}, index=subjects.index)
    training = features.isel(subject=slice(n))
    idata = _tree(training, covariates, scores[:n], sharing, tau, noise, relative, draws,
                  symptom_sd=float(rating[:n].std(ddof=1)))  # fmt: skip
    return Made(idata, training, features.isel(subject=slice(n, None)), symptoms, scores[n:],
                loadings, sd, tau)  # fmt: skip


def _tree(
    training: xr.Dataset,
    covariates: tuple[str, ...],
    scores: np.ndarray,
    sharing: np.ndarray,
    tau: np.ndarray,
    noise: np.ndarray,
    relative: np.ndarray,
    draws: int,
    *,
    symptom_sd: float,
) -> xr.DataTree:
    """Repeat the true values as draws, in the groups that readers of a result need."""
    table = pd.DataFrame({c: training[c].values for c in covariates})
    design = pd.DataFrame({"intercept": np.ones(len(scores))})
    for c in covariates:
        if c == "age":
            design[c] = (table[c] - table[c].mean()) / table[c].std()
        else:
            for level in sorted(set(table[c]))[1:]:
                design[f"{c}={level}"] = (table[c] == level).astype(float)

    def repeat(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, (2, draws // 2, *x.shape)).copy()

    coords = {
        "subject": training["subject"].values, "factor": ["F1", "F2", "F3"], "arm": list(ARMS),
        "block": list(BLOCKS), "symptom": ["retardation"],
    }  # fmt: skip
    lead = ("chain", "draw")
    posterior = xr.Dataset(
        {
            "scores": ((*lead, "subject", "factor"), repeat(scores)),
            "sharing": ((*lead, "arm", "factor"), repeat(sharing)),
            "block_scale": ((*lead, "block", "factor"), repeat(tau)),
            "noise": ((*lead, "block"), repeat(noise)),
            "symptom_weight": (
                (*lead, "factor", "symptom"), repeat(4 * SYMPTOM_WEIGHT[:, None] / symptom_sd)),
            "symptom_noise": ((*lead, "symptom"), repeat(np.array([4 * SYMPTOM_NOISE])/symptom_sd)),
        },
        coords={**coords, "chain": [0, 1], "draw": np.arange(draws // 2)},
    )  # fmt: skip
    basis = np.linalg.qr(design.to_numpy(), mode="complete")[0][:, design.shape[1] :]
    y = training["y"].values / relative
    of = training["block"].values
    cross = np.stack([basis.T @ y[:, of == b] @ y[:, of == b].T @ basis for b in BLOCKS])
    given = {c: training[c].variable for c in ("site", "age")}
    spec = SharedSpecificSpec(n_factors=3, covariates=covariates, symptoms=("retardation",))
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "loadings": xr.Dataset(
                coords={"feature": training["feature"].values, "block": training["block"].variable}
            ),
            "observed_data": xr.Dataset(
                {"features": (("block", "component", "component_2"), cross)}
            ),
            "constant_data": xr.Dataset(
                {
                    "arm": training["arm"].variable,
                    "design": (("subject", "covariate"), design.to_numpy()),
                    "feature_noise": ("feature", relative),
                },
                coords={"subject": coords["subject"], "covariate": list(design.columns), **given},
            ),
        }
    )
    tree.attrs.update(
        spec=json.dumps(spec.to_mapping()), units="z", reference="z against 9 controls"
    )
    return tree
