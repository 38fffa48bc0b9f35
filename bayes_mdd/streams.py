"""Every random stream of the package, named once.

A stage draws from ``generator(seed, STREAM)``. Two stages with one number would replay the same
random numbers, because all default to the same seed; ``tests/project/test_streams.py`` refuses
that.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """One number per stage that draws random numbers."""

    #: Loadings given the draws of everything else (fit).
    LOADINGS = 7
    #: Scores of pinned factors (fit).
    PINNED = 8
    #: Mean expression of arms given the scores (fit).
    ARM_MEANS = 9
    #: Scores of subjects who were not in the fit (project).
    PROJECTION = 19
    #: Integration over scores (leave_one_out).
    LEAVE_ONE_OUT = 20
    #: Starting points of chains (fast fit).
    FAST_STARTS = 20
    #: Chains (fast fit).
    FAST_CHAINS = 21
    #: Replicated data (predictive_checks).
    PREDICTIVE = 21
    #: Symptom weights given the points of the chains (fast fit).
    FAST_OUTCOME = 22
    #: Weights whose prior is scaled (prior_sensitivity).
    SENSITIVITY = 22
    #: What is drawn given the points of the chains (fit).
    OUTCOME = 23
    #: Draws from the priors (prior_predictive).
    PRIOR = 23
    #: Draws of a model without factors (fit).
    NO_FACTOR = 24


def generator(seed: int, stream: Stream, *more: int) -> np.random.Generator:
    """Make the random numbers of one stage.

    Parameters
    ----------
    seed : int
        The user's seed.
    stream : Stream
        The stage.
    *more : int
        Further numbers, e.g. the index of a repetition.

    Returns
    -------
    numpy.random.Generator
        The same for the same arguments; independent of every other stage.

    Examples
    --------
    >>> generator(1, Stream.LOADINGS).integers(10) == generator(1, Stream.LOADINGS).integers(10)
    True
    """
    return np.random.default_rng([seed, int(stream), *more])
