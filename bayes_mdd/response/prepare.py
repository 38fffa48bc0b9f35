"""Join scores and outcomes, check everything, and build the arrays of the second stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FACTOR_2, MISSING, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.response.design import Coding, build_design, learn_coding
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.outcome_values import check_outcome
from bayes_mdd.response.scores import ARM_AWARE, COVARIANCE, MEAN, check_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array, IntArray

#: Fewest patients with an outcome in an arm.
LEAST_PER_ARM = 8
#: Smallest benefit for which a drug is preferred, by outcome; and for others, in residual SD.
MINIMUM_POINTS: Mapping[str, float] = {"hamd17": 1.5}
MINIMUM_SD = 0.21


@dataclass(frozen=True, eq=False)
class Prepared:
    """Patients of the second stage.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    trial : Trial
        Patients with outcome and scores.
    subjects : tuple of str
        Their ids.
    other_arm : str
        The drug that is compared with the default.
    factors : tuple of str
        Names of the factors.
    centre, scale : ndarray, shape (factor,)
        What was subtracted from scores, and what they were divided by.
    codings : tuple of Coding
        Of baseline, covariates and site.
    site : ndarray of int, shape (subject,)
        Position of each patient's site, 0 where there is one.
    stratum : ndarray of int, shape (subject,)
        Stratum of randomisation of each patient.
    level : float
        Mean of the outcome, which `trial` leaves out.
    minimum : float
        Smallest benefit for which a drug is preferred, in points.
    excluded : mapping of str to str
        Patients who are not fitted, with the reason.
    table : DataFrame
        Rows of the fitted patients.
    """

    spec: ResponseSpec
    trial: Trial
    subjects: tuple[str, ...]
    other_arm: str
    factors: tuple[str, ...]
    centre: Array
    scale: Array
    codings: tuple[Coding, ...]
    site: IntArray
    stratum: IntArray
    level: float
    minimum: float
    excluded: Mapping[str, str]
    table: pd.DataFrame

    @property
    def sign(self) -> float:
        """1 where a lower outcome is better, -1 where a higher one is."""
        return -1.0 if self.spec.higher_is_better else 1.0

    @property
    def scales(self) -> Scales:
        """Prior scales of the spec."""
        return scales_of(self.spec)

    def standardise(self, mean: Array, covariance: Array) -> tuple[Array, Array]:
        """Express moments of scores in the unit of the fit.

        Parameters
        ----------
        mean : ndarray, shape (subject, factor)
            Posterior means.
        covariance : ndarray, shape (subject, factor, factor)
            Posterior covariances.

        Returns
        -------
        mean, covariance : ndarray
            Of scores with mean 0 and variance 1 over the fitted patients.
        """
        return (
            (mean - self.centre) / self.scale,
            covariance / (self.scale[:, None] * self.scale),
        )


def scales_of(spec: ResponseSpec) -> Scales:
    """Read the prior scales of a spec.

    Parameters
    ----------
    spec : ResponseSpec
        The model.

    Returns
    -------
    Scales
        In residual SD of the outcome.
    """
    return Scales(
        drug=spec.drug_scale, moderation=spec.moderation_scale, prognosis=spec.prognosis_scale
    )


def prepare(spec: ResponseSpec, scores: xr.Dataset, outcomes: pd.DataFrame) -> Prepared:
    """Join scores and outcomes, and check them.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : Dataset
        From `score_moments`.
    outcomes : DataFrame
        Indexed by participant, with ``arm``, the outcome, and the columns that the spec names.

    Returns
    -------
    Prepared
        Arrays of the second stage.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used; every problem is listed.
    SpecError
        If the scores know the arms of a randomised trial.
    """
    scores = check_moments(scores)
    if scores.attrs.get(ARM_AWARE) and spec.assignment == "randomised":
        raise SpecError(
            "The scores come from a fit that knew the arms. In a randomised trial arms cannot "
            "differ before treatment, and a factor of one arm only could never moderate. Fit the "
            "factors to hide_arms(features)."
        )
    table, excluded = _join(spec, scores, outcomes)
    other_arm = next(a for a in sorted(set(table[ARM])) if a != spec.default_arm)
    sign = -1.0 if spec.higher_is_better else 1.0
    value = sign * table[spec.outcome].to_numpy(dtype=float)
    continuous = spec.kind in ("gaussian", "student")
    level = float(value.mean()) if continuous else 0.0
    several = SITE in table and len(set(table[SITE].astype(str))) > 1
    site = SITE if spec.site_effects and several else None
    adjusted = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    codings = learn_coding(table, adjusted, site)
    design, design_sd = build_design(table, codings)
    at = pd.Index(scores[SUBJECT].values.astype(str)).get_indexer(table.index)
    mean = scores[MEAN].transpose(SUBJECT, FACTOR).values[at]
    covariance = scores[COVARIANCE].transpose(SUBJECT, FACTOR, FACTOR_2).values[at]
    centre = mean.mean(axis=0)
    scale = np.sqrt(
        mean.var(axis=0, ddof=1) + np.diagonal(covariance, axis1=1, axis2=2).mean(axis=0)
    )
    trial = Trial(
        outcome=value - level,
        other=(table[ARM] == other_arm).to_numpy(),
        mean=(mean - centre) / scale,
        covariance=covariance / (scale[:, None] * scale),
        design=design,
        design_sd=design_sd,
    )
    strata = table["stratum"] if "stratum" in table else table[site] if site else None
    sites = table[site] if site else None
    return Prepared(
        spec=spec,
        trial=trial,
        subjects=tuple(table.index),
        other_arm=other_arm,
        factors=tuple(scores[FACTOR].values.astype(str)),
        centre=centre,
        scale=scale,
        codings=tuple(codings),
        site=_codes(sites, len(table)),
        stratum=_codes(strata, len(table)),
        level=level,
        minimum=_minimum(spec, trial),
        excluded=excluded,
        table=table,
    )


def _codes(values: pd.Series | None, n: int) -> IntArray:
    if values is None:
        return np.zeros(n, dtype=np.int64)
    return pd.factorize(values.astype(str), sort=True)[0].astype(np.int64)


def _minimum(spec: ResponseSpec, trial: Trial) -> float:
    if spec.minimum is not None:
        return spec.minimum
    for scale, points in MINIMUM_POINTS.items():
        if scale in spec.outcome.lower().replace("-", "").replace("_", ""):
            return points
    return MINIMUM_SD * trial.residual_sd()


def _join(
    spec: ResponseSpec, scores: xr.Dataset, outcomes: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Patients with scores, arm and outcome; the others with the reason."""
    needed = [ARM, spec.outcome, *([spec.baseline] if spec.baseline else []), *spec.covariates]
    problems = [
        f"there is no column '{c}'; found {some(outcomes.columns, 12)}."
        for c in needed
        if c not in outcomes
    ]
    ids = pd.Index([str(i) for i in outcomes.index])
    if twice := sorted(set(ids[ids.duplicated()])):
        problems.append(f"{some(twice)} have more than one row: keep one row per participant.")
    if problems:
        raise DataContractError("outcomes", problems)
    table = outcomes.set_axis(ids, axis=0)
    scored = set(scores[SUBJECT].values.astype(str))
    if not scored & set(ids):
        raise DataContractError(
            "outcomes",
            [
                "no participant has both scores and outcomes: scores are of "
                f"{some(sorted(scored))}, outcomes of {some(ids)}. Make the ids agree."
            ],
        )
    excluded = {i: "no scores (not scanned, or not in the fit)" for i in ids if i not in scored}
    table = table.loc[[i for i in ids if i in scored]]
    arm = table[ARM].astype(str)
    without = table.index[table[ARM].isna() | arm.isin([MISSING, "", "nan", "None"])]
    excluded |= dict.fromkeys(without, "no arm")
    table = table.drop(index=without)
    table = table.assign(**{ARM: table[ARM].astype(str)})
    problems = _arm_problems(spec, table) + check_outcome(spec, table)
    if problems:
        raise DataContractError("outcomes", problems)
    unknown = table.index[table[spec.outcome].isna()]
    excluded |= dict.fromkeys(unknown, "no outcome")
    table = table.drop(index=unknown)
    problems = _value_problems(spec, table)
    if problems:
        raise DataContractError("outcomes", problems)
    return table, excluded


def _arm_problems(spec: ResponseSpec, table: pd.DataFrame) -> list[str]:
    arms = sorted(set(table[ARM]))
    if spec.default_arm not in arms:
        return [
            f"default_arm is '{spec.default_arm}', but the arms are {some(arms)}: name one of them."
        ]
    if len(arms) == 1:
        return [f"all participants are in arm '{arms[0]}': two arms are needed."]
    if len(arms) > 2:
        return [
            f"there are {len(arms)} arms ({some(arms)}): two can be compared. Keep the rows of the "
            "default and of one other arm."
        ]
    return []


def _value_problems(spec: ResponseSpec, table: pd.DataFrame) -> list[str]:
    problems = []
    counts = table[ARM].value_counts()
    for arm, n in counts.items():
        if n < LEAST_PER_ARM:
            problems.append(
                f"arm '{arm}' has {n} participants with scores and an outcome, expected at least "
                f"{LEAST_PER_ARM}."
            )
    if len(counts) < 2:
        problems.append("one arm has no participant with an outcome.")
    for name in [*([spec.baseline] if spec.baseline else []), *spec.covariates]:
        values = table[name]
        missing = values.isna() | values.astype(str).isin([MISSING, ""])
        if missing.any():
            problems.append(
                f"'{name}' is missing for {some(table.index[missing])}: fill it in, leave these "
                "participants out, or drop the covariate."
            )
        elif values.nunique() < 2:
            problems.append(f"'{name}' is the same for everyone: leave it out.")
        elif pd.api.types.is_numeric_dtype(values):
            if not np.isfinite(values.to_numpy(dtype=float)).all():
                problems.append(f"'{name}' is not finite for some participants.")
            elif np.array_equal(values.to_numpy(float), table[spec.outcome].to_numpy(float)):
                problems.append(f"'{name}' equals the outcome '{spec.outcome}' for everyone.")
    return problems
