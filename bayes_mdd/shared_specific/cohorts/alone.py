"""Group of a combined result: what each cohort alone says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import xarray as xr

from bayes_mdd.dims import ARM, FACTOR, MISSING
from bayes_mdd.results.rules import RULES
from bayes_mdd.shared_specific.cohorts.combined import (
    COHORT,
    Combined,
    arm_explained,
    arm_shares,
)
from bayes_mdd.shared_specific.cohorts.hierarchy import sample_alone
from bayes_mdd.types import Array

#: Draws of each chain for what a cohort alone says.
ALONE_DRAWS: Final = 400


def group_cohorts(
    found: Combined, summaries: Mapping[str, xr.Dataset], rng: np.random.Generator
) -> xr.Dataset:
    """Summarise what each cohort alone says, in the common unit.

    Parameters
    ----------
    found : Combined
        Aligned estimates.
    summaries : mapping of str to Dataset
        Summaries by name of the cohort.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    Dataset
        Group ``cohorts``.
    """
    tail = (1 - RULES.ci_prob) / 2
    shape = (len(found.names), len(found.arms), len(found.patterns))
    numbers = {
        f"{n}{e}": np.full(shape, np.nan)
        for n in ("explained", "sharing")
        for e in ("", "_lower", "_upper")
    }
    every = sample_alone(found.sizes, rng, draws=ALONE_DRAWS)
    for i, cohort in enumerate(found.aligned.cohorts):
        drawn = every[:, i]
        on = np.flatnonzero(cohort.found)
        if not on.size:
            continue
        ones = np.ones((len(drawn), on.size))
        for name, values in (
            ("explained", arm_explained(drawn[:, on], ones, cohort.noise)),
            ("sharing", arm_shares(drawn[:, on])),
        ):
            low, high = np.quantile(values, [tail, 1 - tail], axis=0)
            for end, value in (("", values.mean(axis=0)), ("_lower", low), ("_upper", high)):
                numbers[f"{name}{end}"][i][:, on] = value
    by_cohort, by_arm = (COHORT, FACTOR), (COHORT, ARM, FACTOR)
    own, labels = np.full(shape[::2], MISSING, object), np.full(shape[::2], MISSING, object)
    for i, s in enumerate(summaries.values()):
        for p, at in enumerate(found.aligned.position[i]):
            if at >= 0:
                own[i, p], labels[i, p] = str(s[FACTOR].values[at]), str(s["label"].values[at])

    def _stack(name: str) -> Array:
        return np.stack([getattr(c, name) for c in found.aligned.cohorts])

    dof = np.where(found.sizes.found[:, None], found.sizes.dof * found.sizes.observed, 0.0)
    return xr.Dataset(
        {
            **{n: (by_arm, v) for n, v in numbers.items()},
            "found": (by_cohort, _stack("found")),
            "alike": (by_cohort, found.aligned.alike),
            "own_factor": (by_cohort, own.astype(str)),
            "own_label": (by_cohort, labels.astype(str)),
            "rotated": (COHORT, found.aligned.rotated),
            "n": ((COHORT, ARM), _stack("n")),
            "reliability": (by_cohort, _stack("reliability")),
            "reliability_sd": (by_cohort, _stack("reliability_sd")),
            "leverage": (by_cohort, _stack("leverage")),
            "squares": (by_cohort, dof.sum(axis=1)),
            "noise": (COHORT, found.sizes.noise),
            "limit": ((COHORT, "carrier"), found.sizes.limit),
        },
        coords={
            COHORT: found.names,
            ARM: found.arms,
            FACTOR: found.patterns,
            "carrier": ["shared", *(found.arms if found.sizes.limit.shape[1] > 1 else [])],
        },
    )
