"""From measured edges to signed counts against controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bayes_mdd.errors import DataContractError, SpecError, some
from bayes_mdd.polar_lda.em.corpus import COUNT_MAX
from bayes_mdd.types import Array

Rounding = Literal["symmetric", "floor"]

#: Ridge of the published nuisance regression.
RIDGE = 1e-6


def make_counts(
    z: Array, *, scale: float = 10.0, rounding: Rounding = "symmetric"
) -> NDArray[np.int32]:
    r"""Discretise z values into signed word counts.

    The sign of a count is the polarity (positive: more connected than controls), its size the
    number of tokens. `scale` is arbitrary, and the nominal posterior SD of a composition falls
    with its square root: see `token_sensitivity`.

    Parameters
    ----------
    z : ndarray, shape (person, edge)
        Edges in SD of the controls.
    scale : float, default 10.0
        Tokens a SD.
    rounding : {"symmetric", "floor"}, default "symmetric"
        Round to the nearest integer, or down as the published program does. Rounding down takes
        half a token from every value: without any difference to controls hypo-connected tokens
        then outnumber hyper-connected ones.

    Returns
    -------
    ndarray of int32, shape (person, edge)
        Signed counts.

    Raises
    ------
    SpecError
        If `scale` is not above 0 or `rounding` unknown.
    DataContractError
        If a value is not finite or its count does not fit the integer type.

    References
    ----------
    .. [1] Tang, S. et al. (2020). Reconciling dimensional and categorical models of autism
       heterogeneity: a brain connectomics and behavioral study. Biological Psychiatry, 87,
       1071-1082.

    Examples
    --------
    >>> make_counts(np.array([[0.26, -0.26, 0.04]])).tolist()
    [[3, -3, 0]]
    >>> make_counts(np.array([[0.26, -0.26, 0.04]]), rounding="floor").tolist()
    [[2, -3, 0]]
    """
    if not (np.isfinite(scale) and scale > 0):
        raise SpecError(f"scale must be a finite number above 0, got {scale}.")
    if rounding not in ("symmetric", "floor"):
        raise SpecError(f'rounding must be "symmetric" or "floor", got {rounding!r}.')
    scaled = scale * np.asarray(z, dtype=np.float64)
    # Halves go to the even neighbour, alike on both sides of zero.
    whole = np.floor(scaled) if rounding == "floor" else np.rint(scaled)
    finite = np.isfinite(whole)
    problems = []
    if not finite.all():
        where = np.unique(np.nonzero(~finite)[0])
        problems.append(f"{int((~finite).sum())} value(s) are not finite: rows {some(where)}.")
    big = finite & (np.abs(whole) > COUNT_MAX)
    if big.any():
        where = np.unique(np.nonzero(big)[0])
        problems.append(
            f"{int(big.sum())} count(s) are too large for 32-bit integers (scale {scale:g}, "
            f"largest |z| {np.abs(scaled[big]).max() / scale:.3g}): rows {some(where)}. "
            "Look at those z values, or lower the scale."
        )
    if problems:
        raise DataContractError("z values", problems)
    return whole.astype(np.int32)


@dataclass(frozen=True, eq=False)
class PublishedReference:
    """The published reference to controls: what a later cohort needs of this one.

    Parameters
    ----------
    mean, sd : ndarray, shape (edge,)
        Of the controls' edges after the nuisance regression.
    """

    mean: Array
    sd: Array


def published_z(
    edges: Array,
    is_control: NDArray[np.bool_],
    covariates: Array,
    *,
    reference: PublishedReference | None = None,
) -> tuple[Array, PublishedReference]:
    r"""Standardise edges against controls exactly as the published program does.

    `bayes_mdd.reference_to_controls` does the same job with degrees of freedom accounted for;
    this one is for comparison with published numbers: a ridge of 1e-6 in the nuisance regression
    and an SD that divides by n - 1 whatever the number of covariates.

    Parameters
    ----------
    edges : ndarray, shape (person, edge)
        Patients and controls together, in the units they were measured in.
    is_control : ndarray of bool, shape (person,)
        Who is a control.
    covariates : ndarray, shape (person, covariate)
        Nuisance columns without the intercept: age, sex, motion, site dummies.
    reference : PublishedReference, optional
        Of the cohort a model was learned from: a new cohort's nuisance regression uses its own
        controls, mean and SD are the learning cohort's.

    Returns
    -------
    z : ndarray, shape (person, edge)
        In SD of the controls.
    reference : PublishedReference
        For the next cohort.

    Raises
    ------
    DataContractError
        If there are not enough controls, an edge does not vary among them, or shapes disagree.
    """
    edges, covariates = np.asarray(edges, float), np.asarray(covariates, float)
    control = np.asarray(is_control, bool)
    _check_reference(edges, control, covariates)
    design = np.column_stack([np.ones(len(edges)), covariates])
    own = design[control]
    gram = own.T @ own + RIDGE * np.eye(own.shape[1])
    weights = np.linalg.solve(gram, own.T @ edges[control])
    cleaned = edges - design @ weights + edges[control].mean(axis=0)
    if reference is None:
        reference = PublishedReference(
            cleaned[control].mean(axis=0), cleaned[control].std(axis=0, ddof=1)
        )
    flat = np.flatnonzero(~(reference.sd > 0))
    if flat.size:
        raise DataContractError(
            "edges",
            [
                f"{flat.size} edge(s) do not vary among the {int(control.sum())} controls "
                f"(columns {some(flat)}): nothing can be standardised against them. "
                "Leave them out."
            ],
        )
    return (cleaned - reference.mean) / reference.sd, reference


def _check_reference(edges: Array, control: NDArray[np.bool_], covariates: Array) -> None:
    problems = []
    if (
        edges.ndim != 2
        or covariates.ndim != 2
        or len({*map(len, (edges, control, covariates))}) > 1
    ):
        problems.append(
            f"edges {edges.shape}, is_control {control.shape} and covariates {covariates.shape} "
            "must have one row a person."
        )
    elif not control.any():
        problems.append(
            "there are no controls: polar LDA counts deviations from controls. Without them, "
            "standardise against the patients themselves (bayes_mdd.reference_to_controls does, "
            "and says so) and read hyper and hypo as more and less than the average patient."
        )
    elif control.sum() < covariates.shape[1] + 3:
        problems.append(
            f"{int(control.sum())} controls cannot carry {covariates.shape[1]} covariates and "
            "an SD: give at least covariates + 3 controls."
        )
    if not (np.isfinite(edges).all() and np.isfinite(covariates).all()):
        problems.append("edges or covariates hold missing or infinite values.")
    if problems:
        raise DataContractError("reference", problems)
