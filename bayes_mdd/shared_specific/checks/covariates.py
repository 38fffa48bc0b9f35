"""Check of factors against covariates that were removed from the features but not modelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from bayes_mdd.dims import CHAIN, DRAW, FACTOR, MISSING, SUBJECT
from bayes_mdd.results.checks import Check
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.schema import BLOCK_SCALE, SCORES
from bayes_mdd.shared_specific.spec import spec_of
from bayes_mdd.types import Array

NAME: Final = "covariates outside the model: largest |r| with a factor"
#: Probability by chance that any factor correlates more with any of the covariates.
LEVEL: Final = 0.01
#: Smallest number of degrees of freedom of a correlation.
LEAST_DF: Final = 3


def judge_removed_covariates(result: Result) -> list[Check]:
    """Check whether a factor follows a covariate that only the reference has removed.

    The regression on a few dozen controls is imprecise. Its error is a pattern over features that
    every subject has in proportion to the covariate: a factor, unless the covariate is also in the
    model.

    Parameters
    ----------
    result : Result
        A fit of the factor model.

    Returns
    -------
    list of Check
        One check: the largest absolute correlation of the mean scores of a sampled factor with such
        a covariate, both without the design of the model, against a limit that noise exceeds with
        probability `LEVEL` (Bonferroni). Empty where all covariates of the reference are in the
        model, or no factor was sampled.
    """
    columns = _outside_columns(result)
    scores = _sampled_scores(result)
    design = result.constant["design"].transpose(SUBJECT, ...).values.astype(float)
    free = len(design) - design.shape[1]
    if not columns or not scores or free - 1 < LEAST_DF:
        return []
    basis = np.linalg.qr(design)[0]
    size, factor, covariate = max(
        (abs(_correlation(h, x, basis)), factor, covariate)
        for factor, h in scores.items()
        for (covariate, _), x in columns.items()
    )
    limit = _limit(len(scores) * len(columns), free - 1)
    return [
        Check(
            NAME,
            size,
            f"<= {limit:.2f}",
            bool(size <= limit),
            f"{factor} follows {covariate}: add {covariate} to model.covariates. The error of the "
            "regression on controls is proportional to the covariate in every participant and is "
            "found as a factor.",
        )
    ]


def _outside_columns(result: Result) -> dict[tuple[str, str], Array]:
    """Numeric columns of the covariates outside the model, by name and level."""
    reference = result.features.get("reference")
    if not isinstance(reference, Mapping) or reference.get("people") != "controls":
        return {}
    inside = set(spec_of(result).covariates)
    found: dict[tuple[str, str], Array] = {}
    for name in map(str, reference.get("covariates", ())):
        if name in inside or name not in result.constant.coords:
            continue
        values = pd.Series(result.constant[name].values)
        if values.isna().any() or (values.astype(str) == MISSING).any():
            continue
        if pd.api.types.is_numeric_dtype(values):
            found[name, ""] = values.to_numpy(dtype=float)
            continue
        text = values.astype(str)
        for level in sorted(set(text))[1:]:
            found[name, level] = np.asarray(text == level, dtype=float)
    return found


def _sampled_scores(result: Result) -> dict[str, Array]:
    """Posterior mean scores of the factors that are in the model."""
    posterior = result.posterior
    scale = posterior[BLOCK_SCALE]
    on = scale.any([d for d in scale.dims if d != FACTOR]).values
    mean = posterior[SCORES].mean((CHAIN, DRAW)).transpose(SUBJECT, FACTOR).values
    names = posterior[FACTOR].values.astype(str)
    return {str(n): mean[:, k] for k, n in enumerate(names) if on[k]}


def _correlation(a: Array, b: Array, basis: Array) -> float:
    """Correlation of two columns without the design."""
    a, b = a - basis @ (basis.T @ a), b - basis @ (basis.T @ b)
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 else 0.0


def _limit(n_tests: int, df: int) -> float:
    """Correlation that none of some tests exceeds with probability 1 - `LEVEL` by chance."""
    t = float(stats.t.isf(LEVEL / (2 * n_tests), df))
    return t / float(np.sqrt(df + t**2))
