"""Join scores and outcomes, check everything, and build the arrays of the second stage."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, FACTOR_2, SITE, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.response.balance import describe_imbalance
from bayes_mdd.response.column_checks import PROPENSITY
from bayes_mdd.response.design import Coding, build_design, learn_coding
from bayes_mdd.response.join import join_tables, number_strata
from bayes_mdd.response.mixture import Scales
from bayes_mdd.response.scores import ARM_AWARE, COVARIANCE, MEAN, check_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.types import Array, IntArray

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
        Smallest benefit for which a drug is preferred, in the unit of the outcome: points,
        probability, levels, or successes.
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
    def unit(self) -> float:
        """Unit of all priors: residual SD in points, or 1 for SD of a latent outcome."""
        continuous = self.spec.kind in ("gaussian", "student")
        return self.trial.residual_sd() if continuous else 1.0

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


def prepare(
    spec: ResponseSpec,
    scores: xr.Dataset,
    outcomes: pd.DataFrame,
    rated: Collection[str] | None = None,
) -> Prepared:
    """Join scores and outcomes, and check them.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    scores : Dataset
        From `score_moments`.
    outcomes : DataFrame
        Indexed by participant, with ``arm``, the outcome, and the columns that the spec names.
    rated : collection of str, optional
        Patients who stay without an outcome, because an earlier visit of theirs is known; their
        outcome is NaN.

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
    table, excluded = join_tables(spec, scores, outcomes, rated)
    excluded |= {
        s: "no row in the table of outcomes"
        for s in scores[SUBJECT].values.astype(str)
        if s not in excluded and s not in table.index
    }
    other_arm = next(a for a in sorted(set(table[ARM])) if a != spec.default_arm)
    sign = -1.0 if spec.higher_is_better else 1.0
    value = sign * table[spec.outcome].to_numpy(dtype=float)
    continuous = spec.kind in ("gaussian", "student")
    level = float(np.nanmean(value)) if continuous else 0.0
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
    if (constant := scale <= 1e-12 * np.abs(mean).max(axis=0)).any():
        names = scores[FACTOR].values.astype(str)[constant]
        raise DataContractError(
            "scores", [f"{some(names)} is the same for all patients: leave it out."]
        )
    trial = Trial(
        outcome=value - level,
        other=(table[ARM] == other_arm).to_numpy(),
        mean=(mean - centre) / scale,
        covariance=covariance / (scale[:, None] * scale),
        design=design,
        design_sd=design_sd,
    )
    if trial.residual_sd() <= 1e-8 * float(np.nanstd(value)):
        raise DataContractError(
            "outcomes",
            [
                f"{some(['arm', *(c.name for c in codings)])} determine '{spec.outcome}' of all "
                f"{len(table)} patients exactly: leave columns out."
            ],
        )
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
        stratum=number_strata(table, site),
        level=level,
        minimum=_minimum(spec, trial),
        excluded=excluded,
        table=table,
    )


def check_outcomes(
    spec: ResponseSpec, subjects: Iterable[str], outcomes: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Check outcomes before the scans are fitted.

    Parameters
    ----------
    spec : ResponseSpec
        The model.
    subjects : iterable of str
        Participants who will have scores.
    outcomes : DataFrame
        As for `fit_response`.

    Returns
    -------
    table : DataFrame
        Rows of the patients that will be analysed.
    excluded : dict of str to str
        The others, with the reason.

    Raises
    ------
    DataContractError
        If the outcomes cannot be used; every problem is listed.
    """
    names = np.array([str(s) for s in subjects], dtype=object)
    return join_tables(spec, xr.Dataset(coords={SUBJECT: names}), outcomes)


def _codes(values: pd.Series | None, n: int) -> IntArray:
    if values is None:
        return np.zeros(n, dtype=np.int64)
    return pd.factorize(values.astype(str), sort=True)[0].astype(np.int64)


def warn_of_design(prepared: Prepared) -> None:
    """Warn where the arms of a trial do not look randomised as declared.

    Parameters
    ----------
    prepared : Prepared
        The fitted patients.

    Warns
    -----
    UserWarning
        If baseline, a covariate or a score differs between arms, or the numbers of patients do
        not agree with the declared probabilities.
    """
    spec, table = prepared.spec, prepared.table
    if spec.assignment != "randomised":
        return
    names = [*([spec.baseline] if spec.baseline else []), *spec.covariates]
    columns = table[[c for c in names if pd.api.types.is_numeric_dtype(table[c])]]
    scores = pd.DataFrame(
        prepared.trial.mean, index=table.index, columns=[f"score of {f}" for f in prepared.factors]
    )
    known = table[PROPENSITY].to_numpy(dtype=float) if PROPENSITY in table else None
    found = describe_imbalance(prepared.trial.other, pd.concat([columns, scores], axis=1), known)
    if found:
        warnings.warn(
            " ".join([*found, "Check arms and ids, and the column 'propensity'."]),
            UserWarning,
            stacklevel=3,
        )


def stated_minimum(spec: ResponseSpec) -> float | None:
    """Smallest benefit in points for which a drug is preferred, as far as a spec states it.

    Parameters
    ----------
    spec : ResponseSpec
        The model.

    Returns
    -------
    float or None
        None where it is `MINIMUM_SD` times the residual SD of the outcome.
    """
    if spec.minimum is not None:
        return spec.minimum
    points_given = spec.kind in ("gaussian", "student")
    for scale, points in MINIMUM_POINTS.items():
        if points_given and scale in spec.outcome.lower().replace("-", "").replace("_", ""):
            return points
    return None


def _minimum(spec: ResponseSpec, trial: Trial) -> float:
    stated = stated_minimum(spec)
    return MINIMUM_SD * trial.residual_sd() if stated is None else stated
