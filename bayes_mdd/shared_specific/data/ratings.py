"""Symptom ratings as the arrays of the symptom link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
from scipy.linalg import helmert, null_space

from bayes_mdd.cohort.totals import explain_absent
from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.specs import SharedSpecificSpec
from bayes_mdd.types import Array

#: Number of ratings that a symptom needs beyond the columns of its design.
SPARE_RATINGS = 5
#: Largest number of levels of an item; symptoms with more are dimensions.
MOST_LEVELS = 10
#: Residual SD of the latent logistic variable of an item.
LOGISTIC_SD = float(np.pi / np.sqrt(3.0))


@dataclass(frozen=True, eq=False)
class Symptom:
    """One symptom dimension with its covariates projected out.

    Parameters
    ----------
    name : str
        Name of the dimension.
    basis : ndarray, shape (rated, n)
        Orthonormal basis of the complement of the design among the rated subjects.
    rated : ndarray of int, shape (rated,)
        Positions of the subjects with a score; the others are integrated out.
    value : ndarray, shape (n,)
        Standardised scores in that basis.
    score : ndarray, shape (rated,)
        Scores in original units.
    mean, sd : float
        Mean and SD with which the scores were standardised.
    """

    name: str
    basis: Array
    rated: np.ndarray
    value: Array
    score: Array
    mean: float
    sd: float


@dataclass(frozen=True, eq=False)
class Item:
    """One ordinal symptom.

    Parameters
    ----------
    name : str
        Its column.
    rated : ndarray of int, shape (rated,)
        Positions of the subjects with a score; the others are integrated out.
    level : ndarray of int, shape (rated,)
        Rank of each score among `values`, from 0.
    values : tuple of int
        Observed scores in ascending order. Scores that no subject has are merged with their
        neighbours, because the data do not inform their cutpoints.
    """

    name: str
    rated: np.ndarray
    level: np.ndarray
    values: tuple[int, ...]


def arm_contrasts(n_arms: int) -> Array:
    """Zero-sum contrasts under which arms are exchangeable.

    Parameters
    ----------
    n_arms : int
        Number of arms.

    Returns
    -------
    ndarray, shape (arm, arm - 1)
        Applied to independent standard normals, it gives values with SD 1 that sum to 0 over arms.

    Examples
    --------
    >>> arm_contrasts(2).round(3).tolist()
    [[1.0], [-1.0]]
    """
    if n_arms < 2:
        return np.zeros((n_arms, 0))
    return np.asarray(helmert(n_arms).T * np.sqrt(n_arms / (n_arms - 1)))


def link_design(
    spec: SharedSpecificSpec, design: pd.DataFrame, arm: np.ndarray, n_arms: int
) -> pd.DataFrame:
    """Columns projected out of symptoms: the design, and arms where links differ by arm.

    An interaction of factor and arm is interpreted given the main effect of arm; without it, a
    mean difference between arms would appear as a link.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model; `symptom_links` is read.
    design : DataFrame, shape (subject, covariate)
        Intercept and covariates.
    arm : ndarray of int, shape (subject,)
        Position of each subject's arm.
    n_arms : int
        Number of arms.

    Returns
    -------
    DataFrame, shape (subject, column)
        The design, and contrasts of arms for links by arm.
    """
    if spec.symptom_links == "common":
        return design
    contrasts = pd.DataFrame(arm_contrasts(n_arms)[arm], index=design.index)
    contrasts.columns = [f"arm_contrast{i + 1}" for i in range(n_arms - 1)]
    return design.join(contrasts)


def check_links(spec: SharedSpecificSpec, arms: Sequence[str]) -> None:
    """Refuse links by arm if there is only one arm.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    arms : sequence of str
        Arms of the subjects to fit.

    Raises
    ------
    SpecError
        If links by arm are asked for and there is one arm.
    """
    if spec.symptom_links == "by_arm" and spec.linked_symptoms and len(arms) < 2:
        raise SpecError(
            f"symptom_links is 'by_arm', but all participants are in arm {some(arms)}: "
            "use 'common' or add participants of another arm."
        )


def linked_columns(spec: SharedSpecificSpec, symptoms: pd.DataFrame | None) -> pd.DataFrame:
    """Select the symptoms that the spec links.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    symptoms : DataFrame, optional
        One column a dimension or item, indexed by participant.

    Returns
    -------
    DataFrame
        Floats, one column a linked symptom.

    Raises
    ------
    DataContractError
        If columns are missing or participants repeated; every problem is listed.
    """
    wanted = spec.linked_symptoms
    if not wanted:
        return pd.DataFrame()
    if symptoms is None:
        raise DataContractError(
            "symptoms",
            [f"the spec links {some(wanted)}, but no table of symptoms was given."],
        )
    problems = []
    known = list(map(str, symptoms.columns))
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known: {some(known, 12)}."
            if name in spec.ordinal_symptoms:
                hint += " Item scores of a cohort: cohort.symptoms.join(cohort.item_scores)."
            reason = explain_absent(name, known)
            if reason:
                hint = f" {reason[0].upper()}{reason[1:]}"
            problems.append(f"symptom '{name}' is not a column of the table.{hint}")
        elif len(infinite := _infinite(symptoms[name])):
            problems.append(
                f"symptom '{name}' is infinite for {some(infinite)}: correct it, or leave the cell "
                "empty (a missing score)."
            )
    twice = symptoms.index[symptoms.index.duplicated()]
    if len(twice):
        problems.append(f"participant(s) {some(twice)} occur more than once: keep one row each.")
    if problems:
        raise DataContractError("symptoms", problems)
    return symptoms.loc[:, list(wanted)].astype(float)


def _infinite(scores: pd.Series) -> pd.Index:
    numbers = pd.to_numeric(scores, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return scores.index[np.isinf(numbers)]


def read_ratings(
    spec: SharedSpecificSpec, linked: pd.DataFrame, design: pd.DataFrame
) -> tuple[tuple[Symptom, ...], tuple[Item, ...]]:
    """Convert linked columns to ratings.

    Parameters
    ----------
    spec : SharedSpecificSpec
        The model.
    linked : DataFrame
        From `linked_columns`.
    design : DataFrame, shape (subject, column)
        From `link_design`; its index holds the fitted subjects.

    Returns
    -------
    symptoms : tuple of Symptom
        Gaussian dimensions.
    items : tuple of Item
        Ordinal symptoms.

    Raises
    ------
    DataContractError
        If a symptom has too few ratings, does not vary, or is not an item score where one is
        expected; every problem is listed.
    """
    columns = {s: linked[s].reindex(design.index) for s in spec.linked_symptoms}
    problems = [
        problem
        for name, column in columns.items()
        for problem in _rating_problems(column, design, ordinal=name in spec.ordinal_symptoms)
    ]
    if problems:
        raise DataContractError("symptoms", problems)
    return (
        tuple(_symptom(columns[s], design) for s in spec.symptoms),
        tuple(_item(columns[s]) for s in spec.ordinal_symptoms),
    )


def _rating_problems(scores: pd.Series, design: pd.DataFrame, *, ordinal: bool) -> list[str]:
    values = scores[np.isfinite(scores.to_numpy())]
    sd = float(values.std()) if values.size > 1 else 0.0
    least = design.shape[1] + SPARE_RATINGS
    problems = []
    if values.size < least or not sd > 0:
        problems.append(
            f"symptom '{scores.name}': {values.size} of {len(design)} fitted participants have a "
            f"score and its SD is {sd:.3g}; at least {least} scores that vary are needed: "
            "omit the symptom or add scores."
        )
    elif len(others := values.index[values != values.mode()[0]]) == 1:
        problems.append(
            f"symptom '{scores.name}' is {values.mode()[0]:g} for all rated participants but "
            f"{others[0]}, so that a link would describe one participant: omit the symptom."
        )
    if not ordinal:
        return problems
    broken = values.index[values != np.floor(values)]
    if len(broken):
        problems.append(
            f"ordinal symptom '{scores.name}' is not a whole number for {some(broken)}: correct "
            "it, or list the symptom under 'symptoms'."
        )
    elif values.nunique() > MOST_LEVELS:
        problems.append(
            f"ordinal symptom '{scores.name}' has {values.nunique()} different scores, more than "
            f"{MOST_LEVELS}: list it under 'symptoms'."
        )
    return problems


def _symptom(scores: pd.Series, design: pd.DataFrame) -> Symptom:
    rated = np.flatnonzero(np.isfinite(scores.to_numpy()))
    values = scores.to_numpy()[rated]
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    basis = null_space(design.to_numpy()[rated].T)
    return Symptom(
        name=str(scores.name),
        basis=basis,
        rated=rated,
        value=basis.T @ ((values - mean) / sd),
        score=values,
        mean=mean,
        sd=sd,
    )


def _item(scores: pd.Series) -> Item:
    rated = np.flatnonzero(np.isfinite(scores.to_numpy()))
    values, level = np.unique(scores.to_numpy()[rated], return_inverse=True)
    return Item(str(scores.name), rated, level, tuple(int(v) for v in values))
