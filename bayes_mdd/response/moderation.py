"""Assess moderation: a randomisation test, and one verdict with the posterior."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from bayes_mdd.errors import SpecError
from bayes_mdd.response.facts import numeric_trial, unit_of_number
from bayes_mdd.response.fit import BENEFIT_SD
from bayes_mdd.response.mixture import MOST_FACTORS, fit_mixture
from bayes_mdd.response.prepare import prepare
from bayes_mdd.response.randomisation import ONE_ARM_STRATA, can_redraw, randomisation_test
from bayes_mdd.response.scores import score_moments
from bayes_mdd.response.verdict import Finding, Verdict, judge_moderation, say_moderation
from bayes_mdd.specs.response import ResponseSpec
from bayes_mdd.streams import Stream, generator
from bayes_mdd.types import Array

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
    response: xr.DataTree | None = None,
    seed: int = 1,
) -> Moderation:
    """Assess whether factors moderate the difference between two drugs.

    Arms are drawn again as the trial drew them (within the levels of a column ``stratum``, or of
    sites), which gives an exact test in a randomised trial.

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
    response : DataTree, optional
        From `fit_response` with the same data, whose posterior of the SD of the benefit is used
        where the outcome is in points; otherwise that of the fast method.
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
    trial = numeric_trial(prepared)
    if not can_redraw(trial.other, prepared.stratum):
        raise SpecError(f"assess_moderation: {ONE_ARM_STRATA}")
    test = randomisation_test(
        trial,
        generator(seed, Stream.RANDOMISATION),
        n_permutations=n_permutations,
        stratum=prepared.stratum,
    )
    points = spec.kind in ("gaussian", "student")
    if response is not None and points:
        benefit_sd = response["posterior"].to_dataset()[BENEFIT_SD].values.reshape(-1)
    else:
        drawn = fit_mixture(trial, prepared.scales).draw(generator(seed, Stream.RESPONSE), DRAWS)
        benefit_sd = trial.benefit_sd(drawn.moderation)
    rope = spec.rope * trial.residual_sd()
    found = Finding(
        default_arm=spec.default_arm,
        other_arm=prepared.other_arm,
        p_value=test.p_value,
        benefit_sd=benefit_sd,
        rope=rope,
        unit=unit_of_number(spec),
        digits=1 if points else 2,
        patients=len(prepared.subjects),
        randomised=spec.assignment == "randomised",
    )
    return Moderation(
        p_value=test.p_value,
        benefit_sd=benefit_sd,
        p_above_rope=found.p_above_rope,
        rope=rope,
        verdict=judge_moderation(test.p_value, found.p_above_rope),
        null=test.null,
        sentence=say_moderation(found),
    )
