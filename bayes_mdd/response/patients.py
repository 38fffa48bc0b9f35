"""Benefit and recommendation for patients whose outcome is not known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.design import Coding, build_design
from bayes_mdd.response.fit import COEFFICIENT, DRUG, KIND, MODERATION, PROGNOSIS, SIGMA
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.scores import ARM_AWARE, COVARIANCE, MEAN, SOURCE, score_moments
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray

#: What is said instead of a recommendation.
NO_PREFERENCE, NOT_GIVEN = "no preference", "not given: observational"
OUTSIDE = "not given: outside the support"
#: Share of the fitted patients within the support.
SUPPORT = 0.99


def predict_benefit(
    response: xr.DataTree,
    scores: xr.Dataset | pd.DataFrame,
    covariates: pd.DataFrame | None = None,
    *,
    p_star: float | None = None,
    minimum: float | None = None,
    seed: int = 1,
) -> xr.Dataset:
    """Predict what a patient gains from the other drug, and whether to prefer one.

    Only the scan is used, never the patient's own outcome. The recommendation is against the
    declared default; without a clear preference the default, or the patient's wish, stands.

    Parameters
    ----------
    response : DataTree
        From `fit_response`.
    scores : Dataset or DataFrame
        New patients: moments of the factors of the fit, from a projection or a table.
    covariates : DataFrame, optional
        Baseline and covariates of the new patients, indexed by participant; needed for the
        expected outcome under each drug.
    p_star, minimum : float, optional
        Smallest probability of a benefit, and smallest expected benefit in points, for which a
        drug is preferred. Default: those of the spec.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    Dataset
        On ``subject``: ``benefit_mean``, ``benefit_lower``, ``benefit_upper`` (90%),
        ``benefit_lower_50``, ``benefit_upper_50`` in points, above 0 in favour of the other drug;
        ``p_benefit``, ``p_minimum``, the probabilities that the benefit exceeds 0 and the minimum;
        ``in_support``; ``recommendation``, the name of a drug, "no preference", or why none is
        given. ``benefit`` (chain, draw, subject), and with covariates ``expected`` (chain, draw,
        subject, arm), the mean outcome on each drug. For Gaussian outcomes of a known scale also
        ``p_remission`` (subject, arm), the probability of remission on each drug.

    Raises
    ------
    DataContractError
        If patients, factors or covariates do not match the fit; every problem is listed.
    SpecError
        If a threshold is out of range.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> fitted = bm.fit_response(spec, trial.scores, trial.outcomes, method="fast")
    >>> new = bm.simulate_trial(seed=2, n=60, prefix="new").scores
    >>> bm.predict_benefit(fitted, new)["benefit_mean"].sizes["subject"]
    60
    """
    spec = _read_spec(response)
    rule = _rule(response, spec, p_star, minimum)
    posterior = response["posterior"].to_dataset()
    constant = response["constant_data"].to_dataset()
    moments = _matching(response, score_moments(scores))
    names = moments[SUBJECT].values.astype(str)
    centre, scale = constant["score_centre"].values, constant["score_scale"].values
    mean = (moments[MEAN].transpose(SUBJECT, FACTOR).values - centre) / scale
    covariance = moments[COVARIANCE].transpose(SUBJECT, FACTOR, FACTOR_2).values
    covariance = covariance / (scale[:, None] * scale)
    sign = -1.0 if spec.higher_is_better else 1.0
    shape = posterior[DRUG].shape
    drug = sign * posterior[DRUG].values.reshape(-1)
    moderation = sign * posterior[MODERATION].values.reshape(drug.size, -1)
    rng = generator(seed, Stream.BENEFIT)
    benefit = draw_benefit(drug, moderation, mean, covariance, rng)
    supported = in_support(constant["score_mean"].values, mean)
    found = _summary(benefit, rule).assign(in_support=(SUBJECT, supported))
    found["recommendation"] = (SUBJECT, _recommend(response, spec, rule, found, supported))
    found["benefit"] = ((CHAIN, DRAW, SUBJECT), benefit.reshape(*shape, -1))
    if covariates is not None:
        expected = _expected(response, posterior, constant, covariates, names, mean)
        found["expected"] = ((CHAIN, DRAW, SUBJECT, ARM), expected.reshape(*shape, -1, 2))
        limit = remission_limit(spec)
        if limit is not None and spec.kind == "gaussian":
            remission = _remission(posterior, expected, covariance, limit)
            found["p_remission"] = ((SUBJECT, ARM), remission)
        found = found.assign_coords({ARM: posterior[ARM].values})
    found = found.assign_coords(
        {SUBJECT: names.astype(object), CHAIN: posterior[CHAIN], DRAW: posterior[DRAW]}
    )
    return found.assign_attrs(
        estimand=(
            f"outcome on {spec.default_arm} minus that on {response.attrs['other_arm']}, "
            "positive in favour of the latter"
        ),
        default_arm=spec.default_arm,
        other_arm=response.attrs["other_arm"],
        p_star=rule.p_star,
        minimum=rule.minimum,
        reason=spec.allow_observational or "",
    )


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


def _read_spec(response: xr.DataTree) -> ResponseSpec:
    if response.attrs.get("kind") != KIND:
        raise DataContractError("response", ["this is no result of fit_response."])
    return ResponseSpec.from_mapping(json.loads(response.attrs["spec"]))


def _rule(
    response: xr.DataTree, spec: ResponseSpec, p_star: float | None, minimum: float | None
) -> DecisionRule:
    stored = float(response["constant_data"]["minimum"])
    rule = DecisionRule(
        minimum=stored if minimum is None else minimum,
        p_star=spec.p_star if p_star is None else p_star,
        cost=spec.cost,
    )
    if not 0.5 <= rule.p_star < 1 or not 0 <= rule.minimum < float("inf"):
        raise SpecError(
            f"p_star must lie in [0.5, 1) and minimum be a number of points of at least 0, got "
            f"{rule.p_star} and {rule.minimum}."
        )
    return rule


def _matching(response: xr.DataTree, moments: xr.Dataset) -> xr.Dataset:
    """Moments of the factors of the fit, of patients who were not in it."""
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


def _summary(benefit: Array, rule: DecisionRule) -> xr.Dataset:
    low, low_50, high_50, high = np.quantile(benefit, [0.05, 0.25, 0.75, 0.95], axis=0)
    values = {
        "benefit_mean": benefit.mean(axis=0),
        "benefit_lower": low,
        "benefit_upper": high,
        "benefit_lower_50": low_50,
        "benefit_upper_50": high_50,
        "p_benefit": (benefit > 0).mean(axis=0),
        "p_minimum": (benefit > rule.minimum).mean(axis=0),
    }
    return xr.Dataset({name: (SUBJECT, x) for name, x in values.items()})


def _recommend(
    response: xr.DataTree,
    spec: ResponseSpec,
    rule: DecisionRule,
    found: xr.Dataset,
    supported: BoolArray,
) -> Array:
    if spec.assignment == "observational" and spec.allow_observational is None:
        return np.full(supported.size, NOT_GIVEN, dtype=object)
    choice = rule.decide(found["benefit_mean"].values, found["p_benefit"].values)
    names = np.array([spec.default_arm, NO_PREFERENCE, response.attrs["other_arm"]], dtype=object)
    return np.where(supported, names[choice + 1], OUTSIDE)


def _expected(
    response: xr.DataTree,
    posterior: xr.Dataset,
    constant: xr.Dataset,
    covariates: pd.DataFrame,
    names: Array,
    mean: Array,
) -> Array:
    """Mean outcome under each drug, shape (draw, subject, arm)."""
    spec = _read_spec(response)
    if spec.kind not in ("gaussian", "student"):
        raise SpecError(f"Expected outcomes are not available for kind '{spec.kind}'.")
    codings = [
        Coding(**{**c, "levels": tuple(c["levels"])}) for c in json.loads(response.attrs["codings"])
    ]
    table = covariates.set_axis([str(i) for i in covariates.index], axis=0)
    problems = [
        f"there is no row for {some(m)}." for m in [[s for s in names if s not in table.index]] if m
    ]
    problems += [f"there is no column '{c.name}'." for c in codings if c.name not in table]
    if problems:
        raise DataContractError("covariates of new patients", problems)
    design = build_design(table.loc[list(names)], codings)[0]
    if not np.isfinite(design).all():
        raise DataContractError(
            "covariates of new patients",
            [f"values are missing for {some(names[~np.isfinite(design).all(axis=1)])}."],
        )
    drug = posterior[DRUG].values.reshape(-1)
    common = posterior[COEFFICIENT].values.reshape(drug.size, -1) @ design.T
    common = common + posterior[PROGNOSIS].values.reshape(drug.size, -1) @ mean.T
    change = drug[:, None] + posterior[MODERATION].values.reshape(drug.size, -1) @ mean.T
    level = float(constant["level"])
    return np.asarray(level + np.stack([common - change / 2, common + change / 2], axis=-1))


def _remission(posterior: xr.Dataset, expected: Array, covariance: Array, limit: float) -> Array:
    """Probability of an outcome at or below the limit on each drug, shape (subject, arm)."""
    n_draws = expected.shape[0]
    sigma = posterior[SIGMA].values.reshape(n_draws, 2)
    prognosis = posterior[PROGNOSIS].values.reshape(n_draws, -1)
    moderation = posterior[MODERATION].values.reshape(n_draws, -1)
    found = []
    for arm, code in enumerate((-0.5, 0.5)):
        slope = prognosis + code * moderation
        added = np.einsum("dk,ikl,dl->di", slope, covariance, slope, optimize=True)
        sd = np.sqrt(sigma[:, arm, None] ** 2 + np.maximum(added, 0.0))
        found.append(ndtr((limit - expected[:, :, arm]) / sd).mean(axis=0))
    return np.stack(found, axis=-1)
