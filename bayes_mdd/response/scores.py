"""Moments of factor scores: what the second stage takes from the first."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, CONTROL, DRAW, FACTOR, FACTOR_2, SUBJECT, WITHIN_SCAN
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.groups import PEOPLE, say_withheld
from bayes_mdd.results.names import read_names
from bayes_mdd.types import Array

MEAN, COVARIANCE, RELIABILITY = "mean", "covariance", "reliability"
#: Attribute: whether the scores were estimated with knowledge of the arms.
ARM_AWARE = "arm_aware"
#: Attribute: fingerprint of the run that the scores come from; "" for measured covariates.
SOURCE = "source"
#: Attribute: JSON mapping of factors to their names.
NAMES = "factor_names"


def score_moments(
    source: xr.DataTree | xr.Dataset | pd.DataFrame, *, factors: pd.DataFrame | None = None
) -> xr.Dataset:
    """Summarise scores by their posterior means and covariances.

    Parameters
    ----------
    source : DataTree, Dataset or DataFrame
        A run from `fit`, a projection from `project`, a Dataset with ``mean`` and ``covariance``
        of another tool, or a table of measured covariates (subject, covariate), which have no
        error.
    factors : DataFrame, optional
        What `classify_factors` returned for a run: the names of its factors are then shown in
        figures and reports on the response.

    Returns
    -------
    Dataset
        ``mean`` (subject, factor), ``covariance`` (subject, factor, factor_2) in the unit of the
        scores, and ``reliability`` (factor): variance of the means over their variance plus the
        mean posterior variance. Factors that a run does not use are left out. Attribute
        ``arm_aware`` is 1 if the fit knew the arms of the subjects.

    Raises
    ------
    DataContractError
        If the source holds no scores, or moments that are not finite, symmetric and positive
        semi-definite; every problem is listed.

    See Also
    --------
    hide_arms : Fit factors without knowledge of the arms.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"severity": [20.0, 24.0, 31.0]}, index=["sub-1", "sub-2", "sub-3"])
    >>> score_moments(table)["reliability"].values
    array([1.])
    """
    moments = _read_moments(source)
    if factors is not None:
        names = dict(zip(factors["factor"].astype(str), read_names(factors), strict=True))
        moments.attrs[NAMES] = json.dumps({str(f): names[str(f)] for f in moments[FACTOR].values})
    return moments


def _read_moments(source: xr.DataTree | xr.Dataset | pd.DataFrame) -> xr.Dataset:
    if isinstance(source, pd.DataFrame):
        return _of_table(source)
    if isinstance(source, xr.DataTree):
        return _of_run(source)
    if "scores" in source:
        return _of_projection(source)
    return check_moments(source)


def check_moments(moments: xr.Dataset) -> xr.Dataset:
    """Check moments, and add what is missing of them.

    Parameters
    ----------
    moments : Dataset
        With ``mean`` (subject, factor) and, unless scores have no error, ``covariance``.

    Returns
    -------
    Dataset
        Complete moments.

    Raises
    ------
    DataContractError
        If they are not moments of scores.
    """
    if MEAN not in moments or set(moments[MEAN].dims) != {SUBJECT, FACTOR}:
        raise DataContractError(
            "scores",
            [
                f"expected '{MEAN}' ({SUBJECT}, {FACTOR}) and '{COVARIANCE}' ({SUBJECT}, {FACTOR}, "
                f"{FACTOR_2}), found {some(moments.data_vars)}: pass a run, a projection, a table "
                "of covariates, or a Dataset with these variables."
            ],
        )
    mean = moments[MEAN].transpose(SUBJECT, FACTOR).values.astype(float)
    n, k = mean.shape
    covariance = _read_covariance(moments, n, k)
    names = moments[SUBJECT].values.astype(str)
    problems = [
        f"{name} of {some(names[bad])} is not finite: correct it, or leave the patients out."
        for name, bad in (
            (MEAN, ~np.isfinite(mean).all(axis=1)),
            (COVARIANCE, ~np.isfinite(covariance).all(axis=(1, 2))),
        )
        if bad.any()
    ]
    if twice := sorted({s for s in names if (names == s).sum() > 1}):
        problems.append(f"{some(twice)} occur more than once: keep one scan of each participant.")
    if not problems:
        problems = _covariance_problems(names, covariance)
    if problems:
        raise DataContractError("scores", problems)
    return build_moments(
        mean, covariance, names, moments[FACTOR].values.astype(str), dict(moments.attrs)
    )


def _read_covariance(moments: xr.Dataset, n: int, k: int) -> Array:
    """Covariances in the order of the factors; zeros where scores have no error."""
    if COVARIANCE not in moments:
        return np.zeros((n, k, k))
    found = moments[COVARIANCE]
    if set(found.dims) != {SUBJECT, FACTOR, FACTOR_2} or found.sizes[FACTOR_2] != k:
        raise DataContractError(
            "scores",
            [
                f"'{COVARIANCE}' must have the dimensions {SUBJECT}, {FACTOR} and {FACTOR_2}, one "
                f"matrix per subject, found {dict(found.sizes)}."
            ],
        )
    if FACTOR_2 in found.coords and FACTOR in found.coords:
        order = found[FACTOR].values
        if set(found[FACTOR_2].values.tolist()) != set(order.tolist()):
            raise DataContractError(
                "scores",
                [
                    f"'{COVARIANCE}' names other factors along {FACTOR_2} "
                    f"({some(found[FACTOR_2].values)}) than along {FACTOR} ({some(order)})."
                ],
            )
        found = found.sel({FACTOR_2: order})
    return np.asarray(found.transpose(SUBJECT, FACTOR, FACTOR_2).values, dtype=float)


def _covariance_problems(names: Array, covariance: Array) -> list[str]:
    if not covariance.shape[1]:  # no factor
        return []
    size = np.abs(covariance).max(axis=(1, 2))
    tolerance = 1e-8 * np.maximum(size, 1e-12)
    skew = np.abs(covariance - np.swapaxes(covariance, 1, 2)).max(axis=(1, 2)) > tolerance
    problems = []
    if skew.any():
        problems.append(f"the covariance of {some(names[skew])} is not symmetric.")
    lowest = np.linalg.eigvalsh((covariance + np.swapaxes(covariance, 1, 2)) / 2).min(axis=1)
    if (bad := (lowest < -tolerance) & ~skew).any():
        problems.append(
            f"the covariance of {some(names[bad])} is not positive semi-definite: it has a "
            "negative eigenvalue."
        )
    return problems


def build_moments(
    mean: Array, covariance: Array, subjects: Array, factors: Array, attrs: dict[str, object]
) -> xr.Dataset:
    """Arrange moments as a Dataset, with the reliability of each factor.

    Parameters
    ----------
    mean : ndarray, shape (subject, factor)
        Posterior means.
    covariance : ndarray, shape (subject, factor, factor)
        Posterior covariances.
    subjects, factors : ndarray of str
        Names.
    attrs : dict
        Attributes.

    Returns
    -------
    Dataset
        As `score_moments` describes it.
    """
    between = mean.var(axis=0, ddof=1) if len(mean) > 1 else np.zeros(mean.shape[1])
    within = np.diagonal(covariance, axis1=1, axis2=2).mean(axis=0)
    total = between + within
    reliability = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    return xr.Dataset(
        {
            MEAN: ((SUBJECT, FACTOR), mean),
            COVARIANCE: ((SUBJECT, FACTOR, FACTOR_2), covariance),
            RELIABILITY: (FACTOR, reliability),
        },
        coords={
            SUBJECT: subjects.astype(object),
            FACTOR: factors.astype(object),
            FACTOR_2: factors.astype(object),
        },
        attrs={ARM_AWARE: 0, SOURCE: "", **attrs},
    )


def _of_table(table: pd.DataFrame) -> xr.Dataset:
    numbers = table.select_dtypes("number")
    if other := [c for c in table if c not in numbers]:
        raise DataContractError(
            "scores", [f"columns {some(other)} are not numbers: code them, or leave them out."]
        )
    mean = numbers.to_numpy(dtype=float)
    n, k = mean.shape
    names = np.array([str(s) for s in numbers.index])
    columns = np.array([str(c) for c in numbers])
    found = build_moments(mean, np.zeros((n, k, k)), names, columns, {})
    return check_moments(found)


def _of_run(run: xr.DataTree) -> xr.Dataset:
    if "posterior" not in run or "scores" not in run["posterior"]:
        if PEOPLE in run.attrs:
            raise DataContractError("shared run", [say_withheld("scores")])
        raise DataContractError("scores", ["the run holds no scores: pass a fit of factors."])
    posterior = run["posterior"].to_dataset()
    used = np.ones(posterior.sizes[FACTOR], dtype=bool)
    if "block_scale" in posterior:
        scale = posterior["block_scale"]
        others = [d for d in scale.dims if d != FACTOR]
        used = (abs(scale) > 0).any(others).values
    attrs = {
        ARM_AWARE: int(len(_drugs(posterior)) > 1),
        SOURCE: _fingerprint(run),
    }
    return _of_draws(posterior["scores"].isel({FACTOR: np.flatnonzero(used)}), attrs)


def _drugs(scores: xr.Dataset | xr.DataArray) -> list[str]:
    """Arms of a fit without that of healthy controls."""
    if ARM not in scores.dims:
        return []
    names = scores[ARM].values.astype(str).tolist()
    return [a for a in names if a not in (CONTROL, WITHIN_SCAN)]


def _fingerprint(run: xr.DataTree) -> str:
    """Fingerprint of a run, as `project` states it; empty where there is none."""
    try:
        return str(json.loads(str(run.attrs.get("provenance", "{}"))).get("fingerprint", ""))
    except (ValueError, AttributeError):
        return ""


def _of_projection(projection: xr.Dataset) -> xr.Dataset:
    scores = projection["scores"]
    drugs = _drugs(scores)
    if len(drugs) > 1:
        raise DataContractError(
            "scores",
            [
                f"the projection is of a fit with the arms {some(drugs)}, whose scores depend on "
                "the arm: fit the factors to hide_arms(features), and project on that run."
            ],
        )
    scores = scores.sel({ARM: drugs[0]}, drop=True) if drugs else scores
    used = np.flatnonzero((abs(scores) > 0).any([d for d in scores.dims if d != FACTOR]).values)
    known = str(projection.attrs.get("fingerprint", "unknown"))
    attrs = {ARM_AWARE: 0, SOURCE: "" if known == "unknown" else known}
    return _of_draws(scores.isel({FACTOR: used}), attrs)


def _of_draws(scores: xr.DataArray, attrs: dict[str, object]) -> xr.Dataset:
    names = scores[SUBJECT].values.astype(str)
    factors = scores[FACTOR].values.astype(str)
    draws = scores.transpose(CHAIN, DRAW, SUBJECT, FACTOR).values
    draws = draws.reshape(draws.shape[0] * draws.shape[1], *draws.shape[2:]).astype(float)
    mean = draws.mean(axis=0)
    centred = draws - mean
    covariance = np.einsum("dik,dil->ikl", centred, centred, optimize=True) / (len(draws) - 1)
    return check_moments(build_moments(mean, covariance, names, factors, attrs))


def factor_names(response: xr.DataTree) -> dict[str, str]:
    """Read the names of the factors that a fit of outcomes uses.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.

    Returns
    -------
    dict of str to str
        Name of each factor; its key where `score_moments` was not given the table of factors.
    """
    known = [str(f) for f in response["posterior"].to_dataset()[FACTOR].values]
    stored = json.loads(str(response.attrs.get(NAMES, "{}")))
    return {f: str(stored.get(f, f)) for f in known}
