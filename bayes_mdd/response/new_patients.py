"""New patients in the units of a fit: factors, covariates, and whether they resemble the fitted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.response.design import Coding, build_design
from bayes_mdd.response.outcome_values import N_TRIALS
from bayes_mdd.response.scores import ARM_AWARE, SOURCE
from bayes_mdd.types import Array, BoolArray

#: Share of the fitted patients within the support.
SUPPORT = 0.99


def match_moments(response: xr.DataTree, moments: xr.Dataset) -> xr.Dataset:
    """Take the moments of the factors of a fit, of patients who were not in it.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    moments : Dataset
        From `score_moments`.

    Returns
    -------
    Dataset
        With the factors in the order of the fit.

    Raises
    ------
    DataContractError
        If factors or their source differ, or patients were in the fit; every problem is listed.
    """
    factors = response["constant_data"].to_dataset()[FACTOR].values.astype(str)
    given = moments[FACTOR].values.astype(str)
    problems = []
    if missing := [f for f in factors if f not in given]:
        problems.append(
            f"factors {some(missing)} of the fit are missing, found {some(given)}: project the "
            "patients on the run that the scores of the fit come from."
        )
    sources = (str(response.attrs.get("scores_source", "")), str(moments.attrs.get(SOURCE, "")))
    if sources[0] != sources[1]:
        other, own = (f"from run {s}" if s else "from no run" for s in (sources[1], sources[0]))
        problems.append(f"the scores come {other}, those of the fit {own}: project the patients.")
    if moments.attrs.get(ARM_AWARE) and not response.attrs.get("scores_arm_aware", 0):
        problems.append(
            "the scores come from a fit that knew the arms: fit factors to hide_arms(features)."
        )
    fitted = set(response["observed_data"].to_dataset()[SUBJECT].values.astype(str))
    if known := [s for s in moments[SUBJECT].values.astype(str) if s in fitted]:
        problems.append(
            f"{some(known)} were in the fit, which knows their outcome: leave them out, or use "
            "evaluate_policy, which refits without each fold."
        )
    if problems:
        raise DataContractError("new patients", problems)
    return moments.sel({FACTOR: list(factors), FACTOR_2: list(factors)})


def in_support(fitted: Array, new: Array) -> BoolArray:
    """Test whether scores lie within those of the fitted patients.

    Parameters
    ----------
    fitted, new : ndarray, shape (subject, factor)
        Posterior means of the scores.

    Returns
    -------
    ndarray of bool, shape (subject,)
        Whether the Mahalanobis distance is at most the 99th percentile of the fitted ones.
    """
    if not fitted.shape[1]:
        return np.ones(len(new), dtype=bool)
    centre = fitted.mean(axis=0)
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(fitted, rowvar=False)), hermitian=True)
    of_fitted, of_new = (
        np.einsum("ik,kl,il->i", x - centre, inverse, x - centre) for x in (fitted, new)
    )
    return np.asarray(of_new <= np.quantile(of_fitted, SUPPORT) * (1 + 1e-9))


def read_codings(response: xr.DataTree) -> list[Coding]:
    """Read how the fit coded baseline, covariates and site.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    list of Coding
        In the order of the columns of the design.
    """
    return [
        Coding(**{**c, "levels": tuple(c["levels"])}) for c in json.loads(response.attrs["codings"])
    ]


def build_new_design(
    codings: Sequence[Coding],
    covariates: pd.DataFrame | None,
    names: Array,
    constant: xr.Dataset,
) -> tuple[Array, Array]:
    """Build the design of new patients.

    Parameters
    ----------
    codings : sequence of Coding
        From `read_codings`.
    covariates : DataFrame or None
        Indexed by participant; without it every patient has the mean of the fitted ones.
    names : ndarray of str, shape (subject,)
        The new patients.
    constant : Dataset
        ``constant_data`` of the fit.

    Returns
    -------
    design : ndarray, shape (subject, column)
        Intercept first.
    trials : ndarray, shape (subject,)
        Numbers of trials of binomial outcomes, otherwise NaN.

    Raises
    ------
    DataContractError
        If patients, columns or values are missing.
    """
    trials = np.full(len(names), float(constant.get(N_TRIALS, np.nan)))
    if covariates is None:
        columns = sum(len(c.columns) for c in codings)
        return np.eye(1, 1 + columns).repeat(len(names), axis=0), trials
    table = covariates.set_axis([str(i) for i in covariates.index], axis=0)
    problems = [
        f"there is no row for {some(m)}." for m in [[s for s in names if s not in table.index]] if m
    ]
    problems += [f"there is no column '{c.name}'." for c in codings if c.name not in table]
    if problems:
        raise DataContractError("covariates of new patients", problems)
    rows = table.loc[list(names)]
    design = build_design(rows, codings)[0]
    if N_TRIALS in constant and N_TRIALS in rows:
        trials = rows[N_TRIALS].to_numpy(dtype=float)
    if (unknown := ~np.isfinite(design).all(axis=1) | (N_TRIALS in constant) & ~(trials > 0)).any():
        raise DataContractError(
            "covariates of new patients", [f"values are missing for {some(names[unknown])}."]
        )
    return design, trials
