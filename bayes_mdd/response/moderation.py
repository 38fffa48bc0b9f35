"""Assess moderation: a randomisation test, and one verdict with the posterior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.outcome_values import N_TRIALS
from bayes_mdd.response.prepare import Prepared, prepare
from bayes_mdd.response.randomisation import ONE_ARM_STRATA, can_redraw, randomisation_test
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.trial import Trial
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

Verdict = Literal["moderated", "not determinable", "smaller than the ROPE"]
#: Largest p value, and smallest posterior probability, of a verdict.
P_MAX, PROBABILITY = 0.05, 0.95
#: Draws of the posterior of the SD of the benefit.
DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Moderation:
    """Whether patients differ in what they gain from one drug rather than the other.

    Parameters
    ----------
    p_value : float
        Of the randomisation test.
    benefit_sd : Array
        Draws of the SD of the benefit over patients, in points (of the category or proportion
        for outcomes that are not in points).
    p_above_rope : float
        Posterior probability that this SD exceeds the ROPE.
    rope : float
        In points.
    verdict : {"moderated", "not determinable", "smaller than the ROPE"}
        "moderated" needs both a small p value and a large probability.
    null : Array
        Statistic of the arms drawn again.
    sentence : str
        The verdict in words.
    """

    p_value: float
    benefit_sd: Array
    p_above_rope: float
    rope: float
    verdict: Verdict
    null: Array
    sentence: str


def assess_moderation(
    spec: ResponseSpec,
    scores: xr.DataTree | xr.Dataset | pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    n_permutations: int = 999,
    seed: int = 1,
) -> Moderation:
    """Assess whether factors moderate the difference between two drugs.

    Arms are drawn again as the trial drew them (within the levels of a column ``stratum``, or of
    sites), which gives an exact test in a randomised trial. The posterior of the SD of the benefit
    is that of the fast method.

    Parameters
    ----------
    spec : ResponseSpec
        The model; outcomes are taken as numbers, whatever their kind.
    scores : DataTree, Dataset or DataFrame
        What `score_moments` accepts.
    outcomes : DataFrame
        As for `fit_response`.
    n_permutations : int, default 999
        Number of assignments drawn, at least 99.
    seed : int, default 1
        The same seed gives the same numbers.

    Returns
    -------
    Moderation
        Test, posterior and verdict.

    Raises
    ------
    DataContractError
        If scores or outcomes cannot be used.
    SpecError
        If there are too many factors or too few permutations.

    References
    ----------
    .. [1] Freedman, D. & Lane, D. (1983). A nonstochastic interpretation of reported significance
       levels. Journal of Business & Economic Statistics, 1, 292-298.

    Examples
    --------
    >>> import bayes_mdd as bm
    >>> trial = bm.simulate_trial(seed=1, n=60, benefit_sd=0)
    >>> spec = bm.ResponseSpec(outcome="hamd17", default_arm="SSRI", assignment="randomised")
    >>> bm.assess_moderation(spec, trial.scores, trial.outcomes, n_permutations=99).verdict
    'not determinable'
    """
    if n_permutations < 99:
        raise SpecError(f"n_permutations must be at least 99, got {n_permutations}.")
    prepared = prepare(spec, score_moments(scores), outcomes)
    if not 1 <= len(prepared.factors) <= MOST_FACTORS:
        raise SpecError(
            f"The test needs 1 to {MOST_FACTORS} factors, got {len(prepared.factors)}: keep those "
            "that are stable."
        )
    trial = _numeric(prepared)
    if not can_redraw(trial.other, prepared.stratum):
        raise SpecError(f"assess_moderation: {ONE_ARM_STRATA}")
    test = randomisation_test(
        trial,
        generator(seed, Stream.RANDOMISATION),
        n_permutations=n_permutations,
        stratum=prepared.stratum,
    )
    drawn = fit_mixture(trial, prepared.scales).draw(generator(seed, Stream.RESPONSE), DRAWS)
    benefit_sd = trial.benefit_sd(drawn.moderation)
    rope = spec.rope * trial.residual_sd()
    above = float((benefit_sd > rope).mean())
    verdict = judge_moderation(test.p_value, above)
    return Moderation(
        p_value=test.p_value,
        benefit_sd=benefit_sd,
        p_above_rope=above,
        rope=rope,
        verdict=verdict,
        null=test.null,
        sentence=_sentence(prepared, verdict, test.p_value, benefit_sd, rope),
    )


def _numeric(prepared: Prepared) -> Trial:
    """Outcomes around their mean; proportions where they are numbers of successes."""
    trial, value = prepared.trial, prepared.trial.outcome
    if prepared.spec.kind == "binomial":
        value = value / prepared.table[N_TRIALS].to_numpy(dtype=float)
    return replace(trial, outcome=value - value.mean())


def judge_moderation(p_value: float, p_above_rope: float) -> Verdict:
    """Draw the verdict from test and posterior.

    Parameters
    ----------
    p_value : float
        Of the randomisation test.
    p_above_rope : float
        Posterior probability that the SD of the benefit exceeds the ROPE.

    Returns
    -------
    {"moderated", "not determinable", "smaller than the ROPE"}
        The verdict.

    Examples
    --------
    >>> judge_moderation(0.01, 0.97), judge_moderation(0.01, 0.8), judge_moderation(0.6, 0.02)
    ('moderated', 'not determinable', 'smaller than the ROPE')
    """
    if p_value <= P_MAX and p_above_rope >= PROBABILITY:
        return "moderated"
    if p_value > P_MAX and p_above_rope <= 1 - PROBABILITY:
        return "smaller than the ROPE"
    return "not determinable"


def _sentence(
    prepared: Prepared, verdict: Verdict, p_value: float, benefit_sd: Array, rope: float
) -> str:
    spec, n = prepared.spec, len(prepared.subjects)
    low, high = np.quantile(benefit_sd, [0.05, 0.95])
    points = spec.kind in ("gaussian", "student")
    digits, unit = (1, "points") if points else (2, f"of {spec.outcome}")
    mean, low_said, high_said, limit = (
        f"{x:.{digits}f}" for x in (benefit_sd.mean(), low, high, rope)
    )
    size = f"SD {mean} {unit}, 90% interval {low_said} to {high_said}"
    arms = f"{prepared.other_arm} rather than {spec.default_arm}"
    of = f"randomisation p = {p_value:.3f}, {n} patients"
    if verdict == "moderated":
        said = f"What patients gain from {arms} differs between them ({size}; {of})."
    elif verdict == "smaller than the ROPE":
        said = (
            f"What patients gain from {arms} hardly differs between them with these factors "
            f"({size}, smaller than {limit}; {of})."
        )
    else:
        said = (
            f"These data do not show whether what patients gain from {arms} differs between them "
            f"({size}; {of}). This is no evidence that it does not."
        )
    if spec.assignment == "randomised":
        return said
    return f"{said} Arms were not randomised: this is an association, not an effect of the drug."
