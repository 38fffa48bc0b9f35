"""From new people's features to the sums that the density of one person needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.shared_specific.new_subjects.covariates import level_contrasts
from bayes_mdd.shared_specific.new_subjects.fitted import Fitted
from bayes_mdd.shared_specific.new_subjects.predictive_density import (
    Evidence,
    Integral,
    integrate_scores,
    weigh,
)
from bayes_mdd.types import Array


@dataclass(frozen=True, eq=False)
class NewPeople:
    """People who were not in the fit.

    Parameters
    ----------
    names : tuple of str
        Who.
    y : ndarray, shape (person, feature)
        Features in the order and unit of the fit, divided by `feature_noise`.
    design : ndarray, shape (person, covariate)
        Covariates in the columns of the fit's design.
    new_level : mapping of str to ndarray of bool, shape (person,)
        By text covariate: who has a level that the fit did not see.
    """

    names: tuple[str, ...]
    y: Array
    design: Array
    new_level: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Person:
    """One new person before an arm is assumed.

    Parameters
    ----------
    square : ndarray, shape (block,)
        As in `Evidence`.
    pull : ndarray, shape (T, block, factor)
        As in `Evidence`.
    base : ndarray, shape (T, block)
        As in `Evidence`.
    predicted : ndarray, shape (T, factor)
        The design's prediction of the scores.
    """

    square: Array
    pull: Array
    base: Array
    predicted: Array


def read_person(fitted: Fitted, people: NewPeople, i: int) -> Person:
    """Sum up one person's features against the posterior.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    people : NewPeople
        New people.
    i : int
        Which of them.

    Returns
    -------
    Person
        Sums.
    """
    x = people.design[i]
    r = people.y[i] - x @ fitted.effect
    with_fitted = np.stack(
        [left @ r[at] for left, at in zip(fitted.residual, fitted.members, strict=True)]
    )
    pull = np.einsum("tnk,bn->tbk", fitted.score_residual, with_fitted, optimize=True)
    leverage = float(((x @ fitted.regress) ** 2).sum())
    base = np.full(fitted.draws.noise.shape, 1.0 + leverage)
    for name, unseen in people.new_level.items():
        if unseen[i]:
            base += _between_levels(fitted, name)
    return Person(
        square=np.bincount(fitted.block, r**2, minlength=len(fitted.blocks)),
        pull=np.einsum("tbkl,tbl->tbk", fitted.loadings.spread, pull),
        base=base,
        predicted=np.einsum("q,tqk->tk", x, fitted.score_effect),
    )


def _between_levels(fitted: Fitted, name: str) -> Array:
    """Variance of an unseen level's effect about the average of the known ones, (T, block).

    In units of the noise variance. A moment estimate for each block and draw: the spread of the
    known levels' effects beyond what sampling error gives, and as much again for the average of
    few levels.
    """
    given = fitted.loadings
    contrast = level_contrasts(list(fitted.design.columns), name) @ fitted.regress
    n_levels = len(contrast)
    on_scores = contrast @ fitted.draws.scores
    effects = contrast @ fitted.y
    excess = np.empty_like(fitted.draws.noise)
    own = float((contrast**2).sum())
    for b in range(len(fitted.blocks)):
        own_effects = effects[:, fitted.members[b]]
        products = fitted.residual[b] @ own_effects.T
        mean = given.spread[:, b] @ (np.swapaxes(fitted.score_residual, 1, 2) @ products)
        total = (own_effects**2).sum() - 2 * np.einsum("tlk,tkl->t", on_scores, mean)
        total += np.einsum("tlk,tkm,tlm->t", on_scores, given.moment[:, b], on_scores)
        chance = own + np.einsum("tlk,tkm,tlm->t", on_scores, given.spread[:, b], on_scores)
        excess[:, b] = total / (given.variance[:, b] * given.size[b]) - chance
    return np.asarray(np.maximum(excess / (n_levels - 1), 0.0) * (1 + 1 / n_levels))


def in_arm(fitted: Fitted, person: Person, arm: int) -> Evidence:
    """Assume an arm for the person.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    person : Person
        From `read_person`.
    arm : int
        Position of the arm.

    Returns
    -------
    Evidence
        For `integrate_scores`.
    """
    draws = fitted.draws
    return Evidence(
        square=person.square,
        pull=person.pull,
        base=person.base,
        offset=draws.arm_mean[:, arm] - person.predicted,
        scale=np.sqrt(len(fitted.arms) * draws.sharing[:, arm]),
    )


def score_person(
    fitted: Fitted, person: Person, arm: int, rng: np.random.Generator, *, candidates: int
) -> tuple[Array, Integral]:
    """Draw one person's scores under one arm.

    Parameters
    ----------
    fitted : Fitted
        The fit.
    person : Person
        From `read_person`.
    arm : int
        Position of the arm.
    rng : numpy.random.Generator
        For the draws.
    candidates : int
        Proposals for each draw.

    Returns
    -------
    scores : ndarray, shape (T, factor)
        In the unit of the fit's scores.
    integral : Integral
        With the density of the features, in units of their relative noise and, whatever the fit
        weighed them by, as independent ones: so that models can be compared.
    """
    seen = in_arm(fitted, person, arm)
    found = integrate_scores(fitted.loadings, seen, rng, candidates=candidates)
    if fitted.weight != 1.0:
        weighed = weigh(fitted.loadings, seen, fitted.weight)
        own = integrate_scores(*weighed, rng, candidates=candidates)
        found = replace(own, log_density=found.log_density)
    return fitted.draws.arm_mean[:, arm] + seen.scale * found.standard, found
