"""Factors with their labels, probabilities and verdicts, for every model family."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayes_mdd.results.result import read_result
from bayes_mdd.results.rules import RULES, Rules
from bayes_mdd.workflow.families import family_of


def classify_factors(
    idata: xr.DataTree,
    *,
    specific_below: float = RULES.specific_below,
    probability: float = RULES.probability,
    min_explained: float = RULES.min_explained,
    min_draws: int = RULES.min_draws,
    ci_prob: float = RULES.ci_prob,
    mean_rope: float = RULES.mean_rope,
) -> pd.DataFrame:
    """Label every factor: shared by the arms, specific to one arm, undecided, or not nameable.

    The estimand is *expression* at one time point, in two senses: how the variance of a factor's
    scores is divided among the arms (``label``), and whether arms differ in the mean of the scores
    (``mean_label``). Neither is an effect of a drug. Where the features hold halves or pieces of
    the scans, or a second session, only factors that are stable are called shared or specific.

    Parameters
    ----------
    idata : xarray.DataTree
        What `fit` returned.
    specific_below : float, default 0.10
        An arm takes no part in a factor in those draws in which it holds less than this share of
        the factor's variance. A factor is specific to an arm when no other arm takes part.
    probability : float, default 0.9
        A label is given when its posterior probability is above this; otherwise "undecided".
    min_explained : float, default 0.01
        A factor is active when it explains more than this share of some arm's variance with
        posterior probability above one half.
    min_draws : int, default 100
        With fewer draws in all, fewer effective draws of a factor, or fewer than 2 chains, the
        no label is given ("n/a").
    ci_prob : float, default 0.9
        Probability of the intervals: equal-tailed, but shortest for reliability.
    mean_rope : float, default 0.2
        Differences between arm means up to this size, in SD of a factor's scores, count as none.

    Returns
    -------
    pandas.DataFrame
        One row per factor. ``factor``; ``label``: "shared", "<arm>-specific", "undecided",
        "not nameable" (varies within the scan, or between sessions, as much as between subjects:
        state or motion), "unused" (not active), "n/a" (chains disagree or there are too few draws)
        or, in a fit of one arm, "present". "undecided" is also given to a factor whose reliability
        is open, or of which one subject holds more than a third; ``active``; ``p_shared``:
        probability that every arm takes part; ``p_specific_<arm>``; with three or more arms
        ``p_partial``: that some but not all do (these add up to 1; they are NaN in a fit of one
        arm); ``explained_<arm>``: mean share of the arm's variance, 0-1, with ``_lower`` and
        ``_upper``; ``mean_<arm>``: mean expression in SD of the scores, against the controls where
        they are an arm, else against the average of the arms, with ``_lower`` and ``_upper``;
        ``p_mean_differs``: probability that one arm exceeds another by more than `mean_rope`, for
        the two and the direction for which it is largest, and ``mean_label``: "differs", "alike",
        "undecided" or "n/a";
        ``networks``: the blocks that hold
        80 % of what the factor explains, largest first, at most 4, and ``networks_share``: what
        they hold together; ``reproducible``: whether the chains agree on the factor;
        ``stability``: "stable", "open", "not nameable" or "unknown" (one scan alone);
        ``reliability``: posterior mean from the source that decides (sessions over pieces over
        halves), with the shortest interval ``reliability_lower``, ``reliability_upper``, and
        ``p_reliable``: probability that it exceeds 0.5; ``leverage``: largest share of the sum of
        squares of the scores that one subject holds; ``name``: the label and the two largest
        blocks, for example "F5 SNRI-specific: CCN-VIS, DMN-CCN", or "F5 unnamed" where the label
        makes no claim; ``verdict``: a sentence. ``attrs["rules"]`` holds the thresholds.

    Raises
    ------
    DataContractError
        If `idata` lacks a group or variable.
    SpecError
        If a threshold is out of its range.

    Notes
    -----
    A factor on which the chains disagree is "unused" only when it is inactive in every chain.
    Stable: the reliability exceeds 0.5 with a probability of at least 0.9; not nameable: with at
    most 0.1. Where nothing is known about reliability, labels are given, but no factor should be
    called a signature.
    With a sharing pattern fixed by the spec, the probabilities are 0 or 1 by assumption, and the
    verdict says so; so it does of a fit with ``method="fast"``, whose probabilities are
    approximate (``attrs["approximate"]`` is True). Features are standardised, so a block counts
    with its number of features in ``networks``; arms count alike.

    Each model family has a table of its own with the columns ``factor``, ``label``, ``networks``,
    ``reproducible``, ``name`` and ``verdict``. A polar LDA has no sharing: see
    `bayes_mdd.polar_lda.table.tabulate_factors`.
    """
    result = read_result(idata)
    rules = Rules(
        specific_below=specific_below,
        probability=probability,
        min_explained=min_explained,
        min_draws=min_draws,
        ci_prob=ci_prob,
        mean_rope=mean_rope,
    )
    return family_of(result.kind).table(result, rules)
