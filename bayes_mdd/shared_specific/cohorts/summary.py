"""The summary of one cohort: what is needed to combine it with others, without participants."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import (
    ARM,
    CHAIN,
    DRAW,
    FACTOR,
    FACTOR_2,
    FEATURE,
    MISSING,
    REGION,
    SUBJECT,
)
from bayes_mdd.errors import DataContractError
from bayes_mdd.features.disclosure import LEAST
from bayes_mdd.results.result import Result, read_result
from bayes_mdd.results.rules import MATCH_MIN, UNUSED
from bayes_mdd.shared_specific.cohorts.regression import (
    Subjects,
    arm_variances,
    regress,
    within_arms,
)
from bayes_mdd.shared_specific.cohorts.size import fit_size, measurement_error
from bayes_mdd.shared_specific.cohorts.summary_parts import (
    describe_facts,
    effective_share,
    intervals_alone,
    reliability_logit,
    symptom_weights,
)
from bayes_mdd.shared_specific.posterior.stored_data import read_subject_scale
from bayes_mdd.shared_specific.schema import (
    FACTORS,
    LOADING_UNIT,
    OBSERVED_DATA,
)
from bayes_mdd.shared_specific.spec import KIND, spec_of
from bayes_mdd.shared_specific.tables.detection import detection_limits_by_factor
from bayes_mdd.shared_specific.tables.factors import tabulate_factors
from bayes_mdd.types import Array

#: Draws over which loadings are averaged.
DRAWS: Final = 120
#: Coordinates of features that are group results of the cohort and not needed.
NOT_NEEDED: Final = frozenset(("raw_mean",))


def why_no_summary(result: Result) -> str | None:
    """Say why a fit has no summary for other cohorts.

    Parameters
    ----------
    result : Result
        A fit.

    Returns
    -------
    str or None
        None where it has one.
    """
    if result.kind != KIND:
        return f"the model is {result.kind}; only the factor model can be combined over cohorts."
    if spec_of(result).sharing is not None:
        return "the spec fixes how the arms share factors, so that there is nothing to combine."
    if not result.holds(OBSERVED_DATA, "y"):
        return (
            "the run does not hold its features (it was written by an earlier version): fit again."
        )
    few = [a for a, n in _count_arms(result).items() if n < LEAST]
    if few:
        return (
            f"fewer than {LEAST} participants in {', '.join(few)}: a summary would describe single "
            "participants."
        )
    return None


def summarise_cohort(run: xr.DataTree | Result) -> xr.Dataset:
    """Summarise the fit of one cohort for its combination with those of other cohorts.

    Parameters
    ----------
    run : DataTree
        A fit of the factor model, as `fit` or `read_run` returned it.

    Returns
    -------
    Dataset
        By factor and feature: ``loading`` and ``loading_se``, estimates without a prior for
        scores of variance 1 in an average arm, and ``noise``, the residual variance. By arm and
        factor: ``size_observed``, ``size_dof`` and ``size_error``, the likelihood of the variance;
        ``explained`` and ``sharing`` with their intervals, what the cohort alone says.
        ``score_covariance`` (arm, factor, factor_2) within arms. ``reliability`` and
        ``reliability_sd`` on the logit scale, ``leverage``. By factor and symptom
        ``symptom_weight``, ``symptom_weight_se``, per SD of the cohort, with ``symptom_sd`` and
        ``symptom_n``. ``n`` (arm). ``limit``: share of the variance with which a factor is found in
        one half of such cohorts. No value belongs to a participant.

    Raises
    ------
    DataContractError
        If the fit is of another model, fixes how arms share factors, holds no features, or an arm
        has fewer than five participants.

    See Also
    --------
    bayes_mdd.export_run : Writes it with the format "summary".

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> summary = bm.summarise_cohort(bm.read_run("runs/lyon"))  # doctest: +SKIP
    """
    result = read_result(run)
    if reason := why_no_summary(result):
        raise DataContractError("summary of a cohort", [reason])
    table = tabulate_factors(result).set_index(FACTOR)
    factors = _choose_factors(result, table)
    table = table.loc[factors]
    posterior = result.posterior.sel({FACTOR: factors})
    subjects = _read_subjects(result)
    every = posterior["scores"].transpose(CHAIN, DRAW, SUBJECT, FACTOR).values
    every = every.reshape(-1, *every.shape[2:])
    chosen = np.linspace(0, len(every) - 1, min(DRAWS, len(every))).round().astype(int)
    scores = every[chosen]
    residual, dof = within_arms(subjects, scores)
    unit = np.sqrt(arm_variances(subjects, residual, dof).mean(axis=1))
    scaled, inside = scores / unit[:, None], residual / unit[:, None]
    y = result.group(OBSERVED_DATA)["y"].transpose(SUBJECT, FEATURE).values.astype(float)
    maps = regress(subjects, scaled, y)
    coords = _feature_coords(result.loadings)
    by_arm = (ARM, FACTOR)
    values: dict[str, Any] = {
        "loading": ((FACTOR, FEATURE), maps.mean),
        "loading_se": ((FACTOR, FEATURE), maps.se),
        "noise": (FEATURE, maps.noise),
        "n": (ARM, np.array([_count_arms(result)[a] for a in result.arms])),
        "score_covariance": ((ARM, FACTOR, FACTOR_2), _covariances(subjects, inside, dof)),
        **{
            name: (by_arm, value)
            for name, value in _sizes(result, posterior, subjects, inside, dof, maps).items()
        },
        **intervals_alone(posterior),
        **reliability_logit(result, factors),
        "leverage": (FACTOR, table["leverage"].to_numpy(dtype=float)),
        **symptom_weights(result, subjects, scaled),
    }
    limits = detection_limits_by_factor(result)
    values["limit"] = ("carrier", np.array(list(limits.values())))
    found = xr.Dataset(
        values,
        coords={
            FACTOR: factors,
            FACTOR_2: factors,
            ARM: list(result.arms),
            "carrier": list(limits),
            "label": (FACTOR, table["label"].to_numpy(dtype=str)),
            "stability": (FACTOR, table["stability"].to_numpy(dtype=str)),
            **coords,
        },
    )
    found["loading"].attrs["units"] = LOADING_UNIT
    share = effective_share(subjects, y, scaled)
    return found.assign_attrs(describe_facts(result, share))


def _choose_factors(result: Result, table: pd.DataFrame) -> list[str]:
    """Factors that are used and that all chains have, with or without a label."""
    match = result.group(FACTORS, ["match"])["match"].min(CHAIN)
    agree = {
        str(f): bool(m >= MATCH_MIN)
        for f, m in zip(match[FACTOR].values, match.values, strict=True)
    }
    return [
        str(f)
        for f in table.index
        if table.loc[f, "label"] != UNUSED
        and table.loc[f, "active"]
        and (table.loc[f, "label"] != MISSING or agree.get(str(f), False))
    ]


def _count_arms(result: Result) -> dict[str, int]:
    arm = result.constant[ARM].values.astype(str)
    return {a: int((arm == a).sum()) for a in result.arms}


def _read_subjects(result: Result) -> Subjects:
    arm = result.constant[ARM].values.astype(str)
    scale = read_subject_scale(result)
    return Subjects(
        np.array([result.arms.index(a) for a in arm]),
        result.constant["design"].values.astype(float),
        np.ones(arm.size) if scale is None else scale,
    )


def _feature_coords(loadings: xr.Dataset) -> dict[str, Any]:
    kept = {
        str(n): c.variable
        for n, c in loadings.coords.items()
        if c.dims in ((FEATURE,), (REGION,)) and n not in NOT_NEEDED
    }
    if "view" in kept and len(set(kept["view"].values.astype(str))) == 1:
        del kept["view"]
    return kept


def _covariances(subjects: Subjects, inside: Array, dof: Array) -> Array:
    """Covariance of the scores within arms, averaged over draws."""
    of_arm = [inside[:, subjects.arm == a] for a in range(subjects.n_arms)]
    return np.stack(
        [
            np.einsum("dnk,dnl->kl", own, own, optimize=True) / (len(own) * d)
            for own, d in zip(of_arm, dof, strict=True)
        ]
    )


def _sizes(
    result: Result,
    posterior: xr.Dataset,
    subjects: Subjects,
    inside: Array,
    dof: Array,
    maps: Any,
) -> dict[str, Array]:
    """Likelihood of the variance of each factor in each arm, per feature."""
    explained = posterior["explained"].transpose(CHAIN, DRAW, ARM, FACTOR).values
    explained = explained.reshape(-1, *explained.shape[2:])
    every = result.posterior["explained"].sum(FACTOR).transpose(CHAIN, DRAW, ARM).values
    left = 1.0 - every.reshape(-1, every.shape[2])
    draws = explained / np.maximum(left, 1e-6)[..., None] * float(maps.noise.mean())
    size = np.maximum(maps.square, 1e-3 * (maps.se**2).mean(axis=1))
    variance = arm_variances(subjects, inside, dof).mean(axis=0)
    spread = inside.var(axis=0)
    n_arms = subjects.n_arms
    alpha = float(spec_of(result).sharing_concentration)
    out = {n: np.zeros((n_arms, draws.shape[2])) for n in ("observed", "dof", "error")}
    for k in range(draws.shape[2]):
        q = np.array([spread[subjects.arm == a, k].mean() for a in range(n_arms)])
        error = measurement_error(variance[:, k], q, dof) * float(size[k])
        for a in range(n_arms):
            others = float(draws[:, np.arange(n_arms) != a, k].mean(axis=0).sum())
            found = fit_size(
                draws[:, a, k],
                others if n_arms > 1 else 0.0,
                float(dof[a]),
                error,
                np.array([alpha, alpha * (n_arms - 1)]),
            )
            for name, value in found._asdict().items():
                out[name][a, k] = value
    return {f"size_{name}": value for name, value in out.items()}
