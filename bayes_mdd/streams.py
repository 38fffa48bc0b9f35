"""Every random stream of the package, named once.

A stage draws from ``generator(seed, STREAM)``, or from one generator per repetition that `spawn`
makes. Two stages with one number would replay the same random numbers, because all take the user's
seed; ``tests/project/test_streams.py`` refuses that.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """One number per stage of the factor model that draws random numbers."""

    #: Null distributions of components, scores of factors that start switched off (fit).
    START = 0
    #: Seeds of the chains (fit, response).
    CHAINS = 35
    #: Displaced and random starts of the search for modes (fit).
    MODES = 30
    #: Loadings given the draws of everything else (fit).
    LOADINGS = 7
    #: Mean expression of arms given the scores (fit).
    ARM_MEANS = 9
    #: Scores of subjects who were not in the fit (project).
    PROJECTION = 19
    #: Starting points of chains (fast fit).
    FAST_STARTS = 20
    #: Chains (fast fit).
    FAST_CHAINS = 21
    #: What is drawn given the points of the chains (fast fit).
    FAST_OUTCOME = 22
    #: What is drawn given the points of the chains (fit).
    OUTCOME = 23
    #: Draws of a model without factors (fit).
    NO_FACTOR = 24
    #: Integration over scores (leave_one_out).
    LEAVE_ONE_OUT = 25
    #: Replicated data (predictive_checks).
    PREDICTIVE = 26
    #: Approximation of log priors (prior_sensitivity).
    SENSITIVITY = 27
    #: Draws from the priors (prior_predictive).
    PRIOR = 28
    #: Permutations of arm labels and seeds of the refits (permute_arms).
    PERMUTATION = 29
    #: Errors of the edges, given the scores, where whitened edges are fitted (fit).
    EDGE_ERRORS = 31
    #: Errors of the loadings of edges (fit).
    EDGE_LOADINGS = 32
    #: Folds of the refits (leave_one_out).
    REFIT_FOLDS = 33
    #: Replicated features, and draws from the priors (add_arviz_groups).
    ARVIZ = 34
    #: Draws of the fast posterior (fit_response).
    RESPONSE = 40
    #: Scores of patients (predict_benefit).
    BENEFIT = 41
    #: Arms drawn again (assess_moderation, evaluate_policy).
    RANDOMISATION = 42
    #: Folds, and fits within them (evaluate_policy).
    POLICY = 43
    #: Arms, outcomes and scores that are permuted (negative_controls).
    CONTROLS = 44
    #: Seeds of simulated trials (plan_power).
    POWER = 45
    #: Folds, and draws of the average effect (missing_sensitivity).
    MISSING = 46
    #: Folds, bootstrap samples, and seeds of pipelines (compare_baselines).
    BASELINES = 50
    #: Permutations of outcomes and arms (compare_baselines).
    BASELINE_PERMUTATIONS = 51
    #: Places of findings that are permuted (evidence_concordance).
    EVIDENCE = 60
    #: Variance of patterns over cohorts (combine_cohorts).
    COMBINE_SIZES = 70
    #: Loadings and symptom weights over cohorts (combine_cohorts).
    COMBINE_MAPS = 71
    #: Variance of patterns in a new cohort (combine_cohorts).
    COMBINE_NEW = 72
    #: Variance of patterns in each cohort alone (combine_cohorts).
    COMBINE_ALONE = 73


class PolarLDAStream(IntEnum):
    """One number per stage of polar LDA; all are spawned, so none replays a `Stream`."""

    #: Random starts of variational EM.
    RESTARTS = 0
    #: Edges permuted over subjects.
    NULL = 1
    #: Bootstrap resamples of subjects.
    BOOTSTRAP = 2
    #: Split halves.
    SPLITS = 3


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """Make the random numbers of one stage.

    Parameters
    ----------
    seed : int
        The user's seed.
    stream : Stream
        The stage.

    Returns
    -------
    numpy.random.Generator
        The same for the same arguments; independent of every other stage.

    Examples
    --------
    >>> first, again = (generator(1, Stream.LOADINGS).random() for _ in range(2))
    >>> first == again
    True
    """
    return np.random.default_rng([seed, int(stream)])


def spawn(seed: int, stream: PolarLDAStream, n: int) -> list[np.random.SeedSequence]:
    """Make one seed per repetition of a stage.

    Parameters
    ----------
    seed : int
        The user's seed.
    stream : PolarLDAStream
        The stage.
    n : int
        Number of repetitions.

    Returns
    -------
    list of numpy.random.SeedSequence
        The first ones do not depend on `n`.
    """
    return np.random.SeedSequence([seed, int(stream)]).spawn(n)
