"""Benefit and recommendation for patients whose outcome is not known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.dims import ARM, CHAIN, DRAW, FACTOR, FACTOR_2, SUBJECT
from bayes_mdd.errors import DataContractError, SpecError
from bayes_mdd.features.order import natural_order
from bayes_mdd.parallel.blas import one_blas_thread
from bayes_mdd.response.benefit import DecisionRule, draw_benefit
from bayes_mdd.response.checks import chains_agree
from bayes_mdd.response.expected import (
    Predictor,
    draw_outcome_means,
    expect_outcome,
    predict_linear,
    probabilities_at_most,
    probability_below,
    unit_of,
)
from bayes_mdd.response.fit import KIND
from bayes_mdd.response.new_patients import (
    build_new_design,
    in_support,
    match_moments,
    read_codings,
)
from bayes_mdd.response.outcome_values import remission_limit
from bayes_mdd.response.parameters import Draws
from bayes_mdd.response.scores import COVARIANCE, MEAN, score_moments
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array, BoolArray

#: What is said instead of a recommendation.
NO_PREFERENCE, NOT_GIVEN = "no preference", "not given: observational"
OUTSIDE = "not given: outside the support"
#: Chains that disagree are no posterior: their mean is not reported as a preference.
NOT_CONVERGED = "not given: chains disagree"
#: Dimension of the levels of an ordinal outcome.
LEVEL = "level"


@one_blas_thread()
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
        expected outcome under each drug. Binomial outcomes: also ``n_trials``, by default the
        median of the fitted patients.
    p_star, minimum : float, optional
        Smallest probability of a benefit, and smallest expected benefit in the unit of the
        outcome, for which a drug is preferred. Default: those of the spec.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    Dataset
        On ``subject``: ``benefit_mean``, ``benefit_lower``, ``benefit_upper`` (90%),
        ``benefit_lower_50``, ``benefit_upper_50``, above 0 in favour of the other drug;
        ``p_benefit``, ``p_minimum``, the probabilities that the benefit exceeds 0 and the minimum;
        ``in_support``; ``recommendation``, the name of a drug, "no preference", or why none is
        given. ``benefit`` (chain, draw, subject), and with covariates ``expected`` (chain, draw,
        subject, arm), the mean outcome on each drug.

        Outcome and benefit are in ``attrs["unit"]``: points of Gaussian and Student outcomes, the
        probability of a 1 of binary ones, the expected level of ordinal ones, the expected number
        of successes of binomial ones. Without covariates, the benefit of the last three is that of
        a patient whose covariates are the mean of the fitted patients.

        ``p_remission`` (subject, arm), the probability of remission on each drug, for points of a
        known scale and binary outcomes named remission. ``p_at_most`` (subject, arm, level), with
        ``p_at_most_lower`` and ``p_at_most_upper`` (90%), the probability of an ordinal outcome at
        or below each level.

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
    moments = match_moments(response, score_moments(scores))
    # Draws go patient by patient: they must not depend on the order of the table.
    order = natural_order(moments[SUBJECT].values)
    moments = moments.isel({SUBJECT: order})
    names = moments[SUBJECT].values.astype(str)
    centre, scale = constant["score_centre"].values, constant["score_scale"].values
    mean = (moments[MEAN].transpose(SUBJECT, FACTOR).values - centre) / scale
    covariance = moments[COVARIANCE].transpose(SUBJECT, FACTOR, FACTOR_2).values
    covariance = covariance / (scale[:, None] * scale)
    draws = Draws.of(response)
    codings = read_codings(response)
    design, trials = build_new_design(codings, covariates, names, constant)
    linear = predict_linear(draws, mean, covariance, design)
    rng = generator(seed, Stream.BENEFIT)
    benefit = _draw_benefit(spec, draws, linear, trials, mean, covariance, rng)
    supported = in_support(constant["score_mean"].values, mean)
    found = _summary(benefit, rule).assign(in_support=(SUBJECT, supported))
    found["recommendation"] = (SUBJECT, _recommend(response, spec, rule, found, supported))
    shape = (posterior.sizes[CHAIN], posterior.sizes[DRAW])
    found["benefit"] = ((CHAIN, DRAW, SUBJECT), benefit.reshape(*shape, -1))
    if covariates is not None or not codings:
        expected = expect_outcome(draws, linear, trials)
        found["expected"] = ((CHAIN, DRAW, SUBJECT, ARM), expected.reshape(*shape, -1, 2))
        found = found.assign(_probabilities(spec, draws, linear, expected, rng))
        found = found.assign_coords({ARM: posterior[ARM].values})
    found = found.assign_coords(
        {SUBJECT: names.astype(object), CHAIN: posterior[CHAIN], DRAW: posterior[DRAW]}
    )
    return found.isel({SUBJECT: np.argsort(order)}).assign_attrs(
        estimand=(
            f"outcome on {spec.default_arm} minus that on {response.attrs['other_arm']}, "
            "positive in favour of the latter"
        ),
        default_arm=spec.default_arm,
        other_arm=response.attrs["other_arm"],
        p_star=rule.p_star,
        minimum=rule.minimum,
        unit=unit_of(spec),
        reason=spec.allow_observational or "",
    )


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
    if not chains_agree(response):
        return np.full(supported.size, NOT_CONVERGED, dtype=object)
    choice = rule.decide(found["benefit_mean"].values, found["p_benefit"].values)
    names = np.array([spec.default_arm, NO_PREFERENCE, response.attrs["other_arm"]], dtype=object)
    return np.where(supported, names[choice + 1], OUTSIDE)


def _draw_benefit(
    spec: ResponseSpec,
    draws: Draws,
    linear: Predictor,
    trials: Array,
    mean: Array,
    covariance: Array,
    rng: np.random.Generator,
) -> Array:
    """Draw the benefit in the unit of the outcome, shape (draw, subject)."""
    sign = -1.0 if spec.higher_is_better else 1.0
    if spec.kind in ("gaussian", "student"):
        return draw_benefit(sign * draws.drug, sign * draws.moderation, mean, covariance, rng)
    outcome = draw_outcome_means(draws, linear, trials, rng)
    return np.asarray(sign * (outcome[..., 0] - outcome[..., 1]))


def _probabilities(
    spec: ResponseSpec, draws: Draws, linear: Predictor, expected: Array, rng: np.random.Generator
) -> dict[str, xr.Variable]:
    """Probabilities of remission, and of outcomes at or below each level."""
    limit = remission_limit(spec)
    if limit is not None:
        of_remission = probability_below(draws, linear, limit, rng)
        return {"p_remission": xr.Variable((SUBJECT, ARM), of_remission)}
    if spec.kind == "binary" and "remission" in spec.outcome.lower():
        return {"p_remission": xr.Variable((SUBJECT, ARM), expected.mean(axis=0))}
    if spec.kind != "ordinal":
        return {}
    below = probabilities_at_most(draws, linear.mean, linear.variance)
    found = [
        np.concatenate([p.mean(axis=0)[None], np.quantile(p, [0.05, 0.95], axis=0)]) for p in below
    ]
    found.append(np.ones_like(found[0]))
    mean, lower, upper = np.stack(found, axis=-1)
    dims = (SUBJECT, ARM, LEVEL)
    return {
        "p_at_most": xr.Variable(dims, mean),
        "p_at_most_lower": xr.Variable(dims, lower),
        "p_at_most_upper": xr.Variable(dims, upper),
        LEVEL: xr.Variable(LEVEL, draws.levels),
    }
