r"""Expected symptom as a function of the score of one factor.

Covariates and the other factors are at their mean over the rated subjects (of the arm, where links
differ by arm). The intercept of a dimension was integrated out; given scores, the expected symptom
at the mean score is normal with mean :math:`\bar s` and SD :math:`\sigma / \sqrt n`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, ndtri

from bayes_mdd.dims import ARM, CHAIN, CUTPOINT, DIMENSION, DRAW, FACTOR, SUBJECT, SYMPTOM
from bayes_mdd.errors import DataContractError, some
from bayes_mdd.results.result import Result
from bayes_mdd.shared_specific.data.ratings import link_design
from bayes_mdd.shared_specific.posterior.symptoms import read_link_units
from bayes_mdd.shared_specific.schema import (
    OBSERVED_DATA,
    POSTERIOR,
    SYMPTOM_COVARIATE,
    SYMPTOM_CUTPOINT,
    SYMPTOM_NOISE,
    SYMPTOM_WEIGHT,
    SYMPTOM_WEIGHT_BY_ARM,
)
from bayes_mdd.shared_specific.tables.scores import ScoreDraws
from bayes_mdd.types import Array

#: Points of a line.
POINTS = 60
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Curve:
    """Expected symptom along the scores of one factor.

    Parameters
    ----------
    arm : str
        Empty for a line of all arms.
    score : ndarray, shape (point,)
        From the smallest to the largest posterior mean score of the subjects.
    mean, lower, upper : ndarray, shape (point,)
        Posterior mean and equal-tailed interval of the expected symptom, in its own unit.
    weight : ndarray, shape (draw,)
        The weight of the factor, in the unit of `summarise_symptom_links`.
    """

    arm: str
    score: Array
    mean: Array
    lower: Array
    upper: Array
    weight: Array = field(repr=False)


def read_symptom(result: Result, symptom: str, symptoms: pd.DataFrame | None, what: str) -> Array:
    """Read the ratings of the subjects of a fit as they were given.

    Parameters
    ----------
    result : Result
        A fit.
    symptom : str
        A dimension or item.
    symptoms : DataFrame, optional
        Ratings, indexed by participant; needed where the run does not hold them.
    what : str
        Name of the caller, for errors.

    Returns
    -------
    ndarray, shape (subject,)
        In the order of the scores; NaN where not rated.

    Raises
    ------
    DataContractError
        If the ratings are not known.
    """
    subjects = result.posterior[SUBJECT].values.astype(str)
    if symptoms is not None:
        if symptom not in symptoms.columns:
            raise DataContractError(
                what, [f"symptoms has no column {symptom!r}; there are {some(symptoms.columns)}."]
            )
        column = symptoms[symptom].set_axis(symptoms.index.astype(str))
        known = column.index.intersection(list(subjects))
        if column.index.has_duplicates or known.empty:
            raise DataContractError(
                what,
                [
                    "symptoms must have one row per participant, indexed by participant_id; "
                    f"{len(known)} of {len(subjects)} participants of the fit were found."
                ],
            )
        return np.asarray(column.reindex(list(subjects)).to_numpy(dtype=float))
    stored = result.group(OBSERVED_DATA) if OBSERVED_DATA in result.tree.children else xr.Dataset()
    if "symptoms" in stored and symptom in stored[DIMENSION].values.astype(str):
        return np.asarray(stored["symptoms"].sel({DIMENSION: symptom}).values, dtype=float)
    if f"symptom_{symptom}" in stored:
        return np.asarray(stored[f"symptom_{symptom}"].values, dtype=float)
    linked = read_link_units(result) if result.holds(POSTERIOR, SYMPTOM_WEIGHT) else {}
    told = (
        f"this run does not hold the ratings of {symptom!r}"
        if symptom in linked
        else f"the fit did not link {symptom!r} (linked: {some(linked, 12) or 'none'})"
    )
    raise DataContractError(
        what, [f"{told}: pass symptoms=bm.read_cohort(cohort).symptoms, or another table."]
    )


def trace_symptom(
    result: Result, scores: ScoreDraws, factor: str, symptom: str, rating: Array, prob: float
) -> list[Curve]:
    """Compute the expected symptom along the scores of a factor.

    Parameters
    ----------
    result : Result
        A fit.
    scores : ScoreDraws
        Of all factors.
    factor, symptom : str
        What to relate.
    rating : ndarray, shape (subject,)
        From `read_symptom`.
    prob : float
        Probability of the interval.

    Returns
    -------
    list of Curve
        One for all arms, or one per arm where links differ by arm; none where the fit did not link
        the symptom.
    """
    if not result.holds(POSTERIOR, SYMPTOM_WEIGHT):
        return []
    kinds = read_link_units(result)
    if symptom not in kinds:
        return []
    by_arm = result.holds(POSTERIOR, SYMPTOM_WEIGHT_BY_ARM)
    rated = np.isfinite(rating)
    groups = [(a, rated & (scores.arm == a)) for a in scores.arms] if by_arm else [("", rated)]
    curves = []
    for arm, members in groups:
        if members.sum() < 2:
            continue
        weight = _weights(result, scores, symptom, arm)
        average = scores.draws[:, members].mean(axis=1)
        own = scores.factors.index(factor)
        place = scores.of(factor).mean(axis=0)[members]
        grid = np.linspace(place.min(), place.max(), POINTS)
        moved = weight[:, [own]] * (grid - average[:, [own]])
        if kinds[symptom][0] == "gaussian":
            sd = rating[rated].std(ddof=1)
            noise = _flat(result, SYMPTOM_NOISE, {SYMPTOM: symptom})
            centre = noise / np.sqrt(members.sum()) * _spread(len(noise))
            value = rating[members].mean() + sd * (moved + centre[:, None])
        else:
            # Cutpoints refer to scores with the origin of the draw.
            others = (weight * (average + scores.shift)).sum(axis=1)
            others = others + _covariates(result, scores, symptom, arm, members)
            value = _levels(result, symptom, moved + others[:, None], rating[rated].min())
        tail = (1 - prob) / 2
        low, high = np.quantile(value, [tail, 1 - tail], axis=0)
        curves.append(Curve(arm, grid, value.mean(axis=0), low, high, weight[:, own]))
    return curves


def _flat(result: Result, name: str, chosen: dict[str, object]) -> Array:
    """Draws of a variable of the posterior along one axis."""
    values = result.posterior[name].sel(chosen).transpose(CHAIN, DRAW, ...).values
    return np.asarray(values.reshape(-1, *values.shape[2:]))


def _weights(result: Result, scores: ScoreDraws, symptom: str, arm: str) -> Array:
    """Weights of all factors in a symptom, shape (draw, factor)."""
    chosen: dict[str, object] = {SYMPTOM: symptom, FACTOR: list(scores.factors)}
    if arm:
        return _flat(result, SYMPTOM_WEIGHT_BY_ARM, {**chosen, ARM: arm})
    return _flat(result, SYMPTOM_WEIGHT, chosen)


def _spread(n: int) -> Array:
    """Spread standard normal quantiles in an order that is unrelated to the draws."""
    return np.asarray(ndtri(np.clip((np.arange(1, n + 1) * _GOLDEN) % 1, 1e-6, 1 - 1e-6)))


def _covariates(
    result: Result, scores: ScoreDraws, symptom: str, arm: str, members: np.ndarray
) -> Array:
    """Effect of an item's covariates at their mean over the members of an arm."""
    if not arm or SYMPTOM_COVARIATE not in result.posterior:
        return np.zeros(len(scores.draws))
    stored = result.constant["design"].transpose(SUBJECT, ...).to_pandas()
    code = np.array([scores.arms.index(a) for a in scores.arm])
    design = link_design(result.spec, stored, code, len(scores.arms)).to_numpy()[:, 1:]  # type: ignore[arg-type]
    effect = _flat(result, SYMPTOM_COVARIATE, {"item": symptom})
    return np.asarray(effect @ (design - design.mean(axis=0))[members].mean(axis=0))


def _levels(result: Result, symptom: str, linear: Array, lowest: float) -> Array:
    """Compute the expected rating of an item, shape (draw, point)."""
    names = [str(c) for c in result.posterior[CUTPOINT].values]
    mine = [c for c in names if c.rsplit(" >= ", 1)[0] == symptom]
    cut = _flat(result, SYMPTOM_CUTPOINT, {CUTPOINT: mine})
    value = np.full(linear.shape, lowest)
    below = lowest  # has no cutpoint
    for c, name in enumerate(mine):
        level = float(name.rsplit(" >= ", 1)[1])
        value += (level - below) * expit(linear - cut[:, [c]])
        below = level
    return value
