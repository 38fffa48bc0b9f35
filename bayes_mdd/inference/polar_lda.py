"""Polar LDA from a FeatureSet: people, counts, fit, and what must be shown beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayes_mdd.cohort import check_design
from bayes_mdd.dims import (
    ARM,
    BLOCK,
    CHAIN,
    CONTROL,
    DIAGNOSIS,
    DRAW,
    FACTOR,
    FEATURE,
    MISSING,
    REGION,
    SUBJECT,
)
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.polar_lda import (
    bootstrap_maps,
    fit_counts,
    make_counts,
    null_run,
    posterior_overlap,
    published_overlap,
    token_sensitivity,
)
from bayes_mdd.polar_lda.weakness import nominal_sd
from bayes_mdd.specs import PolarLDASpec, SamplerSpec

Array = NDArray[np.float64]

#: Value of the attribute ``model`` of a result, by which readers know what they hold.
KIND = "polar_lda"
#: A factor is reproducible when restarts find its map with at least this mean correlation.
MATCH_MIN = 0.9
MAP_UNITS = "signed share of the factor's tokens, in multiples of an even share (1 / edges)"


@dataclass(frozen=True, eq=False)
class PolarData:
    """The people of a fit and their counts.

    Parameters
    ----------
    features : Dataset
        The part of the FeatureSet that is fitted.
    counts : ndarray of int, shape (subject, feature)
        Signed counts.
    excluded : mapping of str to str
        People who are not fitted, with the reason.
    """

    features: xr.Dataset
    counts: NDArray[np.int32]
    excluded: dict[str, str]

    @property
    def arm(self) -> NDArray[np.str_]:
        """Arm of each person."""
        return np.asarray(self.features[ARM].values.astype(str))

    @property
    def blocks(self) -> NDArray[np.str_]:
        """Block of each feature."""
        return np.asarray(self.features[BLOCK].values.astype(str))


def prepare_counts(spec: PolarLDASpec, features: xr.Dataset) -> PolarData:
    """Select the people with a known arm and count their deviations.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    features : Dataset
        A FeatureSet from `reference_to_controls`.

    Returns
    -------
    PolarData
        What is fitted.

    Raises
    ------
    DataContractError
        If features are not standardised against what the spec asks for, or people or counts
        cannot serve.
    SpecError
        If there are more factors than people.
    """
    _check_reference(spec, features)
    arm = features[ARM].values.astype(str)
    control = (
        features[DIAGNOSIS].values.astype(str) == CONTROL
        if DIAGNOSIS in features.coords
        else np.zeros(arm.size, dtype=bool)
    )
    keep = (arm != MISSING) & ~control
    names = features[SUBJECT].values.astype(str)
    if not keep.any():
        raise DataContractError(
            "people to fit", ["nobody has a known arm: give arms in participants.tsv."]
        )
    chosen = features.isel({SUBJECT: np.flatnonzero(keep)})
    people = pd.DataFrame(
        {str(c): chosen[c].values for c in chosen.coords if chosen[c].dims == (SUBJECT,)}
    ).set_index(SUBJECT)
    check_design(people, [])
    if spec.n_factors > len(people):
        raise SpecError(
            f"model.n_factors is {spec.n_factors}, but only {len(people)} people have an arm: "
            "ask for fewer factors."
        )
    counts = make_counts(chosen["y"].values, scale=spec.scale, rounding=spec.rounding)
    _check_counts(spec, chosen, counts)
    excluded = {
        str(s): "control, used as reference only" if c else "no known arm"
        for s, c in zip(names[~keep], control[~keep], strict=True)
    }
    return PolarData(chosen, counts, excluded)


def _check_reference(spec: PolarLDASpec, features: xr.Dataset) -> None:
    stated = str(features.attrs.get("reference", "not stated"))
    if stated.startswith("z against"):
        return
    if stated.startswith("z within"):
        if spec.reference == "patients":
            return
        problem = (
            f"there are no controls (the features say: {stated}), and polar LDA counts deviations "
            "from controls. Add controls (diagnosis HC), or set model.reference to patients: hyper "
            "and hypo then mean more and less than the average patient."
        )
    else:
        problem = (
            f"the features are not standardised (their reference: {stated}). Pass them through "
            "reference_to_controls first; counts are tokens a SD of the controls."
        )
    raise DataContractError("reference", [problem])


def _check_counts(spec: PolarLDASpec, chosen: xr.Dataset, counts: NDArray[np.int32]) -> None:

    problems = []
    empty = ~counts.any(axis=1)
    if empty.any():
        problems.append(
            f"no edge of {some(chosen[SUBJECT].values[empty])} is half a token from the controls: "
            "a person without tokens has no composition. Leave them out, or raise model.scale."
        )
    absent = ~counts.any(axis=0)
    if absent.any() and spec.absent_edges == "raise":
        problems.append(
            f"{int(absent.sum())} feature(s) have no token in anybody: "
            f"{some(chosen[FEATURE].values[absent])}. Leave them out, raise model.scale, or set "
            "model.absent_edges to keep."
        )
    if problems:
        raise DataContractError("counts", problems)


def fit_polar_lda(
    spec: PolarLDASpec, data: PolarData, sampler: SamplerSpec, *, progressbar: bool
) -> tuple[xr.DataTree, dict[str, float]]:
    """Fit, and gather everything that must be seen beside the fit.

    Parameters
    ----------
    spec : PolarLDASpec
        The model.
    data : PolarData
        From `prepare_counts`.
    sampler : SamplerSpec
        Seed and intervals; with ``method="full_bayes"`` also draws and chains.
    progressbar : bool
        Whether the sampler shows one.

    Returns
    -------
    idata : DataTree
        Groups ``posterior``, ``loadings``, ``factors``, ``blocks``, ``model``, ``restarts``,
        ``null``, ``sensitivity``, ``constant_data``.
    seconds : dict of str to float
        How long each part took.
    """
    clock = _Clock()
    model = fit_counts(
        data.counts,
        spec.n_factors,
        spec.n_restarts,
        sampler.seed,
        choose_by=spec.choose_by,
        tolerance=1e-8,
        absent_edges=spec.absent_edges,
    )
    clock.lap("variational_em")
    null = null_run(data.counts, spec.n_factors, n_null=spec.n_null, seed=sampler.seed)
    clock.lap("null")
    sensitivity = token_sensitivity(data.features["y"].values, model, rounding=spec.rounding)
    clock.lap("sensitivity")
    if spec.method == "full_bayes":
        from bayes_mdd.inference.composition import sample_composition

        groups = sample_composition(spec, data, model, sampler, progressbar=progressbar)
        clock.lap("compile_and_sample")
    else:
        groups = _bootstrap(spec, data, model, sampler)
        clock.lap("bootstrap")
    idata = xr.DataTree.from_dict(
        {
            **groups,
            "model": _labelled(model, data),
            "restarts": model[["restart_elbo", "restart_agreement", "restart_match"]],
            "null": null,
            "sensitivity": sensitivity.set_index("scale").to_xarray(),
            "constant_data": _constant(data),
        }
    )
    idata.attrs.update(model=KIND, method=spec.method)
    return idata, clock.seconds


class _Clock:
    """Seconds since the lap before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._at, 2)
        self._at = now


def _bootstrap(
    spec: PolarLDASpec, data: PolarData, model: xr.Dataset, sampler: SamplerSpec
) -> dict[str, xr.Dataset]:
    """Uncertainty of the fitted solution from resampled people, within arms."""
    boot = bootstrap_maps(
        data.counts,
        model,
        blocks=data.blocks.tolist(),
        strata=data.arm.tolist(),
        n_resamples=spec.n_resamples,
        seed=sampler.seed,
    )
    theta = boot["composition_draws"].values[None].astype(np.float64)
    posterior = xr.Dataset(
        {
            "composition": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "scores": ((CHAIN, DRAW, SUBJECT, FACTOR), theta),
            "arm_expression": ((CHAIN, DRAW, ARM, FACTOR), boot["arm_draws"].values[None]),
        },
        coords={
            CHAIN: [0],
            DRAW: np.arange(spec.n_resamples),
            SUBJECT: data.features[SUBJECT].values.astype(object),
            ARM: boot[ARM].values,
            FACTOR: boot[FACTOR].values,
        },
        attrs={
            "draws_are": "bootstrap resamples of people, each refitted; not posterior draws",
            "nominal_sd": float(np.sqrt((nominal_sd(model["gamma"].values) ** 2).mean())),
        },
    )
    n = data.counts.shape[1]
    draws = boot["map_draws"].values.astype(np.float64) * n
    loadings = summarise_maps(draws, data, sampler, kind="bootstrap percentile")
    loadings["mean"] = ((FACTOR, FEATURE), boot["map"].values * n)
    rule, joint = published_overlap(boot), posterior_overlap(boot["block_draws"])
    return {
        "posterior": posterior,
        "loadings": loadings,
        "factors": judge_restarts(model),
        "blocks": blocks_group(boot["block_map"] * n, rule, joint),
    }


def summarise_maps(draws: Array, data: PolarData, sampler: SamplerSpec, *, kind: str) -> xr.Dataset:
    """Mean, spread and sign of maps over draws, with the metadata of the features.

    Parameters
    ----------
    draws : ndarray, shape (draw, factor, feature)
        Maps in multiples of an even share.
    data : PolarData
        For the features.
    sampler : SamplerSpec
        For the intervals.
    kind : str
        What the intervals are.

    Returns
    -------
    Dataset
        The group ``loadings``.
    """
    tail = (1 - sampler.ci_prob) / 2
    lower, upper = np.quantile(draws, [tail, 1 - tail], axis=0)
    values = {
        "mean": draws.mean(axis=0),
        "sd": draws.std(axis=0, ddof=1),
        "lower": lower,
        "upper": upper,
        "p_positive": (draws > 0).mean(axis=0) + 0.5 * (draws == 0).mean(axis=0),
    }
    described = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims in ((FEATURE,), (REGION,))
    }
    return xr.Dataset(
        {name: ((FACTOR, FEATURE), x) for name, x in values.items()},
        coords={**described, FACTOR: [f"F{k + 1}" for k in range(draws.shape[1])]},
        attrs={"ci_prob": sampler.ci_prob, "ci_kind": kind, "units": MAP_UNITS},
    )


def judge_restarts(model: xr.Dataset) -> xr.Dataset:
    """Judge for each factor whether other random starts find it too.

    Parameters
    ----------
    model : Dataset
        From `fit_counts`.

    Returns
    -------
    Dataset
        The group ``factors``: ``match`` and ``reproducible``.
    """
    match = model["restart_match"].values
    others = np.delete(match, int(model.attrs["chosen_restart"]), axis=0).mean(axis=0)
    return xr.Dataset(
        {"match": ((FACTOR,), others), "reproducible": ((FACTOR,), others >= MATCH_MIN)},
        coords={FACTOR: model[FACTOR].values},
        attrs={"match_min": MATCH_MIN},
    )


def blocks_group(value: xr.DataArray, rule: xr.Dataset | None, joint: xr.Dataset) -> xr.Dataset:
    """Gather what is known of blocks.

    Parameters
    ----------
    value : DataArray
        Mean map of each block (factor, block), in multiples of an even share.
    rule : Dataset or None
        From `published_overlap`; None where there is no bootstrap.
    joint : Dataset
        From `posterior_overlap`.

    Returns
    -------
    Dataset
        The group ``blocks``.
    """
    found = joint.rename(unique="joint_unique", shared="joint_shared").assign(map=value)
    if rule is not None:
        found = found.assign(
            z=rule["z"],
            rule_unique=rule["unique"],
            rule_conjunction=rule["conjunction"],
            rule_all=rule["all_factors"],
        )
    return found.assign_attrs(joint.attrs)


def _labelled(model: xr.Dataset, data: PolarData) -> xr.Dataset:
    kept = model[["beta", "rho", "map", "composition", "gamma", "history"]]
    named = kept.rename(person=SUBJECT, edge=FEATURE)
    return named.assign_coords(
        {
            SUBJECT: data.features[SUBJECT].values.astype(object),
            FEATURE: data.features[FEATURE].values.astype(object),
        }
    )


def _constant(data: PolarData) -> xr.Dataset:
    people = {
        str(name): c.variable
        for name, c in data.features.coords.items()
        if c.dims == (SUBJECT,) and name not in (SUBJECT, ARM)
    }
    tokens = np.abs(data.counts.astype(np.int64)).sum(axis=1)
    return xr.Dataset(
        {ARM: ((SUBJECT,), data.arm.astype(object)), "tokens": ((SUBJECT,), tokens)},
        coords={SUBJECT: data.features[SUBJECT].values.astype(object), **people},
    )
