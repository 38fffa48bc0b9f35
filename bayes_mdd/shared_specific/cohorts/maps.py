"""Groups of a combined result: loadings and symptom weights."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, BLOCK, FACTOR, FEATURE, LOADING_DRAW, REGION, SYMPTOM
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.cohorts.combined import COHORT, Combined
from bayes_mdd.shared_specific.cohorts.normal import combine_normal
from bayes_mdd.shared_specific.schema import LOADING_UNIT
from bayes_mdd.types import Array

#: Scales of the half-normal priors of SDs between cohorts: loadings, in units of the SD of those of
#: their block that are not zero; symptom weights, in SD of the symptom.
MAP_SCALE: Final = 0.3
WEIGHT_SCALE: Final = 0.1
#: Scale of the half-Cauchy prior of the symptom weights, as in the model of one cohort.
SYMPTOM_OVERALL: Final = 0.2
#: Draws of whole maps.
MAP_DRAWS: Final = 200


def group_loadings(
    found: Combined,
    first: xr.Dataset,
    unit: Array | None,
    share: float,
    relative: float,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Combine the maps of the patterns: their shape over features, times their size.

    Parameters
    ----------
    found : Combined
        Aligned estimates and draws.
    first : Dataset
        Summary of the first cohort, for the metadata of the features.
    unit : ndarray of shape (feature,), or None
        SD of the features in the reference subjects of all cohorts.
    share : float
        Effective over actual number of features.
    relative : float
        Factor of the scale of the SD between cohorts; 0: cohorts do not differ.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    Dataset
        Group ``loadings``.
    """
    block = np.unique(first[BLOCK].values.astype(str), return_inverse=True)[1]
    mu = found.draws.log_variance.reshape(-1, *found.draws.log_variance.shape[2:])
    rows = rng.choice(len(mu), MAP_DRAWS, replace=len(mu) < MAP_DRAWS)
    variance = np.exp(mu[rows])
    p, n_patterns = block.size, len(found.patterns)
    maps = np.empty((MAP_DRAWS, n_patterns, p), dtype=np.float32)
    between = np.empty((MAP_DRAWS, n_patterns))
    inclusion = np.ones((n_patterns, p))
    sparse = json.loads(first.attrs["spec"]).get("edge_prior") == "spike_slab"
    for k in range(n_patterns):
        of = [c for c in found.aligned.cohorts if c.found[k]]
        size = np.sqrt([c.size[k] for c in of])[:, None]
        drawn = combine_normal(
            np.stack([c.loading[k] for c in of]) / size,
            np.stack([c.loading_se[k] for c in of]) / size,
            block,
            rng,
            scale=MAP_SCALE * relative if len(of) > 1 else 0.0,
            relative=True,
            sparse=sparse,
            weight=share,
            draws=MAP_DRAWS,
        )
        inclusion[k] = drawn.inclusion
        maps[:, k] = drawn.mean * np.sqrt(variance[:, k].mean(axis=1))[:, None]
        between[:, k] = drawn.between if len(of) > 1 else np.nan
    tail = (1 - RULES.ci_prob) / 2
    arm_scale = np.sqrt(variance / variance.mean(axis=2, keepdims=True))
    values: dict[str, Any] = {}
    for name, value in _summary(maps, tail).items():
        values[name] = ((FACTOR, FEATURE), value)
    if sparse:
        values["inclusion"] = ((FACTOR, FEATURE), inclusion)
    by_arm = [_summary(maps * arm_scale[:, :, [a]], tail) for a in range(len(found.arms))]
    for name in ("mean", "lower", "upper"):
        values[f"arm_{name}"] = ((ARM, FACTOR, FEATURE), np.stack([s[name] for s in by_arm]))
    values["loadings"] = ((LOADING_DRAW, FACTOR, FEATURE), maps)
    values["between"] = ((LOADING_DRAW, FACTOR), between)
    out = xr.Dataset(
        values,
        coords={
            **{n: c for n, c in first.coords.items() if c.dims in ((FEATURE,), (REGION,))},
            FACTOR: found.patterns,
            ARM: found.arms,
        },
        attrs={"ci_prob": RULES.ci_prob, "ci_kind": "equal-tailed", "units": LOADING_UNIT},
    )
    if unit is not None:
        out = out.assign_coords(raw_sd=(FEATURE, unit))
    return out


def _summary(draws: Any, tail: float) -> dict[str, Array]:
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0, method="weibull")
    return {
        "mean": draws.mean(axis=0, dtype=float),
        "sd": draws.std(axis=0, dtype=float),
        "lower": low,
        "upper": high,
        "p_positive": (draws > 0).mean(axis=0),
    }


def group_symptoms(
    found: Combined, symptoms: list[str], relative: float, rng: np.random.Generator
) -> xr.Dataset:
    """Combine the weights of the patterns in the symptom dimensions.

    Parameters
    ----------
    found : Combined
        Aligned estimates.
    symptoms : list of str
        Names of the dimensions.
    relative : float
        Factor of the scale of the SD between cohorts.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    Dataset
        Group ``symptoms``.
    """
    x = np.stack([c.weight for c in found.aligned.cohorts])
    se = np.stack([c.weight_se for c in found.aligned.cohorts])
    se = np.where(found.sizes.found[:, :, None], se, np.inf)
    known = np.isfinite(se).any(axis=0).ravel()
    flat = (len(found.names), -1)
    drawn = combine_normal(
        x.reshape(flat)[:, known],
        se.reshape(flat)[:, known],
        np.zeros(int(known.sum()), dtype=int),
        rng,
        scale=WEIGHT_SCALE * relative,
        relative=False,
        draws=4 * MAP_DRAWS,
        half_cauchy=SYMPTOM_OVERALL,
    )
    shape = (len(found.patterns), len(symptoms))
    tail = (1 - RULES.ci_prob) / 2
    values: dict[str, Any] = {}
    for prefix, of in (("", drawn.mean), ("new_", drawn.new)):
        for name, value in _summary(of, tail).items():
            full = np.full(known.size, np.nan)
            full[known] = value
            values[f"{prefix}{name}"] = ((FACTOR, SYMPTOM), full.reshape(shape))
    return xr.Dataset(
        {
            **values,
            "estimate": ((COHORT, FACTOR, SYMPTOM), np.where(np.isfinite(se), x, np.nan)),
            "estimate_se": ((COHORT, FACTOR, SYMPTOM), np.where(np.isfinite(se), se, np.nan)),
            "between": ("symptom_draw", drawn.between),
        },
        coords={FACTOR: found.patterns, SYMPTOM: symptoms, COHORT: found.names},
        attrs={"units": "SD of the symptom over all cohorts per SD of the score"},
    )
